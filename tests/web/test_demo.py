"""The demo's hall is where it says it is."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from web.demo.play import Options, _hall, play
from web.participant.remote import Hall
from web.refused import Refused


def options(port: int, out: Path) -> Options:
    return Options(port=port, bidders=3, speed=1.0, exit_when_done=True, out=out)


async def test_a_free_port_is_settled_before_it_is_told(tmp_path: Path) -> None:
    async with _hall(options(0, tmp_path), tmp_path) as stage, Hall(stage.url) as anyone:
        assert not stage.url.endswith(":0")
        assert stage.services.settings.origin == stage.url
        assert await anyone.sessions() == []


async def test_a_port_that_is_taken_is_said_in_one_sentence_with_a_hint(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused) as refused:
            await play(options(port, tmp_path))
    assert refused.value.sentence == f"Port {port} of 127.0.0.1 cannot be used: Address already in use."
    assert "--port 0" in refused.value.hint
    assert not (tmp_path / "hall").exists()
