"""What may be used once, whichever worker it comes to, in SQL: tickets until they are used, nonces from then on."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from sessions.store import tables
from sessions.store.database import Database


class SqlOnce:
    """Names that work once. Name them by a digest: what is kept here must not be of use to whoever reads it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, name: str, content: bytes, until: datetime, now: datetime) -> None:
        """Keep ``content`` for whoever comes first with ``name``."""
        async with self._database.writing() as connection:
            await connection.execute(delete(tables.once).where(tables.once.c.until <= now))
            await connection.execute(tables.once.insert().values(name=name, content=content, until=until))

    async def take(self, name: str, now: datetime) -> bytes | None:
        """Use ``name`` up and return what was kept; None if there is nothing, or its time is over."""
        mine = delete(tables.once).where(tables.once.c.name == name, tables.once.c.content.is_not(None))
        async with self._database.writing() as connection:
            row = (await connection.execute(mine.returning(tables.once.c.content, tables.once.c.until))).first()
        return row.content if row is not None and row.until > now else None

    async def spend(self, name: str, until: datetime, now: datetime) -> bool:
        """Use ``name`` up and return True; False if it was used before. It is remembered ``until`` then."""
        try:
            async with self._database.writing() as connection:
                await connection.execute(delete(tables.once).where(tables.once.c.until <= now))
                await connection.execute(tables.once.insert().values(name=name, until=until))
        except IntegrityError:
            return False
        return True
