"""The doorbell over PostgreSQL's LISTEN and NOTIFY, for halls that need no Redis, on connections of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]

from hall.buses.doorbell import Doorbell

CHANNEL: Final = "kaibiao"
LONGEST: Final = 7_900
"""Bytes of one notification; PostgreSQL takes fewer than 8,000. What is longer is not said."""

CONNECT: Final = 5.0
QUIET: Final = 5.0


class PostgresBus(Doorbell):
    """A Bus (hall.buses.bus) over notifications. Every database has bells of its own."""

    def __init__(self, url: str) -> None:
        """``url``: ``postgresql://``, as asyncpg takes it."""
        super().__init__()
        self._url = url
        self._out: Any = None

    async def _send(self, messages: Sequence[str]) -> None:
        short = [message for message in messages if len(message.encode()) <= LONGEST]
        try:
            if self._out is None:
                self._out = await self._connect()
            await self._out.execute("SELECT pg_notify($1, said) FROM unnest($2::text[]) said", CHANNEL, short)
        except BaseException:
            if self._out is not None:
                self._out.terminate()
            self._out = None
            raise

    async def _messages(self) -> AsyncIterator[str]:
        heard: asyncio.Queue[str] = asyncio.Queue()
        connection = await self._connect()
        try:
            await connection.add_listener(CHANNEL, lambda *said: heard.put_nowait(said[3]))
            while not connection.is_closed():
                try:
                    async with asyncio.timeout(QUIET):
                        message = await heard.get()
                except TimeoutError:
                    await connection.execute("SELECT 1", timeout=QUIET)  # or a cut that nobody told of lasts for ever
                    self._is_there()
                else:
                    yield message
        finally:
            connection.terminate()

    async def _part(self) -> None:
        if self._out is not None:
            with suppress(Exception):
                await self._out.close(timeout=1)
            self._out = None

    async def _connect(self) -> Any:
        settings = {"application_name": "kaibiao bus"}
        return await asyncpg.connect(self._url, timeout=CONNECT, server_settings=settings)
