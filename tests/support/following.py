"""A reader of a hub as a stream of chunks, which takes one at a time: slow readers are those that do not ask."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Self

from hall.hub import Hub
from hall.rooms.seat import Seat
from hall.views.audience import Audience
from hall.wire.frames import Form
from sessions.ids import SessionId


class Follower:
    """One reader; ``code`` is what the hub closed it with."""

    def __init__(self) -> None:
        self.seat: Seat
        self.code: int | None = None
        self._chunks: deque[bytes] = deque()
        self._news = asyncio.Event()

    def write(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self.seat.pause()
        self._news.set()

    def close(self, code: int) -> None:
        self.code = code
        self.seat.leave()
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            if not self._chunks:
                self._news.clear()
                self.seat.resume()
                if not self._chunks and self.code is None:
                    await self._news.wait()
        except asyncio.CancelledError:
            self.seat.leave()
            raise
        if self._chunks:
            return self._chunks.popleft()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.seat.leave()


async def follow(
    hub: Hub, session: SessionId, audience: Audience, after: int, *, form: Form, address: str | None = None
) -> Follower:
    """Attach a reader; raises like ``Hub.attach``."""
    reader = Follower()
    reader.seat = await hub.attach(
        session, audience, after, form=form, write=reader.write, closed=reader.close, address=address
    )
    return reader
