"""One writer for one session: whatever waits is decided in order and shares one commit (group commit).

While one commit runs the next batch gathers by itself, so a lone command waits for nothing and 500 share one fsync.
Commit first, then announce and answer: what somebody was told has happened, and survives whatever comes next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from crypto.digest import sha256_hex
from crypto.encoding import canonical
from crypto.release import session_public
from sessions.batch import Batch, ClosedLog, Held
from sessions.chaining import check
from sessions.clock import Clock
from sessions.codec import Command, command_to_json
from sessions.commands import CheckClock, OpeningCommand, RecordFault
from sessions.errors import CommandRefused, Overloaded, Stale, Unanswered, Unchecked
from sessions.events import Recorded, Stream
from sessions.failpoint import Point, failpoint
from sessions.ids import Digest, SessionId
from sessions.intake.log import Blinding
from sessions.keys.session_key import session_key
from sessions.logging_receipts import SoFar, blinding, close_log, read_on
from sessions.opening import Opening
from sessions.opening.decide import settled_until
from sessions.plan import Plan
from sessions.ports import Entries, EventStore, IntakeStore, Outcome, SecretStore
from sessions.roles import Actor

MOST = 512
"""Commands in one transaction: beyond it the last one's wait grows faster than the commits saved."""

PAGE = 256
"""Events read at once: a long log is read in pieces between which others get their turn."""

ATTEMPTS = 8
"""How often a batch that lost its race to another worker is decided again before the callers are asked to retry."""

BREATH = 0.05
"""Seconds before a store that did not answer is asked again; twice as many each time, some 13 in all."""

LOOK_AGAIN = 0.05
"""Seconds until T0 looks again whether every bid that came before it is answered, by whichever worker."""

Result = tuple[Recorded, ...] | Exception
Done = dict[tuple[str, str], tuple[Digest, Result]]
"""Results by actor and idempotency key, with what was asked."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Waiting:
    """A command and whoever waits for its result. ``at``: see Batch.act."""

    command: Command
    actor: Actor
    key: str | None
    at: datetime | None
    result: asyncio.Future[tuple[Recorded, ...]]

    @property
    def who(self) -> str:
        """The actor as the chain writes it."""
        return f"{self.actor.role}:{self.actor.id}"

    @property
    def digest(self) -> Digest:
        """What was asked, to notice an idempotency key that is used for something else."""
        name, fields = command_to_json(self.command)
        fields.pop("proof", None)  # the hall's own finding, made anew at each try
        return Digest(sha256_hex(canonical([name, fields])))

    def answer(self, result: Result) -> None:
        """Give the result to whoever still waits."""
        if self.result.done():
            return
        if isinstance(result, Exception):
            self.result.set_exception(result)
        else:
            self.result.set_result(result)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A batch that was decided, and how the session stands after it."""

    held: Held
    results: Sequence[Result]
    outcomes: Sequence[Outcome]
    records: tuple[Recorded, ...]
    entries: Entries | None
    closes: datetime | None  # T0, if it closes the intake


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """T0, decided ahead: how the session stands after it, if by then it still stood as ``since`` and ``receipts``."""

    since: Held
    receipts: SoFar
    held: Held
    records: tuple[Recorded, ...]
    log: ClosedLog | None
    public: tuple[Recorded, ...]  # of the records


class Guard(Protocol):
    """Watches over the hall itself (sessions.watch.vigil)."""

    async def findings(self, held: Held) -> tuple[OpeningCommand, ...]:
        """Return what has to be recorded in this session before anything else is decided in it."""

    def compared(self, plan: Plan) -> CheckClock | None:
        """Return what the time sources said of the clock, for a plan that names some."""


