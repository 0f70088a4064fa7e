"""PostgreSQL beside SQLite: it refuses the same, and two workers append to one session without losing or doubling."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import literal, select, text

from sessions.chaining import Head, check
from sessions.clock import SystemClock
from sessions.commands import Note
from sessions.errors import Stale
from sessions.events import SupervisorNoted
from sessions.service import Sessions
from sessions.store import database as store
from sessions.store.database import SERVER_SETTINGS, Database, DatabaseRefused
from sessions.store.migrations import migrate, pending
from sessions.store.opened import stores
from tests.support import postgres
from tests.support.ceremony import SUPERVISOR, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.shell import SESSION, Bell

WORD = "geheim"
ROOT = Path(__file__).resolve().parents[2]
COLUMNS = "session, stream, number, at, role, actor, actor_name, type, data, private, salt, prev, digest"


def a_url(folder: Path) -> str:
    return postgres.cluster().url(postgres.cluster().database(folder))


def sql(folder: Path, statement: str) -> str:
    return postgres.cluster().sql(statement, postgres.cluster().database(folder))


@asynccontextmanager
async def a_worker(folder: Path) -> AsyncIterator[Sessions]:
    """Open the hall of this folder once more."""
    database, clock = Database(a_url(folder)), FakeClock()
    sessions = Sessions(stores(database, folder, clock), clock=clock, announcer=Bell())
    try:
        yield sessions
    finally:
        await sessions.close()
        await database.close()


def a_writer(folder: Path) -> subprocess.Popen[bytes]:
    script = Path(__file__).with_name("a_writer.py")
    told = {**os.environ, "PYTHONPATH": str(ROOT), "KAIBIAO_TEST_TEAM": "1"}
    return subprocess.Popen([sys.executable, str(script), str(folder)], cwd=ROOT, env=told, stdout=subprocess.PIPE)


async def a_log(folder: Path) -> None:
    async with a_worker(folder) as sessions:
        await sessions.create(a_plan())
        for words in ("one", "two"):
            await sessions.handle(SESSION, Note(text=words), SUPERVISOR)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE events SET data = '{}' WHERE number = 2", "an event is never changed"),
        ("DELETE FROM events WHERE number = 3", "an event is never deleted"),
        ("TRUNCATE events", "an event is never deleted"),
        ("TRUNCATE sessions CASCADE", "is never"),
        (
            f"INSERT INTO events SELECT {COLUMNS.replace('number', 'number + 2')} FROM events WHERE number = 2",
            "an event follows the one before it",
        ),
        ("INSERT INTO entries VALUES ('gx-1', 1, '')", "an entry follows the one before it"),
        ("TRUNCATE checkpoints", "what was signed is never changed"),
        ("TRUNCATE proofs", "a proof is never changed"),
    ],
)
async def test_the_database_refuses(tmp_path: Path, statement: str, reason: str) -> None:
    await a_log(tmp_path)
    with pytest.raises(RuntimeError, match=reason):
        sql(tmp_path, statement)


async def test_every_connection_is_durable_and_does_not_wait_for_ever(tmp_path: Path) -> None:
    database = Database(a_url(tmp_path))
    try:
        async with database.reading() as one, database.writing() as two:
            for connection in (one, two):
                for name in ("synchronous_commit", "statement_timeout", "lock_timeout"):
                    assert (await connection.execute(text(f"SHOW {name}"))).scalar() == SERVER_SETTINGS[name]
            assert (await one.execute(text("SHOW transaction_isolation"))).scalar() == "repeatable read"
            assert (await one.execute(text("SHOW transaction_read_only"))).scalar() == "on"
            assert (await two.execute(text("SHOW transaction_isolation"))).scalar() == "read committed"
    finally:
        await database.close()


async def test_what_one_reading_sees_does_not_move(tmp_path: Path) -> None:
    await a_log(tmp_path)
    database = Database(a_url(tmp_path))
    count = text("SELECT count(*) FROM events")
    async with database.reading() as reading, a_worker(tmp_path) as other:
        before = (await reading.execute(count)).scalar()
        await other.handle(SESSION, Note(text="three"), SUPERVISOR)
        assert (await reading.execute(count)).scalar() == before
    await database.close()


async def test_a_question_outlives_the_connections_that_a_server_cut(tmp_path: Path) -> None:
    database = Database(a_url(tmp_path))
    asked = select(literal(7))
    try:
        assert [tuple(row) for row in await database.ask(asked)] == [(7,)]
        others = "pid <> pg_backend_pid() AND datname = current_database()"
        sql(tmp_path, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        assert [tuple(row) for row in await database.ask(asked)] == [(7,)]
    finally:
        await database.close()


async def test_a_connection_that_rested_is_asked_whether_it_stands_before_anything_is_written_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "RESTED", 0.0)
    await a_log(tmp_path)
    async with a_worker(tmp_path) as sessions:
        await sessions.handle(SESSION, Note(text="three"), SUPERVISOR)
        others = "pid <> pg_backend_pid() AND datname = current_database()"
        sql(tmp_path, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        await sessions.handle(SESSION, Note(text="four"), SUPERVISOR)
        log = await sessions.events(SESSION)
    notes = [record.event.private for record in log if isinstance(record.event, SupervisorNoted)]
    assert len(notes) == 4


async def test_two_workers_that_never_pause_both_get_their_turn(tmp_path: Path) -> None:
    await a_log(tmp_path)
    async with a_worker(tmp_path) as one, a_worker(tmp_path) as two:

        async def write(sessions: Sessions, name: str) -> list[int]:
            numbers = []
            for count in range(40):
                [record] = await sessions.handle(SESSION, Note(text=f"{name}/{count}"), SUPERVISOR, f"{name}/{count}")
                numbers.append(record.number)
            return numbers

        writers = [write(sessions, f"{name}{n}") for name, sessions in (("a", one), ("b", two)) for n in range(4)]
        told = await asyncio.gather(*writers)
        log = await one.events(SESSION)
    assert check(Head(), log).number == len(log)
    notes = [record.number for record in log if isinstance(record.event, SupervisorNoted)]
    assert sorted(number for numbers in told for number in numbers) == notes[2:]
    assert len(notes) == 2 + 8 * 40


async def test_two_processes_append_to_one_session_without_loss_or_double(tmp_path: Path) -> None:
    deadline = (SystemClock().now() + timedelta(days=30)).replace(microsecond=0)
    plan = a_plan(deadline=deadline.strftime("%Y-%m-%dT%H:%M:%SZ"))
    async with a_worker(tmp_path) as sessions:
        await sessions.create(plan)
    writers = [a_writer(tmp_path) for _ in range(2)]
    lines: list[bytes] = []
    for writer in writers:
        assert writer.stdout is not None
        lines += [writer.stdout.readline() for _ in range(100)]
    for writer in writers:
        with writer:
            writer.send_signal(signal.SIGKILL)
            assert writer.stdout is not None
            lines += writer.stdout.readlines()
    async with a_worker(tmp_path) as sessions:
        log = await sessions.events(SESSION)
    assert check(Head(), log).number == len(log)
    kept = {r.number: r.event.private["text"] for r in log if isinstance(r.event, SupervisorNoted)}
    whole = [line.decode().split() for line in lines if line.endswith(b"\n")]
    assert len(whole) >= 200
    assert len({number for number, _ in whole}) == len(whole)
    assert [(number, words) for number, words in whole if kept.get(int(number)) != words] == []


async def test_a_turn_keeps_others_out_until_it_ends(tmp_path: Path) -> None:
    await a_log(tmp_path)
    ours, theirs = Database(a_url(tmp_path)), Database(a_url(tmp_path))
    mine, other = (stores(database, tmp_path, FakeClock()).events for database in (ours, theirs))
    async with mine.turn(SESSION):
        waiting = asyncio.ensure_future(other.append(SESSION, []))
        await asyncio.sleep(0.2)
        assert not waiting.done()
    await waiting
    await ours.close()
    await theirs.close()


async def test_whoever_waits_too_long_for_a_turn_is_stale(tmp_path: Path) -> None:
    await a_log(tmp_path)
    ours, theirs = Database(a_url(tmp_path)), Database(a_url(tmp_path))
    mine, other = (stores(database, tmp_path, FakeClock()).events for database in (ours, theirs))
    async with mine.turn(SESSION):
        with pytest.raises(Stale):
            await other.append(SESSION, [])
    await ours.close()
    await theirs.close()


async def test_two_that_migrate_at_once_make_one_database(tmp_path: Path) -> None:
    name = postgres.cluster().database(tmp_path)
    sql(tmp_path, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    databases = [Database(postgres.cluster().url(name)) for _ in range(2)]
    assert await pending(databases[0])
    await asyncio.gather(*map(migrate, databases))
    assert not await pending(databases[1])
    for database in databases:
        await database.close()


@pytest.mark.parametrize("url", [f"mysql+aiomysql://hall:{WORD}@db/x", "nonsense geheim"])
def test_an_address_that_cannot_be_used_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(DatabaseRefused) as caught:
        Database(url)
    assert "geheim" not in str(caught.value)
