"""Many commands decided in order at one moment, to be kept in one transaction. No I/O.

Settle before you act: a Tick goes ahead of every command, so a slow timekeeper lets no late bid in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import cast

from sessions import intake, opening, recording
from sessions.chaining import Head, chain
from sessions.codec import Command
from sessions.commands import (
    Abort,
    BeginTrack,
    BreakTrack,
    CheckClock,
    CheckIn,
    CloseIntake,
    CloseRecording,
    FreeIntake,
    HoldIntake,
    IntakeCommand,
    KeepFragments,
    OpeningCommand,
    Postpone,
    RecordFault,
    RecordingCommand,
    RefuseBid,
    Schedule,
    SubmitBid,
    Tick,
    WithdrawBid,
)
from sessions.errors import UnknownSession
from sessions.events import (
    ClockUnsafe,
    Happening,
    OutageBegan,
    Recorded,
    SessionAborted,
    SessionResumed,
    SessionScheduled,
    Stream,
    T0Moved,
)
from sessions.ids import Digest, SessionId
from sessions.intake import Intake
from sessions.opening import FreezeSet, Opening, work_due
from sessions.opening.state import OVER
from sessions.opening.stops import CLOCK_STOP, OUTAGE_STOP
from sessions.ports import Entries, Summary
from sessions.recording import Recording
from sessions.roles import CLOCK, Actor
from sessions.sealed_set import set_root


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One session as it stands in memory: what its streams add up to, and where they end."""

    session: SessionId
    opening: Opening | None = None
    intake: Intake | None = None
    heads: Mapping[Stream, Head] = field(default_factory=lambda: dict.fromkeys(Stream, Head()))
    recording: Recording = field(default_factory=Recording)
    founded: Recorded | None = None  # SessionScheduled

    def after(self, record: Recorded) -> Held:
        """Return the session once ``record`` happened."""
        heads = {**self.heads, record.stream: self.heads[record.stream].after(record)}
        if record.stream is Stream.INTAKE:
            return replace(self, heads=heads, intake=intake.evolve(self.intake, record))
        if record.stream is Stream.RECORDING:
            return replace(self, heads=heads, recording=recording.evolve(self.recording, record))
        return replace(
            self, heads=heads, opening=opening.evolve(self.opening, record), founded=self.founded or record
        )

    @property
    def last_at(self) -> datetime | None:
        """When the newest event of any stream happened."""
        return max((head.at for head in self.heads.values() if head.at), default=None)

    @property
    def due(self) -> datetime | None:
        """When a Tick will next change something."""
        if self.opening is None or self.intake is None or self.opening.status in OVER:
            return None
        return min(filter(None, (opening.next_due(self.opening), intake.next_due(self.intake))), default=None)

    def summary(self) -> Summary:
        """Return the session's line in the calendar."""
        if self.opening is None or self.founded is None or not isinstance(self.founded.event, SessionScheduled):
            raise UnknownSession(self.session)
        over = self.opening.status in OVER
        return Summary(
            session=self.session,
            plan=self.founded.event.plan,
            created_at=self.founded.at,
            t0=self.opening.t0,
            status=self.opening.status.value,
            step=self.opening.step,
            due=self.due,
            ended_at=self.opening.at if over else None,
        )


