"""What the shell needs of the world: a log, blobs, a vault, a bell. Real ones live in ``sessions.store``.

Every store keeps what it returned from: when a call ends, its effect has reached the disk (promise 6).
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import BinaryIO, Protocol

from cryptography import x509

from crypto.tlog import read_note
from sessions.events import Recorded, Stream
from sessions.ids import BidderId, Digest, Jws, SessionId
from sessions.plan import AnchorKind
from sessions.proofs import Proof, Tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A session as the calendar shows it, written in the same transaction as the events it follows from.

    ``plan`` is the canonical JSON form (sessions.plan_json) it was announced with; ``t0`` moves with a postponement.
    ``due`` is when a Tick will next change something; ``ended_at`` is when the session ended, failed or was aborted.
    """

    session: SessionId
    plan: Mapping[str, object]
    created_at: datetime
    t0: datetime
    status: str
    step: str | None
    due: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command with an idempotency key led to. ``numbers`` and ``refusal`` exclude each other.

    ``command`` is a digest of what was asked, so that a key used for something else is noticed.
    """

    actor: str
    key: str
    command: Digest
    numbers: tuple[tuple[Stream, int], ...] = ()
    refusal: tuple[str, Mapping[str, str | int]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """What is added to the log of receipts (sessions.intake.log): 32 bytes each, from index ``first`` on."""

    first: int
    added: Sequence[bytes]


class EventStore(Protocol):
    async def append(
        self,
        session: SessionId,
        records: Sequence[Recorded],
        *,
        summary: Summary | None = None,
        outcomes: Sequence[Outcome] = (),
        entries: Entries | None = None,
        closes: datetime | None = None,
    ) -> None:
        """Keep records of any streams, summary, outcomes and log entries in one transaction; all or nothing.

        Numbers follow what is stored, stream by stream. ``summary`` founds the session or replaces the one before.
        ``closes`` is the T0 at which these records close the intake.

        Raises:
            Stale: somebody appended first, or used one of the idempotency keys; nothing was kept.
            Unchecked: T0 still waits for the answer to a bid (IntakeStore.holding); nothing was kept.
            Unanswered: whether it was kept shows in the log, for certain within the next ``turn``.
        """

    def turn(self, session: SessionId) -> AbstractAsyncContextManager[None]:
        """Keep other workers from appending to a session until it ends; what this task appends is durable then.

        Whoever was Stale takes one before deciding again, or a busier worker could always be first. Raises as append.
        """

    async def ends(self, session: SessionId) -> Mapping[Stream, int]:
        """Return the number of the last event of each stream, 0 where there is none."""

    async def heads(self, sessions: Sequence[SessionId]) -> Mapping[SessionId, int]:
        """Return the number of the last event of each opening that exists."""

    async def moving(self, since: datetime) -> Mapping[SessionId, int]:
        """Return the same for every opening that is past T0 and not over, or not since before ``since``."""

    async def entries(self, session: SessionId, *, after: int = 0) -> tuple[bytes, ...]:
        """Return the log of receipts from index ``after`` on."""

    async def place(self, session: SessionId, entry: bytes) -> int | None:
        """Return the index of an entry in the log of receipts, None if it is not there."""

    async def digests(self, session: SessionId, stream: Stream, *, after: int = 0) -> tuple[Digest, ...]:
        """Return the digests of the events numbered above ``after``, in order: what the log's tree is made of."""

    async def read(
        self, session: SessionId, stream: Stream, *, after: int = 0, limit: int | None = None
    ) -> tuple[Recorded, ...]:
        """Return the events numbered above ``after``, in order; none for a session that does not exist."""

    async def outcomes(self, session: SessionId, keys: Sequence[tuple[str, str]]) -> tuple[Outcome, ...]:
        """Return what is known of these (actor, key) pairs, in any order."""

    async def summary(self, session: SessionId) -> Summary | None:
        """Return one session's line in the calendar."""

    async def calendar(self) -> tuple[Summary, ...]:
        """Return every session, latest T0 first."""

    async def upcoming(self) -> tuple[Summary, ...]:
        """Return the sessions whose opening time has not come."""

    async def live(self) -> tuple[tuple[SessionId, datetime | None], ...]:
        """Return the sessions that are not over, each with when something falls due in it."""


