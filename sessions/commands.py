"""What may be asked of an opening. Commands are imperative and may be refused (errors.CommandRefused).

A command carries everything the decision needs: results of slow cryptography enter as data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sessions.ids import BidderId, Digest, Jws, StepId
from sessions.plan import AnchorKind
from sessions.proofs import Proof
from sessions.shape import LATER


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Do whatever time has made due. Harmless at any moment and from any worker."""


# -- intake: before T0, in a log that nobody may read -----------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitBid:
    """A complete, durable, checked sealed bid. A later one of the same bidder replaces it (补充、修改)."""

    bidder: BidderId
    name: str
    header_sha256: Digest
    declaration_sha256: Digest
    root: Digest
    length: int
    deadline: datetime  # the one it was sealed under
    sealed_tender: str
    sealed_lot: str
    sealed_bidder: BidderId
    signing_certificate: Digest
    first_byte_at: datetime
    leaf_salt: str = field(repr=False)
    proof: Proof | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseBid:
    """Record that what a bidder sent was no acceptable bid (late, unsealed, foreign, malformed)."""

    bidder: BidderId
    name: str
    code: str
    header_sha256: Digest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawBid:
    """Take the bid back before the deadline (撤回), by a statement that the bidder signed."""

    bidder: BidderId
    statement: Jws
    proof: Proof | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckIn:
    """Be present (签到), before T0 or after it: attendance is a right (招标投标法 art. 35)."""

    bidder: BidderId
    statement: Jws
    proof: Proof | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedBid:
    """A bid of the frozen set as intake hands it to the opening at T0."""

    bidder: BidderId
    name: str
    header_sha256: Digest
    received_at: datetime
    tracker: str  # the receipt's short code
    versions: int  # how often the bidder sent one; only the last can be opened
    checked_in_at: datetime | None


