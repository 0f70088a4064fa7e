"""What survives every machine, in memory: the log, uploads and answers, blobs, secrets."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from io import BytesIO
from itertools import count
from typing import Any, BinaryIO

from sessions.clock import Clock
from sessions.errors import Fenced, Stale, Unchecked
from sessions.events import Recorded, Stream
from sessions.ids import BidderId, SessionId
from sessions.opening import Status
from sessions.ports import Answer, Appended, Released, Upload, UploadState, WrongOffset
from sessions.store.events import Append
from sessions.watch.health import Vote
from sessions.watch.vigil import Incident
from tests.support.memory_events import MemoryEvents

HOLDING = (UploadState.ARRIVED, UploadState.COMPLETE)


class MemoryIntake:
    """An IntakeStore, as the machine with this number sees it: each upload may be in the hands of one."""

    def __init__(self, disk: Disk, mine: Callable[[], int | None]) -> None:
        self._disk = disk
        self._mine = mine

    async def add_upload(self, upload: Upload) -> None:
        self._disk.uploads[upload.id] = upload

    async def upload(self, upload: str) -> Upload | None:
        return self._disk.uploads.get(upload)

    async def unanswered(self) -> tuple[Upload, ...]:
        return self._those(lambda upload: upload.state is not UploadState.ANSWERED)

    async def uploaded_bytes(self, bidder: BidderId, since: datetime) -> int:
        mine = (upload for upload in self._disk.uploads.values() if upload.bidder == bidder)
        return sum(upload.length for upload in mine if upload.first_byte_at > since)

    async def claim(self, upload: str) -> bool:
        if self._disk.holder(upload) is not None:
            return False
        self._disk.holders[upload] = self._mine()
        return True

    async def let_go(self, upload: str) -> None:
        self._disk.holders[upload] = None

    async def arrive(self, upload: str) -> bool:
        if await self._disk.is_closed(self._disk.uploads[upload].session):
            return False
        self._set(upload, UploadState.ARRIVED, self._disk.uploads[upload].completed_at)
        return True

    async def depart(self, upload: str) -> None:
        self._set(upload, UploadState.OPEN, None, held=False)

    async def complete_upload(self, upload: str, at: datetime) -> None:
        self._set(upload, UploadState.COMPLETE, at)

    async def abandon(self, upload: str) -> None:
        self._set(upload, UploadState.ABANDONED, self._disk.uploads[upload].completed_at, held=False)

    async def adopt(self, upload: Upload) -> bool:
        now = self._disk.uploads.get(upload.id)
        if now is None or now.state is not upload.state or self._disk.holder(upload.id) is not None:
            return False
        self._disk.holders[upload.id] = self._mine()
        return True

    async def orphans(self) -> tuple[Upload, ...]:
        return self._those(lambda upload: upload.state in HOLDING and self._disk.holder(upload.id) is None)

    async def holding(self, session: SessionId, t0: datetime) -> bool:
        return self._disk.holds_t0(session, t0)

    async def holding_of(
        self, asked: Sequence[tuple[SessionId, datetime]]
    ) -> Mapping[tuple[SessionId, datetime], bool]:
        return {(session, t0): self._disk.holds_t0(session, t0) for session, t0 in asked}

    async def drop_upload(self, upload: str) -> None:
        del self._disk.uploads[upload]

    async def answer(self, answer: Answer, upload: str | None) -> None:
        self._disk.answers.append(answer)
        if upload is not None:
            self._set(upload, UploadState.ANSWERED, self._disk.uploads[upload].completed_at, held=False)

    async def answers(self, session: SessionId, bidder: BidderId | None = None) -> tuple[Answer, ...]:
        mine = (answer for answer in self._disk.answers if answer.session == session)
        return tuple(answer for answer in mine if bidder in (None, answer.bidder))

    async def releases(self, session: SessionId) -> tuple[Released, ...]:
        return ()

    def _those(self, wanted: Callable[[Upload], bool]) -> tuple[Upload, ...]:
        return tuple(sorted(filter(wanted, self._disk.uploads.values()), key=lambda upload: upload.first_byte_at))

    def _set(self, upload: str, state: UploadState, at: datetime | None, *, held: bool = True) -> None:
        self._disk.uploads[upload] = replace(self._disk.uploads[upload], state=state, completed_at=at)
        self._disk.holders[upload] = self._mine() if held else None


class MemoryLog:
    """An EventStore: the log, and in the same transaction what T0 waits for."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    async def append(self, session: SessionId, records: Sequence[Recorded], **more: Any) -> None:
        alone = {"summary": None, "outcomes": (), "entries": None, "closes": None, **more}
        await self.append_all([Append(session=session, records=records, **alone)])

    async def ends_of(self, sessions: Sequence[SessionId]) -> Mapping[SessionId, Mapping[Stream, int]]:
        return {session: await self._disk.events.ends(session) for session in sessions}

    async def append_all(self, batch: Sequence[Append]) -> None:
        """Write all of it, or nothing: who of them cannot be written is remembered, for the promises."""
        disk = self._disk
        if len(batch) > 1 and any(disk.writing[one.session] > 1 for one in batch):
            raise Stale  # another machine has the lock on one of them, and of several nobody waits
        for one in batch:
            unchecked = one.closes is not None and disk.holds_t0(one.session, one.closes)
            if unchecked or disk.events.refuses(one.session, one.records, one.outcomes, one.entries):
                disk.refused.append(one)
                raise Unchecked if unchecked else Stale
        disk.shared += len(batch) > 1
        for one in batch:
            more = {"summary": one.summary, "outcomes": one.outcomes, "entries": one.entries}
            await disk.events.append(one.session, one.records, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._disk.events, name)


