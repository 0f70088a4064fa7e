"""What the shell needs of the world: a log, blobs, a vault, a bell. Real ones live in ``sessions.store``.

Every store keeps what it returned from: when a call ends, its effect has reached the disk (promise 6).
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO, Protocol

from sessions.events import Recorded, Stream
from sessions.ids import BidderId, Digest, Jws, SessionId


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
    """What is added to the log of receipts (sessions.intake_log): 32 bytes each, from index ``first`` on."""

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
    ) -> None:
        """Keep records of any streams, summary, outcomes and log entries in one transaction; all or nothing.

        Numbers follow what is stored, stream by stream. ``summary`` founds the session or replaces the one before.

        Raises:
            Stale: somebody appended first, or used one of the idempotency keys.
        """

    async def entries(self, session: SessionId, *, after: int = 0) -> tuple[bytes, ...]:
        """Return the log of receipts from index ``after`` on."""

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
    COMPLETE = "complete"  # every byte is durable, the hall has not answered yet
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

    async def complete_upload(self, upload: str, at: datetime) -> None: ...

    async def drop_upload(self, upload: str) -> None: ...

    async def answer(self, answer: Answer, upload: str | None) -> None:
        """Keep the answer and mark the upload answered, in one transaction."""

    async def answers(self, session: SessionId, bidder: BidderId | None = None) -> tuple[Answer, ...]:
        """Return the answers in the order given."""

    async def keep_release(self, released: Released) -> None:
        """Keep the message; the same one again is another attempt."""

    async def releases(self, session: SessionId) -> tuple[Released, ...]:
        """Return the releases in the order they came."""


class SecretStore(Protocol):
    """Small secrets, sealed before they touch the disk and bound to their session and name."""

    async def keep(self, session: SessionId, name: str, secret: bytes) -> bytes:
        """Store the secret unless there is one, and return the one stored: the first wins."""

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


class WrongOffset(Exception):
    """Bytes were sent for another place than the blob's end, which is ``size``."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the upload stands at {size} bytes: ask for its offset and go on from there")
        self.size = size


class Announcer(Protocol):
    """Rings after a commit. It is a hint: the log is the truth, and a lost ring loses nothing."""

    def announce(self, session: SessionId, records: tuple[Recorded, ...]) -> None:
        """Tell the halls what was appended to the ``opening`` stream. Must return at once and never raise."""
