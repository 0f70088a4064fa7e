"""T0, foreseen and acted on: for one session, and for several at one moment."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sessions.chaining import Head, check
from sessions.events import SetFrozen, Stream
from sessions.ids import SessionId
from sessions.opening import Opening
from sessions.plan import IntakeLog
from tests.support.ceremony import MS, SECOND, T0, A, B, a_bid, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.shell import SESSION, Shell, a_shell

LOG = IntakeLog(every=timedelta(hours=1), leaves=4)


async def told(hall: Shell) -> list[tuple[str, object]]:
    log = await hall.sessions.events(SESSION)
    assert check(Head(), log).number == len(log)
    return [(type(record.event).__name__, record.at) for record in log]


async def opened(folder: Path, *, foreseen: bool) -> list[tuple[str, object]]:
    async with a_shell(folder, clock := FakeClock()) as hall:
        await hall.sessions.create(a_plan(intake_log=LOG))
        await hall.sessions.handle(SESSION, a_bid(A), A)
        await hall.sessions.handle(SESSION, a_bid(B), B)
        clock.set(T0 - SECOND)
        await hall.sessions.settle(SESSION)
        if foreseen:
            assert await hall.sessions.ready(SESSION)
        clock.set(T0 + 40 * MS)
        await hall.sessions.settle(SESSION)
        return await told(hall)


async def test_what_was_foreseen_is_what_would_have_been_decided(tmp_path: Path) -> None:
    for name in ("ahead", "then"):
        (tmp_path / name).mkdir()
    ahead, then = [await opened(tmp_path / name, foreseen=name == "ahead") for name in ("ahead", "then")]
    assert ahead == then
    assert ("SetFrozen", T0) in ahead


async def test_nothing_is_kept_or_told_before_it_comes(tmp_path: Path) -> None:
    async with a_shell(tmp_path, clock := FakeClock()) as hall:
        await hall.sessions.create(a_plan(intake_log=LOG))
        clock.set(T0 - MS)
        await hall.sessions.settle(SESSION)
        before, rung = await told(hall), list(hall.bell.rung)
        assert await hall.sessions.ready(SESSION)
        await hall.sessions.settle(SESSION)
        assert await told(hall) == before
        assert hall.bell.rung == rung
        assert not (await hall.sessions.intake(SESSION)).closed


async def test_the_halls_are_told_ahead_of_the_very_records_that_are_announced(tmp_path: Path) -> None:
    async with a_shell(tmp_path, clock := FakeClock()) as hall:
        await hall.sessions.create(a_plan(intake_log=LOG))
        clock.set(T0 - SECOND)
        await hall.sessions.settle(SESSION)
        before = len(hall.bell.rung)
        await hall.sessions.ready(SESSION)
        clock.set(T0)
        await hall.sessions.settle(SESSION)
        announced = hall.bell.rung[before : before + len(hall.bell.foreseen)]
        assert any(isinstance(record.event, SetFrozen) for record in announced)
        assert [*map(id, announced)] == [*map(id, hall.bell.foreseen)]


@pytest.mark.parametrize("later", [a_bid(B), None])
async def test_a_bid_that_comes_after_it_was_foreseen_is_in_the_set(tmp_path: Path, later: object) -> None:
    async with a_shell(tmp_path, clock := FakeClock()) as hall:
        await hall.sessions.create(a_plan(intake_log=LOG))
        await hall.sessions.handle(SESSION, a_bid(A), A)
        clock.set(T0 - SECOND)
        await hall.sessions.ready(SESSION)
        if later is not None:
            await hall.sessions.handle(SESSION, a_bid(B), B)
        clock.set(T0)
        await hall.sessions.settle(SESSION)
        frozen = (await hall.state()).frozen
        assert frozen is not None
        assert frozen.received == (1 if later is None else 2)
        intake = await hall.sessions.events(SESSION, Stream.INTAKE)
        assert check(Head(), intake).digest == frozen.intake_head


async def test_what_follows_an_opening_time_waits_until_the_others_of_that_moment_are_announced(
    tmp_path: Path,
) -> None:
    names = [SessionId(f"gx-{number}") for number in range(1, 6)]
    async with a_shell(tmp_path, clock := FakeClock()) as hall:
        announced: list[set[SessionId]] = []

        def listener(session: SessionId, opening: Opening) -> None:
            if opening.frozen is not None:
                announced.append({one.session for one in hall.bell.rung if isinstance(one.event, SetFrozen)})

        for name in names:
            await hall.sessions.create(replace(a_plan(), session=name))
        hall.sessions.on_commit(listener)
        clock.set(T0)
        await asyncio.gather(*map(hall.sessions.settle, names))
        await hall.sessions.idle()
        assert announced[: len(names)] == [set(names)] * len(names)


async def test_a_hall_that_closes_at_an_opening_time_leaves_nothing_under_way(tmp_path: Path) -> None:
    names = [SessionId(f"gx-{number}") for number in range(1, 4)]
    async with a_shell(tmp_path, clock := FakeClock()) as hall:
        for name in names:
            await hall.sessions.create(replace(a_plan(), session=name))
        clock.set(T0)
        settling = [asyncio.create_task(hall.sessions.settle(name)) for name in names]
        await asyncio.sleep(0)
        await hall.sessions.close()
        await asyncio.gather(*settling, return_exceptions=True)
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "after T0"]