class UploadState(StrEnum):
    """How far an upload got."""

    OPEN = "open"  # bytes are missing
    ARRIVED = "arrived"  # every byte is here, and the disk is waited for
    COMPLETE = "complete"  # every byte is durable, the hall has not answered yet
    ABANDONED = "abandoned"  # complete; the hall failed at it, and tries again when somebody takes the session up
    ANSWERED = "answered"  # receipt or slip given


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file on its way in. Its bytes are the blob of the same name; how many there are, the blob store knows."""

    id: str
    session: SessionId
    bidder: BidderId
    name: str
    length: int
    first_byte_at: datetime
    completed_at: datetime | None = None
    state: UploadState = UploadState.OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the hall signed in answer to a bid: a receipt, or a slip that says why not. ``blob`` holds the bid."""

    session: SessionId
    bidder: BidderId
    at: datetime
    header_sha256: Digest | None
    blob: str | None
    statement: Jws
    code: str | None  # None: accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A release message as it came, accepted or not: evidence for the cause of a failed decryption."""

    session: SessionId
    bidder: BidderId
    group: str
    at: datetime
    sha256: Digest
    statement: Jws
    code: str | None


class IntakeStore(Protocol):
    """The files behind the intake stream: uploads, answers, releases."""

    async def add_upload(self, upload: Upload) -> None: ...

    async def upload(self, upload: str) -> Upload | None: ...

    async def unanswered(self) -> tuple[Upload, ...]:
        """Return the uploads that have no receipt or slip yet, in the order they began."""

    async def uploaded_bytes(self, bidder: BidderId, since: datetime) -> int:
        """Return the announced lengths of what this bidder began to upload since then."""

    async def claim(self, upload: str) -> bool:
        """Begin to take its bytes in; False while somebody else does, or checks it. End with ``let_go``."""

    async def let_go(self, upload: str) -> None: ...

    async def arrive(self, upload: str) -> bool:
        """Say that every byte is here, before any disk has the last one: from now on T0 waits for the answer.

        False if the intake is closed already. So whatever was durable before T0 is known before T0.
        """

    async def depart(self, upload: str) -> None:
        """Take it back: the last bytes did not reach the disk."""

    async def complete_upload(self, upload: str, at: datetime) -> None: ...

    async def abandon(self, upload: str) -> None:
        """Give up an answer for now. T0 waits for it no longer."""

    async def adopt(self, upload: Upload) -> bool:
        """Take over an upload that nobody is at; False if somebody is by now, or it changed."""

    async def orphans(self) -> tuple[Upload, ...]:
        """Return what T0 waits for although whoever was at it is gone."""

    async def holding(self, session: SessionId, t0: datetime) -> bool:
        """Return whether T0 waits for the answer to an upload that was complete before it."""

    async def drop_upload(self, upload: str) -> None: ...

    async def answer(self, answer: Answer, upload: str | None) -> None:
        """Keep the answer and mark the upload answered, in one transaction."""

    async def answers(self, session: SessionId, bidder: BidderId | None = None) -> tuple[Answer, ...]:
        """Return the answers in the order given."""

    async def keep_release(self, released: Released) -> None:
        """Keep the message; the same one again is another attempt."""

    async def releases(self, session: SessionId) -> tuple[Released, ...]:
        """Return the releases in the order they came."""


