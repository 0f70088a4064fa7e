"""Load, settle, decide, append, announce. No rules: those are in intake and opening.

One ``Sessions`` serves a process. Its memory is a cache of the log and may be thrown away at any moment. Where
several workers serve a hall, each appends what its own users send; what happens by itself, whoever leads a session
does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sessions.appender import Appender, Guard
from sessions.barrier.work import Worker
from sessions.batch import Held
from sessions.clock import Clock
from sessions.codec import Command
from sessions.commands import Schedule, Tick
from sessions.errors import Fenced, UnknownSession
from sessions.events import Recorded, SetFrozen, Stream
from sessions.ids import Digest, SessionId
from sessions.intake import Intake
from sessions.opening import Opening
from sessions.plan import Plan
from sessions.plan_json import plan_to_json
from sessions.ports import (
    Announcer,
    BlobStore,
    CheckpointStore,
    EventStore,
    EvidenceStore,
    Holds,
    IntakeStore,
    Leads,
    LeadsAll,
    ProofStore,
    SecretStore,
    Summary,
)
from sessions.proofs import Proof
from sessions.recording import Recording
from sessions.roles import CLOCK, Actor
from sessions.tasks import Tasks

QUEUE = 4096
"""Commands of one session that may wait; beyond it callers are told to come back."""

KEPT = 256
"""Sessions held in memory; the longest unused of the others is read from the log again when somebody asks."""

QUIET = timedelta(minutes=2)
"""How long before T0 a session may still go from one worker to another."""

FIRST = timedelta(seconds=1)
"""How long at most what follows an opening time waits for the others of that moment."""

BREATH, PACE = 0.02, 0.01
"""Seconds until it is looked again whether they are all announced, and between what then begins."""

RECENT = timedelta(hours=1)
"""How long after its end a session is still looked at for what other workers appended."""

_log = logging.getLogger(__name__)

Observer = Callable[[Actor, Opening | None, Exception | None], object]
"""Is told who sent a command, how the opening stands, and why it was not done, if it was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Everything a hall keeps."""

    events: EventStore
    intake: IntakeStore
    secrets: SecretStore
    evidence: EvidenceStore
    blobs: BlobStore
    checkpoints: CheckpointStore
    proofs: ProofStore


class Sessions:
    """Every opening of this hall. All methods belong to one event loop; call ``start`` first and ``close`` last."""

    def __init__(
        self,
        stores: Stores,
        *,
        clock: Clock,
        announcer: Announcer,
        furnish: Callable[[Plan], Plan] = lambda plan: plan,
        leading: Leads | None = None,
        holds: Holds | None = None,
        queue: int = QUEUE,
        kept: int = KEPT,
        guard: Guard | None = None,
    ) -> None:
        """``furnish`` adds to a plan what the hall itself brings to every opening, before it is announced.

        ``holds``: other workers serve the same hall. Without ``leading`` this process does what happens by itself.

        ``guard`` is asked for what the hall found of itself, before anything is decided (sessions.watch.vigil).
        """
        self._guard = guard
        self._stores = stores
        self._clock = clock
        self._announcer = announcer
        self._furnish = furnish
        self._leading = leading or LeadsAll()
        self._shared = holds is not None
        self._looked: dict[SessionId, int] = {}
        self._looking = Tasks("follow")
        self._later: dict[SessionId, Held] = {}
        self._beginning: asyncio.Task[None] | None = None
        self._queue = queue
        self._kept = kept
        self._listeners: list[Callable[[SessionId, Opening], None]] = []
        self._observers: list[Observer] = []
        self._appenders: dict[SessionId, Appender] = {}
        self._worker = Worker(
            self,
            intake=stores.intake,
            secrets=stores.secrets,
            evidence=stores.evidence,
            proofs=stores.proofs,
            blobs=stores.blobs,
            leads=self._leading.leads,
            holds=holds,
        )

    def on_commit(self, listener: Callable[[SessionId, Opening], None]) -> None:
        """Tell ``listener`` of every opening that just changed and that this process leads.

        It must return at once and never raise. After an opening time it is told once the others of that moment are
        announced too, and of what was committed meanwhile only the latest.
        """
        self._listeners.append(listener)

    def on_answer(self, observer: Observer) -> None:
        """Tell ``observer`` how each command of others was answered. It must return at once and never raise."""
        self._observers.append(observer)

    async def start(self, sessions: Collection[SessionId] | None = None) -> None:
        """Catch up with the time that passed in these, or all, and take up the work that was interrupted.

        Answer what came in before the stop first (Submissions.recover): settling closes what is past its T0.
        """
        for session, _ in await self._stores.events.live():
            if sessions is None or session in sessions:
                await self.settle(session)
                self._worker.look(await self._held(session))

    async def stop(self, sessions: Collection[SessionId]) -> None:
        """Leave the work of these to another worker."""
        for session in sessions:
            self._later.pop(session, None)
        await self._worker.stop(sessions)

    def lose(self) -> None:
        """Throw everything away that was decided here and is not in the log: this worker was fenced."""
        appenders, self._appenders = self._appenders, {}
        self._looked = {}
        self._later.clear()
        for appender in appenders.values():
            appender.drop(Fenced())

    async def close(self) -> None:
        """Finish the commits and the work that have begun, and nothing more."""
        await self._stop_following()
        await self._worker.close()
        for appender in list(self._appenders.values()):
            await appender.close()
        await self._stop_following()  # the last commits may have been opening times

    async def _stop_following(self) -> None:
        self._later.clear()
        await self._looking.stop()
        if self._beginning is not None:
            self._beginning.cancel()
            await asyncio.gather(self._beginning, return_exceptions=True)
        self._beginning = None  # a task that never began has not tidied up

    async def idle(self) -> None:
        """Return when no work is under way in this process; for tools and tests that wait for results."""
        while self._beginning is not None:
            await asyncio.wait({self._beginning})
        await self._worker.idle()

    async def create(self, plan: Plan) -> tuple[Recorded, ...]:
        """Announce an opening. Refused with ``already_scheduled`` if the session exists."""
        records = await self.handle(plan.session, Schedule(plan=plan_to_json(self._furnish(plan))), CLOCK)
        await self._leading.claim(plan.session)
        if self._leading.leads(plan.session):  # nobody did when it was committed, and check-in may have begun at once
            self._look(await self._held(plan.session))
        return records

    async def handle(
        self,
        session: SessionId,
        command: Command,
        actor: Actor,
        key: str | None = None,
        *,
        at: datetime | None = None,
    ) -> tuple[Recorded, ...]:
        """Do what ``command`` asks and return the events it caused, durable; none when there was nothing to do.

        The caller has authenticated ``actor`` and verified every statement in the command. With an idempotency
        ``key`` the same command by the same actor has one outcome, however often it is sent, a refusal included.
        ``at`` is only for bids (Batch.act).

        Raises:
            CommandRefused: the rules do not allow it; nothing happened.
            UnknownSession: there is no such session.
            Overloaded: too many commands wait; nothing happened, send it again with the same key.
            Unanswered: the store is away; whether it happened, the same key tells when it is back.
        """
        appender = self._appender(session)
        try:
            result = await appender.handle(command, actor, key, at)
        except UnknownSession:
            if self._appenders.get(session) is appender:
                del self._appenders[session]  # or strangers could fill the memory with made-up names
            raise
        except Exception as error:
            self._answered(appender, actor, error)
            raise
        self._answered(appender, actor, None)
        return result

    async def settle(self, session: SessionId) -> tuple[Recorded, ...]:
        """Let happen what is due. Harmless at any moment and from any worker; the events go out by announcement."""
        return await self.handle(session, Tick(), CLOCK)

    async def ready(self, session: SessionId) -> bool:
        """Have at hand what the next due moment of this session needs; return whether that is its T0.

        Harmless; it only is faster then.
        """
        if session not in self._appenders and await self._stores.events.summary(session) is None:
            return False
        appender = self._appender(session)
        comes = await appender.ready()
        self._announcer.foresee(session, appender.foreseen)
        return comes

    async def state(self, session: SessionId) -> Opening:
        """Return the opening as it stands. Raises UnknownSession."""
        held = await self._held(session)
        if held.opening is None:
            raise UnknownSession(session)
        return held.opening

    async def intake(self, session: SessionId) -> Intake:
        """Return the intake as it stands: secret before T0, even its size. Raises UnknownSession."""
        held = await self._held(session)
        if held.intake is None:
            raise UnknownSession(session)
        return held.intake

    async def recording(self, session: SessionId) -> Recording:
        """Return what is known of the recording. Raises UnknownSession."""
        return (await self._held(session)).recording

    async def events(
        self, session: SessionId, stream: Stream = Stream.OPENING, *, after: int = 0, limit: int | None = None
    ) -> tuple[Recorded, ...]:
        """Return events from the log, in order. Whoever shows them redacts them (hall.views.seen)."""
        return await self._stores.events.read(session, stream, after=after, limit=limit)

    async def summary(self, session: SessionId) -> Summary:
        """Return one line of the calendar. Raises UnknownSession."""
        found = await self._stores.events.summary(session)
        if found is None:
            raise UnknownSession(session)
        return found

    async def calendar(self) -> tuple[Summary, ...]:
        """Return every session, latest T0 first."""
        return await self._stores.events.calendar()

    def now(self) -> datetime:
        """Return what time it is in this hall."""
        return self._clock.now()

    async def next_due(self) -> datetime | None:
        """Return when something falls due next in any session, if ever."""
        return min((due for _, due in await self.falling_due()), default=None)

    async def live(self) -> tuple[SessionId, ...]:
        """Return the sessions that are not over."""
        return tuple(session for session, _ in await self._stores.events.live())

    async def head(self, session: SessionId) -> tuple[int, Digest]:
        """Return number and digest of the newest event of the opening. Raises UnknownSession."""
        head = (await self._held(session)).heads[Stream.OPENING]
        return head.number, head.digest

    async def falling_due(self) -> list[tuple[SessionId, datetime]]:
        """Return the sessions in which something falls due by itself, and that this process leads, with when."""
        # A session that waits for bids to be checked settles by itself when they are.
        waits = {session for session, appender in self._appenders.items() if appender.waits_for_bids}
        return [
            (session, due)
            for session, due in await self._stores.events.live()
            if due and session not in waits and self._leading.leads(session)
        ]

    def forget(self, session: SessionId) -> None:
        """Read this session's log again before the next use, because another worker rang."""
        if session in self._appenders:
            self._appenders[session].forget()

    def stir(self, session: SessionId) -> None:
        """Look again whether T0 may close the intake: a bid that it waited for was answered here."""
        if session in self._appenders:
            self._appenders[session].stir()

    def heard(self, session: SessionId, number: int) -> None:
        """Follow what another worker appended, if this one leads the session. Returns at once and never raises."""
        self.forget(session)
        if self._shared and self._looked.get(session, 0) < number and self._leading.leads(session):
            self._looking.begin(session, partial(self._follow, session, number))

    async def quiet(self, session: SessionId) -> bool:
        """Return whether nothing happens by itself in this session for a while, so that another may lead it."""
        found = await self._stores.events.summary(session)
        return found is not None and found.t0 - self._clock.now() > QUIET

    async def look(self) -> None:
        """Look for what other workers appended to what this one leads: a ring may be lost."""
        for session, number in (await self._stores.events.moving(self._clock.now() - RECENT)).items():
            self.heard(session, number)

    def asks_again(self, again: Callable[[Proof], Awaitable[Proof | None]]) -> None:
        """Say who asks the authorities once more, from T0 on, about bids that were taken on their silence."""
        self._worker.again = again

    def answering(self, session: SessionId, *, often: bool = False) -> AbstractAsyncContextManager[None]:
        """Keep the bids shut while a release that came in time is being checked (Worker.answering)."""
        return self._worker.answering(session, often=often)

    async def _follow(self, session: SessionId, number: int) -> None:
        try:
            held = await self._held(session)
            if self._leading.leads(session) and self._looked.get(session, 0) < number:
                self._begin(held)
        except Exception:
            _log.exception("a session could not be followed; the next ring or round tries again")

    async def _held(self, session: SessionId) -> Held:
        if session not in self._appenders and await self._stores.events.summary(session) is None:
            raise UnknownSession(session)
        return await self._appender(session).held()

    def _answered(self, appender: Appender, actor: Actor, error: Exception | None) -> None:
        for observer in self._observers:
            observer(actor, appender.opening, error)

    def _appender(self, session: SessionId) -> Appender:
        appender = self._appenders.pop(session, None) or Appender(
            session,
            events=self._stores.events,
            intake=self._stores.intake,
            secrets=self._stores.secrets,
            clock=self._clock,
            committed=self._committed,
            limit=self._queue,
            shared=self._shared,
            guard=self._guard,
        )
        self._appenders[session] = appender  # last in line to be let go
        if len(self._appenders) > self._kept:
            idle = (name for name, each in self._appenders.items() if each.idle and each is not appender)
            if (unused := next(idle, None)) is not None:
                del self._appenders[unused]
        return appender

    def _committed(self, held: Held, records: tuple[Recorded, ...]) -> None:
        public = tuple(record for record in records if record.stream is Stream.OPENING)
        if public:
            self._announcer.announce(held.session, public)
            if self._leading.leads(held.session):
                frozen = any(isinstance(record.event, SetFrozen) for record in public)
                self._begin(held, others=frozen and self._shared)

    def _begin(self, held: Held, *, others: bool = False) -> None:
        """Begin what follows from this commit: but nothing while the opening time of another session is acted on.

        Fifty sessions may have one T0: what comes after it (checking seals, signing logs) takes twenty times as long
        as freezing, and would let whoever is last wait for all of it. ``others``: ask of those led elsewhere too.
        """
        self._looked[held.session] = held.heads[Stream.OPENING].number
        if self._beginning is None and not others and not self._freezing():
            self._look(held)
            return
        self._later[held.session] = held
        if self._beginning is None:
            self._beginning = asyncio.get_running_loop().create_task(self._begin_later(), name="after T0")

    async def _begin_later(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + FIRST.total_seconds()
        try:
            while self._freezing() or await self._freezing_elsewhere():  # only the store tells
                if loop.time() > until:
                    break
                await asyncio.sleep(BREATH)
        except Exception:
            _log.exception("nobody says what else is due; what follows an opening time begins")
        try:
            while self._later:
                self._look(self._later.pop(next(iter(self._later))))
                await asyncio.sleep(PACE)  # the news of other workers get their turn
        finally:
            self._beginning = None

    def _freezing(self) -> bool:
        """Whether this process acts on an opening time at this moment. What waits for bids may do so for long."""
        now = self._clock.now()
        return any(appender.freezes(now) for appender in self._appenders.values())

    async def _freezing_elsewhere(self) -> bool:
        now = self._clock.now()
        due = [(session, due) for session, due in await self._stores.events.live() if due is not None]
        return any(now - FIRST < each <= now and not self._leading.leads(session) for session, each in due)

    def _look(self, held: Held) -> None:
        self._looked[held.session] = held.heads[Stream.OPENING].number
        self._worker.look(held)
        for listener in self._listeners:
            if held.opening is not None:
                listener(held.session, held.opening)
