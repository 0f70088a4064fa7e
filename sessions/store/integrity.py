"""Is the database whole? Asked before a hall serves: what a broken page would say later, it says to a whole room."""

from __future__ import annotations

from typing import Final

from sqlalchemy.exc import DatabaseError

from crypto.errors import ChainBroken
from sessions.chaining import Head, check
from sessions.events import Stream
from sessions.store.database import Database
from sessions.store.events import SqlEvents

PAGE: Final = 1000


class DatabaseDamaged(Exception):
    """The database is not what was written into it; the message says where."""

    hint = "do not serve it: keep a copy, restore the last backup (docs/runbooks/restore.en.md), ask the witnesses"


async def readable(database: Database) -> None:
    """Look at every page of a SQLite file. PostgreSQL looks after its own (data_checksums).

    Raises:
        DatabaseDamaged: something is not as it was written. Nothing was changed.
    """
    if not database.shared:
        await _pages(database)


async def chained(database: Database) -> None:
    """Follow the chains of the openings that are not over. Migrate first. Raises DatabaseDamaged."""
    events = SqlEvents(database)
    try:
        for session, _ in await events.live():
            for stream in Stream:
                head = Head()
                try:
                    while records := await events.read(session, stream, after=head.number, limit=PAGE):
                        head = check(head, records)
                except (ChainBroken, ValueError, KeyError, TypeError) as error:
                    place = f"{session}, after event {head.number} of {stream.value}"
                    raise DatabaseDamaged(f"the chain of events is broken: {place}") from error
    except DatabaseError as error:
        if database.shared:
            raise
        raise DatabaseDamaged("the database cannot be read") from error


async def _pages(database: Database) -> None:
    try:
        async with database.reading() as connection:
            found = (await connection.exec_driver_sql("PRAGMA quick_check(1)")).scalar_one()
    except DatabaseError as error:  # not a database at all, or no page of it can be followed
        raise DatabaseDamaged(f"the database cannot be read: {error.orig}") from error
    if found != "ok":
        raise DatabaseDamaged(f"the database is damaged: {' '.join(str(found).split())}")
