"""An event loop whose time passes only when nobody has anything to do: an opening of hours takes milliseconds.

Everything runs in one thread, threads included, so a seed plays the same story each time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlock(Exception):
    """Everybody waits for somebody, and nothing will ever happen again."""


class _Due(asyncio.TimerHandle):
    """Something to be done, at a moment or next; nothing is kept for telling where it came from."""

    __slots__ = ()

    def __init__(
        self, do: Callable[..., object], args: tuple[Any, ...], context: Context | None, when: float
    ) -> None:
        self._callback, self._args, self._when = do, args, when
        self._context = copy_context() if context is None else context
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True


class VirtualLoop(asyncio.BaseEventLoop):
    """Does what is ready in its turn; when nothing is, it is the next moment at which something is due.

    No socket is ever looked at: that look was a third of a world's time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._next: deque[_Due] = deque()
        self._later: list[tuple[float, int, _Due]] = []
        self._order = count()

    def time(self) -> float:
        return self._now

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:
        due = _Due(callback, args, context, self._now)
        self._next.append(due)
        return due

    call_soon_threadsafe = call_soon  # there is one thread

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> asyncio.TimerHandle:
        due = _Due(callback, args, context, when)
        heappush(self._later, (when, next(self._order), due))
        return due

    def call_later(
        self, delay: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def run_in_executor(self, executor: object, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """Do it here and now; who asked learns of it in its turn."""
        done: asyncio.Future[T] = self.create_future()
        try:
            result = func(*args)
        except Exception as error:
            self.call_soon(_unless_cancelled, done, done.set_exception, error)
        else:
            self.call_soon(_unless_cancelled, done, done.set_result, result)
        return done

    def _run_once(self) -> None:
        ready, later = self._next, self._later
        while later and later[0][2]._cancelled:
            heappop(later)
        if not ready:
            if not later:
                raise Deadlock
            self._now = max(self._now, later[0][0])
        while later and later[0][0] <= self._now:
            ready.append(heappop(later)[2])
        for _ in range(len(ready)):
            due = ready.popleft()
            if due._cancelled:
                continue
            try:
                due._context.run(due._callback, *due._args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self.call_exception_handler({"message": f"in {due._callback!r}", "exception": error})


def _unless_cancelled(done: asyncio.Future[Any], tell: Callable[[Any], None], what: object) -> None:
    if not done.cancelled():
        tell(what)


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
