"""Uploads, the hall's answers to bids, and release messages, in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sessions.failpoint import Point, failpoint
from sessions.ids import BidderId, Digest, Jws, SessionId
from sessions.opening import Status
from sessions.ports import Answer, Released, Upload, UploadState
from sessions.store import tables
from sessions.store.database import Database
from sessions.store.together import Asking, Together

BEFORE_T0 = (Status.SCHEDULED.value, Status.CHECKIN.value)
HOLDING = (UploadState.ARRIVED.value, UploadState.COMPLETE.value)

_ANSWERS: Final = (
    select(tables.answers)
    .where(tuple_(tables.answers.c.session, tables.answers.c.bidder).in_(bindparam("asked", expanding=True)))
    .order_by(tables.answers.c.id)
)


class SqlIntake:
    """An IntakeStore (sessions.ports) over SQLAlchemy."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._releases = Together(self._keep_releases)
        self._holding = Asking(self._read_holding)
        self._answers = Asking(self._read_answers)

    async def add_upload(self, upload: Upload) -> None:
        """See IntakeStore."""
        row = {
            "id": upload.id,
            "session": upload.session,
            "bidder": upload.bidder,
            "name": upload.name,
            "length": upload.length,
            "first_byte_at": upload.first_byte_at,
            "completed_at": upload.completed_at,
            "state": upload.state.value,
        }
        async with self._database.writing() as connection:
            await connection.execute(tables.uploads.insert().values(row))
        failpoint(Point.UPLOAD_OPENED)

    async def upload(self, upload: str) -> Upload | None:
        """See IntakeStore."""
        rows = await self._database.ask(select(tables.uploads).where(tables.uploads.c.id == upload))
        return _upload(rows[0]) if rows else None

    async def unanswered(self) -> tuple[Upload, ...]:
        """See IntakeStore."""
        state, began = tables.uploads.c.state, tables.uploads.c.first_byte_at
        wanted = select(tables.uploads).where(state != UploadState.ANSWERED.value).order_by(began)
        return tuple(map(_upload, await self._database.ask(wanted)))

    async def uploaded_bytes(self, bidder: BidderId, since: datetime) -> int:
        """See IntakeStore."""
        upload = tables.uploads.c
        total = select(func.coalesce(func.sum(upload.length), 0))
        found = await self._database.ask(total.where(upload.bidder == bidder, upload.first_byte_at > since))
        return int(found[0][0])

    async def claim(self, upload: str) -> bool:
        """See IntakeStore. Where this process is alone its blob store tells (FolderBlobs.append)."""
        if not self._database.shared:
            return True
        row = tables.uploads.c
        free = update(tables.uploads).where(row.id == upload, row.worker.is_(None))
        async with self._database.writing() as connection:
            return bool((await connection.execute(free.values(worker=self._database.worker))).rowcount)

    async def let_go(self, upload: str) -> None:
        """See IntakeStore."""
        if self._database.shared:
            await self._set(upload, worker=None)

    async def arrive(self, upload: str) -> bool:
        """See IntakeStore. The lock on the session's row waits for an append that may be closing it."""
        row = tables.uploads.c
        session = select(row.session).where(row.id == upload).scalar_subquery()
        status = select(tables.sessions.c.status).where(tables.sessions.c.id == session)
        arrived = update(tables.uploads).where(row.id == upload)
        async with self._database.writing() as connection:
            if (await connection.execute(status.with_for_update(read=True))).scalar_one() not in BEFORE_T0:
                return False
            await connection.execute(arrived.values(state=UploadState.ARRIVED.value, worker=self._database.worker))
        failpoint(Point.UPLOAD_ARRIVED)
        return True

    async def depart(self, upload: str) -> None:
        """See IntakeStore."""
        await self._set(upload, state=UploadState.OPEN.value, completed_at=None, worker=None)

    async def complete_upload(self, upload: str, at: datetime) -> None:
        """See IntakeStore."""
        mine = {"completed_at": at, "worker": self._database.worker}
        await self._set(upload, state=UploadState.COMPLETE.value, **mine)
        failpoint(Point.UPLOAD_COMPLETE)

    async def abandon(self, upload: str) -> None:
        """See IntakeStore."""
        await self._set(upload, state=UploadState.ABANDONED.value, worker=None)

    async def adopt(self, upload: Upload) -> bool:
        """See IntakeStore."""
        row = tables.uploads.c
        same = (row.id == upload.id, row.worker.is_(None), row.state == upload.state.value)
        async with self._database.writing() as connection:
            mine = update(tables.uploads).where(*same).values(worker=self._database.worker)
            return bool((await connection.execute(mine)).rowcount)

    async def orphans(self) -> tuple[Upload, ...]:
        """See IntakeStore."""
        row = tables.uploads.c
        wanted = select(tables.uploads).where(row.state.in_(HOLDING), row.worker.is_(None))
        return tuple(map(_upload, await self._database.ask(wanted.order_by(row.first_byte_at))))

    async def holding(self, session: SessionId, t0: datetime) -> bool:
        """See IntakeStore."""
        return bool(await self._holding.ask((session, t0)))

    async def _read_holding(
        self, asked: Sequence[tuple[SessionId, datetime]]
    ) -> Mapping[tuple[SessionId, datetime], bool]:
        found: dict[tuple[SessionId, datetime], bool] = {}
        async with self._database.reading() as connection:
            for t0 in {moment for _, moment in asked}:
                sessions = await holding(connection, [session for session, moment in asked if moment == t0], t0)
                found |= {(session, t0): True for session in sessions}
        return found

    async def drop_upload(self, upload: str) -> None:
        """See IntakeStore."""
        async with self._database.writing() as connection:
            await connection.execute(tables.uploads.delete().where(tables.uploads.c.id == upload))

    async def answer(self, answer: Answer, upload: str | None) -> None:
        """See IntakeStore."""
        row = {
            "session": answer.session,
            "bidder": answer.bidder,
            "at": answer.at,
            "header_sha256": answer.header_sha256,
            "blob": answer.blob,
            "statement": answer.statement,
            "code": answer.code,
        }
        async with self._database.writing() as connection:
            await connection.execute(tables.answers.insert().values(row))
            if upload is not None:
                done = update(tables.uploads).where(tables.uploads.c.id == upload)
                await connection.execute(done.values(state=UploadState.ANSWERED.value, worker=None))
            failpoint(Point.RECEIPT_BEFORE_COMMIT)
        failpoint(Point.RECEIPT_KEPT)

    async def answers(self, session: SessionId, bidder: BidderId | None = None) -> tuple[Answer, ...]:
        """See IntakeStore."""
        if bidder is not None:
            return await self._answers.ask((session, bidder)) or ()
        answer = tables.answers.c
        wanted = select(tables.answers).where(answer.session == session).order_by(answer.id)
        return tuple(map(_answer, await self._database.ask(wanted)))

    async def _read_answers(
        self, asked: Sequence[tuple[SessionId, BidderId]]
    ) -> Mapping[tuple[SessionId, BidderId], tuple[Answer, ...]]:
        found: dict[tuple[SessionId, BidderId], list[Answer]] = {}
        for row in await self._database.ask(_ANSWERS, asked=list(asked)):
            found.setdefault((SessionId(row.session), BidderId(row.bidder)), []).append(_answer(row))
        return {who: tuple(answers) for who, answers in found.items()}

    async def keep_release(self, released: Released) -> None:
        """See IntakeStore."""
        await self._releases.add(released)

    async def _keep_releases(self, batch: Sequence[Released]) -> None:
        rows = [
            {
                "session": released.session,
                "bidder": released.bidder,
                "group": released.group,
                "at": released.at,
                "sha256": released.sha256,
                "statement": released.statement,
                "code": released.code,
            }
            for released in batch
        ]
        async with self._database.writing() as connection:
            await connection.execute(tables.releases.insert(), rows)

    async def releases(self, session: SessionId) -> tuple[Released, ...]:
        """See IntakeStore."""
        wanted = select(tables.releases).where(tables.releases.c.session == session).order_by(tables.releases.c.id)
        return tuple(map(_released, await self._database.ask(wanted)))

    async def _set(self, upload: str, **values: Any) -> None:
        async with self._database.writing() as connection:
            await connection.execute(update(tables.uploads).where(tables.uploads.c.id == upload).values(values))