class Appender:
    """Decides and appends for one session. Every method belongs to one event loop."""

    def __init__(
        self,
        session: SessionId,
        *,
        events: EventStore,
        intake: IntakeStore,
        secrets: SecretStore,
        clock: Clock,
        committed: Callable[[Held, tuple[Recorded, ...]], None],
        limit: int,
        shared: bool,
        guard: Guard | None = None,
    ) -> None:
        """``shared``: other workers append too, so that memory is compared with the log before each use."""
        self._session = session
        self._guard = guard
        self._events = events
        self._intake = intake
        self._shared = shared
        self._secrets = secrets
        self._clock = clock
        self._committed = committed
        self._limit = limit
        self._waiting: list[Waiting] = []
        self._held = Held(session=session)
        self._current = False
        self._loading = asyncio.Lock()
        self._loads = 0
        self._waits_for_bids = False
        self._public: str | None = None
        self._blinding: Blinding | None = None
        self._receipts = SoFar()
        self._receipts_read = False
        self._foreseen: Foreseen | None = None
        self._task: asyncio.Task[None] | None = None

    async def handle(
        self, command: Command, actor: Actor, key: str | None, at: datetime | None
    ) -> tuple[Recorded, ...]:
        """Return what the command caused, once it is durable."""
        if len(self._waiting) >= self._limit:
            raise Overloaded(1)
        result: asyncio.Future[tuple[Recorded, ...]] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(command=command, actor=actor, key=key, at=at, result=result))
        self.stir()
        return await result

    async def held(self) -> Held:
        """Return the session as it stands."""
        return self._held if self._current and not self._shared else await self._load()

    async def ready(self) -> bool:
        """Have at hand what T0 needs: the session's key, what blinds its receipts, and their log so far, hashed.

        Return whether T0 is what comes next.
        """
        held = await self.held()
        if held.opening is not None and held.intake is not None and not _is_frozen(held):
            await self._session_public(held)
            if held.intake.plan.intake_log is not None:
                await self._hidden_by()
            self._receipts = await self._read_on()
        comes = held.intake is not None and not held.intake.closed and held.due == held.intake.t0
        self._foreseen = await self._foresee(held) if comes else None
        return comes

    @property
    def foreseen(self) -> tuple[Recorded, ...]:
        """What T0 brings to the opening's stream if nothing comes before it; the same object while that stands."""
        return () if self._foreseen is None else self._foreseen.public

    async def _foresee(self, held: Held) -> Foreseen | None:
        """Decide T0 ahead: what it brings follows from the log, which is compared with this when it comes.

        Nothing is kept or told of it before. Not where what the time sources say at T0 is part of it.
        """
        if held.opening is None or held.intake is None or held.opening.plan.clock is not None:
            return None
        known = self._foreseen
        if known is not None and known.since is held and known.receipts is self._receipts:
            return known
        batch = Batch(held, held.intake.t0)
        batch.settle()
        self._receipts_read = True
        log = await self._freeze(batch)
        return Foreseen(
            since=held,
            receipts=self._receipts,
            held=batch.held,
            records=tuple(batch.records),
            log=log,
            public=tuple(record for record in batch.records if record.stream is Stream.OPENING),
        )

    @property
    def opening(self) -> Opening | None:
        """The opening as this memory last knew it."""
        return self._held.opening

    def forget(self) -> None:
        """Read from the log again before the next use: somebody else may have appended."""
        self._current = False

    def drop(self, error: Exception) -> None:
        """Tell everybody who waits that it came to nothing here."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.answer(error)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way, so that this memory may be thrown away."""
        return not (self._waiting or self._task or self._loading.locked())

    @property
    def waits_for_bids(self) -> bool:
        """Whether T0 has come and bids that came before it are still being checked."""
        return self._waits_for_bids

    def freezes(self, now: datetime) -> bool:
        """Return whether T0 is being acted on: it has come, is not announced yet, and waits for no bids."""
        return self._task is not None and not self._waits_for_bids and self._t0(now) is not None

    async def close(self) -> None:
        """Let the batch that is being written finish; what still waits is told to come back."""
        self.drop(Overloaded(1))
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def stir(self) -> None:
        """Go on with what waits, if there is something."""
        if self._waiting and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work(), name=f"append {self._session}")

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch: Sequence[Waiting] = ()
                try:
                    now, gated = await self._up_to_date()
                    self._waits_for_bids = gated
                    batch = self._take(gated)
                    if not batch:
                        asyncio.get_running_loop().call_later(LOOK_AGAIN, self.stir)
                        return
                    await self._commit(batch, now, gated)
                except Exception as error:  # whatever it was: say so, and read the log again
                    self.forget()
                    for one in batch or self._take(gated=False):
                        one.answer(error)
        finally:
            self._task = None

    async def _up_to_date(self) -> tuple[datetime, bool]:
        """Follow the log; return what time it is then, and whether T0 has come and waits for bids.

        That is while bids that were durable before it are still being checked: a large one takes seconds. What is
        sent after T0 waits meanwhile, except acts that carry their moment (Batch.act).
        """
        known, gated = self._t0(self._clock.now()), False
        if known is None:
            await self.held()
        else:  # all that has to be asked at T0 is asked at once; the transaction finds out what changed since
            _, gated, self._receipts = await asyncio.gather(
                self.held(), self._intake.holding(self._session, known), self._read_on()
            )
            self._receipts_read = True
        now = self._clock.now()
        t0 = self._t0(now)
        if t0 != known:
            gated = t0 is not None and await self._intake.holding(self._session, t0)
        return now, gated

    def _t0(self, now: datetime) -> datetime | None:
        """Return T0 if it has come, as far as this memory knows, and the intake is still open."""
        state = self._held.intake
        return None if state is None or state.closed or now < state.t0 else state.t0

    async def _read_on(self) -> SoFar:
        """Return the log of receipts as it is, where there is one."""
        state = self._held.intake
        if state is None or state.plan.intake_log is None:
            return self._receipts
        return await read_on(self._events, self._session, self._receipts)

    def _take(self, gated: bool) -> list[Waiting]:
        if gated:
            taken = [one for one in self._waiting if one.at is not None][:MOST]
            self._waiting = [one for one in self._waiting if one not in taken]
        else:
            taken, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        return taken

    async def _commit(self, waiting: Sequence[Waiting], now: datetime, gated: bool) -> None:
        tried: Tried | None = None
        for attempt in range(ATTEMPTS):
            new = False
            try:
                # The first time without keeping others out: nearly always nobody else is there.
                async with self._events.turn(self._session) if attempt else nullcontext():
                    if tried is None or not await self._is_kept(tried):
                        tried, new = await self._decide(waiting, now, gated), True
                        await self._append(tried)
            except Stale:
                self.forget()
                if new:
                    tried = None
            except Unchecked:  # it arrived since the batch was taken
                self._waiting[:0] = waiting
                return
            except Unanswered:
                # The commit may have happened. Within the next turn that is certain: it has ended by then.
                self.forget()
                await asyncio.sleep(BREATH * 2**attempt)
            else:
                self._held = tried.held
                for one, result in zip(waiting, tried.results, strict=True):
                    one.answer(result)
                if tried.records:  # whoever waits for an answer goes on when this has returned
                    failpoint(Point.BEFORE_ANNOUNCE, tried.records)
                    self._committed(tried.held, tried.records)
                    failpoint(Point.BEFORE_ANSWER, tried.records)
                return
        raise Overloaded(1) if tried is None else Unanswered

    async def _decide(self, waiting: Sequence[Waiting], now: datetime, gated: bool) -> Tried:
        if not self._current:
            await self._load()
        done = await self._known(waiting)
        batch = Batch(self._held, now, settles=not gated)
        log: ClosedLog | None = None
        findings = () if gated or self._guard is None else await self._guard.findings(self._held)
        for found in findings:  # ahead of whatever fell due since the hall was last known to be well
            until = settled_until(found, batch.now)
            batch.settle(until)
            log = await self._freeze(batch, until) or log
            batch.stop(found)
        if not any(isinstance(one.command, RecordFault) for one in waiting):  # it comes before the end it moves
            if not (gated or findings) and (ahead := await self._came_true(now)) is not None:
                batch, log = Batch(ahead.held, now), ahead.log
                batch.records += ahead.records
            batch.settle()
        log = await self._freeze(batch) or log
        frozen_here = _is_frozen(batch.held) and not _is_frozen(self._held)
        closes = batch.held.intake.t0 if frozen_here and batch.held.intake else None
        results, outcomes = _decide_all(batch, waiting, done)
        batch.settle()
        entries = None if log is None else log.last
        return Tried(
            held=batch.held,
            results=results,
            outcomes=outcomes,
            records=tuple(batch.records),
            entries=entries,
            closes=closes,
        )

    async def _came_true(self, now: datetime) -> Foreseen | None:
        """Return what T0 was foreseen to bring, if it has come and nothing was appended anywhere since."""
        ahead, self._foreseen = self._foreseen, None
        if ahead is None or ahead.since is not self._held or self._t0(now) is None:
            return None
        if not self._receipts_read:
            self._receipts = await self._read_on()
            self._receipts_read = True
        return ahead if ahead.receipts is self._receipts else None

    async def _freeze(self, batch: Batch, until: datetime | None = None) -> ClosedLog | None:
        """Fix the sealed set if T0 is over, and return how that closed the log of receipts."""
        if not batch.waits_for_freezing or batch.held.opening is None:
            return None
        public = await self._session_public(batch.held)
        log = None
        if batch.held.intake is not None and (terms := batch.held.intake.plan.intake_log) is not None:
            by = await self._hidden_by()
            if not self._receipts_read:
                self._receipts = await self._read_on()
            self._receipts_read = False
            log = close_log(batch.held.intake, terms, self._receipts, by)
        clock = None if self._guard is None else self._guard.compared(batch.held.opening.plan)
        batch.freeze(public, log, clock, until=until)
        return log

    async def _append(self, tried: Tried) -> None:
        if tried.records or tried.outcomes:
            moved = any(record.stream is Stream.OPENING for record in tried.records)
            await self._events.append(
                self._session,
                tried.records,
                summary=tried.held.summary() if moved else None,
                outcomes=tried.outcomes,
                entries=tried.entries,
                closes=tried.closes,
            )

    async def _is_kept(self, tried: Tried) -> bool:
        """Return whether the log ends in this batch, or goes on from it: a digest vouches for all before it."""
        last = {record.stream: record for record in tried.records}
        for stream, record in last.items():
            found = await self._events.read(self._session, stream, after=record.number - 1, limit=1)
            if [one.digest for one in found] != [record.digest]:
                return False
        return bool(last)  # refusals alone are decided again: to a key that is known the same is said

    async def _session_public(self, held: Held) -> str:
        """Return the session's public key, making it now; empty behind locks, where the hall has none."""
        if held.opening is not None and held.opening.plan.locks:
            return ""
        if self._public is None:
            self._public = session_public((await session_key(self._secrets, self._session)).public_key())
        return self._public

    async def _hidden_by(self) -> Blinding:
        """Return what blinds the receipts, drawing it now."""
        if self._blinding is None:
            self._blinding = await blinding(self._secrets, self._session)
        return self._blinding

    async def _known(self, waiting: Sequence[Waiting]) -> Done:
        """Return the results of commands that were here before, by idempotency key."""
        keys = [(one.who, one.key) for one in waiting if one.key is not None]
        found = await self._events.outcomes(self._session, keys) if keys else ()
        return {(known.actor, known.key): (known.command, await self._recall(known)) for known in found}

    async def _recall(self, outcome: Outcome) -> Result:
        if outcome.refusal is not None:
            return CommandRefused(outcome.refusal[0], **outcome.refusal[1])
        found: list[Recorded] = []
        for stream, number in outcome.numbers:
            found += await self._events.read(self._session, stream, after=number - 1, limit=1)
        return tuple(found)

    async def _load(self) -> Held:
        """Follow the log from where this memory ends, checking the chain on the way."""
        begun = self._loads
        async with self._loading:
            if self._current and self._loads > begun:
                return self._held  # somebody looked since this was asked for
            self._loads += 1
            held = self._held
            ends = await self._events.ends(self._session)
            for stream in Stream:
                if ends[stream] == held.heads[stream].number:
                    continue
                records: Sequence[Recorded] | None = None
                while records is None or len(records) == PAGE:
                    head = held.heads[stream]
                    records = await self._events.read(self._session, stream, after=head.number, limit=PAGE)
                    check(head, records)
                    for record in records:
                        held = held.after(record)
            self._held = held
            self._current = True
            return held


