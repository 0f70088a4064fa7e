"""An event loop whose time passes only when nobody has anything to do: an opening of hours takes milliseconds.

Everything runs in one thread, threads included, so a seed plays the same story each time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlock(Exception):
    """Everybody waits for somebody, and nothing will ever happen again."""


class _Leap(selectors.SelectSelector):
    """Instead of waiting, moves the clock to where the waiting would end."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise Deadlock
        if not ready and timeout is not None:
            self.now += timeout
        return ready


class _AtOnce(ThreadPoolExecutor):
    """Does in the caller what it is given."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        done: Future[T] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:
            done.set_exception(error)
        return done


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._leap = _Leap()
        super().__init__(self._leap)
        self.set_default_executor(_AtOnce())

    def time(self) -> float:
        return self._leap.now


class VirtualClock:
    """The clock of every machine in the simulation: whole milliseconds from ``start`` on."""

    def __init__(self, loop: VirtualLoop, start: datetime) -> None:
        self._loop = loop
        self._start = start

    def now(self) -> datetime:
        return self._start + timedelta(milliseconds=int(self._loop.time() * 1000))


def run(story: Callable[[VirtualLoop], Coroutine[Any, Any, T]]) -> T:
    """Run ``story`` to its end in virtual time."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(story(loop))
    finally:
        loop.run_until_complete(_cancel_all())
        loop.close()


async def _cancel_all() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