async def holding(connection: AsyncConnection, sessions: Sequence[SessionId], t0: datetime) -> set[SessionId]:
    """Return those of these sessions whose T0 waits for an upload (IntakeStore.holding)."""
    row = tables.uploads.c
    early = or_(row.completed_at.is_(None), row.completed_at < t0)
    found = select(row.session).where(row.session.in_(list(sessions)), row.state.in_(HOLDING), early).distinct()
    return {SessionId(session) for session in (await connection.execute(found)).scalars()}


def _upload(row: Row[Any]) -> Upload:
    return Upload(
        id=row.id,
        session=SessionId(row.session),
        bidder=BidderId(row.bidder),
        name=row.name,
        length=row.length,
        first_byte_at=row.first_byte_at,
        completed_at=row.completed_at,
        state=UploadState(row.state),
    )


def _answer(row: Row[Any]) -> Answer:
    return Answer(
        session=SessionId(row.session),
        bidder=BidderId(row.bidder),
        at=row.at,
        header_sha256=None if row.header_sha256 is None else Digest(row.header_sha256),
        blob=row.blob,
        statement=Jws(row.statement),
        code=row.code,
    )


def _released(row: Row[Any]) -> Released:
    return Released(
        session=SessionId(row.session),
        bidder=BidderId(row.bidder),
        group=row.group,
        at=row.at,
        sha256=Digest(row.sha256),
        statement=Jws(row.statement),
        code=row.code,
    )
