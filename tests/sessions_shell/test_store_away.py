"""The database goes away under a hall that works: nothing is invented, nothing lost or doubled, and it goes on."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sessions import appender
from sessions.chaining import Head, check
from sessions.commands import Note
from sessions.errors import Unanswered
from sessions.events import Recorded, SupervisorNoted
from sessions.service import Sessions
from sessions.store import sqlite
from sessions.store.database import Database
from sessions.store.opened import stores
from tests.support import postgres
from tests.support.ceremony import SUPERVISOR, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.house import a_key
from tests.support.served import served
from tests.support.shell import SESSION, Bell, a_shell
from web.bench import postgres as servers


@pytest.fixture
def cluster() -> Iterator[postgres.Cluster]:
    """One that may be stopped, because nobody else is in it; with fsync."""
    started = postgres.start(fsync=True)
    yield started
    started.stop()


async def stopped(cluster: postgres.Cluster) -> None:
    assert cluster.server is not None
    await asyncio.to_thread(servers.stop, cluster.server)  # SIGQUIT: as `pg_ctl stop -m immediate`


async def started(cluster: postgres.Cluster) -> None:
    cluster.server = await asyncio.to_thread(servers.run, cluster.folder)


@pytest.mark.slow
async def test_a_database_that_is_restarted_at_once_under_eight_writers_loses_and_doubles_nothing(
    cluster: postgres.Cluster, tmp_path: Path
) -> None:
    database, clock = Database(cluster.url()), FakeClock()
    sessions = Sessions(stores(database, tmp_path, clock), clock=clock, announcer=Bell())
    await sessions.create(a_plan())
    told: dict[str, int] = {}
    over = asyncio.Event()

    async def write(writer: int) -> None:
        count = 0
        while not over.is_set():
            text, answer = f"{writer}/{count}", ()
            while not answer:
                try:
                    answer = await sessions.handle(SESSION, Note(text=text), SUPERVISOR, text)
                except Unanswered:
                    await asyncio.sleep(0.1)
            told[text] = answer[0].number
            count += 1

    writers = [asyncio.create_task(write(number)) for number in range(8)]
    for _ in range(3):
        before = len(told)
        while len(told) < before + 20:  # noqa: ASYNC110  # it works again
            await asyncio.sleep(0.02)
        await stopped(cluster)
        await started(cluster)
    over.set()
    await asyncio.gather(*writers)
    log = await sessions.events(SESSION)
    await sessions.close()
    await database.close()
    assert check(Head(), log).number == len(log)
    assert {r.event.private["text"]: r.number for r in log if isinstance(r.event, SupervisorNoted)} == told
    assert len(log) == 1 + len(told)


@pytest.mark.slow
async def test_while_the_database_is_away_readers_stay_nothing_is_invented_and_an_act_is_told_to_come_again(
    cluster: postgres.Cluster, tmp_path: Path
) -> None:
    async with served(tmp_path, database_url=cluster.url()) as hall:
        await hall.house.announce()
        supervisor = await hall.house.staff("supervisor")
        act = {"json": {"command": "TakeChair"}, "headers": a_key()}
        async with hall.live("/live/zb-1?after=0") as reader, hall.client(supervisor) as client:
            facts = numbers(await reader.recv())  # it follows
            await stopped(cluster)
            ready = await client.get("/readyz")
            alive = await client.get("/healthz")
            refused = await client.post(f"{hall.house.path}/commands", **act)
            await asyncio.sleep(8)
            assert (ready.status_code, ready.json()["database"], alive.status_code) == (503, False, 200)
            assert (refused.status_code, refused.headers["retry-after"].isdigit()) == (503, True)
            await started(cluster)
            async with asyncio.timeout(60):  # told to come again until it has its place among the workers again
                while (  # noqa: ASYNC110
                    done := await client.post(f"{hall.house.path}/commands", **act)
                ).status_code == 503:
                    await asyncio.sleep(0.2)
            again = await client.post(f"{hall.house.path}/commands", **act)
            assert (done.status_code, again.json()) == (200, done.json())
            async with asyncio.timeout(60):
                while facts[-1] < 3:
                    facts += numbers(await reader.recv())
            log = await hall.house.services.sessions.events(hall.house.session)
            async with asyncio.timeout(60):
                while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
    assert [type(record.event).__name__ for record in log] == ["SessionScheduled", "StepEntered", "ChairTaken"]
    assert facts == [1, 2, 3]  # the reader that stayed was told nothing else


def numbers(frame: str | bytes) -> list[int]:
    return [json.loads(line)["n"] for line in str(frame).split("\n") if '"signal"' not in line]


@pytest.mark.solo("is about SQLite's one writer")
async def test_a_second_writer_of_the_file_is_waited_for_and_then_told_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = tuple("busy_timeout=300" if "busy_timeout" in each else each for each in sqlite.PRAGMAS)
    monkeypatch.setattr(sqlite, "PRAGMAS", short)
    monkeypatch.setattr(appender, "ATTEMPTS", 2)
    async with a_shell(tmp_path) as hall:
        await hall.sessions.create(a_plan())
        other = sqlite3.connect(tmp_path / "kaibiao.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unanswered):
            await hall.sessions.handle(SESSION, Note(text="once"), SUPERVISOR, "key")

        async def asks() -> tuple[Recorded, ...]:
            while True:
                with suppress(Unanswered):
                    return await hall.sessions.handle(SESSION, Note(text="once"), SUPERVISOR, "key")

        waiting = asyncio.create_task(asks())
        await asyncio.sleep(0.1)
        other.execute("COMMIT")
        other.close()
        (record,) = await waiting
        log = await hall.sessions.events(SESSION)
    assert [r.number for r in log if isinstance(r.event, SupervisorNoted)] == [record.number]