class MemoryMembers:
    """A Members and a Holds: who may write, who leads, which acts are being answered."""

    def __init__(self, disk: Disk, clock: Clock, joined: Callable[[int], None]) -> None:
        self._disk = disk
        self._clock = clock
        self._joined = joined

    async def join(self, name: str, valid: timedelta, *, instead_of: str | None = None, alone: bool = False) -> int:
        number = next(self._disk.numbers)
        self._disk.workers[number] = self._clock.now() + valid
        self._joined(number)
        return number

    async def renew(self, number: int, valid: timedelta) -> None:
        if number not in self._disk.workers:
            raise Fenced
        self._disk.workers[number] = self._clock.now() + valid

    async def fence(self, number: int) -> tuple[int, ...]:
        now = self._clock.now()
        gone = tuple(other for other, until in self._disk.workers.items() if until < now and other != number)
        for other in gone:
            await self.leave(other)
        return gone

    async def leave(self, number: int) -> None:
        self._disk.workers.pop(number, None)
        await self.release(number)

    async def free(self, since: datetime) -> tuple[SessionId, ...]:
        return tuple(session for session, _ in await self._disk.events.live() if session not in self._disk.leases)

    async def holders(self) -> Mapping[int, int]:
        led = list(self._disk.leases.values())
        return {number: led.count(number) for number in self._disk.workers}

    async def take(self, number: int, sessions: Sequence[SessionId]) -> tuple[SessionId, ...]:
        taken = tuple(session for session in sessions if session not in self._disk.leases)
        self._disk.leases |= dict.fromkeys(taken, number)
        return taken

    async def release(self, number: int, sessions: Sequence[SessionId] | None = None) -> None:
        mine = [
            each for each, by in self._disk.leases.items() if by == number and (sessions is None or each in sessions)
        ]
        for session in mine:
            del self._disk.leases[session]

    async def hold(self, name: str, session: SessionId, longest: timedelta) -> None:
        self._disk.holds[name] = (session, self._clock.now() + longest)

    async def let_go(self, name: str) -> None:
        self._disk.holds.pop(name, None)

    async def held(self, session: SessionId) -> bool:
        return any(of == session and until > self._clock.now() for of, until in self._disk.holds.values())


