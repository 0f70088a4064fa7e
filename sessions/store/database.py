"""One database, its connections and its transactions: SQLite for one process, PostgreSQL for several.

SQLite runs with WAL and synchronous=FULL: a commit is on the disk when it returns, and since commands share commits,
that costs no more than the looser setting (measured: 28,500 against 31,500 appends a second). PostgreSQL keeps
synchronous_commit=on for the same reason (31,500 appends a second in shared commits, 1,000 one by one).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from sqlite3 import SQLITE_BUSY, SQLITE_LOCKED
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Row, Select, bindparam, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

from sessions.errors import Fenced, Unanswered
from sessions.store import failing, sqlite, tables
from sessions.store.apart import GRACE, Apart

T = TypeVar("T")

CONNECT_SECONDS: Final = 5
ANSWER_SECONDS: Final = 20
"""After this long without an answer the connection is given up: whether a commit happened is unknown then."""

SERVER_SETTINGS: Final = {
    "application_name": "kaibiao",
    "synchronous_commit": "on",  # whatever the server's default: what is acknowledged survives its power cut
    "statement_timeout": "15s",
    "lock_timeout": "2s",  # whoever holds a session's row commits in milliseconds, or is dead
    "idle_in_transaction_session_timeout": "10s",  # a worker that was paused must not hold the others up
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "timezone": "UTC",
    "jit": "off",  # every statement here is short
}

CONNECTIONS = 12
SIGNS = 3
"""Opened as they are needed and kept, by each process, the latter for signs of life (``Database.apart``): six workers
stay below PostgreSQL's default of 100.

None beyond them: such a one would be closed as it is given back, and under a crowd opened again for the next
statement, which costs PostgreSQL a process and us ten milliseconds.
"""

RESTED = 10.0
"""Seconds after which a connection is asked whether it still stands before it is used. That those of a restarted
server are cut the driver knows by itself; to ask each time cost three messages for each that says something.
"""

# KEY SHARE keeps the row from being taken away until the commit, and lets its owner renew it meanwhile.
_PLACE: Final = (
    select(tables.workers.c.number)
    .where(tables.workers.c.number == bindparam("number"))
    .with_for_update(read=True, key_share=True)
)

TURNS = 5
"""Of the former, for batches that have a session to themselves (EventStore.turn), which read besides."""


class DatabaseRefused(Exception):
    """A database address that cannot be used."""

    hint = "database_url is empty, sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER@HOST/NAME"


class DatabaseSilent(Exception):
    """The database does not answer, or lets nobody in."""

    hint = "start it, or correct database_url; `kaibiao doctor` asks it again"


class Database:
    """Connections to the store. Call ``close`` when done; the loop that used it must still run."""

    def __init__(self, url: str, *, connections: int = CONNECTIONS) -> None:
        """``url`` is SQLAlchemy's: ``sqlite+aiosqlite:///kaibiao.db``, ``postgresql+asyncpg://hall@db/kaibiao``.

        ``connections``: how many it may have at a time, where that is for us to say.

        Raises:
            DatabaseRefused: there is no such kind of database here, or its driver is not installed.
        """
        self.worker: int | None = None
        """The number under which this process writes, once it has joined (sessions.store.members)."""
        self.engine, self._drivers = _engine(url, connections)
        # SQLite has one writer, and those who wait for it poll: under a crowd the unlucky time out. Ours stand in
        # line first, and signs of life go to its head: only whoever is first in the line asks for the turn.
        self._line: AbstractAsyncContextManager[object] = nullcontext()
        self._turn: AbstractAsyncContextManager[object] = nullcontext()
        self._url = url
        self._apart: tuple[Apart, Database] | None = None
        self.shared = self.engine.dialect.name == "postgresql"
        """Whether others may write at the same time, so that whoever decides by what is there locks it first."""
        if self.shared:
            # Reads of one moment need a snapshot. A writer must not have one: after waiting for a session's row it
            # has to see what the one before it committed, where a snapshot would be a serialization failure.
            self._reader = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            self._writer = self.engine.execution_options(isolation_level="READ COMMITTED")
            self._asked = self.engine.execution_options(isolation_level="AUTOCOMMIT")
            event.listen(self.engine.sync_engine, "checkin", _note_rest)
            event.listen(self.engine.sync_engine, "checkout", _refuse_cut_connection)
        else:
            self._line, self._turn = asyncio.Lock(), asyncio.Lock()
            self._reader = self._asked = self.engine
            self._writer = self.engine.execution_options(kaibiao_writes=True)
            event.listen(self.engine.sync_engine, "begin", sqlite.begin)

    async def reach(self) -> None:
        """Raise DatabaseSilent unless the database answers."""
        try:
            async with self.reading():
                pass
        except (SQLAlchemyError, OSError, Unanswered) as error:
            cause = error.__cause__ if isinstance(error, Unanswered) else error
            reason = str(getattr(cause, "orig", None) or cause).partition("\n")[0]
            raise DatabaseSilent(f"the database does not answer: {reason}") from error

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection whose reads all see one moment; raise Unanswered."""
        with _told_when_away():
            async with self._reader.connect() as connection:
                yield connection

    async def ask(self, question: Select[Any], **values: object) -> Sequence[Row[Any]]:
        """Return what one question finds; raise Unanswered. It needs no transaction: a statement sees one moment.

        ``values`` are for its bindparams: a question that a crowd asks is put into words once, in its module. Where
        the connection turns out to be cut it is asked once more, on another one.
        """
        try:
            return await self._ask(question, values)
        except Unanswered as cut:
            if not getattr(cut.__cause__, "connection_invalidated", False):
                raise
        return await self._ask(question, values)

    async def _ask(self, question: Select[Any], values: Mapping[str, object]) -> Sequence[Row[Any]]:
        with _told_when_away():
            async with self._asked.connect() as connection:
                rows: Sequence[Row[Any]] = (await connection.execute(question, values)).all()
                return rows

    @asynccontextmanager
    async def writing(self, *, checked: bool = True) -> AsyncIterator[AsyncConnection]:
        """Give a connection inside a write transaction: committed at the end, undone by an exception.

        Raises:
            Fenced: this process wrote as a worker that has lost its place. Nothing happens unless not ``checked``.
            Unanswered: the server went away, and where it did so during the commit, whether that happened is unknown.
        """
        with _told_when_away():
            async with self._line, self._turn, self._writer.begin() as connection:
                if checked and self.worker is not None:
                    await _check_place(connection, self.worker)
                yield connection

    async def apart(self, work: Callable[[Database], Coroutine[Any, Any, T]], *, writes: bool = True) -> T:
        """Do a short piece of work, which is given a database, in a thread and on connections of their own.

        For signs of life: they tell how the database is, however busy this process is with a crowd. What ``work``
        measures by its own loop's clock is the database's time, without ours.
        """
        if self._apart is None:
            self._apart = Apart(), Database(self._url, connections=SIGNS)
        there, database = self._apart
        async with self._turn if writes else nullcontext():
            database.worker = self.worker
            return await there.do(lambda: work(database))

    async def close(self) -> None:
        """Close every connection, once it is given back: what was cut off does so by itself, a moment later."""
        if self._apart is not None:
            (there, database), self._apart = self._apart, None
            await there.close(database.close)
        pool, patience = self.engine.pool, time.monotonic() + GRACE
        while isinstance(pool, QueuePool) and pool.checkedout() and time.monotonic() < patience:  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.01)
        await self.engine.dispose()
        if self._drivers is not None:
            await self._drivers.end(GRACE)


