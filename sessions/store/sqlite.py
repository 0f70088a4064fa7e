"""SQLite's connections: how they are opened, how a transaction begins on them, and that they end.

The driver gives each connection a thread, which answers into the loop. One that was cut off while it was opened
answers a moment later, and one that nobody gave back never ends: whoever closes the loop wants neither.
"""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any, Final
from weakref import WeakSet

import aiosqlite

PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "busy_timeout=10000",
    "foreign_keys=ON",
    "recursive_triggers=ON",
)

ROWS: Final = 64
"""How many the driver fetches at a time where it is iterated over."""


class Drivers:
    """Every connection to one file, ``":memory:"`` for none."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._all: WeakSet[_Driver] = WeakSet()

    async def open(self) -> aiosqlite.Connection:
        """Open one; raise ``sqlite3.OperationalError``."""
        driver = _Driver(self._opened, ROWS)
        driver._thread.daemon = True  # a process that ends without closing its database ends
        self._all.add(driver)
        return await driver

    def _opened(self) -> sqlite3.Connection:
        # The driver's own, half automatic transactions off: ``begin`` says when one begins, and of which kind.
        connection = _Connection(self._file, isolation_level=None, check_same_thread=False)
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    async def end(self, within: float) -> None:
        """End those that are left, whoever has them, and await that none answers any more, ``within`` seconds."""
        ends = [end for driver in tuple(self._all) if (end := driver.stop()) is not None]
        if ends:
            await asyncio.wait(ends, timeout=within)


class _Connection(sqlite3.Connection):
    """One whose transaction ends with it: SQLite's own goes on while a cursor is held, and nobody else may write."""

    def close(self) -> None:
        if self.in_transaction:
            self.rollback()
        super().close()


class _Driver(aiosqlite.Connection):
    """One that may be ended by several: the library's own would let all but the first wait for ever."""

    _end: asyncio.Future[Any] | None = None

    def stop(self) -> asyncio.Future[Any] | None:
        if self._end is None:
            self._end = super().stop()
        return None if self._end is None else asyncio.shield(self._end)


def begin(connection: Any) -> None:
    """Begin a transaction on SQLAlchemy's ``connection``: with ``kaibiao_writes`` among its options to write."""
    # One that reads first and writes later fails at once when somebody wrote in between; IMMEDIATE queues.
    writes = connection.get_execution_options().get("kaibiao_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