class MemoryPulses:
    """A PulseStore (sessions.watch.vigil)."""

    def __init__(self) -> None:
        self.votes: dict[str, Vote] = {}
        self.kept: list[Incident] = []

    async def pulse(self, vote: Vote) -> tuple[tuple[Vote, ...], float]:
        """Takes no time; the way here does (tests.sim.machines.Cable)."""
        known = tuple(self.votes.values())
        if vote.worker not in self.votes:
            last = max((other.at for other in known), default=vote.at)
            self.votes = {name: other for name, other in self.votes.items() if other.at >= last}
        self.votes[vote.worker] = vote
        return known, 0.0

    async def incidents(self, *, since: datetime | None = None) -> tuple[Incident, ...]:
        wanted = (one for one in self.kept if since is None or one.ended is None or one.ended >= since)
        return tuple(sorted(wanted, key=lambda one: (one.began, one.id)))

    async def begin(self, incident: Incident) -> None:
        of_its_kind = [one for one in self.kept if one.kind == incident.kind]
        if any(one.began == incident.began or (one.ended is None is incident.ended) for one in of_its_kind):
            return
        self.kept.append(replace(incident, id=len(self.kept) + 1))

    async def end(self, kind: str, at: datetime) -> None:
        self.kept = [replace(one, ended=at) if one.kind == kind and one.ended is None else one for one in self.kept]


class MemoryBlobs:
    """A BlobStore, for one machine: every piece is durable when it is here."""

    def __init__(self, kept: dict[str, bytearray], clock: Clock, alive: Callable[[], None]) -> None:
        self._kept = kept
        self._clock = clock
        self._alive = alive

    async def append(self, name: str, offset: int, pieces: AsyncIterable[bytes], limit: int) -> Appended:
        blob = self._kept[name]
        if len(blob) != offset:
            raise WrongOffset(len(blob))
        async for piece in pieces:
            self._alive()
            if len(blob) + len(piece) > limit:
                raise WrongOffset(len(blob))
            blob += piece
        return Appended(size=len(blob), at=self._clock.now())

    async def size(self, name: str) -> int:
        return len(self._kept[name])

    async def room(self) -> int:
        return 1 << 40

    async def finish(self, name: str) -> None:
        self._alive()

    async def discard(self, name: str) -> None:
        self._alive()
        self._kept.pop(name, None)

    def open(self, name: str) -> BinaryIO:
        return BytesIO(self._kept[name])


class MemorySecrets:
    """A SecretStore."""

    def __init__(self) -> None:
        self.kept: dict[tuple[SessionId, str], bytes] = {}

    async def keep(self, session: SessionId, name: str, secret: bytes) -> bytes:
        return self.kept.setdefault((session, name), secret)

    async def keep_all(self, session: SessionId, secrets: Mapping[str, bytes]) -> None:
        for name, secret in secrets.items():
            self.kept.setdefault((session, name), secret)

    async def get(self, session: SessionId, name: str) -> bytes | None:
        return self.kept.get((session, name))


class Nothing:
    """Stores of which this world has nothing to tell."""

    async def evidence(self, *_: object, **__: object) -> tuple[()]:
        return ()

    async def keep(self, *_: object) -> None:
        return None


class Disk:
    """All of it."""

    def __init__(self) -> None:
        self.events = MemoryEvents()
        self.pulses = MemoryPulses()
        self.secrets = MemorySecrets()
        self.blobs: dict[str, bytearray] = defaultdict(bytearray)
        self.uploads: dict[str, Upload] = {}
        self.answers: list[Answer] = []
        self.holders: dict[str, int | None] = {}
        self.workers: dict[int, datetime] = {}
        self.leases: dict[SessionId, int] = {}
        self.holds: dict[str, tuple[SessionId, datetime]] = {}
        self.writing: Counter[SessionId] = Counter()  # on how many machines something is being appended to it
        self.refused: list[Append] = []  # what could not be written, on its own account
        self.shared = 0  # writes of several openings
        self.taken_along: list[SessionId] = []  # who was refused for what another could not
        self.numbers = count(1)

    def holder(self, upload: str) -> int | None:
        """Return the machine that an upload is in the hands of, unless that is gone."""
        number = self.holders.get(upload)
        return number if number in self.workers else None

    def holds_t0(self, session: SessionId, t0: datetime) -> bool:
        mine = (upload for upload in self.uploads.values() if upload.session == session)
        waiting = (upload for upload in mine if upload.state in HOLDING)
        return any(upload.completed_at is None or upload.completed_at < t0 for upload in waiting)

    async def is_closed(self, session: SessionId) -> bool:
        found = await self.events.summary(session)
        return found is None or found.status not in (Status.SCHEDULED, Status.CHECKIN)
