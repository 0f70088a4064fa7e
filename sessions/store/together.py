"""Writes of many callers in one transaction: whoever comes while one runs shares the next, as in sessions.appender.

A lone write waits for nothing. 500 keys that are handed over at once so share a dozen commits, where each had two of
its own before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from sqlalchemy.exc import IntegrityError

MOST: Final = 256
"""In one transaction."""

Item = TypeVar("Item")


class Together(Generic[Item]):
    """Gathers what is to be written. All callers share an event loop."""

    def __init__(self, write: Callable[[Sequence[Item]], Awaitable[None]]) -> None:
        """``write`` writes all it is given, or nothing and raises."""
        self._write = write
        self._waiting: list[tuple[Item, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def add(self, item: Item) -> None:
        """Return when ``item`` is durable; raise what the store says of it."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((item, done))
        if self._task is None:
            self._task = loop.create_task(self._work(), name="write together")
        await done

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                await self._put(batch)
        finally:
            self._task = None
            for _, done in self._waiting:  # this task was cancelled: the loop ends
                done.cancel()

    async def _put(self, batch: Sequence[tuple[Item, asyncio.Future[None]]]) -> None:
        try:
            await self._write([item for item, _ in batch])
        except IntegrityError as error:
            if len(batch) > 1:  # one of them cannot be written, which is no reason for the others
                for one in batch:
                    await self._put([one])
                return
            _answer(batch, error)
        except BaseException as error:
            _answer(batch, error)
            if not isinstance(error, Exception):
                raise
        else:
            _answer(batch, None)


def _answer(batch: Sequence[tuple[object, asyncio.Future[None]]], error: BaseException | None) -> None:
    for _, done in batch:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        elif isinstance(error, Exception):
            done.set_exception(error)
        else:
            done.cancel()