def _is_frozen(held: Held) -> bool:
    return held.opening is not None and held.opening.frozen is not None


def _decide_all(batch: Batch, waiting: Sequence[Waiting], done: Done) -> tuple[list[Result], list[Outcome]]:
    results: list[Result] = []
    outcomes: list[Outcome] = []
    for one in waiting:
        before = done.get((one.who, one.key)) if one.key is not None else None
        if before is not None:
            command, result = before
            results.append(result if command == one.digest else CommandRefused("idempotency_key_reused"))
            continue
        result = _decide(batch, one)
        results.append(result)
        if one.key is not None and isinstance(result, tuple | CommandRefused):
            done[one.who, one.key] = (one.digest, result)
            outcomes.append(_outcome(one, one.key, result))
    return results, outcomes


def _decide(batch: Batch, one: Waiting) -> Result:
    try:
        return batch.act(one.command, one.actor, one.at)
    except Exception as error:  # one command's failure, refusal or bug, is its own and breaks nobody else's
        return error


def _outcome(one: Waiting, key: str, result: tuple[Recorded, ...] | CommandRefused) -> Outcome:
    if isinstance(result, CommandRefused):
        return Outcome(actor=one.who, key=key, command=one.digest, refusal=(result.code, result.facts))
    numbers = tuple((record.stream, record.number) for record in result)
    return Outcome(actor=one.who, key=key, command=one.digest, numbers=numbers)
