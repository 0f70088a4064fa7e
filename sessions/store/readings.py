"""How names are read aloud in an opening, in SQL: set by the host beforehand, and no part of any log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, select

from sessions.ids import SessionId
from sessions.store import tables
from sessions.store.database import Database


class SqlReadings:
    """Names with their readings (sessions.wording.readings), by session."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, session: SessionId) -> Mapping[str, str]:
        """Return the readings of a session by name. For staff: before the list is read a name in it is not public."""
        kept = tables.readings.c
        wanted = select(kept.name, kept.reading).where(kept.session == session).order_by(kept.name)
        return {row.name: row.reading for row in await self._database.ask(wanted)}

    async def put(self, session: SessionId, name: str, reading: str | None, by: str, at: datetime) -> None:
        """Keep one reading in the place of the one before; None drops it."""
        kept = tables.readings
        async with self._database.writing() as connection:
            await connection.execute(delete(kept).where(kept.c.session == session, kept.c.name == name))
            if reading is not None:
                row = {"session": session, "name": name, "reading": reading, "by": by, "at": at}
                await connection.execute(kept.insert().values(row))