def lost_the_race(error: DBAPIError) -> bool:
    """Return whether a transaction failed because of another one: nothing happened, and it may be decided again.

    A key or a trigger refused it (SQLSTATE class 23), or PostgreSQL speaks of a deadlock (40P01), a serialization
    failure (40001) or a lock that it waited for too long (55P03).
    """
    return isinstance(error, IntegrityError) or getattr(error.orig, "sqlstate", None) in ("40P01", "40001", "55P03")


@contextmanager
def _told_when_away() -> Iterator[None]:
    try:
        yield
    except (ConnectionError, TimeoutError, PoolTimeout, FileNotFoundError) as error:  # the last: no socket there
        raise Unanswered from error
    except DBAPIError as error:
        if failing.not_kept(error.orig):
            failing.stop()
        if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in (SQLITE_BUSY, SQLITE_LOCKED):
            raise Unanswered from error  # somebody else holds SQLite's file, longer than busy_timeout
        # Class 08: the connection; 57P: the server is stopping or starting; 53300: it takes no more connections.
        state = getattr(error.orig, "sqlstate", None) or ""
        if error.connection_invalidated or state.startswith(("08", "57P", "53300")):
            raise Unanswered from error
        raise


def _engine(url: str, connections: int) -> tuple[AsyncEngine, sqlite.Drivers | None]:
    try:
        parsed = make_url(url)
        match parsed.get_backend_name():
            case "sqlite":
                drivers = sqlite.Drivers(parsed.database or ":memory:")
                return create_async_engine(parsed, async_creator=drivers.open), drivers
            case "postgresql" | "postgres":
                return _postgresql(parsed.set(drivername="postgresql+asyncpg"), connections), None
            case other:
                raise DatabaseRefused(f"no database of the kind {other!r} is supported")
    except ArgumentError as error:  # its text may have the address in it, and that a password
        raise DatabaseRefused("the database address cannot be read") from error
    except ModuleNotFoundError as error:
        raise DatabaseRefused(f"{error.name} is not installed: it comes with kaibiao[team]") from error


def _postgresql(url: URL, connections: int) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_use_lifo=True,  # the few that are needed on a quiet day stay warm
        pool_timeout=10,
        connect_args={
            "timeout": CONNECT_SECONDS,
            "command_timeout": ANSWER_SECONDS,
            "server_settings": dict(SERVER_SETTINGS),
        },
    )


async def _check_place(connection: AsyncConnection, number: int) -> None:
    if (await connection.execute(_PLACE, {"number": number})).first() is None:
        raise Fenced


def _note_rest(_: object, record: Any) -> None:
    record.info["rests_since"] = time.monotonic()


def _refuse_cut_connection(connection: Any, record: Any, _: object) -> None:
    """Let nobody have a connection that is known to be cut, or rested long and does not answer: it gets a new one."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError
    if time.monotonic() - record.info.get("rests_since", time.monotonic()) > RESTED:
        try:
            connection.ping()
        except Exception as error:
            raise DisconnectionError from error
