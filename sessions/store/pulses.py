"""Signs of life and incidents of the hall, in SQL; read and written apart from all else (Database.apart)."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select

from crypto.encoding import canonical
from sessions.shape import from_json, to_json
from sessions.store import tables
from sessions.store.database import Database
from sessions.watch.health import Vote
from sessions.watch.vigil import Incident


class SqlPulses:
    """A PulseStore (sessions.watch.vigil) over SQLAlchemy."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pulse(self, vote: Vote) -> tuple[tuple[Vote, ...], float]:
        """See PulseStore."""

        async def timed(database: Database) -> tuple[tuple[Vote, ...], float]:
            clock = asyncio.get_running_loop().time
            began = clock()
            return await self._keep(database, vote), clock() - began

        return await self._database.apart(timed)

    async def _keep(self, database: Database, vote: Vote) -> tuple[Vote, ...]:
        kept = tables.pulses
        async with database.writing() as connection:
            rows = (await connection.execute(select(kept.c.vote))).all()
            known = tuple(from_json(Vote, json.loads(row.vote), "vote") for row in rows)
            text = canonical(to_json(vote)).decode()
            mine = kept.update().where(kept.c.worker == vote.worker).values(at=vote.at, vote=text)
            if any(other.worker == vote.worker for other in known):
                await connection.execute(mine)
            else:
                last = max((other.at for other in known), default=vote.at)
                await connection.execute(
                    kept.delete().where(kept.c.at < last)
                )  # of those before, the newest is enough
                await connection.execute(kept.insert().values(worker=vote.worker, at=vote.at, vote=text))
        return known

    async def incidents(self, *, since: datetime | None = None) -> tuple[Incident, ...]:
        """See PulseStore."""
        kept = tables.incidents.c
        wanted = select(tables.incidents).order_by(kept.began, kept.id)
        if since is not None:
            wanted = wanted.where(or_(kept.ended.is_(None), kept.ended >= since))

        async def read(database: Database) -> tuple[Incident, ...]:
            return tuple(map(_incident, await database.ask(wanted)))

        return await self._database.apart(read, writes=False)

    async def begin(self, incident: Incident) -> None:
        """See PulseStore."""
        kept = tables.incidents
        same = kept.c.began == incident.began
        if incident.ended is None:
            same = or_(same, kept.c.ended.is_(None))
        row = {
            "kind": incident.kind,
            "began": incident.began,
            "noticed_at": incident.noticed_at,
            "ended": incident.ended,
            "reasons": " ".join(incident.reasons),
            "figures": canonical(dict(incident.figures)).decode(),
        }

        async def keep(database: Database) -> None:
            async with database.writing() as connection:
                found = await connection.execute(select(kept.c.id).where(kept.c.kind == incident.kind, same))
                if found.first() is None:
                    await connection.execute(kept.insert().values(**row))

        await self._database.apart(keep)

    async def end(self, kind: str, at: datetime) -> None:
        """See PulseStore."""
        kept = tables.incidents
        ended = kept.update().where(kept.c.kind == kind, kept.c.ended.is_(None)).values(ended=at)

        async def keep(database: Database) -> None:
            async with database.writing() as connection:
                await connection.execute(ended)

        await self._database.apart(keep)


def _incident(row: Any) -> Incident:
    return Incident(
        id=row.id,
        kind=row.kind,
        began=row.began,
        noticed_at=row.noticed_at,
        ended=row.ended,
        reasons=tuple(row.reasons.split()),
        figures=json.loads(row.figures),
    )
