"""The hall watches over itself: signs of life, votes, incidents; and what of that an opening has to know first.

Nothing is decided in a session before ``findings`` was asked, in the same breath (sessions.appender). So a worker
that slept, or a database that was away, is noticed before anything that fell due meanwhile is settled.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from sessions.batch import Held
from sessions.commands import (
    CheckClock,
    DoubtClock,
    OpeningCommand,
    RecordOutage,
    RecordRecovery,
    TrustClock,
)
from sessions.errors import UnknownSession
from sessions.ids import SessionId
from sessions.opening import OVER, Opening, Status
from sessions.opening.stopping import measures
from sessions.opening.stops import CLOCK_STOP, OUTAGE_STOP
from sessions.plan import Plan, StepKind
from sessions.watch.health import GAP, Judgement, State, Vote, judge
from sessions.watch.steady import ClockGuard, Doubt, milliseconds

EVERY = 2.0
PATIENCE = 10.0
"""Seconds the database may take to keep a sign of life."""

BEAT = 0.1
"""What one round of this process's own loop counts for at most while it waits: what it takes longer, a crowd took."""

REMEMBERED = timedelta(days=1)
"""How long after its end an incident is still looked for in sessions that have not heard of it."""

T = TypeVar("T")

_MS = timedelta(milliseconds=1)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """The hall was out, or its clock unsafe (``kind`` as in opening.stops). ``ended`` is None while it lasts."""

    id: int
    kind: str
    began: datetime
    noticed_at: datetime
    ended: datetime | None
    reasons: tuple[str, ...]
    figures: Mapping[str, str]


class PulseStore(Protocol):
    """Signs of life, one a worker, and incidents."""

    async def pulse(self, vote: Vote) -> tuple[tuple[Vote, ...], float]:
        """Keep this worker's newest vote; return the newest of every worker as they stood before.

        And how many seconds the database took for it: without what this process took, or a queue of its own.
        """

    async def incidents(self, *, since: datetime | None = None) -> tuple[Incident, ...]:
        """Return the incidents that last or ended since then, or all, in the order they began."""

    async def begin(self, incident: Incident) -> None:
        """Keep an incident (its ``id`` is given here), unless one of its kind lasts or began at the same moment."""

    async def end(self, kind: str, at: datetime) -> None:
        """End the incident of this kind, if one lasts."""


class Sweeps(Protocol):
    """What the vigil needs of Sessions."""

    async def live(self) -> tuple[SessionId, ...]: ...

    async def settle(self, session: SessionId) -> object: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """What a process sees of itself besides the database.

    ``present``: devices here, by session under way. ``dismissed``: sessions whose people may go, because it is over
    or this process stops.
    """

    present: Mapping[SessionId, int]
    dismissed: frozenset[SessionId]
    free_bytes: int