# -- opening: by the clock and the hall itself ------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Found the session: the first command of all. ``plan`` is the canonical JSON form of a Plan."""

    plan: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseIntake:
    """Freeze the sealed set at T0. ``root`` is the RFC 6962 root over the header digests in row order.

    ``intake_log_*``: the log of receipts with its last leaves (sessions.intake.log), where the plan has one.
    """

    bids: tuple[SealedBid, ...]
    root: Digest
    intake_head: Digest
    intake_length: int
    session_key: str  # HPKE public key of this opening, base64url; empty where there are locks
    clock_offset_ms: int | None  # measured against the configured time source, None if there is none
    intake_log_size: int | None = field(default=None, metadata=LATER)
    intake_log_root: Digest | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealChecks:
    """What re-reading every frozen bid showed: bidder -> ``ok`` or a code (密封情况).

    ``proofs``: for bids that were taken while an authority was silent, what it said when it was asked again now.
    """

    results: Mapping[BidderId, str]
    proofs: Mapping[BidderId, Proof] | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRelease:
    """A key release arrived and was checked: ``code`` is None when it reproduces the sealed commitment.

    ``arrived_at`` is when it had entered the hall. One that came in time but was checked after the window is
    recorded as a failed attempt that the hall answers for (cause P4), if the bids are not opened yet.
    """

    bidder: BidderId
    group: str
    release_sha256: Digest
    code: str | None
    arrived_at: datetime | None = None
    proof: Proof | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFailure:
    """The bidder's own client could not unlock, and says why (wrong password, other certificate, ...)."""

    bidder: BidderId
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyOfficer:
    """The officer of a lock has tried its key, on its own machine and a value of its own; only the result leaves."""

    lock: str
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLock:
    """An officer brought its shares of a lock, and the hall held each against its commitment."""

    lock: str
    opened: tuple[BidderId, ...]
    failed: Mapping[BidderId, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MissLock:
    """Go on without the tenderer's share, or without the trustees': two persons."""

    lock: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEscrow:
    """The bidder asks that the trustees open its bid, by a statement that it signed."""

    bidder: BidderId
    statement: Jws
    proof: Proof | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantEscrow:
    """Let the trustees open the bid of a bidder who asked for it: two persons."""

    bidder: BidderId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What the evidence says of one bidder who handed over no key (events.EvidenceGathered)."""

    bidder: BidderId
    facts: Mapping[str, str]
    sha256: Digest
    reach_sha256: Digest
    probes_sha256: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEvidence:
    """The evidence on every bidder whose keys are missing at the barrier."""

    gathered: tuple[Gathered, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFault:
    """The hall did not work between two signs of life of its own, and lengthens the window before it can end."""

    began: datetime
    ended: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRescue:
    """A rescue came in, sealed to the session: a key that reproduces the commitment, or a spare sheet unopened.

    ``kind``: ``key`` | ``plain``. Who sent the command handed it in: the bidder, or the acting host on its behalf.
    """

    bidder: BidderId
    group: str
    kind: str
    rescue_sha256: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """One bid opened at the barrier: its read-out sheet, or the code why there is none."""

    bidder: BidderId
    quote: Mapping[str, str] | None
    quote_sha256: Digest | None
    quote_key: str | None  # IK of the quote part, base64url: lets anyone repeat the decryption
    code: str | None
    sheet: str | None = None  # the spare sheet, to the byte, where that took the place of the key
    salt: str | None = field(default=None, repr=False)  # of the commitment that the spare sheet reproduces


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOpenings:
    """All bids of the set, opened together behind the barrier."""

    opened: tuple[Opened, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLateBid:
    """A bid that came after T0 and was refused with a signed slip."""

    bidder: BidderId
    name: str
    slip_sha256: Digest
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAnchor:
    """A witness or a timestamp authority answered, and the hall checked what it said (Anchored)."""

    point: str
    kind: AnchorKind
    by: str
    size: int
    root: Digest
    sha256: Digest
    said_at: datetime
    proof: Proof | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDispute:
    """A witness showed a checkpoint, signed by this hall, that this hall's log does not continue (LogDisputed)."""

    by: str
    kind: str
    size: int
    root: Digest
    held: int
    sha256: Digest


# -- opening: by people -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeChair:
    """Staff enter the room. The deputy's ``takeover`` makes the deputy the acting host (AB 角交接)."""

    takeover: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """Begin the next step of the rule pack. Naming it keeps a second click from skipping one."""

    step: StepId


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendWindow:
    """Give the running window more time, by the amount that the rule pack allows."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Stop every timer. ``incident`` marks an outage of the hall rather than an order."""

    reason: str
    incident: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Go on; every deadline moves by exactly the time that was frozen.

    After a stop by the hall itself a ``reason`` is wanted, and a second person.
    """

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Postpone:
    """Move T0, before T0 only (招标投标法 art. 23)."""

    t0: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Abort:
    """End the session without an opening (终止)."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCause:
    """Two persons decide the cause of a failed decryption that the evidence left unknown."""

    bidder: BidderId
    cause: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """The second person agrees to a proposed act."""

    proposal: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decline:
    """The second person does not agree, or the first takes it back."""

    proposal: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A supervisor's note on the record."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitDraw:
    """Commit to a secret seed. A bidder signs it (kind ``draw``); a member of staff has logged in."""

    round: int
    commitment: Digest
    statement: Jws | None = None
    proof: Proof | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevealDraw:
    """Show the seed: hex of 32 bytes. Nobody else sees it before the draw is made."""

    round: int
    seed: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatDraw:
    """Begin the draw anew, because somebody who must show a seed cannot. Needs two persons."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmRow:
    """The bidder says that what was read out is what it sealed (signed)."""

    bidder: BidderId
    statement: Jws
    proof: Proof | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeRow:
    """The bidder says that its row is wrong; it becomes an objection that must be answered."""

    bidder: BidderId
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """Raise an objection (异议) or ask that somebody step aside (回避申请)."""

    bidder: BidderId
    recusal: bool
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoObjection:
    """The bidder has none (无异议)."""

    bidder: BidderId


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerObjection:
    """Answer an objection on the spot (实施条例 art. 44)."""

    number: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskFloor:
    """Ask to speak to the room (申请发言)."""

    bidder: BidderId


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantFloor:
    """Give the floor to a bidder that asked for it."""

    bidder: BidderId


@dataclass(frozen=True, slots=True, kw_only=True)
class EndFloor:
    """Take the asking back, or stop speaking; by the host, with a reason: refuse it, or end it."""

    bidder: BidderId
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignRecord:
    """Sign the opening record's digest: a bidder by its certificate, staff by the hall in their name."""

    signer: str  # bidder id or account id
    statement: Jws
    proof: Proof | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckClock:
    """What the time sources said of the hall's clock by T0: see ClockChecked."""

    sources: tuple[str, ...]
    offset_ms: int | None
    uncertainty_ms: int | None
    measured_at: datetime | None
    steady: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtClock:
    """The hall's clock cannot be trusted, since it was last known to be right. See ClockUnsafe."""

    since: datetime
    noticed_at: datetime
    reason: str
    by_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustClock:
    """The clock is right again."""

    by_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOutage:
    """The hall does not work, since ``began``: see OutageBegan."""

    began: datetime
    noticed_at: datetime
    reasons: tuple[str, ...]
    votes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRecovery:
    """The hall works again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A stretch of which the recording has no picture, while the opening went on."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRecording:
    """The first ``size`` events of the recording have this root, and this is missing in them (RecordingNoted)."""

    size: int
    root: Digest
    until: datetime | None = None
    gaps: tuple[Gap, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginTrack:
    """The recorder began a file: see TrackBegan."""

    track: str
    part: int
    codec: str
    init_length: int
    init_sha256: Digest
    utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """A piece of a file, a ``moof`` and its ``mdat``: where it lies, what it is, when it plays."""

    offset: int
    length: int
    sha256: Digest
    time_ms: int
    duration_ms: int
    keyframe: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepFragments:
    """Fragments that are on the disk; what was recorded of them before is passed over."""

    track: str
    part: int
    fragments: tuple[Fragment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakTrack:
    """The recorder is gone, and had not closed this file."""

    track: str
    part: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRecording:
    """Nothing more comes, because the opening is over. Before that it is refused, whoever asks."""

    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldIntake:
    """Let T0 not close the intake: the opening stood still, and this stream follows."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeIntake:
    """The opening goes on; ``t0`` is the opening time, if it moved."""

    t0: datetime | None


IntakeCommand = (
    Schedule | SubmitBid | RefuseBid | WithdrawBid | CheckIn | Postpone | Abort | HoldIntake | FreeIntake | Tick
)
OpeningCommand = (
    Schedule
    | CloseIntake
    | SealChecks
    | RecordRelease
    | ReportFailure
    | ReadyOfficer
    | OpenLock
    | MissLock
    | RequestEscrow
    | GrantEscrow
    | RecordRescue
    | RecordOpenings
    | RecordEvidence
    | RecordFault
    | RecordLateBid
    | CheckIn
    | TakeChair
    | Advance
    | ExtendWindow
    | Pause
    | Resume
    | Postpone
    | Abort
    | RuleCause
    | Approve
    | Decline
    | Note
    | CommitDraw
    | RevealDraw
    | RepeatDraw
    | ConfirmRow
    | DisputeRow
    | Object
    | NoObjection
    | AnswerObjection
    | AskFloor
    | GrantFloor
    | EndFloor
    | SignRecord
    | RecordAnchor
    | RecordDispute
    | CheckClock
    | DoubtClock
    | TrustClock
    | RecordOutage
    | RecordRecovery
    | NoteRecording
    | Tick
)
RecordingCommand = BeginTrack | KeepFragments | BreakTrack | CloseRecording