class Kind(StrEnum):
    """What a piece of evidence is."""

    BEAT = "beat"  # a bidder's sign of life and the hall's acknowledgement
    PROBE = "probe"  # the hall's own
    RESCUE = "rescue"  # a key file or a spare read-out sheet, sealed to the session
    READY = "ready"  # a bidder's check-up and the hall's countersignature


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Something said, by a bidder or by the hall of itself (``bidder`` empty), and what the hall answered."""

    session: SessionId
    bidder: BidderId
    kind: Kind
    number: int
    at: datetime
    statement: str
    answer: str


class EvidenceStore(Protocol):
    """What stands behind the facts about who could reach whom. Append-only."""

    async def keep(self, pieces: Sequence[Evidence]) -> None:
        """Keep them in this order, in one transaction.

        Raises:
            Stale: one of that session, kind, bidder and number is here already; nothing was kept.
        """

    async def evidence(
        self, session: SessionId, kind: Kind, bidder: BidderId | None = None, *, newest: int | None = None
    ) -> tuple[Evidence, ...]:
        """Return what there is, in the order it came; with ``newest`` only so many of the last."""


class SecretStore(Protocol):
    """Small secrets, sealed before they touch the disk and bound to their session and name."""

    async def keep(self, session: SessionId, name: str, secret: bytes) -> bytes:
        """Store the secret unless there is one, and return the one stored: the first wins."""

    async def keep_all(self, session: SessionId, secrets: Mapping[str, bytes]) -> None:
        """Store each by its name unless there is one: all or none, in one transaction."""

    async def get(self, session: SessionId, name: str) -> bytes | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """How long a blob is and when that reached the disk, read from the clock with nothing in between."""

    size: int
    at: datetime


class BlobStore(Protocol):
    """Large content under names that the hall chose (``[a-z0-9][a-z0-9-]*``), never a client's."""

    async def append(self, name: str, offset: int, pieces: AsyncIterable[bytes], limit: int) -> Appended:
        """Add to an unfinished blob and return its new size and since when that is durable.

        When the sender breaks off, what came until then stays.

        Raises:
            WrongOffset: the blob does not end at ``offset``, or the pieces would lead beyond ``limit``.
        """

    async def size(self, name: str) -> int:
        """Return how many durable bytes an unfinished or finished blob has; 0 if there is none."""

    async def room(self) -> int:
        """Return how many bytes may still be taken in; a reserve for the log and a session's end is kept back."""

    async def finish(self, name: str) -> None:
        """Give the blob its final name; nothing can be added afterwards. Harmless when already done."""

    async def discard(self, name: str) -> None:
        """Delete an unfinished blob. Finished ones stay: they are evidence."""

    def open(self, name: str) -> BinaryIO:
        """Open a finished blob for reading, seekable. Blocks: call it in a thread."""


class RecordingStore(Protocol):
    """What the recorder wrote: parts by name (``programme-1``), each a file and its line index. All of it blocks."""

    def parts(self, session: SessionId) -> tuple[str, ...]:
        """Return the names of the parts, track by track in order."""

    def told(self, session: SessionId, part: str, after: int) -> bytes:
        """Return what the line index (sessions.recording.index) says from this byte on; perhaps not all of it."""

    def open(self, session: SessionId, part: str) -> BinaryIO:
        """Open the file for reading. Raises FileNotFoundError."""


class ProofStore(Protocol):
    """What certificates were judged by: documents, certificates and lists, each under its own SHA-256."""

    async def keep(self, items: Mapping[Digest, bytes]) -> None:
        """Keep them; what is there already stays."""

    async def get(self, digests: Sequence[Digest]) -> Mapping[Digest, bytes]:
        """Return those that are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What authorities said of one certificate: answers (OCSP) and lists (CRL) in DER, and every address tried."""

    ocsps: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    tried: tuple[Tried, ...] = ()


class Revocation(Protocol):
    """Asks the authorities, or remembers what they said. It never raises: silence is an answer too."""

    async def ask(self, subject: x509.Certificate, issuer: x509.Certificate, at: datetime) -> Answered:
        """Return what is known of ``subject``. ``tried`` is empty if nobody may be asked about it."""


