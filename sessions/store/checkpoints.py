"""Checkpoints, anchors and convictions, in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, not_, or_, select
from sqlalchemy.exc import IntegrityError

from crypto.encoding import canonical, parse_canonical
from sessions.errors import Stale
from sessions.ids import SessionId
from sessions.plan import AnchorKind
from sessions.ports import INTAKE, RECORDING, Kept, Said, Signed
from sessions.proofs import Proof
from sessions.shape import from_json, to_json
from sessions.store import tables
from sessions.store.database import Database


class SqlCheckpoints:
    """A CheckpointStore (sessions.ports) over SQLAlchemy."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def head(self, origin: str) -> Signed | None:
        """See CheckpointStore."""
        kept = tables.checkpoints.c
        return await self._signed(
            select(tables.checkpoints).where(kept.origin == origin).order_by(kept.size.desc()).limit(1)
        )

    async def put(self, signed: Signed, follows: int) -> None:
        """See CheckpointStore. The unique (origin, follows) is the compare-and-swap: a head is followed once."""
        row = {"origin": signed.origin, "size": signed.size, "root": signed.root, "note": signed.note}
        try:
            async with self._database.writing() as connection:
                await connection.execute(tables.checkpoints.insert().values(follows=follows, **row))
        except IntegrityError as error:
            raise Stale from error

    async def at(self, origin: str, size: int) -> Signed | None:
        """See CheckpointStore."""
        kept = tables.checkpoints.c
        return await self._signed(select(tables.checkpoints).where(kept.origin == origin, kept.size == size))

    async def keep(self, kept: Kept) -> Kept:
        """See CheckpointStore."""
        row = {
            "session": kept.session,
            "point": kept.point,
            "kind": kept.kind.value,
            "by": kept.by,
            "size": kept.size,
            "evidence": kept.said.evidence,
            "said_at": kept.said.at,
            "proof": None if kept.said.proof is None else canonical(to_json(kept.said.proof)).decode(),
        }
        try:
            async with self._database.writing() as connection:
                await connection.execute(tables.anchors.insert().values(row))
        except IntegrityError:
            receipts, recording = kept.point.startswith(INTAKE), kept.point == RECORDING
            others = await self.kept(kept.session, intake=receipts, recording=recording)
            return next(one for one in others if (one.point, one.kind, one.by) == (kept.point, kept.kind, kept.by))
        return kept

    async def from_size(self, origin: str, size: int) -> Signed | None:
        """See CheckpointStore."""
        kept = tables.checkpoints.c
        return await self._signed(
            select(tables.checkpoints).where(kept.origin == origin, kept.size >= size).order_by(kept.size).limit(1)
        )

    async def sizes(self, origin: str) -> tuple[int, ...]:
        """See CheckpointStore."""
        kept = tables.checkpoints.c
        found = await self._database.ask(select(kept.size).where(kept.origin == origin).order_by(kept.size))
        return tuple(row.size for row in found)

    async def kept(self, session: SessionId, *, intake: bool = False, recording: bool = False) -> tuple[Kept, ...]:
        """See CheckpointStore."""
        anchor = tables.anchors.c
        of_receipts, of_recording = anchor.point.startswith(INTAKE, autoescape=True), anchor.point == RECORDING
        which = of_receipts if intake else of_recording if recording else not_(or_(of_receipts, of_recording))
        wanted = (
            select(tables.anchors)
            .where(anchor.session == session, which)
            .order_by(anchor.size, anchor.kind, anchor.by)
        )
        return tuple(map(_kept, await self._database.ask(wanted)))

    async def convict(self, session: SessionId, by: str, note: str) -> None:
        """See CheckpointStore."""
        try:
            async with self._database.writing() as connection:
                await connection.execute(tables.convictions.insert().values(session=session, by=by, note=note))
        except IntegrityError:
            return  # one proof by each witness is enough

    async def convictions(self) -> tuple[tuple[SessionId, str, str], ...]:
        """See CheckpointStore."""
        wanted = select(tables.convictions).order_by(tables.convictions.c.session, tables.convictions.c.by)
        rows = await self._database.ask(wanted)
        return tuple((SessionId(row.session), row.by, row.note) for row in rows)

    async def _signed(self, wanted: Any) -> Signed | None:
        rows = await self._database.ask(wanted)
        return next((Signed(origin=row.origin, size=row.size, root=row.root, note=row.note) for row in rows), None)


def _kept(row: Row[Any]) -> Kept:
    proof = None if row.proof is None else from_json(Proof, parse_canonical(row.proof.encode()), "proof")
    return Kept(
        session=SessionId(row.session),
        point=row.point,
        kind=AnchorKind(row.kind),
        by=row.by,
        size=row.size,
        said=Said(evidence=row.evidence, at=row.said_at, proof=proof),
    )
