"""The programme process: what it does of what it reads at the public door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from hall.media.port.places import Places
from hall.media.programme.serving import Programme
from sessions.ids import SessionId
from tests.support.fake_clock import FakeClock


class Door:
    """Three views, one after the other, then nothing."""

    async def follow(self, _: SessionId) -> AsyncIterator[tuple[dict[str, Any], list[Any]]]:
        for number in (1, 2, 3):
            yield {"n": number}, []
        await asyncio.Event().wait()


class Broadcast:
    """On the air until it was shown the third view; the second it cannot show."""

    session = SessionId("s-1")

    def __init__(self) -> None:
        self.shown: list[int] = []
        self._over = asyncio.Event()

    def shows(self, view: dict[str, Any], _: list[Any]) -> None:
        if view["n"] == 2:
            raise KeyError("what this version knows nothing of")
        self.shown.append(view["n"])
        if view["n"] == 3:
            self._over.set()

    async def run(self) -> None:
        await self._over.wait()


async def test_a_view_that_cannot_be_shown_does_not_stop_the_picture(tmp_path: Path) -> None:
    programme, broadcast = Programme(Places(tmp_path), Door(), FakeClock(), object()), Broadcast()  # type: ignore[arg-type]
    async with asyncio.timeout(60):
        await programme._broadcast(broadcast)  # type: ignore[arg-type]
    assert broadcast.shown == [1, 3]
    programme._out.close()
