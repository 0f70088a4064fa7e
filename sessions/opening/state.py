"""The opening as it stands after an event: frozen values, changed by copying (opening.evolve)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sessions.commands import Gap, SealedBid
from sessions.ids import BidderId, Digest, Jws, StepId
from sessions.plan import AnchorKind, Lock, Phase, Plan, Step, StepKind
from sessions.proofs import State
from sessions.roles import Actor, Role
from sessions.shape import LATER


class Status(StrEnum):
    """Where the session as a whole stands (LIFECYCLE.md)."""

    SCHEDULED = "scheduled"  # announced; the check-in window has not begun
    CHECKIN = "checkin"
    LIVE = "live"  # from T0
    FAILED = "failed"  # fewer bids than the law asks for
    ENDED = "ended"
    ABORTED = "aborted"


OVER = frozenset({Status.FAILED, Status.ENDED, Status.ABORTED})


class BidState(StrEnum):
    """How far one bid of the frozen set has come."""

    WAITING = "waiting"  # no accepted key yet
    RELEASED = "released"  # the key is in; nothing is decrypted
    OPENED = "opened"
    NOT_OPENED = "not_opened"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a bidder to hand over a key; ``code`` is None when the key reproduced the commitment."""

    number: int
    at: datetime
    group: str | None
    release_sha256: Digest | None
    code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spare:
    """A spare sheet as it was handed in: sealed, and by whom."""

    by: Role
    sha256: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Bid:
    """One row: a bid of the frozen set and everything that happened to it since T0."""

    row: int
    bidder: BidderId
    name: str
    header_sha256: Digest
    received_at: datetime
    tracker: str
    versions: int
    checked_in_at: datetime | None
    seal: str | None = None  # ``ok`` or a code, once checked
    state: BidState = BidState.WAITING
    groups: frozenset[str] = frozenset()  # the groups whose keys are in
    attempts: tuple[Attempt, ...] = ()
    quote: Mapping[str, str] | None = None
    quote_sha256: Digest | None = None
    quote_key: str | None = None
    flags: tuple[str, ...] = ()
    cause: str | None = None
    consequence: str | None = None
    evidence: Mapping[str, str] | None = None
    rescued: str | None = None  # ``key`` or ``plain``, if a rescue took the place of the bidder's own release
    spares: tuple[Spare, ...] = ()  # spare sheets that were handed in, unopened
    gathered: Mapping[str, str] | None = None  # figures of EvidenceGathered and the digests behind them
    confirmed_at: datetime | None = None
    disputed: bool = False
    none_declared: bool = False
    escrow_asked_at: datetime | None = None
    authority: State | None = None  # what an authority that was silent when the bid was taken said since T0
    escrowed: bool = False  # its key comes from the trustees instead of its bidder

    @property
    def acted(self) -> bool:
        """Whether the bidder did anything in the opening: it is then asked to sign the record."""
        return bool(
            self.checked_in_at
            or self.attempts
            or self.escrow_asked_at
            or self.confirmed_at
            or self.disputed
            or self.none_declared
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Chair:
    """A member of staff who has entered the room."""

    role: Role
    account: str
    name: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A pause that is in force: nothing falls due until it is lifted.

    ``stops`` are what the hall itself stopped for meanwhile (``clock``, ``outage``): then T0 stands still too.
    """

    reason: str
    incident: bool
    by: Actor
    since: datetime
    stops: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """A pause that is over."""

    hold: Hold
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockState:
    """What the time sources said of the hall's clock by T0 (ClockChecked)."""

    sources: tuple[str, ...]
    offset_ms: int | None
    uncertainty_ms: int | None
    measured_at: datetime | None
    steady: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """More time for a window; ``approved_by`` names the second person if the host alone might not give it."""

    at: datetime
    old: datetime
    new: datetime
    reason: str
    by: Actor
    approved_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A stretch in which the hall did not work, and the time that the window got for it."""

    began: datetime
    ended: datetime
    made_up: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRun:
    """A step that was entered: when, until when at most, when it was complete and who did not act."""

    step: Step
    entered_at: datetime
    due: datetime | None
    completed_at: datetime | None = None
    missing: tuple[str, ...] = ()
    extensions: tuple[Extension, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """T0 moved from one moment to a later one; with ``stops``, because the hall itself had stopped for them."""

    at: datetime
    old: datetime
    new: datetime
    reason: str
    by: Actor
    approved_by: str | None
    stops: tuple[str, ...] | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenSet:
    """What SetFrozen committed to at T0."""

    at: datetime
    received: int
    headers: tuple[Digest, ...]
    root: Digest
    intake_head: Digest
    intake_length: int
    session_key: str
    clock_offset_ms: int | None
    sealed: tuple[SealedBid, ...]
    intake_log_size: int | None = None
    intake_log_root: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Barrier:
    """The moment from which the bids may be opened, and why it came."""

    at: datetime
    reason: str
    released: tuple[BidderId, ...]
    missing: tuple[BidderId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What an officer's last rehearsal showed."""

    lock: str
    account: str
    at: datetime
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What an officer's shares of a lock were worth."""

    lock: str
    account: str
    at: datetime
    opened: tuple[BidderId, ...]
    failed: Mapping[BidderId, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A lock whose officers did not come, and without which two persons went on."""

    lock: str
    at: datetime
    reason: str
    by: Actor
    approved_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Locks:
    """What became of the locks: who is ready, what officers brought, and without which two persons went on."""

    readiness: tuple[Readiness, ...] = ()  # the last of each officer, since check-in began
    beforehand: tuple[Readiness, ...] = ()  # the same of the days before
    removals: tuple[Removal, ...] = ()
    missed: tuple[Missed, ...] = ()

    def rehearsed(self, lock: Lock, account: str) -> Readiness | None:
        """Return what an officer's last rehearsal showed, if there was one: from check-in on only one since then."""
        return next((one for one in self.readiness if (one.lock, one.account) == (lock.id, account)), None)

    def ready(self, lock: Lock) -> int:
        """Return how many of its officers are ready."""
        return sum(one.passed for one in self.readiness if one.lock == lock.id)

    def brought(self, lock: Lock, account: str | None = None) -> tuple[Removal, ...]:
        """Return what officers brought for it, in order; of one officer if ``account`` is given."""
        return tuple(one for one in self.removals if one.lock == lock.id and account in (None, one.account))

    def given_up(self, lock: Lock) -> Missed | None:
        """Return how two persons went on without it, if they did."""
        return next((one for one in self.missed if one.lock == lock.id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hall:
    """How the hall itself is, as this opening has heard."""

    clock_unsafe: bool = False
    outage: datetime | None = None  # since when it does not work
    lifted: datetime | None = None  # when the last of these two was over
    heard: datetime | None = None  # of every outage that was noticed until then

    @property
    def well(self) -> bool:
        """Whether it works, and knows what time it is."""
        return not self.clock_unsafe and self.outage is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filmed:
    """What the recording had come to by the newest note of it: the picture ends at ``until``, the gaps lie before."""

    noted_at: datetime
    size: int
    root: Digest
    until: datetime | None
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawParty:
    """Somebody in the draw: what it committed to, and its seed once it was shown."""

    role: Role
    party: str
    commitment: Digest
    seed: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """The draw as it stands. ``closed``: nobody may join this round any more; ``out`` take no part again."""

    round: int = 1
    committed: tuple[DrawParty, ...] = ()
    closed: bool = False
    out: tuple[str, ...] = ()
    seeds: Mapping[str, str] | None = None
    randomness: Digest | None = None
    drawn: Mapping[str, tuple[str, ...]] | None = None

    def party(self, role: Role, party: str) -> DrawParty | None:
        """Return one party of this round."""
        return next((each for each in self.committed if (each.role, each.party) == (role, party)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """An objection (异议), a recusal request (回避申请) or a disputed row, and its answer."""

    number: int
    bidder: BidderId
    kind: str  # objection | recusal | row
    title: str
    text: str
    at: datetime
    answer: str | None = None
    answered_at: datetime | None = None
    answered_by: Actor | None = None

    @property
    def open(self) -> bool:
        return self.answered_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A bidder's turn to speak: asked for; then given, or refused; then over. ``why`` is that of FloorEnded."""

    bidder: BidderId
    asked_at: datetime
    granted_at: datetime | None = None
    granted_by: Actor | None = None
    ended_at: datetime | None = None
    why: str | None = None
    reason: str = ""

    @property
    def asking(self) -> bool:
        return self.granted_at is None and self.ended_at is None

    @property
    def speaking(self) -> bool:
        return self.granted_at is not None and self.ended_at is None


class ProposalState(StrEnum):
    OPEN = "open"
    DONE = "done"
    DECLINED = "declined"
    LAPSED = "lapsed"  # the step it was made in is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An act that needs two persons, proposed by the first."""

    number: int
    act: str
    fields: Mapping[str, str]
    reason: str
    by: Actor
    at: datetime
    state: ProposalState = ProposalState.OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class LateBid:
    """A bid that came after T0 and was refused with a signed slip."""

    bidder: BidderId
    name: str
    slip_sha256: Digest
    code: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorNote:
    """A supervisor's note."""

    by: Actor
    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature on the opening record."""

    signer: str
    role: Role
    name: str
    statement: Jws
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnRecord:
    """The opening record as it stood when it was put up for signature. ``asked``: who is waited for."""

    at: datetime
    sha256: Digest
    content: Mapping[str, object]
    asked: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """Somebody outside holds the log as it stood after ``size`` events."""

    kind: AnchorKind
    by: str
    size: int
    said_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A moment that must be held outside; ``number`` is that of its event. ``missed``: its grace period is over."""

    name: str
    at: datetime
    number: int
    anchors: tuple[Anchor, ...] = ()
    missed: bool = False

    def by(self, kind: AnchorKind) -> tuple[str, ...]:
        """Return who of this kind holds it."""
        return tuple(anchor.by for anchor in self.anchors if anchor.kind is kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """A witness showed that the hall had signed another log: the proof by digest."""

    at: datetime
    by: str
    kind: str
    size: int
    held: int
    sha256: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One opening. ``at`` is the moment of its newest event; ``t0`` the opening time as it stands now."""

    plan: Plan
    at: datetime
    t0: datetime
    status: Status = Status.SCHEDULED
    phase: Phase = Phase.BEFORE
    runs: tuple[StepRun, ...] = ()
    hold: Hold | None = None
    pauses: tuple[Interruption, ...] = ()
    moves: tuple[Move, ...] = ()
    chairs: tuple[Chair, ...] = ()
    acting: str | None = None  # account of the acting host (主持人)
    frozen: FrozenSet | None = None
    listed: bool = False
    bids: tuple[Bid, ...] = ()  # row order; empty before SetFrozen
    rows: Mapping[str, int] = field(default_factory=dict)  # the row of each bidder, from SetFrozen on
    late: tuple[LateBid, ...] = ()
    ceiling_announced: bool = False
    barrier: Barrier | None = None
    locks: Locks = Locks()
    faults: tuple[Fault, ...] = ()
    opened: bool = False  # the results of all bids are recorded
    draw: Draw | None = None  # from its step on
    objections: tuple[Objection, ...] = ()
    turns: tuple[Turn, ...] = ()  # those that stand, in the order of asking, and those that were given or refused
    proposals: tuple[Proposal, ...] = ()
    notes: tuple[SupervisorNote, ...] = ()
    drawn: DrawnRecord | None = None
    signatures: tuple[Signature, ...] = ()
    unsigned: tuple[str, ...] = ()
    ended_at: datetime | None = None
    abort_reason: str | None = None
    length: int = 0  # events so far
    points: tuple[Point, ...] = ()  # only with plan.watch
    disputes: tuple[Dispute, ...] = ()
    clock: ClockState | None = None
    hall: Hall = Hall()
    recorded: int = 0  # events of the recording that this log knows of
    filmed: Filmed | None = None

    @property
    def stopped(self) -> bool:
        """Whether the hall itself stopped the opening: nothing falls due then, T0 neither."""
        return self.hold is not None and bool(self.hold.stops)

    @property
    def run(self) -> StepRun | None:
        """The current step: the one entered last."""
        return self.runs[-1] if self.runs else None

    @property
    def step(self) -> StepId | None:
        return self.runs[-1].step.id if self.runs else None

    @property
    def kind(self) -> StepKind | None:
        return self.runs[-1].step.kind if self.runs else None

    @property
    def step_complete(self) -> bool:
        return bool(self.runs) and self.runs[-1].completed_at is not None

    @property
    def due(self) -> datetime | None:
        """The absolute deadline of the current step while it is running."""
        run = self.run
        return run.due if run and run.completed_at is None else None

    @property
    def groups(self) -> frozenset[str]:
        """The groups of a sealed bid whose keys are asked for (crypto/FORMAT.md section 2)."""
        return frozenset("AB"[: self.plan.tender.envelopes])

    def bid(self, bidder: str) -> Bid | None:
        row = self.rows.get(bidder)
        return None if row is None else self.bids[row - 1]

    @property
    def speaker(self) -> Turn | None:
        """Who has the floor."""
        return next((turn for turn in reversed(self.turns) if turn.speaking), None)

    def point(self, name: str) -> Point | None:
        return next((point for point in self.points if point.name == name), None)

    def run_of(self, kind: StepKind) -> StepRun | None:
        """The run of the step of this kind, if it was entered."""
        return next((run for run in self.runs if run.step.kind is kind), None)

    def reading(self) -> tuple[datetime, timedelta, tuple[Bid, ...]] | None:
        """When the read-out began, the time per row and the rows read; None before it.

        Counted back from the deadline, so that a pause moves it.
        """
        run = self.run_of(StepKind.READOUT)
        if run is None or run.due is None:
            return None
        rows = tuple(bid for bid in self.bids if bid.state is BidState.OPENED)
        return run.due - self.plan.reading_pace * len(rows), self.plan.reading_pace, rows
