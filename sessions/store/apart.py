"""A thread with an event loop of its own, for signs of life: no crowd in this process delays them.

Whoever waits for the database in the hall's loop waits for the loop too. When 500 keys come at once a round of it
takes a good part of a second, and a transaction has two dozen: what was measured there was the crowd.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from threading import Thread
from typing import Any, Final, TypeVar

T = TypeVar("T")

GRACE: Final = 2.0
"""Seconds that ``close`` gives to what is under way."""


class Apart:
    """Runs coroutines beside the caller's loop. Begins with the first; ``close`` ends it."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None

    async def do(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what ``work`` comes to over there.

        Who gives up waiting does not cut it off: SQLite's one writer, cut off amid its transaction, would keep all
        others out until somebody found it.
        """
        there = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), self._running()))
        there.add_done_callback(_heard)
        return await asyncio.shield(there)

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            # A daemon, so that a process which ends without closing its database ends.
            self._thread = Thread(target=self._loop.run_forever, name="apart", daemon=True)
            self._thread.start()
        return self._loop

    async def close(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Let what is under way end, or cut it off in time; then do ``last`` there, and end the thread."""
        loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_end_all(last), loop))
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(thread.join)
        loop.close()


def _heard(ended: asyncio.Future[Any]) -> None:
    if not ended.cancelled():
        ended.exception()  # for those who no longer wait nobody need be told


async def _end_all(last: Callable[[], Coroutine[Any, Any, None]]) -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        await asyncio.wait(left, timeout=GRACE)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await last()
    await asyncio.get_running_loop().shutdown_asyncgens()
