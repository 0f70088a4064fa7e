"""Signs of life, rescue files and ready slips, in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from sessions.errors import Stale
from sessions.ids import BidderId, SessionId
from sessions.ports import Evidence, Kind
from sessions.store import tables
from sessions.store.database import Database
from sessions.store.together import Together


class SqlEvidence:
    """An EvidenceStore (sessions.ports) over SQLAlchemy."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._together = Together(self._keep, own=(Stale,))

    async def keep(self, pieces: Sequence[Evidence]) -> None:
        """See EvidenceStore. Fifty openings that wait for keys give signs of life at once: they share a commit."""
        await self._together.add(pieces)

    async def _keep(self, batch: Sequence[Sequence[Evidence]]) -> None:
        rows = [
            {
                "session": piece.session,
                "bidder": piece.bidder,
                "kind": piece.kind.value,
                "number": piece.number,
                "at": piece.at,
                "statement": piece.statement,
                "answer": piece.answer,
            }
            for pieces in batch
            for piece in pieces
        ]
        try:
            async with self._database.writing() as connection:
                await connection.execute(tables.evidence.insert(), rows)
        except IntegrityError as error:
            raise Stale from error

    async def evidence(
        self, session: SessionId, kind: Kind, bidder: BidderId | None = None, *, newest: int | None = None
    ) -> tuple[Evidence, ...]:
        """See EvidenceStore."""
        row = tables.evidence.c
        wanted = select(tables.evidence).where(row.session == session, row.kind == kind.value)
        wanted = wanted.order_by(row.id.desc()).limit(newest)
        if bidder is not None:
            wanted = wanted.where(row.bidder == bidder)
        found = await self._database.ask(wanted)
        return tuple(
            Evidence(
                session=SessionId(one.session),
                bidder=BidderId(one.bidder),
                kind=Kind(one.kind),
                number=one.number,
                at=one.at,
                statement=one.statement,
                answer=one.answer,
            )
            for one in reversed(found)
        )
