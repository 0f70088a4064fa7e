"""Uploads, the hall's answers to bids, and release messages, in SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select, update

from sessions.ids import BidderId, Digest, Jws, SessionId
from sessions.ports import Answer, Released, Upload, UploadState
from sessions.store import tables
from sessions.store.database import Database


class SqlIntake:
    """An IntakeStore (sessions.ports) over SQLAlchemy."""

    def __init__(self, database: Database) -> None:
        self._database = database

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

    async def upload(self, upload: str) -> Upload | None:
        """See IntakeStore."""
        async with self._database.reading() as connection:
            row = (await connection.execute(select(tables.uploads).where(tables.uploads.c.id == upload))).first()
        return _upload(row) if row else None

    async def unanswered(self) -> tuple[Upload, ...]:
        """See IntakeStore."""
        state, began = tables.uploads.c.state, tables.uploads.c.first_byte_at
        wanted = select(tables.uploads).where(state != UploadState.ANSWERED.value).order_by(began)
        async with self._database.reading() as connection:
            return tuple(map(_upload, (await connection.execute(wanted)).all()))

    async def uploaded_bytes(self, bidder: BidderId, since: datetime) -> int:
        """See IntakeStore."""
        upload = tables.uploads.c
        total = select(func.coalesce(func.sum(upload.length), 0))
        async with self._database.reading() as connection:
            found = await connection.execute(total.where(upload.bidder == bidder, upload.first_byte_at > since))
            return int(found.scalar_one())

    async def complete_upload(self, upload: str, at: datetime) -> None:
        """See IntakeStore."""
        await self._set(upload, state=UploadState.COMPLETE.value, completed_at=at)

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
                await connection.execute(done.values(state=UploadState.ANSWERED.value))

    async def answers(self, session: SessionId, bidder: BidderId | None = None) -> tuple[Answer, ...]:
        """See IntakeStore."""
        answer = tables.answers.c
        wanted = select(tables.answers).where(answer.session == session).order_by(answer.id)
        if bidder is not None:
            wanted = wanted.where(answer.bidder == bidder)
        async with self._database.reading() as connection:
            return tuple(map(_answer, (await connection.execute(wanted)).all()))

    async def keep_release(self, released: Released) -> None:
        """See IntakeStore."""
        row = {
            "session": released.session,
            "bidder": released.bidder,
            "group": released.group,
            "at": released.at,
            "sha256": released.sha256,
            "statement": released.statement,
            "code": released.code,
        }
        async with self._database.writing() as connection:
            await connection.execute(tables.releases.insert().values(row))

    async def releases(self, session: SessionId) -> tuple[Released, ...]:
        """See IntakeStore."""
        wanted = select(tables.releases).where(tables.releases.c.session == session).order_by(tables.releases.c.id)
        async with self._database.reading() as connection:
            return tuple(map(_released, (await connection.execute(wanted)).all()))

    async def _set(self, upload: str, **values: Any) -> None:
        async with self._database.writing() as connection:
            await connection.execute(update(tables.uploads).where(tables.uploads.c.id == upload).values(values))


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
