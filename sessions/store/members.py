"""The workers of a hall and what each of them leads, in SQL.

A row of ``workers`` is the right to write: every write transaction looks for its own (Database.writing), in
PostgreSQL under a lock that keeps the row there until the commit. Only the database's clock says when a worker was
silent for too long, and a worker whose time is over keeps its right until somebody takes the row away.

All of it but the holds is done apart (Database.apart): a worker that serves a crowd is not silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    bindparam,
    cast,
    delete,
    exists,
    extract,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from sessions.errors import Fenced
from sessions.ids import SessionId
from sessions.ports import Holders
from sessions.store import tables
from sessions.store.database import Database
from sessions.store.together import Together

_MS = timedelta(milliseconds=1)

CUT_AFTER = 0.5
"""Seconds that a fence waits for transactions of the worker it is for; they take milliseconds."""

_CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = ANY (pg_blocking_pids(:waiting)) AND xact_start < clock_timestamp() - interval '3 seconds'
"""

_LET_GO = delete(tables.holds).where(tables.holds.c.id.in_(bindparam("names", expanding=True)))


class SqlMembers:
    """A Members and a Holds (sessions.ports) over SQLAlchemy."""

    def __init__(self, database: Database, *, now: Callable[[], ColumnElement[int]] | None = None) -> None:
        """``now`` gives the moment in milliseconds as SQL; without it the database's own clock does."""
        self._database = database
        self._dialect = database.engine.dialect.name
        self._now = now or (_postgresql_clock if self._dialect == "postgresql" else _sqlite_clock)
        self._holding = tables.holds.insert().values(until=self._now() + bindparam("longest", type_=BigInteger))
        self._holds = Together(self._hold_all)
        self._lettings = Together(self._let_all_go)

    async def join(self, name: str, valid: timedelta, *, instead_of: str | None = None, alone: bool = False) -> int:
        """See Members."""
        worker = tables.workers

        async def write(database: Database) -> int:
            async with database.writing(checked=False) as connection:
                if alone:
                    await connection.execute(delete(worker))
                elif instead_of is not None:
                    await connection.execute(delete(worker).where(worker.c.name == instead_of))
                row = {"name": name, "until": self._now() + valid // _MS}
                number = await connection.execute(worker.insert().values(row).returning(worker.c.number))
                joined: int = number.scalar_one()
                return joined

        self._database.worker = joined = await self._database.apart(write)
        return joined

    async def renew(self, number: int, valid: timedelta) -> None:
        """See Members."""
        worker = tables.workers
        mine = update(worker).where(worker.c.number == number).values(until=self._now() + valid // _MS)

        async def write(database: Database) -> bool:
            async with database.writing(checked=False) as connection:
                return bool((await connection.execute(mine)).rowcount)

        if not await self._database.apart(write):
            raise Fenced

    async def fence(self, number: int) -> tuple[int, ...]:
        """See Members."""
        worker = tables.workers.c
        overdue = (worker.until < self._now(), worker.number != number)

        async def look(database: Database) -> bool:  # so that looking costs no write
            return bool(await database.ask(select(worker.number).where(*overdue)))

        async def write(database: Database) -> tuple[int, ...]:
            async with database.writing() as connection:
                cutting = await self._begin_to_cut(database, connection)
                try:
                    gone = await connection.execute(delete(tables.workers).where(*overdue).returning(worker.number))
                    return tuple(gone.scalars())
                finally:
                    if cutting is not None:
                        cutting.cancel()

        return await self._database.apart(write) if await self._database.apart(look, writes=False) else ()

    async def _begin_to_cut(self, database: Database, connection: AsyncConnection) -> asyncio.Task[None] | None:
        """Make an end of transactions that a paused worker left open, if the fence has to wait for them.

        PostgreSQL does not time out a connection that stopped amid a statement's messages, however long it is silent.
        """
        if self._dialect != "postgresql":
            return None
        mine = (await connection.execute(select(func.pg_backend_pid()))).scalar_one()
        return asyncio.get_running_loop().create_task(self._cut(database, mine), name="cut the dead off")

    async def _cut(self, database: Database, waiting: int) -> None:
        await asyncio.sleep(CUT_AFTER)
        async with database.reading() as connection:
            await connection.execute(text(_CUT), {"waiting": waiting})

    async def leave(self, number: int) -> None:
        """See Members."""

        async def write(database: Database) -> None:
            async with database.writing(checked=False) as connection:
                await connection.execute(delete(tables.workers).where(tables.workers.c.number == number))

        await self._database.apart(write)

    async def free(self, since: datetime) -> tuple[SessionId, ...]:
        """See Members."""
        session = tables.sessions.c
        led = exists().where(tables.leases.c.session == session.id)
        wanted = select(session.id).where(or_(session.ended_at.is_(None), session.ended_at > since), ~led)

        async def read(database: Database) -> tuple[SessionId, ...]:
            return tuple(SessionId(row.id) for row in await database.ask(wanted))

        return await self._database.apart(read, writes=False)

    async def holders(self) -> Holders:
        """See Members."""
        counted = select(tables.leases.c.worker, func.count()).group_by(tables.leases.c.worker)

        async def read(database: Database) -> Holders:
            async with database.reading() as connection:
                numbers = (await connection.execute(select(tables.workers.c.number))).scalars().all()
                led = {row[0]: row[1] for row in (await connection.execute(counted)).all()}
            return {number: led.get(number, 0) for number in numbers}

        return await self._database.apart(read, writes=False)

    async def take(self, number: int, sessions: Sequence[SessionId]) -> tuple[SessionId, ...]:
        """See Members."""
        lease = tables.leases
        build = postgresql.insert if self._dialect == "postgresql" else sqlite.insert
        rows = [{"session": session, "worker": number} for session in sessions]
        if not rows:
            return ()
        taking = build(lease).values(rows).on_conflict_do_nothing().returning(lease.c.session)

        async def write(database: Database) -> tuple[SessionId, ...]:
            async with database.writing() as connection:
                return tuple(map(SessionId, (await connection.execute(taking)).scalars()))

        return await self._database.apart(write)

    async def release(self, number: int, sessions: Sequence[SessionId] | None = None) -> None:
        """See Members."""
        lease = tables.leases
        mine = delete(lease).where(lease.c.worker == number)
        if sessions is not None:
            mine = mine.where(lease.c.session.in_(sessions))

        async def write(database: Database) -> None:
            async with database.writing(checked=False) as connection:
                await connection.execute(mine)

        await self._database.apart(write)

    async def hold(self, name: str, session: SessionId, longest: timedelta) -> None:
        """See Holds."""
        await self._holds.add((name, session, longest))

    async def _hold_all(self, batch: Sequence[tuple[str, SessionId, timedelta]]) -> None:
        rows = [
            {"id": name, "session": session, "worker": self._database.worker, "longest": longest // _MS}
            for name, session, longest in batch
        ]
        async with self._database.writing() as connection:
            await connection.execute(self._holding, rows)

    async def let_go(self, name: str) -> None:
        """See Holds."""
        await self._lettings.add(name)

    async def _let_all_go(self, batch: Sequence[str]) -> None:
        async with self._database.writing(checked=False) as connection:
            await connection.execute(_LET_GO, {"names": list(batch)})

    async def held(self, session: SessionId) -> bool:
        """See Holds."""
        holding = (tables.holds.c.session == session, tables.holds.c.until > self._now())
        return bool(await self._database.ask(select(tables.holds.c.id).where(*holding).limit(1)))


def _postgresql_clock() -> ColumnElement[int]:
    # Not now(): that is when the transaction began.
    return cast(extract("epoch", func.clock_timestamp()) * 1000, BigInteger)


def _sqlite_clock() -> ColumnElement[int]:
    return cast((func.julianday("now") - 2440587.5) * 86_400_000.0, Integer)