NO_CLOCK = CheckClock(sources=(), offset_ms=None, uncertainty_ms=None, measured_at=None, steady=True)
"""No time source answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedLog:
    """The log of receipts at T0: what is added last, and what it then is."""

    last: Entries
    size: int
    root: Digest


class Batch:
    """Decides command after command and gathers what is to be appended."""

    def __init__(self, held: Held, now: datetime, *, settles: bool = True) -> None:
        """``now`` is one moment for all of them; it is never before what was already recorded.

        Without ``settles`` nothing falls due: only for acts that were complete before the moment that is due.
        """
        self.held = held
        self._settles = settles
        self.now = max(now, held.last_at or now)
        self.records: list[Recorded] = []

    def settle(self, until: datetime | None = None) -> None:
        """Let everything happen that is due, or was until an earlier moment."""
        now = self.now if until is None else min(until, self.now)
        if self._settles and self.held.opening is not None:
            self._take(Stream.INTAKE, Tick(), CLOCK, now)
            self._take(Stream.OPENING, Tick(), CLOCK, now)

    @property
    def waits_for_freezing(self) -> bool:
        """Whether T0 has come and the sealed set is not fixed yet."""
        state = self.held.opening
        return self._settles and state is not None and isinstance(work_due(state), FreezeSet)

    def stop(self, command: OpeningCommand) -> None:
        """Record what the hall found of itself; what was due before it has been settled (``settle(until)``).

        An opening that this brought to its end was over before the hall stopped, and is left as it ended.
        """
        if self.held.opening is not None and self.held.opening.status not in OVER:
            self._take(Stream.OPENING, command, CLOCK, self.now)

    def freeze(
        self,
        session_key: str,
        log: ClosedLog | None = None,
        clock: CheckClock | None = None,
        *,
        until: datetime | None = None,
    ) -> None:
        """Fix the sealed set in the same transaction that closes intake, so that nothing comes between.

        ``log`` is the log of receipts with its last entries, which belong into that transaction too, as does what
        the time sources said, where the plan names some.
        """
        state = self.held.intake
        if state is None:
            raise UnknownSession(self.held.session)
        now = self.now if until is None else min(until, self.now)
        opening = self.held.opening
        if opening is not None and opening.plan.clock is not None:
            self._take(Stream.OPENING, clock or NO_CLOCK, CLOCK, now)
        else:
            clock = None
        bids = intake.sealed_bids(state)
        head = self.held.heads[Stream.INTAKE]
        command = CloseIntake(
            bids=bids,
            root=set_root([bid.header_sha256 for bid in bids]),
            intake_head=head.digest,
            intake_length=head.number,
            session_key=session_key,
            clock_offset_ms=None if clock is None else clock.offset_ms,
            intake_log_size=None if log is None else log.size,
            intake_log_root=None if log is None else log.root,
        )
        self._take(Stream.OPENING, command, CLOCK, now)
        self.settle(until)

    def act(self, command: Command, actor: Actor, at: datetime | None = None) -> tuple[Recorded, ...]:
        """Return what ``command`` causes; raise CommandRefused and change nothing.

        ``at`` is when an act was complete that is only now known to be acceptable: a bid that was durable before T0
        and took until after T0 to check. Only SubmitBid and RefuseBid may carry it.
        """
        if self.held.opening is None and not isinstance(command, Schedule):
            raise UnknownSession(self.held.session)
        if at is None and not isinstance(command, RecordFault):
            self.settle()
        before = len(self.records)
        for stream in _streams(command, self.held):
            self._take(stream, command, actor, self.now if at is None else at)
        return tuple(self.records[before:])

    def _take(self, stream: Stream, command: Command, actor: Actor, now: datetime) -> None:
        for happening in self._decide(stream, command, actor, now):
            self._add(stream, happening)
            if stream is Stream.OPENING:
                self._mirror(happening)

    def _decide(self, stream: Stream, command: Command, actor: Actor, now: datetime) -> tuple[Happening, ...]:
        if stream is Stream.INTAKE:
            return intake.decide(self.held.intake, cast(IntakeCommand, command), actor, now)
        if stream is Stream.RECORDING and self.held.opening is not None:
            asked = cast(RecordingCommand, command)
            return recording.decide(self.held.recording, asked, actor, now, of=self.held.opening)
        return opening.decide(self.held.opening, cast(OpeningCommand, command), actor, now)

    def _add(self, stream: Stream, happening: Happening) -> None:
        record = chain(self.held.heads[stream], self.held.session, stream, happening)
        self.records.append(record)
        self.held = self.held.after(record)

    def _mirror(self, happening: Happening) -> None:
        """Let intake follow what two persons decided in the opening: it has no proposals of its own."""
        match happening.event:
            case T0Moved(new=t0, reason=reason):
                self._take(Stream.INTAKE, Postpone(t0=t0, reason=reason), CLOCK, happening.at)
            case SessionAborted(reason=reason):
                self._take(Stream.INTAKE, Abort(reason=reason), CLOCK, happening.at)
            case ClockUnsafe() | OutageBegan():
                self._take(Stream.INTAKE, HoldIntake(reason=_stop(happening.event)), CLOCK, happening.at)
            case SessionResumed(t0=t0):
                self._take(Stream.INTAKE, FreeIntake(t0=t0), CLOCK, happening.at)
            case _:
                pass


def _stop(event: ClockUnsafe | OutageBegan) -> str:
    return CLOCK_STOP if isinstance(event, ClockUnsafe) else OUTAGE_STOP


def _streams(command: Command, held: Held) -> tuple[Stream, ...]:
    match command:
        case Schedule():
            return Stream.OPENING, Stream.INTAKE
        case SubmitBid() | RefuseBid() | WithdrawBid():
            return (Stream.INTAKE,)
        case CheckIn() if held.opening is not None and held.opening.frozen is None:
            return (Stream.INTAKE,)
        case BeginTrack() | KeepFragments() | BreakTrack() | CloseRecording():
            return (Stream.RECORDING,)
        case _:
            return (Stream.OPENING,)