class Vigil:
    """One worker's part in it. All methods belong to one event loop: ``recover`` first, then ``start``."""

    def __init__(
        self,
        store: PulseStore,
        clock: ClockGuard,
        *,
        now: Callable[[], datetime],
        worker: str,
        look: Callable[[], Local],
    ) -> None:
        """``now`` is the hall's clock, ``look`` what this process sees of itself."""
        self.clock = clock
        self._store = store
        self._now = now
        self._worker = worker
        self._look = look
        self._sessions: Sweeps | None = None
        self._seen: deque[tuple[datetime, dict[SessionId, int]]] = deque()
        self._alive_at: datetime | None = None
        self._well_at = now()
        self._took_ms = 0
        self._late_ms = 0
        self._failed = False
        self._votes: tuple[Vote, ...] = ()
        self._incidents: tuple[Incident, ...] = ()
        self._unswept = True
        self._leads: Callable[[SessionId], bool] = lambda _: True
        self._pulsing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self.judgement = Judgement(state=State.HEALTHY, reasons=(), figures={})

    # -- signs of life ----------------------------------------------------------------------------------------

    async def recover(self, _: object = None) -> None:
        """Reckon with the time since the last sign of life, before anything that fell due meanwhile is settled."""
        await self._pulse()

    def start(self, sessions: Sweeps, leads: Callable[[SessionId], bool] = lambda _: True) -> None:
        """Begin to watch, and to tell the sessions that this process leads."""
        self._sessions = sessions
        self._leads = leads
        self._task = asyncio.get_running_loop().create_task(self._watch(), name="vigil")

    async def close(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def incidents(self) -> tuple[Incident, ...]:
        """Return every incident of this hall, oldest first."""
        return await self._store.incidents()

    @property
    def recent(self) -> tuple[Incident, ...]:
        """The incidents of the last day as they were read last: for when the database is away."""
        return self._incidents

    def as_of(self) -> datetime | None:
        """Return when the database last answered, while it does not."""
        return self._alive_at if self._failed else None

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(EVERY)
            self._late_ms = max(0, round(1000 * (loop.time() - before - EVERY)))
            try:
                await self._pulse()
                await self._sweep()
            except Exception:
                _log.exception("the hall could not note that it works")

    async def _pulse(self) -> None:
        async with self._pulsing:
            doubt = self.clock.doubt()
            now, local = self._now(), self._look()
            vote = Vote(
                worker=self._worker,
                at=now,
                database_ms=self._took_ms,
                loop_ms=self._late_ms,
                free_bytes=local.free_bytes,
                present=sum(local.present.values()),
                before=self._before(now, local),
                clock_unsafe=doubt is not None,
            )
            try:
                took = await _patiently(self._noted(vote, doubt))
            except Exception:
                self._failed = True
                self.judgement = replace(self.judgement, state=State.OUTAGE, reasons=("database",))
                raise
            self._took_ms = round(1000 * took)
            self._alive_at, self._failed = now, False

    async def _noted(self, vote: Vote, doubt: Doubt | None) -> float:
        known, took = await self._store.pulse(vote)
        await self._reckon(vote, known, doubt)
        self._incidents = await self._store.incidents(since=vote.at - REMEMBERED)
        return took

    async def _reckon(self, vote: Vote, known: Sequence[Vote], doubt: Doubt | None) -> None:
        """Begin and end incidents by what is known now."""
        now = vote.at
        self._votes = (*(other for other in known if other.worker != vote.worker), vote)
        last = max((other.at for other in known), default=None)
        self.judgement = judge(self._votes, now)
        figures = self.judgement.figures
        if last is not None and now - last > GAP:
            reason = "database" if self._failed else "gap"
            silent = {**figures, "silent_s": str((now - last) // timedelta(seconds=1))}
            await self._begin(OUTAGE_STOP, last, now, (reason,), silent, ended=now)
        if self.judgement.state is State.OUTAGE:
            await self._begin(OUTAGE_STOP, min(self._well_at, now), now, self.judgement.reasons, figures)
        else:
            self._well_at = now
            await self._end(OUTAGE_STOP, now)
        if doubt is not None:
            by = {"by_ms": str(milliseconds(doubt.by))}
            await self._begin(CLOCK_STOP, min(doubt.since, now), now, (doubt.reason,), by)
        elif not any(other.clock_unsafe for other in self._fresh(now)):
            await self._end(CLOCK_STOP, now)

    async def _begin(
        self,
        kind: str,
        began: datetime,
        now: datetime,
        reasons: tuple[str, ...],
        figures: Mapping[str, str],
        *,
        ended: datetime | None = None,
    ) -> None:
        if ended is None and any(past.kind == kind and past.ended is None for past in self._incidents):
            return
        incident = Incident(
            id=0, kind=kind, began=began, noticed_at=now, ended=ended, reasons=reasons, figures=dict(figures)
        )
        await self._store.begin(incident)
        _log.error("the hall stops", extra={"kind": kind, "reasons": " ".join(reasons)})
        self._unswept = True

    async def _end(self, kind: str, now: datetime) -> None:
        # What another process left behind when it died is ended too, at the first look of this one.
        if self._alive_at is None or any(past.kind == kind and past.ended is None for past in self._incidents):
            await self._store.end(kind, now)
            self._unswept = True

    def _before(self, now: datetime, local: Local) -> int:
        """How many were present at most within the last seconds; remembered for longer once they are gone.

        Who leaves after the end, or because this process stops, is not missed.
        """
        self._seen.append((now, dict(local.present)))
        for _, seen in self._seen:
            for session in local.dismissed:
                seen.pop(session, None)
        gone = "seats" in self.judgement.reasons
        while self._seen and now - self._seen[0][0] > (timedelta(minutes=10) if gone else timedelta(seconds=20)):
            self._seen.popleft()
        return max(sum(seen.values()) for _, seen in self._seen)

    def _fresh(self, now: datetime) -> list[Vote]:
        return [vote for vote in self._votes if now - vote.at <= timedelta(seconds=10)]

    async def _sweep(self) -> None:
        """Let every session hear of it, as soon as one can."""
        if not self._unswept or self._sessions is None:
            return
        self._unswept, whole = False, True
        for session in await self._sessions.live():
            if not self._leads(session):
                continue
            try:
                await self._sessions.settle(session)
            except UnknownSession:
                continue
            except Exception:
                _log.exception("a session could not be told of an incident", extra={"session": session})
                whole = False
        self._unswept |= not whole

    # -- what a session has to know ---------------------------------------------------------------------------

    def compared(self, plan: Plan) -> CheckClock | None:
        """Return what is recorded of the clock at T0, where the plan names sources."""
        rule = plan.pack.outage
        return self.clock.compared(plan.clock, None if rule is None else rule.clock)

    async def findings(self, held: Held) -> tuple[OpeningCommand, ...]:
        """Return what has to be recorded in this session before anything else is decided in it."""
        o = held.opening
        if o is None or o.plan.pack.outage is None or o.status in OVER:
            return ()
        now = self._now()
        if self._alive_at is None or now - self._alive_at > GAP / 2:
            await self._pulse()  # this process slept, or the database was away: somebody else may have worked
        limit = o.plan.pack.outage.clock
        return (*self._of_the_clock(held, o, now, limit), *self._of_outages(held, o, now))

    def _of_the_clock(self, held: Held, o: Opening, now: datetime, limit: timedelta) -> tuple[OpeningCommand, ...]:
        doubt = self.clock.doubt(limit) or self.clock.behind(held.last_at, limit)
        if doubt is None:
            others = any(vote.clock_unsafe for vote in self._fresh(now) if vote.worker != self._worker)
            last = self.clock.last
            by = None if last is None else milliseconds(last.offset)
            return (TrustClock(by_ms=by),) if o.hall.clock_unsafe and not others else ()
        could_be = max(now, now + doubt.by)  # by any of the clocks that disagree
        if o.hall.clock_unsafe or not _concerned(o, could_be):
            return ()
        by = milliseconds(doubt.by)
        return (DoubtClock(since=min(doubt.since, now), noticed_at=now, reason=doubt.reason, by_ms=by),)

    def _of_outages(self, held: Held, o: Opening, now: datetime) -> tuple[OpeningCommand, ...]:
        said: list[OpeningCommand] = []
        out = o.hall.outage is not None
        lasting = False
        for incident in self._incidents:
            if incident.kind != OUTAGE_STOP:
                continue
            lasting |= incident.ended is None
            if not out and self._is_news(held, o, incident, now):
                said.append(
                    RecordOutage(
                        began=incident.began,
                        noticed_at=incident.noticed_at,
                        reasons=incident.reasons,
                        votes=dict(incident.figures),
                    )
                )
                out = True
            if out and incident.ended is not None and said:
                said.append(RecordRecovery())
                out = False
        if out and not lasting:
            said.append(RecordRecovery())
        return tuple(said)

    def _is_news(self, held: Held, o: Opening, incident: Incident, now: datetime) -> bool:
        until = incident.ended or now
        rule = o.plan.pack.outage
        if rule is None or (incident.ended is not None and until - incident.began <= rule.gap):
            return False
        if held.founded is not None and held.founded.at >= until:
            return False
        known = o.hall.heard is not None and o.hall.heard >= incident.noticed_at
        return not known and _concerned(o, until)


def _concerned(o: Opening, until: datetime) -> bool:
    """Whether a stop up to ``until`` touches this session: somebody may be there, or is about to come."""
    rule = o.plan.pack.outage
    if rule is None or o.status is not Status.SCHEDULED:
        return rule is not None
    return until + measures(o, rule).notice >= o.t0 - o.plan.windows[StepKind.CHECKIN]


async def _patiently(work: Coroutine[Any, Any, T]) -> T:
    """Return what ``work`` comes to, for which the database has PATIENCE; raise TimeoutError.

    A round of this loop that takes long counts for BEAT only. 500 keys at once may make it take a second, and nothing
    that a crowd does is an outage of the database.
    """
    task = asyncio.ensure_future(work)
    try:
        for _ in range(round(PATIENCE / BEAT)):
            await asyncio.wait({task}, timeout=BEAT)
            if task.done():
                return task.result()
        raise TimeoutError
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
