"""A connection that dies between COMMIT and its answer: whoever asked is told what happened, and it happened once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sessions import appender
from sessions.chaining import Head, check
from sessions.commands import Note
from sessions.errors import Unanswered
from sessions.events import SupervisorNoted
from sessions.service import Sessions
from sessions.store import database as databases
from sessions.store.database import Database
from sessions.store.opened import stores
from tests.support import postgres
from tests.support.ceremony import SUPERVISOR, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.faulty_proxy import FaultyProxy, Pair, faulty_proxy
from tests.support.shell import SESSION, Bell

COMMIT = b"COMMIT;"
CUTS = int(os.environ.get("KAIBIAO_CUTS", "100"))
"""A thousand take minutes: `make test-cuts`."""

Act = Callable[[Pair], Awaitable[bool]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appender, "BREATH", 0.001)


@asynccontextmanager
async def a_hall_behind_a_proxy(folder: Path) -> AsyncIterator[tuple[Sessions, FaultyProxy, Bell]]:
    cluster = postgres.cluster()
    name = cluster.database(folder)
    async with faulty_proxy(cluster.socket) as proxy:
        database, clock, bell = Database(cluster.url(name, port=proxy.port)), FakeClock(), Bell()
        sessions = Sessions(stores(database, folder, clock), clock=clock, announcer=bell)
        await sessions.create(a_plan())
        try:
            yield sessions, proxy, bell
        finally:
            proxy.up.well()
            await sessions.close()
            await database.close()


def next_time(proxy: FaultyProxy, act: Act) -> None:
    """Let ``act`` happen to the next COMMIT, and to no other."""

    async def once(pair: Pair) -> bool:
        proxy.up.watchers.clear()
        return await act(pair)

    proxy.up.when(COMMIT, once)


async def test_cuts_at_the_commit_double_nothing_and_lose_nothing(tmp_path: Path) -> None:
    async with a_hall_behind_a_proxy(tmp_path) as (sessions, proxy, bell):
        told: dict[str, int] = {}
        for count in range(CUTS):
            next_time(proxy, proxy.cut_after_answer if count % 2 else proxy.cut_before)
            key = f"key-{count}" if count % 4 < 2 else None  # the hall's own commands have none
            [record] = await sessions.handle(SESSION, Note(text=f"note {count}"), SUPERVISOR, key)
            told[f"note {count}"] = record.number
        assert proxy.cuts == CUTS
        log = await sessions.events(SESSION)
    assert check(Head(), log).number == len(log)
    notes = [(r.event.private["text"], r.number) for r in log if isinstance(r.event, SupervisorNoted)]
    assert len(notes) == CUTS
    assert dict(notes) == told
    assert [record.number for record in bell.rung] == list(range(1, len(log) + 1))  # announced once, in order


async def test_everybody_in_a_batch_that_was_cut_is_told_the_same_as_the_log(tmp_path: Path) -> None:
    async with a_hall_behind_a_proxy(tmp_path) as (sessions, proxy, _):
        for act in (proxy.cut_after_answer, proxy.cut_before):
            next_time(proxy, act)
            answers = await asyncio.gather(
                *(sessions.handle(SESSION, Note(text=f"{act.__name__} {n}"), SUPERVISOR) for n in range(20))
            )
            log = {record.number: record for record in await sessions.events(SESSION)}
            assert all(log[record.number] == record for [record] in answers)
        assert proxy.cuts == 2
        assert len(log) == 1 + 40


async def test_a_commit_that_is_still_under_way_is_waited_for_before_it_is_judged(tmp_path: Path) -> None:
    """The hall gives the answer up while the server has not even got the COMMIT: it comes late, and counts."""
    async with a_hall_behind_a_proxy(tmp_path) as (sessions, proxy, _):
        late: list[bytes] = []

        async def hold(pair: Pair) -> bool:
            pair.client.transport.abort()  # the hall's end is dead; the server's goes on
            await asyncio.sleep(0.3)
            pair.server.write(b"Q\0\0\0\x0cCOMMIT;\0")
            late.append(COMMIT)
            await asyncio.sleep(0.2)
            return False

        next_time(proxy, hold)
        [record] = await sessions.handle(SESSION, Note(text="late"), SUPERVISOR)
        log = await sessions.events(SESSION)
        assert late
        assert [r.number for r in log if isinstance(r.event, SupervisorNoted)] == [record.number]


async def test_while_the_database_is_away_callers_are_told_to_ask_again_and_the_same_key_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_hall_behind_a_proxy(tmp_path) as (sessions, proxy, _):

        async def gone(pair: Pair) -> bool:
            proxy.refuses = True
            return await proxy.cut_after_answer(pair)

        next_time(proxy, gone)
        with pytest.raises(Unanswered):
            await sessions.handle(SESSION, Note(text="once"), SUPERVISOR, "key")
        proxy.refuses = False
        [record] = await sessions.handle(SESSION, Note(text="once"), SUPERVISOR, "key")
        log = await sessions.events(SESSION)
        assert [r.number for r in log if isinstance(r.event, SupervisorNoted)] == [record.number]


async def test_a_connection_that_falls_silent_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "ANSWER_SECONDS", 0.3)
    async with a_hall_behind_a_proxy(tmp_path) as (sessions, proxy, _):

        async def silence(pair: Pair) -> bool:
            pair.mute = True
            return True

        next_time(proxy, silence)
        [record] = await sessions.handle(SESSION, Note(text="once"), SUPERVISOR)
        log = await sessions.events(SESSION)
        assert [r.number for r in log if isinstance(r.event, SupervisorNoted)] == [record.number]
