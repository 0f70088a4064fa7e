"""Sends each session its Tick when something falls due. A late one harms nothing: events carry their due time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from sessions.clock import Clock
from sessions.ids import SessionId

_log = logging.getLogger(__name__)

LONGEST_REST = timedelta(seconds=1)
"""Another worker may have brought something forward, and a machine may have slept."""

SHORTEST_REST = timedelta(milliseconds=10)
"""A session may stay due for a while, because another worker settles it: no reason to spin."""

AFTER_FAILURE = timedelta(seconds=1)

BEFORE = timedelta(seconds=10)
"""So long before something falls due the session is made ready for it: many may have the same moment."""

LAST = timedelta(seconds=1)
"""So long before it is made ready once more, by what has happened since."""


class Settles(Protocol):
    """What the timekeeper needs of the service."""

    async def falling_due(self) -> Sequence[tuple[SessionId, datetime]]:
        """The sessions in which something falls due, with when."""

    async def settle(self, session: SessionId) -> object:
        """Send a Tick."""


Ready = Callable[[SessionId], Awaitable[bool]]
"""Makes a session ready for what is due; tells whether that is its opening time."""


class Timekeeper:
    """One task that sleeps until something falls due. It logs failures and goes on; only ``stop`` ends it.

    Each session settles in a task of its own: one that takes long, because bids are still being checked at T0, holds
    up no other.
    """

    def __init__(
        self,
        service: Settles,
        clock: Clock,
        *,
        late: Callable[[timedelta], object] = lambda by: None,
        ready: Ready | None = None,
    ) -> None:
        """``late`` is told how long after it fell due something was taken up.

        ``ready`` is called for each due moment twice, some seconds and one second before, for one session after the
        other.
        """
        self.before_t0: Callable[[], object] = lambda: None
        """Called once some seconds before an opening time, when every session that has it is ready."""
        self._ready = ready
        self._made_ready: dict[tuple[SessionId, bool], datetime] = {}  # the first time, the last time
        self._making_ready: asyncio.Task[None] | None = None
        self._service = service
        self._clock = clock
        self._late = late
        self._expected: datetime | None = None
        self._stirred = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._settling: dict[SessionId, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Begin. Call once, with the event loop running."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="timekeeper")

    def stir(self) -> None:
        """Look again now: something changed that may have brought a due time forward."""
        self._stirred.set()

    async def stop(self) -> None:
        """End. A settlement that has begun is cut off: its transaction either happened or did not."""
        all_of_them = (self._task, self._making_ready, *self._settling.values())
        tasks = [task for task in all_of_them if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._stirred.clear()
            try:
                rest = await self._round()
            except Exception:
                _log.exception("what is due could not be read")
                rest = AFTER_FAILURE
            try:
                async with asyncio.timeout(rest.total_seconds()):
                    await self._stirred.wait()
                    # Every commit stirs. 500 keys at once are no reason to ask the database 500 times.
                    await asyncio.sleep(SHORTEST_REST.total_seconds())
            except TimeoutError:
                pass

    async def _round(self) -> timedelta:
        """Begin to settle what is due, and return how long to rest."""
        now = self._clock.now()
        if self._expected is not None and self._expected <= now:
            self._late(now - self._expected)
        ahead: list[datetime] = []
        falling = await self._service.falling_due()
        now = self._clock.now()
        for session, due in falling:
            if due > now:
                ahead.append(due)
            elif session not in self._settling:
                self._settling[session] = asyncio.get_running_loop().create_task(self._settle(session))
        self._make_ready([(session, due) for session, due in falling if timedelta() < due - now < BEFORE], now)
        self._expected = min(ahead, default=None)
        if self._expected is None:
            return LONGEST_REST
        last = min((due - LAST for due in ahead if due - LAST > now), default=self._expected)
        return min(LONGEST_REST, max(min(self._expected, last) - self._clock.now(), SHORTEST_REST))

    def _make_ready(self, soon: Sequence[tuple[SessionId, datetime]], now: datetime) -> None:
        known = {(session, due - now <= LAST): due for session, due in soon}
        fresh = [each for each, due in known.items() if self._made_ready.get(each) != due]
        if self._ready is None or not fresh or (self._making_ready and not self._making_ready.done()):
            return
        self._made_ready = known | {each: due for each, due in self._made_ready.items() if due > now}
        making = self._make_each_ready(self._ready, [session for session, _ in fresh], first=not fresh[0][1])
        self._making_ready = asyncio.get_running_loop().create_task(making, name="make ready")

    async def _make_each_ready(self, ready: Ready, sessions: Sequence[SessionId], *, first: bool) -> None:
        opens = False
        for session in sessions:
            try:
                opens |= await ready(session)
            except Exception:
                _log.exception("a session could not be made ready for what is due", extra={"session": session})
        if opens and first:
            self.before_t0()

    async def _settle(self, session: SessionId) -> None:
        try:
            await self._service.settle(session)
        except Exception:
            _log.exception("a session could not be settled", extra={"session": session})
            await asyncio.sleep(AFTER_FAILURE.total_seconds())
        finally:
            del self._settling[session]
            asyncio.get_running_loop().call_later(SHORTEST_REST.total_seconds(), self.stir)
