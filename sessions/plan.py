"""What an opening was announced with: the rule pack, the tender's own facts, the windows, the people.

Everything here is data that the first event of a session carries; nothing in it changes afterwards except the
opening time, which moves only by an event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sessions.ids import AccountId, SessionId, StepId
from sessions.proofs import Act, OnSilence
from sessions.roles import Role
from sessions.shape import LATER


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A text for people in both languages. Neither is a translation key: both are written."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """A rule of law that a step or a refusal rests on: where it stands, and its point in a sentence."""

    id: str
    cite: Words
    gist: Words


class StepKind(StrEnum):
    """What a step does. A rule pack chooses and orders them; a new kind is one thing to add."""

    CHECKIN = "checkin"  # 签到: before T0; ends by the clock at T0
    LIST = "list"  # 公布投标人名单
    CHECK = "check"  # 密封检查: seals and identities, per bid
    CEILING = "ceiling"  # 公布最高投标限价
    DRAW = "draw"  # 抽取: coefficients, lots, an order, by seeds that everyone present commits to
    DECRYPT = "decrypt"  # 解密: the window in which bidders release their keys; ends in the barrier
    READOUT = "readout"  # 唱标
    CONFIRM = "confirm"  # 确认: each bidder confirms its own row
    OBJECTION = "objection"  # 异议、回避申请
    SIGN = "sign"  # 签字: signatures on the opening record


class Starts(StrEnum):
    """What begins a step once the one before it is complete."""

    CLOCK = "clock"  # by itself, at once
    HOST = "host"  # when the host (or the deputy who took over) says so


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the ceremony as a rule pack words it."""

    id: StepId
    kind: StepKind
    starts: Starts
    title: Words
    why: Words  # "what is happening and why", in plain words
    article: str  # key into RulePack.articles


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRule:
    """How long a window is, what a tender document may set instead, and how far the host may stretch it."""

    default: timedelta
    shortest: timedelta
    longest: timedelta
    extension: timedelta = timedelta()  # one extension by the host
    extensions: int = 0  # how many the host may give alone; beyond that two persons must agree
    article: str | None = None  # key into RulePack.articles: what the window rests on


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRule:
    """How it is watched during the decrypt window who could reach whom, so that blame rests on evidence.

    ``cadence``: how often a bidder's program and the hall itself give a sign of life. ``gap``: a longer silence
    counts as one. ``slow``: an answer that took longer is the hall's doing. ``extends``: whether a fault of the hall
    that it measured lengthens the window by itself, by at most ``most`` in all. Short windows have shorter measures
    (opening.evidence).
    """

    cadence: timedelta
    gap: timedelta
    slow: timedelta
    article: str  # key into RulePack.articles: what a bid not decrypted counts as
    extends: bool = False
    most: timedelta = timedelta()


class Phase(StrEnum):
    """The columns of the visibility matrix (domain: who may see what, when)."""

    BEFORE = "before"  # before T0
    LISTED = "listed"  # intake closed, bidders published
    DECRYPT = "decrypt"  # keys are being released
    OPENED = "opened"  # after the barrier
    ENDED = "ended"


class Barrier(StrEnum):
    """What stands between the released keys and the bids once the barrier has passed."""

    SERVER = "server"  # the hall holds the session key
    SPLIT = "split"  # every key is split among locks, and the hall holds none of it


@dataclass(frozen=True, slots=True, kw_only=True)
class BarrierRule:
    """What a pack asks of the locks. ``mode`` ``split``: an opening without locks is not announced."""

    mode: Barrier = Barrier.SERVER
    fewest_locks: int = 2  # one lock alone is no second person
    most_officers: int = 9
    article: str | None = None  # key into RulePack.articles


class AnchorKind(StrEnum):
    """How somebody outside holds the log as it stood."""

    WITNESS = "witness"  # cosigned a checkpoint after seeing that it continues the last one (C2SP tlog-witness)
    STAMP = "stamp"  # put a time under a checkpoint's digest (RFC 3161)


class WitnessMode(StrEnum):
    """What a rule pack makes of witnesses that are missing."""

    CLOSED = "closed"  # no bid is opened and nothing ends before enough of them hold the log
    OPEN = "open"  # after the grace period their absence is made public, and the ceremony goes on


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessRule:
    """How long the ceremony waits for the witnesses at each point, and what then."""

    mode: WitnessMode
    grace: timedelta
    article: str  # key into RulePack.articles


