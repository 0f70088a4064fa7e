"""This process as one of the workers of a hall: it joins, says that it lives, leads sessions and steps down.

A worker that is silent for longer than ``VALID`` by the database's clock is fenced by the others: its number is gone,
so that it writes nothing any more (Database.writing), and what it led is free. When it comes back it notices, throws
its memory away and joins again under another number. The automatic part of a session is done by whoever leads it;
what users send, every worker appends.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from sessions.clock import Clock
from sessions.errors import Fenced
from sessions.ids import SessionId
from sessions.ports import Holders, Members

VALID = timedelta(seconds=8)
"""How long a worker may be silent. With the rounds of the others a dead one's sessions move within ten seconds."""

RENEW = 2.0
ROUND = 0.5
"""Seconds between looks for sessions that nobody leads: a worker that leaves hands over within that time."""

AFTER_FAILURE = 2.0
RECENT = timedelta(days=7)
"""How long after its end a session still has somebody who asks its witnesses."""

AT_ONCE = 16
"""Sessions that are taken up side by side."""

_log = logging.getLogger(__name__)

Duty = Callable[[Collection[SessionId]], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Duties:
    """What leading sessions means, each step called with the sessions.

    ``catch_up`` in this order before anything falls due there, ``begin`` after that. ``stop`` ends whatever runs.
    ``look`` is called every second. ``lose`` throws away all that is not in the database.
    """

    catch_up: Sequence[Duty] = ()
    begin: Sequence[Duty] = ()
    stop: Sequence[Duty] = ()
    look: Sequence[Callable[[], Awaitable[object]]] = ()
    lose: Callable[[], object] = lambda: None
    quiet: Callable[[SessionId], Awaitable[bool]] | None = None


def share(free: int, holders: Holders, mine: int) -> int:
    """Return how many of the free sessions are this worker's to take: an equal part of all, rounded up."""
    everything = free + sum(holders.values())
    equal = -(-everything // max(1, len(holders)))
    return max(0, min(free, equal - holders.get(mine, 0)))


def excess(holders: Holders, mine: int) -> int:
    """Return how many sessions this worker leads beyond an equal part. One more than the others is none."""
    equal = -(-sum(holders.values()) // max(1, len(holders)))
    return max(0, holders.get(mine, 0) - equal)


class Membership:
    """One worker. All methods belong to one event loop: ``start`` first, ``retire`` and ``close`` last."""

    def __init__(
        self, members: Members, clock: Clock, *, instead_of: str | None = None, name: str | None = None, alone: bool
    ) -> None:
        """``alone``: no other process may serve, so whoever wrote before is dead or fenced now.

        ``instead_of``: the name of a worker that is known to be dead.
        """
        self.name = name or secrets.token_hex(8)
        self.number: int | None = None
        self._members = members
        self._clock = clock
        self._instead_of = instead_of
        self._alone = alone
        self._duties = Duties()
        self._mine: set[SessionId] = set()  # as the database has it
        self._leading: set[SessionId] = set()  # of those, the ones that were caught up with
        self._unsure: set[SessionId] = set()  # not this one's, but the database may have them as its
        self._taking: dict[SessionId, asyncio.Task[None]] = {}
        self._rest_until: dict[SessionId, float] = {}
        self._seen_free: Mapping[SessionId, float] = {}
        self._retired = False
        self._tasks: list[asyncio.Task[None]] = []
        self._turn = asyncio.Lock()
        self._side_by_side = asyncio.Semaphore(AT_ONCE)

    def leads(self, session: SessionId) -> bool:
        """See Leads."""
        return session in self._leading

    async def claim(self, session: SessionId) -> None:
        """See Leads."""
        try:
            async with self._turn:
                if self.number is not None and not self._retired and session not in self._mine:
                    taken = set(await self._take(self.number, [session]))
                    self._mine |= taken
                    self._leading |= taken  # nothing happened in it that would have to be caught up with
        except Exception:
            _log.exception("a new session could not be claimed; the next round tries again")

    async def start(self, duties: Duties) -> None:
        """Join, and take up what nobody leads, before this process serves anybody. Raises whatever goes wrong."""
        self._duties = duties
        await self._join()
        free = await self._members.free(self._clock.now() - RECENT)
        holders = await self._members.holders()
        taken = await self._members.take(self._number, free[: share(len(free), holders, self._number)])
        self._mine |= set(taken)
        if taken:
            await self._take_up(taken)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._live(), name="membership"), loop.create_task(self._look(), name="look")]

    async def retire(self) -> None:
        """Hand everything that this worker leads to the others, and take nothing more. Harmless when done before."""
        if self._retired:
            return
        self._retired = True
        async with self._turn:
            await self._lay_down(tuple(self._mine))
            if self.number is not None:
                try:
                    await self._members.release(self.number)
                except Exception:
                    _log.exception("the sessions could not be handed over; they are when this worker has left")

    async def close(self) -> None:
        """Leave. What is written afterwards is refused."""
        await self.retire()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.number is not None:
            try:
                await self._members.leave(self.number)
            except Exception:
                _log.exception("this worker could not leave; the others notice its silence")
            self.number = None

    @property
    def _number(self) -> int:
        if self.number is None:
            raise Fenced
        return self.number

    async def _join(self) -> None:
        self.number = await self._members.join(self.name, VALID, instead_of=self._instead_of, alone=self._alone)
        self._instead_of = None
        _log.info("joined the hall's workers", extra={"number": self.number})

    async def _live(self) -> None:
        """Say every now and then that this worker lives, fence those who do not, and take what they led."""
        loop = asyncio.get_running_loop()
        renew_at = loop.time() + RENEW
        while True:
            await asyncio.sleep(ROUND)
            try:
                async with self._turn:
                    if loop.time() >= renew_at:
                        await self._members.renew(self._number, VALID)
                        renew_at = loop.time() + RENEW
                        for gone in await self._members.fence(self._number):
                            _log.warning("a worker was silent for too long and is fenced", extra={"number": gone})
                        await self._balance()
                    await self._round()
            except Fenced:
                await self._begin_anew()
            except Exception:
                _log.exception("the database does not answer this worker")
                await asyncio.sleep(AFTER_FAILURE)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(2 * ROUND)
            for look in self._duties.look:
                try:
                    await look()
                except Exception:
                    _log.exception("what other workers did could not be read; the next round tries again")

    async def _begin_anew(self) -> None:
        """Throw away everything that this worker knew or led, and join under a new number."""
        _log.error("this worker was fenced: it begins anew")
        async with self._turn:
            self.number = None
            self._unsure.clear()
            await self._lay_down(tuple(self._mine))
            self._duties.lose()
            try:
                await self._join()
            except Exception:
                _log.exception("this worker could not join again")
                await asyncio.sleep(AFTER_FAILURE)

    async def _round(self) -> None:
        """Take what nobody leads: this worker's part at once, the rest if the others leave it."""
        if self._retired:
            return
        if unsure := tuple(self._unsure):  # the database may say that this worker leads them, and nobody ever would
            await self._members.release(self._number, unsure)
            self._unsure -= set(unsure)  # meanwhile others may have come to it
        free = await self._members.free(self._clock.now() - RECENT)
        now = asyncio.get_running_loop().time()
        self._rest_until = {session: until for session, until in self._rest_until.items() if until > now}
        self._seen_free = {session: self._seen_free.get(session, now) for session in free}
        ready = [session for session in free if session not in self._rest_until]
        if ready:
            part = share(len(ready), await self._members.holders(), self._number)
            left = [session for session in ready[part:] if now - self._seen_free[session] > 3 * ROUND]
            taken = await self._take(self._number, [*ready[:part], *left])
            self._mine |= set(taken)
            for session in taken:
                task = asyncio.get_running_loop().create_task(self._try_to_take_up(session), name=f"take {session}")
                self._taking[session] = task

    async def _take(self, number: int, sessions: Sequence[SessionId]) -> Sequence[SessionId]:
        try:
            taken = await self._members.take(number, sessions)
        except Exception:
            self._unsure |= set(sessions)
            raise
        self._unsure -= set(taken)
        return taken

    async def _try_to_take_up(self, session: SessionId) -> None:
        try:
            async with self._side_by_side:
                await self._take_up([session])
        except Exception:
            _log.exception("a session could not be taken up; it is tried again", extra={"session": session})
            self._rest_until[session] = asyncio.get_running_loop().time() + AFTER_FAILURE
            with suppress(Exception):  # then the next round gives it up
                await self._give_up([session])
        finally:
            self._taking.pop(session, None)

    async def _take_up(self, sessions: Sequence[SessionId]) -> None:
        for step in self._duties.catch_up:
            await step(sessions)
        self._leading |= set(sessions) & self._mine
        for step in self._duties.begin:
            await step(sessions)

    async def _lay_down(self, sessions: Collection[SessionId]) -> None:
        self._leading -= set(sessions)
        self._mine -= set(sessions)
        taking = [task for session, task in self._taking.items() if session in sessions]
        for task in taking:
            task.cancel()
        await asyncio.gather(*taking, return_exceptions=True)
        for step in self._duties.stop:
            try:
                await step(sessions)
            except Exception:
                _log.exception("a duty could not be laid down")

    async def _give_up(self, sessions: Sequence[SessionId]) -> None:
        self._leading -= set(sessions)
        self._mine -= set(sessions)
        for step in self._duties.stop:
            await step(sessions)
        if self.number is not None:
            try:
                await self._members.release(self.number, sessions)
            except Exception:
                self._unsure |= set(sessions)
                raise

    async def _balance(self) -> None:
        """Leave sessions that nothing happens in to the others, when they lead fewer."""
        if self._alone or self._retired or self._duties.quiet is None:
            return
        much = excess(await self._members.holders(), self._number)
        given: list[SessionId] = []
        for session in sorted(self._leading):
            if len(given) < much and await self._duties.quiet(session):
                given.append(session)
        if given:
            now = asyncio.get_running_loop().time()
            self._rest_until |= dict.fromkeys(given, now + 4 * ROUND)
            await self._give_up(given)
