"""Signs of life are kept apart: no crowd that waits for the same database delays them, and no time of ours is its."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from sessions.errors import Fenced
from sessions.store import apart
from sessions.store.apart import Apart
from sessions.store.database import CONNECTIONS, Database
from sessions.store.members import SqlMembers
from sessions.store.migrations import migrate
from sessions.store.pulses import SqlPulses
from sessions.watch import vigil as watching
from sessions.watch.health import Vote
from tests.support import postgres
from tests.support.ceremony import T0
from tests.support.team import database_url

VALID = timedelta(seconds=60)
VOTE = Vote(worker="w1", at=T0, database_ms=1, loop_ms=1, free_bytes=1 << 40)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(database_url(tmp_path))
    await migrate(opened)
    yield opened
    await opened.close()


@pytest.mark.solo("PostgreSQL has more than one writer")
async def test_signs_of_life_go_to_the_head_of_the_line_of_those_who_write(database: Database) -> None:
    done: list[str] = []
    writing = asyncio.Event()

    async def write(name: str) -> None:
        async with database.writing():
            writing.set()
            done.append(name)

    crowd = [asyncio.create_task(write(f"{number}")) for number in range(40)]
    await writing.wait()
    await SqlPulses(database).pulse(VOTE)
    done.append("alive")
    await asyncio.gather(*crowd)
    assert done[:2] == ["0", "alive"]
    assert len(done) == 41


async def test_a_worker_says_that_it_lives_though_others_have_every_connection(tmp_path: Path) -> None:
    cluster = postgres.cluster()
    database = Database(cluster.url(cluster.database(tmp_path)))
    async with AsyncExitStack() as crowd:
        for _ in range(CONNECTIONS):
            await crowd.enter_async_context(database.reading())
        members = SqlMembers(database)
        number = await members.join("w1", VALID)
        assert await members.free(T0) == ()
        await members.renew(number, VALID)
        assert await members.fence(number) == ()
        assert await members.holders() == {number: 0}
        known, _ = await SqlPulses(database).pulse(VOTE)
        assert known == ()
    await database.close()


async def test_what_the_loop_takes_is_not_the_databases_time(database: Database) -> None:
    busy = True

    async def crowd() -> None:
        while busy:
            time.sleep(0.05)  # noqa: ASYNC251  # this is what a crowd does to a loop
            await asyncio.sleep(0)

    crowding = asyncio.create_task(crowd())
    began = time.monotonic()
    took = 0.0
    for _ in range(20):
        took += (await SqlPulses(database).pulse(VOTE))[1]
    busy = False
    await crowding
    assert took < time.monotonic() - began  # each came back a round of the loop later, at least


async def test_a_database_that_does_not_answer_is_out_of_patience_and_a_busy_loop_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "PATIENCE", 4 * watching.BEAT)
    rounds = 0

    async def in_a_crowd() -> str:
        nonlocal rounds
        while rounds < 3:
            rounds += 1
            time.sleep(4 * watching.BEAT)  # noqa: ASYNC251  # as long as the patience, each
            await asyncio.sleep(0)
        return "kept"

    assert await watching._patiently(in_a_crowd()) == "kept"
    cut_off = asyncio.Event()

    async def of_the_dead() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cut_off.set()

    with pytest.raises(TimeoutError):
        await watching._patiently(of_the_dead())
    assert cut_off.is_set()


async def test_who_writes_apart_writes_as_this_worker_and_is_fenced_with_it(database: Database) -> None:
    members = SqlMembers(database)
    number = await members.join("w1", VALID)

    async def write(there: Database) -> int | None:
        async with there.writing():
            return there.worker

    assert await database.apart(write) == number
    await members.leave(number)
    with pytest.raises(Fenced):
        await database.apart(write)


async def test_what_goes_wrong_there_is_said_here(tmp_path: Path) -> None:
    there = Database(f"sqlite+aiosqlite:///{tmp_path}/no/such/folder")

    async def read(database: Database) -> None:
        async with database.reading() as connection:
            await connection.execute(text("SELECT 1"))

    with pytest.raises(Exception, match="unable to open"):
        await there.apart(read)
    await there.close()


async def test_who_gives_up_cuts_nothing_off_there_and_closing_does_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "GRACE", 0.1)
    there = Apart()
    begun, goes_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    ended: list[str] = []

    async def work() -> None:
        loop.call_soon_threadsafe(begun.set)
        await asyncio.to_thread(goes_on.wait)
        ended.append("to its end")
        raise OSError("which nobody hears")

    asked = asyncio.create_task(there.do(work))
    await begun.wait()
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    goes_on.set()
    while not ended:  # noqa: ASYNC110 - it happens in another thread
        await asyncio.sleep(0.01)

    async def hangs() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("cut off")

    hanging = asyncio.create_task(there.do(hangs))
    await there.do(lambda: asyncio.sleep(0))

    async def last() -> None:
        ended.append("closed")

    await there.close(last)
    await asyncio.gather(hanging, return_exceptions=True)
    assert ended == ["to its end", "cut off", "closed"]
    await there.close(last)  # harmless when done before
    assert len(ended) == 3