class WrongOffset(Exception):
    """Bytes were sent for another place than the blob's end, which is ``size``."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the upload stands at {size} bytes: ask for its offset and go on from there")
        self.size = size


class Announcer(Protocol):
    """Rings after a commit. It is a hint: the log is the truth, and a lost ring loses nothing."""

    def announce(self, session: SessionId, records: tuple[Recorded, ...]) -> None:
        """Tell the halls what was appended to the ``opening`` stream. Must return at once and never raise."""

    def foresee(self, session: SessionId, records: tuple[Recorded, ...]) -> None:
        """Prepare to announce these very records, of which nothing is told before, and perhaps never.

        Must return soon and never raise.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ToAnchor:
    """A checkpoint that somebody outside is asked to hold.

    ``note`` is signed by the hall and has no other signature; ``prove(n)`` gives the consistency proof from the tree
    of the first ``n`` entries to this one.
    """

    origin: str
    size: int
    root: bytes
    note: str
    prove: Callable[[int], Sequence[bytes]]

    @property
    def text(self) -> bytes:
        """What the hall signed: a timestamp is over its SHA-256."""
        return read_note(self.note).text.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What came back, checked: a witness's signature line with its newline, or the DER of a timestamp token.

    ``at`` is the moment it states. ``proof`` is how the certificate of a timestamp authority stood at that moment.
    """

    evidence: bytes
    at: datetime
    proof: Proof | None = None


class Anchor(Protocol):
    """One witness, or one timestamp authority."""

    @property
    def kind(self) -> AnchorKind: ...

    @property
    def name(self) -> str:
        """As plan.watch has it: the name in a witness's key, or an authority's."""

    async def hold(self, asked: ToAnchor) -> Said:
        """Return what it said to this checkpoint, verified. Takes seconds at most, whatever the other side does.

        Raises:
            NotAnchored: it did not answer, or refused; it is asked again later.
            HoldsAnother: a witness has seen a later or another checkpoint of this log.
        """


class Witnessing(Anchor, Protocol):
    """An anchor that also remembers: a witness."""

    async def seen(self, origin: str) -> str | None:
        """Return the checkpoint that it holds of a log, as a note, not verified; None if it has none or does not say.

        Never raises for what the other side does.
        """


class NotAnchored(Exception):
    """Somebody outside did not answer, or not with what was asked for. The message is for the operator's log."""


class HoldsAnother(Exception):
    """A witness refuses, because of the checkpoint in ``note`` that it says this hall signed. Not verified."""

    def __init__(self, note: str) -> None:
        super().__init__("the witness holds another checkpoint")
        self.note = note


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A checkpoint that the hall signed: ``note`` without any cosignature."""

    origin: str
    size: int
    root: bytes
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What somebody outside said for a point of the ceremony; ``point`` is ``final`` after the end."""

    session: SessionId
    point: str
    kind: AnchorKind
    by: str
    size: int
    said: Said

    @property
    def stream(self) -> Stream:
        """Whose log it is about; the intake's is that of receipts. The opening has no points of their names."""
        if self.point.startswith(INTAKE):
            return Stream.INTAKE
        return Stream.RECORDING if self.point == RECORDING else Stream.OPENING


INTAKE = "intake-"
"""How the points of the log of receipts begin."""

FINAL = "final"
"""The point after the last event: kept beside the log, which it cannot be an event of."""

RECORDING = "recording"
"""The one point of the recording's log: its end."""


class CheckpointStore(Protocol):
    """What the hall signed of its logs, and what the world said to it. Nothing is ever changed or removed."""

    async def head(self, origin: str) -> Signed | None:
        """Return the largest checkpoint signed of a log."""

    async def put(self, signed: Signed, follows: int) -> None:
        """Keep a checkpoint that continues the one of ``follows`` entries (0: the first), if that is still the head.

        Raises:
            Stale: another worker signed meanwhile.
        """

    async def at(self, origin: str, size: int) -> Signed | None:
        """Return the checkpoint of this size, if one was signed."""

    async def keep(self, kept: Kept) -> Kept:
        """Keep what somebody said for a point, unless there is something already, and return what is kept."""

    async def from_size(self, origin: str, size: int) -> Signed | None:
        """Return the smallest checkpoint signed of a log that has at least this size."""

    async def sizes(self, origin: str) -> tuple[int, ...]:
        """Return the sizes of every checkpoint signed of a log, rising."""

    async def kept(self, session: SessionId, of: Stream = Stream.OPENING) -> tuple[Kept, ...]:
        """Return what was said to one of the session's logs, by size and name; the intake's is that of receipts."""

    async def convict(self, session: SessionId, by: str, note: str) -> None:
        """Keep a note that proves that the hall signed another log; harmless when it is kept already."""

    async def convictions(self) -> tuple[tuple[SessionId, str, str], ...]:
        """Return session, witness and note of each proof against this hall."""