class Resumes(StrEnum):
    """Who lets an opening go on that the hall itself stopped."""

    TWO_PERSON = "two_person"  # host and supervisor together
    AUTO = "auto"  # the clock, once the hall was well for a while; after an unsafe clock always two persons


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageRule:
    """What holds when the hall itself fails, or does not know what time it is (opening.stopping).

    ``clock``: a clock that is further off is unsafe. ``gap``: the hall was out if it gave no sign of life for longer.
    ``healthy``: how long it must be well before the clock goes on by itself. ``notice``: what is left of a window, at
    least, when it goes on. ``postpone``: an opening time that came meanwhile, or comes within the notice, moves to so
    long after that. Short windows have shorter measures.
    """

    resume: Resumes
    clock: timedelta
    gap: timedelta
    healthy: timedelta
    notice: timedelta
    postpone: timedelta
    article: str  # key into RulePack.articles


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorRule:
    """When bidders may ask to speak to the room: in steps of these kinds."""

    steps: frozenset[StepKind]
    article: str  # key into RulePack.articles


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePack:
    """The law and practice of one procedure in one jurisdiction, as data with article references.

    ``digest`` is the SHA-256 of the file it was read from; a session's first event quotes it.
    """

    id: str
    version: str
    digest: str
    title: Words
    minimum_bidders: int
    minimum_article: str
    steps: tuple[Step, ...]
    windows: Mapping[str, WindowRule]  # keys: checkin, decrypt, confirm, objection, sign
    reading_pace: timedelta  # one row of the read-out
    chairs: tuple[Role, ...]  # who must have taken the chair before the decrypt window may open
    two_person: frozenset[str]  # commands that need a second person
    articles: Mapping[str, Article]
    refusals: Mapping[str, str]  # refusal code -> article id, where law stands behind it
    visibility: Mapping[str, Mapping[Phase, frozenset[Role]]]  # datum -> phase -> roles that see it
    barrier: BarrierRule = field(default=BarrierRule(), metadata=LATER)
    revocation: Mapping[Act, OnSilence] | None = field(default=None, metadata=LATER)
    renewal_margin: timedelta | None = field(default=None, metadata=LATER)  # after T0, for certificates that end
    witness: WitnessRule | None = field(default=None, metadata=LATER)
    evidence: EvidenceRule | None = field(default=None, metadata=LATER)  # None: attempts alone are evidence
    outage: OutageRule | None = field(default=None, metadata=LATER)  # None: only people stop an opening
    floor: FloorRule | None = field(default=None, metadata=LATER)  # None: bidders do not speak


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteField:
    """One column of the read-out sheet (开标一览表)."""

    id: str
    kind: str  # money | integer | date | text | percent (sessions.quote)
    label: Words
    required: bool = True
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawRule:
    """Something the tender documents leave to a draw: ``pick`` of ``values``, none twice, in the order drawn.

    Without values it is an order of the bidders (their row numbers), and ``pick`` says how many places.
    """

    id: str
    title: Words
    values: tuple[str, ...]
    pick: int | None  # None: all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Tender:
    """One lot (标段 / 采购包) as announced: what a bidder seals for."""

    id: str
    lot: str
    title: Words
    tenderer: Words  # 招标人
    agent: Words | None  # 招标代理
    place: Words  # where the opening is held; an address on the network counts
    envelopes: int
    quote: tuple[QuoteField, ...]
    ceiling: str | None  # 最高投标限价: a decimal string, announced at its step
    currency: str
    draws: tuple[DrawRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A person whom the announcement names for a part."""

    account: AccountId
    role: Role
    name: str


TENDERER = "tenderer"
"""The lock of the tenderer's own share (二次解密)."""

ESCROW = "escrow"
"""The lock of the trustees, on the bids of those who asked for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Officer:
    """A person who holds a share of a lock, and the encryption certificate it is sealed to (DER, base64url)."""

    account: AccountId
    name: str
    certificate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A lock that ``threshold`` of its officers remove together, each with a key that never leaves them."""

    id: str
    title: Words
    threshold: int
    officers: tuple[Officer, ...]

    @property
    def accounts(self) -> frozenset[str]:
        """Whose lock it is."""
        return frozenset(officer.account for officer in self.officers)

    def officer(self, account: str) -> Officer | None:
        return next((officer for officer in self.officers if officer.account == account), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeLog:
    """How the log of receipts grows before T0: ``leaves`` more at every tick, ``every`` after the one before.

    The first tick is ``every`` after the announcement. So its size tells the time, and nothing about bids.
    """

    every: timedelta
    leaves: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who outside the hall holds the log of this opening, as announced (crypto/FORMAT.md section 12).

    ``origin`` names the log; ``witnesses`` are vkeys, of which ``quorum`` must cosign at each point; ``authorities``
    are names of timestamp authorities, whose stamps are collected and never waited for.
    """

    origin: str
    witnesses: tuple[str, ...]
    quorum: int
    authorities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockTerms:
    """The time servers (``host:port``) that the hall compares its clock with, as announced."""

    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one opening follows: the session, its tender, the rule pack, T0, the windows chosen, the people.

    ``rehearsal`` lifts the lower limits of the windows, and every page and record says so (演练).
    """

    session: SessionId
    tender: Tender
    pack: RulePack
    t0: datetime
    windows: Mapping[str, timedelta]
    reading_pace: timedelta
    seats: tuple[Seat, ...]
    rehearsal: bool = False
    intake_log: IntakeLog | None = field(default=None, metadata=LATER)  # None: an earlier version's plan
    locks: tuple[Lock, ...] = field(default=(), metadata=LATER)  # none: the hall holds the session key
    tenderer_share: Lock | None = field(default=None, metadata=LATER)
    escrow: Lock | None = field(default=None, metadata=LATER)
    watch: Watch | None = field(default=None, metadata=LATER)  # None: nobody outside, as before witnesses came
    proofs: bool | None = field(default=None, metadata=LATER)  # True: no act of a bidder without a proof
    hall_key: str | None = field(default=None, metadata=LATER)  # kid of the one key of this opening; None: the oldest
    clock: ClockTerms | None = field(default=None, metadata=LATER)  # None: nobody to compare the clock with
    recording: bool | None = field(default=None, metadata=LATER)  # True: what is shown and said is recorded
    once: bool | None = field(default=None, metadata=LATER)  # True: no sealed bid is received a second time

    @property
    def every_lock(self) -> tuple[Lock, ...]:
        """The locks as the ceremony removes them: the officers', the tenderer's, the trustees'."""
        return (*self.locks, *filter(None, (self.tenderer_share, self.escrow)))

    def lock(self, name: str) -> Lock | None:
        return next((lock for lock in self.every_lock if lock.id == name), None)
