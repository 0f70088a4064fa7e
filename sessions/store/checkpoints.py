"""Checkpoints, anchors and convictions, in SQL."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Row, Select, bindparam, not_, or_, select
from sqlalchemy.exc import IntegrityError

from crypto.encoding import canonical, parse_canonical
from sessions.errors import Stale
from sessions.events import Stream
from sessions.ids import SessionId
from sessions.plan import AnchorKind
from sessions.ports import INTAKE, RECORDING, Kept, Said, Signed
from sessions.proofs import Proof
from sessions.shape import from_json, to_json
from sessions.store import tables
from sessions.store.database import Database

_signed = tables.checkpoints.c
_OF: Final = select(tables.checkpoints).where(_signed.origin == bindparam("origin"))
_HEAD: Final = _OF.order_by(_signed.size.desc()).limit(1)
_AT: Final = _OF.where(_signed.size == bindparam("size"))
_FROM: Final = _OF.where(_signed.size >= bindparam("size")).order_by(_signed.size).limit(1)

_anchor = tables.anchors.c
_ANCHORS: Final = (
    select(tables.anchors)
    .where(_anchor.session == bindparam("session"))
    .order_by(_anchor.size, _anchor.kind, _anchor.by)
)
_IS_OF_RECEIPTS: Final = _anchor.point.startswith(INTAKE, autoescape=True)
_OF_LOG: Final = {
    Stream.OPENING: _ANCHORS.where(not_(or_(_IS_OF_RECEIPTS, _anchor.point == RECORDING))),
    Stream.INTAKE: _ANCHORS.where(_IS_OF_RECEIPTS),
    Stream.RECORDING: _ANCHORS.where(_anchor.point == RECORDING),
}


class SqlCheckpoints:
    """A CheckpointStore (sessions.ports) over SQLAlchemy."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def head(self, origin: str) -> Signed | None:
        """See CheckpointStore."""
        return await self._signed(_HEAD, origin=origin)

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
        return await self._signed(_AT, origin=origin, size=size)

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
            others = await self.kept(kept.session, kept.stream)
            return next(one for one in others if (one.point, one.kind, one.by) == (kept.point, kept.kind, kept.by))
        return kept

    async def from_size(self, origin: str, size: int) -> Signed | None:
        """See CheckpointStore."""
        return await self._signed(_FROM, origin=origin, size=size)

    async def sizes(self, origin: str) -> tuple[int, ...]:
        """See CheckpointStore."""
        kept = tables.checkpoints.c
        found = await self._database.ask(select(kept.size).where(kept.origin == origin).order_by(kept.size))
        return tuple(row.size for row in found)

    async def kept(self, session: SessionId, of: Stream = Stream.OPENING) -> tuple[Kept, ...]:
        """See CheckpointStore."""
        return tuple(map(_kept, await self._database.ask(_OF_LOG[of], session=session)))

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

    async def _signed(self, wanted: Select[Any], **values: object) -> Signed | None:
        rows = await self._database.ask(wanted, **values)
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
