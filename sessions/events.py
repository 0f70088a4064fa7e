"""What happened. Events are past tense, are never refused and never changed (LIFECYCLE.md lists them all).

Three streams per session: ``intake`` may be read by nobody before T0 (its very length would betray the number of
bids), ``opening`` is the public ceremony, ``recording`` says what was recorded of it, piece by piece. The number of
an event in its stream is its number on the wire.

A field named ``private`` holds what only some may see. The chained event carries a salted commitment to it, so the
chain verifies for every reader, whatever they are shown (crypto.chain).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sessions.commands import Fragment, Gap, SealedBid
from sessions.ids import BidderId, Digest, Jws, SessionId, StepId
from sessions.plan import AnchorKind
from sessions.proofs import Proof
from sessions.roles import Actor, Role
from sessions.shape import LATER


class Stream(StrEnum):
    INTAKE = "intake"
    OPENING = "opening"
    RECORDING = "recording"


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeOpened:
    plan: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class BidReceived:
    """An acceptable sealed bid, complete and durable before T0. ``replaces`` is the header digest before it."""

    bidder: BidderId
    name: str
    header_sha256: Digest
    declaration_sha256: Digest
    root: Digest
    length: int
    signing_certificate: Digest
    first_byte_at: datetime
    leaf_salt: str = field(repr=False)
    tracker: str
    replaces: Digest | None
    proof: Proof | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class BidRefused:
    bidder: BidderId
    name: str
    code: str
    header_sha256: Digest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BidWithdrawn:
    bidder: BidderId
    header_sha256: Digest
    statement: Jws
    proof: Proof | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class BidderCheckedIn:
    """In the intake stream before T0, in the opening stream after it."""

    bidder: BidderId
    statement: Jws
    proof: Proof | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeClosed:
    """The last event of the intake stream that concerns a bid."""

    received: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeHeld:
    """T0 does not close the intake: the opening stands still, because the hall failed or its clock is unsafe."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeFreed:
    """The opening goes on. ``t0`` is the opening time if it moved with it, else None."""

    t0: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionScheduled:
    """The announcement. ``plan`` is the canonical JSON form of a Plan (sessions.plan_json)."""

    plan: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChairTaken:
    role: Role
    account: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostHandedOver:
    """The deputy acts as host from here on."""

    account: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class T0Moved:
    """The opening time moved before it came. Both streams carry it."""

    old: datetime
    new: datetime
    reason: str
    approved_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFrozen:
    """T0: intake closed by itself and the sealed set is fixed.

    ``headers`` are the header digests in row order, ``root`` the RFC 6962 root over them. private: {"bids": [...]},
    the SealedBid rows, which BiddersListed publishes unless the opening fails for want of bids. ``intake_log_*``
    are size and root of the log of receipts, closed with it.
    """

    received: int
    headers: tuple[Digest, ...]
    root: Digest
    intake_head: Digest
    intake_length: int
    session_key: str  # empty where the keys are split among locks: the hall has none then
    clock_offset_ms: int | None
    private: Mapping[str, object] = field(repr=False)
    intake_log_size: int | None = field(default=None, metadata=LATER)
    intake_log_root: Digest | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class BiddersListed:
    """Who bid (公布投标人名单), in row order: the rows that SetFrozen committed to."""

    bids: tuple[SealedBid, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningFailed:
    """Fewer bids than the law asks for: nothing is opened, the bids stay sealed (招标投标法 art. 28)."""

    received: int
    minimum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEntered:
    """A step began. ``due`` is its absolute deadline if it has one."""

    step: StepId
    due: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCompleted:
    """A step's work is done: everyone acted, or its window is over. ``missing`` names who did not act."""

    step: StepId
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SealsChecked:
    """Every frozen bid was read again: bidder -> ``ok`` or the code of what is wrong.

    ``proofs``: how the certificates of bids that were taken while an authority was silent stood at that moment, by
    what is known since T0.
    """

    results: Mapping[BidderId, str]
    proofs: Mapping[BidderId, Proof] | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class CeilingAnnounced:
    amount: str
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReleased:
    """A released key reproduces the commitment sealed before T0. Nothing has been decrypted with it."""

    bidder: BidderId
    group: str
    release_sha256: Digest
    attempt: int
    proof: Proof | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed:
    """A try to unlock failed. private: {"code": ...} until the barrier, and the members of a Proof, if it has one."""

    bidder: BidderId
    attempt: int
    release_sha256: Digest | None
    private: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowExtended:
    step: StepId
    old: datetime
    new: datetime
    reason: str
    approved_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BarrierPassed:
    """Every release is in (``all``) or the window is over (``window``): from here on the bids may be opened."""

    reason: str
    released: tuple[BidderId, ...]
    missing: tuple[BidderId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficerReady:
    """An officer tried its own key on a value made on its own machine: only whether it opened is known here."""

    lock: str
    officer: str
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LockOpened:
    """An officer removed its part of a lock, behind the barrier: on which bids its shares hold, and on which not.

    ``failed``: bidder -> ``share_mismatch``, the share is not the one committed to, or ``not_decryptable``, the
    officer's key opened nothing.
    """

    lock: str
    officer: str
    opened: tuple[BidderId, ...]
    failed: Mapping[BidderId, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockMissed:
    """Two persons go on without the tenderer's or the trustees' share, which nobody brought."""

    lock: str
    reason: str
    approved_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EscrowRequested:
    """A bidder who has lost its key asks, signed, that the trustees open its bid."""

    bidder: BidderId
    statement: Jws
    proof: Proof | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class EscrowGranted:
    """Two persons let the trustees open this bid: behind the barrier, with all others."""

    bidder: BidderId
    reason: str
    approved_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BidOpened:
    bidder: BidderId
    quote: Mapping[str, str]
    quote_sha256: Digest
    quote_key: str
    flags: tuple[str, ...]  # facts for the committee, such as ``over_ceiling``; never a judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class BidNotOpened:
    """A bid of the set that could not be opened: whose cause, and what follows in law (电子招标投标办法 art. 31).

    ``cause``: B1-B6, P1-P5, X1-X2 (domain: decrypt-failure attribution) or ``unknown`` until two persons rule.
    ``consequence``: revoked (撤销) | withdrawn (撤回) | pending.
    """

    bidder: BidderId
    cause: str
    consequence: str
    evidence: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseRuled:
    bidder: BidderId
    cause: str
    consequence: str
    reason: str
    approved_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BidRescued:
    """A rescue was handed in, by the bidder or on its behalf (the actor). ``kind``: ``key`` | ``plain``.

    A key is as good as a released one. A spare sheet stays sealed until the barrier: it is opened if no key came, and
    read out if it is the one committed to at sealing.
    """

    bidder: BidderId
    group: str
    kind: str
    rescue_sha256: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRescued:
    """In place of BidOpened: no key came, and a spare sheet is the one that the sealed bid commits to.

    ``sheet`` is canonical JSON to the byte; with ``salt`` anyone repeats the comparison. The documents stay sealed.
    """

    bidder: BidderId
    sheet: str
    salt: str
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceGathered:
    """What is known, at the barrier, of a bidder who handed over no key: who could reach whom, in figures.

    ``facts`` are computed from three files by opening.evidence: the bidder's own signs of life (``sha256``), those
    of others (``reach_sha256``) and the hall's of itself (``probes_sha256``). All three go to the archive.
    """

    bidder: BidderId
    facts: Mapping[str, str]
    sha256: Digest
    reach_sha256: Digest
    probes_sha256: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultMeasured:
    """The hall noticed that it had not worked from ``began`` to ``ended``; the window is longer by as much.

    ``old`` and ``new`` are equal where the rule pack gives nothing, or nothing more.
    """

    step: StepId
    began: datetime
    ended: datetime
    old: datetime
    new: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LateBidRefused:
    bidder: BidderId
    name: str
    slip_sha256: Digest
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawCommitted:
    """Somebody present committed to a secret seed (crypto.draw). ``party`` is a bidder or an account."""

    round: int
    role: Role
    party: str
    commitment: Digest
    statement: Jws | None
    proof: Proof | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawClosed:
    """No more commitments: these parties draw. Bidders show their seeds first, until ``due``; staff after them."""

    round: int
    parties: tuple[str, ...]
    due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawRevealed:
    """A seed fits its commitment. private: {"seed": hex}, kept from everyone until the draw is made."""

    round: int
    role: Role
    party: str
    private: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawRepeated:
    """The draw begins anew: bidders did not show what they committed to and are left out, or two persons said so."""

    round: int
    without: tuple[str, ...]
    due: datetime
    reason: str
    approved_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawMade:
    """Every seed, the randomness they make, and what was drawn: id of the draw -> values in the order drawn."""

    round: int
    seeds: Mapping[str, str]  # "role:party" -> hex
    randomness: Digest
    drawn: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowConfirmed:
    bidder: BidderId
    statement: Jws
    proof: Proof | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionRaised:
    """An objection, a recusal request or a disputed row. private: {"text": ...}."""

    number: int
    bidder: BidderId
    kind: str  # objection | recusal | row
    title: str
    private: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionAnswered:
    """private: {"text": ...}."""

    number: int
    private: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoneDeclared:
    """The bidder declared that it has no objection."""

    bidder: BidderId


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorAsked:
    """A bidder asks to speak to the room. It waits its turn, in the order of asking."""

    bidder: BidderId


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorGranted:
    """The host gives a bidder that asked the floor. One has it at a time."""

    bidder: BidderId


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorEnded:
    """A bidder speaks no longer, or its asking is over. ``reason`` is the host's, empty where the host did nothing.

    ``why``: ``withdrawn`` (it asks no longer) | ``refused`` (by the host) | ``finished`` (it has spoken) |
    ``ended`` (by the host) | ``stage`` (the next stage does not allow it).
    """

    bidder: BidderId
    why: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDrawn:
    """The opening record (开标记录) as it stands, by digest; what is signed afterwards is this digest."""

    record_sha256: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSigned:
    signer: str
    role: Role
    statement: Jws
    proof: Proof | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorNoted:
    """private: {"text": ...}, for the supervisor and the archive."""

    private: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPaused:
    reason: str
    incident: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionResumed:
    """Every running deadline moved by ``frozen_ms``; ``due`` is the current step's new one.

    After a stop by the hall itself, ``t0`` is the opening time that moved with it, and ``approved_by`` the second
    person.
    """

    frozen_ms: int
    due: datetime | None
    t0: datetime | None = field(default=None, metadata=LATER)
    approved_by: str | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockChecked:
    """The hall's clock as it was compared last before the set was frozen.

    ``sources`` are those of the plan that answered; ``offset_ms`` is what their median would add to the hall's clock,
    wrong by ``uncertainty_ms`` at most; all three empty if none did. ``steady``: nobody set the machine's clock.
    """

    sources: tuple[str, ...]
    offset_ms: int | None
    uncertainty_ms: int | None
    measured_at: datetime | None
    steady: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockUnsafe:
    """The hall does not know what time it is; nothing falls due. Dated when its clock was last known to be right.

    ``reason``: ``stepped`` (somebody set the machine's clock), ``offset`` (the sources say another time) or
    ``behind`` (the log is already later). ``by_ms``: by how much.
    """

    reason: str
    by_ms: int | None
    noticed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSafe:
    """The clock is right again. The opening goes on when people say so (SessionResumed)."""

    by_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageBegan:
    """The hall did not work, or does not; nothing falls due. Dated when it was last known to work.

    ``votes`` are the figures behind ``reasons`` (sessions.watch.health).
    """

    noticed_at: datetime
    reasons: tuple[str, ...]
    votes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageEnded:
    """The hall works again. The opening goes on by the rule of its pack (SessionResumed)."""

    lasted_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActProposed:
    """An act that needs two persons, waiting for the second. ``act`` names the command, ``fields`` its content."""

    proposal: int
    act: str
    fields: Mapping[str, str]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActDeclined:
    proposal: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionAborted:
    reason: str
    approved_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded:
    """The ceremony is over and its record complete. ``unsigned`` names who did not sign."""

    record_sha256: Digest
    unsigned: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchored:
    """Somebody outside holds the log as it stood after ``size`` events, for a point of the ceremony.

    ``by`` is a name from plan.watch. ``sha256`` is of what was said, as it is kept: a witness's signature line, or an
    authority's token over the checkpoint's text. ``said_at`` is the moment it states. ``proof``: how the authority's
    certificate stood at that moment.
    """

    point: str  # close | draw-N | record
    kind: AnchorKind
    by: str
    size: int
    root: Digest
    sha256: Digest
    said_at: datetime
    proof: Proof | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorMissed:
    """The grace period of a point is over and too few witnesses hold it: ``have`` names those that do."""

    point: str
    have: tuple[str, ...]
    quorum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogDisputed:
    """A witness holds another log under the hall's own signature: from here on the hall signs no checkpoint of it.

    ``size`` and ``root`` are what the witness holds, ``held`` how many events this hall had; ``sha256`` is of the
    note that proves it. ``split`` if the roots differ, ``behind`` if this hall lost what it had signed.
    """

    by: str
    kind: str  # split | behind
    size: int
    root: Digest
    held: int
    sha256: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingNoted:
    """What was recorded so far, so that it lies under this log: the recording's first ``size`` events have ``root``.

    At every step, and at most once a minute besides (sessions.recording). ``until``: where the picture ends by those
    events, None where there is none; ``gaps``: what is missing before that. None: an earlier version did not say.
    """

    size: int
    root: Digest
    until: datetime | None = field(default=None, metadata=LATER)
    gaps: tuple[Gap, ...] | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackBegan:
    """A file of a track begins: the ``part``-th, because each life of the recorder makes its own.

    ``utc`` is the moment of decode time 0. The file begins with ``init_length`` bytes of ``init_sha256``, and the
    fragments follow without a gap.
    """

    track: str
    part: int
    codec: str
    init_length: int
    init_sha256: Digest
    utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentsKept:
    """Fragments that have reached the disk, in order."""

    track: str
    part: int
    fragments: tuple[Fragment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackBroken:
    """The recorder ended without closing this file: what it had not finished is lost, at most a fragment."""

    track: str
    part: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingClosed:
    """The opening is over, and so is this stream. ``whole``: every last part of a track had been closed by then."""

    fragments: int
    whole: bool


IntakeEvent = (
    IntakeOpened
    | BidReceived
    | BidRefused
    | BidWithdrawn
    | BidderCheckedIn
    | T0Moved
    | IntakeHeld
    | IntakeFreed
    | IntakeClosed
)
OpeningEvent = (
    SessionScheduled
    | ChairTaken
    | HostHandedOver
    | T0Moved
    | SetFrozen
    | BiddersListed
    | OpeningFailed
    | BidderCheckedIn
    | StepEntered
    | StepCompleted
    | SealsChecked
    | CeilingAnnounced
    | KeyReleased
    | AttemptFailed
    | WindowExtended
    | BarrierPassed
    | OfficerReady
    | LockOpened
    | LockMissed
    | EscrowRequested
    | EscrowGranted
    | BidOpened
    | BidNotOpened
    | CauseRuled
    | BidRescued
    | SheetRescued
    | EvidenceGathered
    | FaultMeasured
    | LateBidRefused
    | DrawCommitted
    | DrawClosed
    | DrawRevealed
    | DrawRepeated
    | DrawMade
    | RowConfirmed
    | ObjectionRaised
    | ObjectionAnswered
    | NoneDeclared
    | FloorAsked
    | FloorGranted
    | FloorEnded
    | RecordDrawn
    | RecordSigned
    | SupervisorNoted
    | SessionPaused
    | SessionResumed
    | ActProposed
    | ActDeclined
    | SessionAborted
    | SessionEnded
    | Anchored
    | AnchorMissed
    | LogDisputed
    | ClockChecked
    | ClockUnsafe
    | ClockSafe
    | OutageBegan
    | OutageEnded
    | RecordingNoted
)
RecordingEvent = TrackBegan | FragmentsKept | TrackBroken | RecordingClosed
Event = IntakeEvent | OpeningEvent | RecordingEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An event as it stands in the log: numbered from 1 without gaps, dated, attributed, chained.

    ``at`` is when the fact fell due or was done, never earlier than the event before it. ``digest`` is
    crypto.chain.event_digest of the core; ``salt`` opens the commitment to the private part, if there is one.
    """

    session: SessionId
    stream: Stream
    number: int
    at: datetime
    actor: Actor
    event: Event
    salt: str | None = field(repr=False)
    previous: Digest
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """A decided event with the moment and the actor it carries, before the store numbers and chains it.

    ``actor`` need not be who sent the command: what time brings is the clock's, and an act of two persons is the
    proposer's, with the second person in ``approved_by``. The store records this actor, or a replay would differ.
    """

    at: datetime
    actor: Actor
    event: Event
