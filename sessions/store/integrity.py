"""Is the database whole? Asked before a hall serves: what a broken page would say later, it says to a whole room."""

from __future__ import annotations

import logging
import math
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy.exc import DatabaseError

from crypto.errors import ChainBroken
from sessions.chaining import Head, check
from sessions.events import Stream
from sessions.store import failing
from sessions.store.database import Database
from sessions.store.events import SqlEvents

PAGE: Final = 1000
AT_START: Final = 20.0
"""Seconds that a start looks at the pages."""

STEPS: Final = 10_000
"""Of SQLite's machine between two looks at the clock: a millisecond or so."""

_log = logging.getLogger(__name__)


class DatabaseDamaged(Exception):
    """The database is not what was written into it; the message says where."""

    hint = "do not serve it: keep a copy, restore the last backup (docs/runbooks/restore.en.md), ask the witnesses"


async def readable(database: Database, *, within: float | None = None) -> bool:
    """Look at every page of a SQLite file. PostgreSQL looks after its own (data_checksums).

    ``within``: seconds after which the rest is left to ``kaibiao doctor``, so that a hall with years behind it is not
    kept from starting (measured: a gigabyte a second from memory, a fifth of that from a slow disk).

    Returns:
        Whether everything was looked at.

    Raises:
        DatabaseDamaged: something is not as it was written. Nothing was changed.
    """
    return database.shared or await _pages(database, within)


async def written_down(database: Database) -> None:
    """Copy what SQLite's journal holds into its file, and let the disk confirm both. Before a hall serves.

    After a failed fsync the commits of the last process may stand in memory only, and read as if they were kept
    (sessions.store.failing). Written anew they are kept, or the disk says once more that it does not: then the
    process ends, with the status of a failed fsync. Does nothing where somebody else has the file open.
    """
    if database.shared:
        return
    async with _driver(database) as driver:
        try:
            await (await driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")).close()
        except sqlite3.Error as error:
            if failing.not_kept(error):
                failing.stop()
            raise DatabaseDamaged(f"the database cannot be written: {error}") from error


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


@asynccontextmanager
async def _driver(database: Database) -> AsyncIterator[Any]:
    """Give SQLite's connection itself, with no transaction around what is asked of it."""
    async with database.engine.connect() as connection:
        yield (await connection.get_raw_connection()).driver_connection


async def _pages(database: Database, within: float | None) -> bool:
    end = math.inf if within is None else time.monotonic() + within
    try:
        async with _driver(database) as driver:
            await driver.set_progress_handler(lambda: time.monotonic() > end, STEPS)
            try:
                (found,) = await (await driver.execute("PRAGMA quick_check(1)")).fetchone()
            finally:
                await driver.set_progress_handler(None, 0)
    except (sqlite3.Error, DatabaseError) as error:  # not a database at all, or no page of it can be followed
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            _log.warning("the database was not looked at to its end: run `kaibiao doctor`", extra={"s": within})
            return False
        raise DatabaseDamaged(f"the database cannot be read: {getattr(error, 'orig', error)}") from error
    if found != "ok":
        raise DatabaseDamaged(f"the database is damaged: {' '.join(str(found).split())}")
    return True
