"""Writes of many in one transaction, questions of many in one query: whoever comes while one runs shares the next.

As in sessions.appender, a lone one waits for nothing. 500 keys that are handed over at once so share a dozen commits,
where each had two of its own before, and fifty openings with one T0 close in a handful of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from sqlalchemy.exc import IntegrityError

MOST: Final = 256
"""In one transaction."""

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")


class Together(Generic[Item]):
    """Gathers what is to be written. All callers share an event loop."""

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Awaitable[None]],
        *,
        own: tuple[type[Exception], ...] = (IntegrityError,),
    ) -> None:
        """``write`` writes all it is given, or nothing and raises: what is in ``own`` where one of them cannot be."""
        self._write = write
        self._own = own
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
        except self._own as error:
            if half := len(batch) // 2:  # one of them cannot be written, which is no reason for the others to wait
                await self._put(batch[:half])
                await self._put(batch[half:])
                return
            _answer(batch, error)
        except BaseException as error:
            _answer(batch, error)
            if not isinstance(error, Exception):
                raise
        else:
            _answer(batch, None)


class Asking(Generic[Key, Found]):
    """Gathers questions. Nobody is told what was so before it asked. All callers share an event loop."""

    def __init__(self, read: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Found]]]) -> None:
        """``read`` returns what it finds of these keys, each of which it is given once."""
        self._read = read
        self._waiting: dict[Key, list[asyncio.Future[Found | None]]] = {}
        self._task: asyncio.Task[None] | None = None

    async def ask(self, key: Key) -> Found | None:
        """Return what there is under ``key``, or None; raise what the store says."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Found | None] = loop.create_future()
        self._waiting.setdefault(key, []).append(done)
        if self._task is None:
            self._task = loop.create_task(self._work(), name="ask together")
        return await done

    async def _work(self) -> None:
        try:
            while self._waiting:
                keys = list(self._waiting)[:MOST]
                asked = [(key, self._waiting.pop(key)) for key in keys]
                waiting = [(key, done) for key, all_of_them in asked for done in all_of_them]
                try:
                    found = await self._read(keys)
                except BaseException as error:
                    _answer(waiting, error)
                    if not isinstance(error, Exception):
                        raise
                else:
                    for key, done in waiting:
                        if not done.done():
                            done.set_result(found.get(key))
        finally:
            self._task = None
            for left in self._waiting.values():  # this task was cancelled: the loop ends
                for done in left:
                    done.cancel()


def _answer(batch: Sequence[tuple[object, asyncio.Future[Any]]], error: BaseException | None) -> None:
    for _, done in batch:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        elif isinstance(error, Exception):
            done.set_exception(error)
        else:
            done.cancel()