Holders = Mapping[int, int]
"""How many sessions each worker leads, by its number."""


class Members(Protocol):
    """The workers of a hall and the sessions each of them leads. The store's clock alone says whose time is over."""

    async def join(self, name: str, valid: timedelta, *, instead_of: str | None = None, alone: bool = False) -> int:
        """Become a worker and return its number, higher than any before; this process writes under it from now on.

        It takes the place of ``instead_of``, which is known to be dead, or with ``alone`` of everybody.
        """

    async def renew(self, number: int, valid: timedelta) -> None:
        """Say that this worker lives. Raises Fenced."""

    async def fence(self, number: int) -> tuple[int, ...]:
        """Take the right to write, and what they lead, from workers whose time is over, and return their numbers."""

    async def leave(self, number: int) -> None:
        """Give up everything at once."""

    async def free(self, since: datetime) -> tuple[SessionId, ...]:
        """Return the sessions that nobody leads and that are not over, or not since before ``since``."""

    async def holders(self) -> Holders: ...

    async def take(self, number: int, sessions: Sequence[SessionId]) -> tuple[SessionId, ...]:
        """Lead those of them that nobody leads, and return these."""

    async def release(self, number: int, sessions: Sequence[SessionId] | None = None) -> None:
        """Lead these, or any, no longer."""


class Holds(Protocol):
    """Acts that came in time and are being answered by another worker than the session's leader, who knows its own.

    Those of a worker that is gone are not.
    """

    async def hold(self, name: str, session: SessionId, longest: timedelta) -> None:
        """Keep the bids of a session shut from now on, until ``let_go``, or for the longest."""

    async def let_go(self, name: str) -> None: ...

    async def held(self, session: SessionId) -> bool:
        """Return whether any act is being answered."""


class Leads(Protocol):
    """Who does the automatic part of which session."""

    def leads(self, session: SessionId) -> bool:
        """Return whether this worker does it now."""

    async def claim(self, session: SessionId) -> None:
        """Lead a session that was founded here a moment ago, if nobody was faster. Never raises."""


class LeadsAll:
    """For a process that is alone, and knows it."""

    def leads(self, session: SessionId) -> bool:
        """See Leads."""
        return True

    async def claim(self, session: SessionId) -> None:
        """See Leads."""


class Sending(StrEnum):
    """How far a notice has come."""

    WAITING = "waiting"
    SENT = "sent"
    REFUSED = "refused"  # the mail server takes none for this address
    NEEDLESS = "needless"  # renewed or erased since it was queued


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A notice in the outbox: one for each account and day, whatever it will say when it is sent."""

    account: str
    day: date
    state: Sending
    tries: int


class Outbox(Protocol):
    """Which notices of a day were sent, and which wait. Many workers may work on one outbox."""

    async def fill(self, day: date, accounts: Iterable[str], now: datetime) -> None:
        """Queue a notice for each account with a contact that has none of this day; forget the days before."""

    async def waiting(self, day: date, now: datetime, most: int) -> tuple[Queued, ...]:
        """Return what may be tried now, the longest waiting first."""

    async def claim(self, queued: Queued, again_at: datetime) -> bool:
        """Count a try, and keep everybody from the next one until ``again_at``; False if another was faster."""

    async def settle(self, queued: Queued, state: Sending) -> None:
        """Say what came of it."""

    async def newest(self, account: str) -> Queued | None:
        """Return an account's notice of the newest day."""
