"""The edge as a process: what it does when its port is somebody else's."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path

import pytest

from hall.media.edge import serving
from hall.media.edge.mux import Mux
from hall.media.port.engine import Away
from hall.media.port.link import Link
from hall.media.port.places import Places
from sessions.clock import SystemClock


async def test_a_port_that_is_taken_is_said_once_and_had_as_soon_as_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(serving, "PORT_AGAIN", 0.02)
    again = asyncio.Event()
    tries = 0
    opened = Mux.open

    async def open_(mux: Mux) -> None:
        nonlocal tries
        tries += 1
        if tries == 3:
            again.set()
        await opened(mux)

    monkeypatch.setattr(Mux, "open", open_)
    places = Places(tmp_path)
    places.make()
    link = Link(places.edge)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other, caplog.at_level(logging.WARNING):
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        edge = asyncio.create_task(serving.serve(places, host="127.0.0.1", port=port, clock=SystemClock()))
        async with asyncio.timeout(60):
            await again.wait()
        with pytest.raises(Away):
            await link.ask("sources", session="s-1")
    assert [vars(each)["port"] for each in caplog.records if each.name == serving.__name__] == [port]
    try:
        async with asyncio.timeout(60):
            while True:
                try:
                    assert await link.ask("sources", session="s-1") == []
                    break
                except Away:
                    await asyncio.sleep(0.02)
    finally:
        await link.close()
        edge.cancel()
        await asyncio.wait({edge})
