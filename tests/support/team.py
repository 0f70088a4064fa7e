"""Where the halls of tests keep what they keep: Solo by default; with ``KAIBIAO_TEST_TEAM=1`` as a city's does."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg

from tests.support import postgres

TEAM = os.environ.get("KAIBIAO_TEST_TEAM") == "1"


def database_url(folder: Path, *, migrated: bool = True) -> str:
    """Return the address of the database of a hall in ``folder``: the same folder, the same database.

    On PostgreSQL it is migrated already, unless it shall be empty.
    """
    if TEAM:
        cluster = postgres.cluster()
        return cluster.url(cluster.database(folder, migrated=migrated))
    return f"sqlite+aiosqlite:///{folder.absolute() / 'kaibiao.db'}"


class RefusedByHand(Exception):
    """The database refused what somebody did to it behind the hall's back."""


class Hand:
    """Somebody at the database itself, past the hall; every statement is a transaction of its own."""

    def __init__(self, folder: Path) -> None:
        self._sqlite = None if TEAM else sqlite3.connect(folder / "kaibiao.db", timeout=60, isolation_level=None)
        if self._sqlite is None:
            self._apart = ThreadPoolExecutor(1)
            self._loop = self._apart.submit(asyncio.new_event_loop).result()
            cluster = postgres.cluster()
            self._kept: asyncpg.Connection = self._run(
                asyncpg.connect(host=str(cluster.folder), user="hall", database=cluster.database(folder))
            )
        else:
            self._sqlite.execute("PRAGMA recursive_triggers = ON")

    def execute(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return the rows there are; raise RefusedByHand. Values stand at question marks."""
        if self._sqlite is not None:
            try:
                return self._sqlite.execute(statement, values).fetchall()
            except sqlite3.IntegrityError as error:
                raise RefusedByHand(str(error)) from error
        numbered = count(1)
        asked = re.sub(r"\?", lambda _: f"${next(numbered)}", statement)
        try:
            return [tuple(row) for row in self._run(self._kept.fetch(asked, *values))]
        except asyncpg.IntegrityConstraintViolationError as error:
            raise RefusedByHand(str(error)) from error

    def executemany(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        for row in rows:
            self.execute(statement, row)

    def drop_triggers(self) -> None:
        """Make an end of everything that keeps the tables as they are."""
        if self._sqlite is not None:
            for (name,) in self.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
                self.execute(f"DROP TRIGGER {name}")
            return
        for name, table in self.execute(
            "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
        ):
            self.execute(f"DROP TRIGGER {name} ON {table}")

    def tables(self) -> list[str]:
        catalogue = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        if self._sqlite is not None:
            catalogue = "SELECT name FROM sqlite_master WHERE type = 'table'"
        return [name for (name,) in self.execute(catalogue)]

    def close(self) -> None:
        if self._sqlite is not None:
            self._sqlite.close()
            return
        self._run(self._kept.close())
        self._apart.submit(self._loop.close).result()
        self._apart.shutdown()

    def _run(self, work: Any) -> Any:
        async def done() -> Any:
            return await work

        return self._apart.submit(lambda: self._loop.run_until_complete(done())).result()


@contextmanager
def by_hand(folder: Path) -> Iterator[Hand]:
    """Go to the database of the hall in ``folder``, past the hall."""
    with closing(Hand(folder)) as hand:
        yield hand


def files_of_the_database(folder: Path) -> bytes:
    """Return what the database of the hall in ``folder`` has on its disk, where that is another than the hall's."""
    if not TEAM:
        return b""
    cluster = postgres.cluster()
    name = cluster.database(folder)
    cluster.sql("CHECKPOINT")
    place = cluster.folder / "data" / "base" / cluster.sql(f"SELECT oid FROM pg_database WHERE datname = '{name}'")
    return b"".join(path.read_bytes() for path in place.iterdir())
