"""The service: many commands, one log, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from sessions.appender import PAGE
from sessions.chaining import Head, check
from sessions.commands import CheckIn, Note, Postpone, RecordLateBid, Schedule, TakeChair
from sessions.errors import CommandRefused, Overloaded, UnknownSession
from sessions.events import BidderCheckedIn, Recorded, Stream, SupervisorNoted, T0Moved
from sessions.ids import BidderId, Digest, Jws, SessionId
from sessions.plan_json import plan_to_json
from sessions.roles import CLOCK
from sessions.service import Sessions
from tests.support.ceremony import DEPUTY, HOST, MINUTE, MS, SECOND, SUPERVISOR, T0, A, B, C, a_bid, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.shell import SESSION, Bell, Shell, a_shell


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def hall(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Shell]:
    async with a_shell(tmp_path, clock) as shell:
        await shell.sessions.create(a_plan())
        yield shell


def numbers(records: tuple[Recorded, ...]) -> list[int]:
    return [record.number for record in records]


async def test_500_commands_at_once_are_numbered_without_a_gap(hall: Shell) -> None:
    sent = [hall.sessions.handle(SESSION, Note(text=str(n)), SUPERVISOR) for n in range(500)]
    results = await asyncio.gather(*sent)
    assert sorted(number for result in results for number in numbers(result)) == list(range(2, 502))
    log = await hall.sessions.events(SESSION)
    assert check(Head(), log).number == 501
    told = [record.event.private["text"] for record in log if isinstance(record.event, SupervisorNoted)]
    assert told == [str(n) for n in range(500)]


async def test_a_refused_command_breaks_nobody_elses(hall: Shell) -> None:
    refused, accepted = await asyncio.gather(
        hall.sessions.handle(SESSION, TakeChair(), HOST),
        hall.sessions.handle(SESSION, Note(text="noted"), SUPERVISOR),
        return_exceptions=True,
    )
    assert isinstance(refused, CommandRefused)
    assert not isinstance(accepted, BaseException)
    assert numbers(accepted) == [2]


async def test_two_processes_on_one_database_cannot_fork_the_log(tmp_path: Path, hall: Shell) -> None:
    async with a_shell(tmp_path, hall.clock) as other:
        for turn in range(20):
            await asyncio.gather(
                hall.sessions.handle(SESSION, Note(text=f"here {turn}"), SUPERVISOR),
                other.sessions.handle(SESSION, Note(text=f"there {turn}"), SUPERVISOR),
            )
        log = await hall.sessions.events(SESSION)
        assert check(Head(), log).number == 41
        hall.sessions.forget(SESSION)
        other.sessions.forget(SESSION)
        assert await hall.state() == await other.state()


async def test_a_key_gives_the_same_answer_again(hall: Shell) -> None:
    first = await hall.sessions.handle(SESSION, Note(text="once"), SUPERVISOR, "key-1")
    again = await hall.sessions.handle(SESSION, Note(text="once"), SUPERVISOR, "key-1")
    assert first == again
    assert len(await hall.sessions.events(SESSION)) == 2


async def test_a_key_gives_the_same_answer_after_a_restart(tmp_path: Path, hall: Shell) -> None:
    first = await hall.sessions.handle(SESSION, Note(text="once"), SUPERVISOR, "key-1")
    async with a_shell(tmp_path, hall.clock) as restarted:
        assert await restarted.sessions.handle(SESSION, Note(text="once"), SUPERVISOR, "key-1") == first


async def test_a_key_sent_twice_at_once_acts_once(hall: Shell) -> None:
    sent = (hall.sessions.handle(SESSION, Note(text="once"), SUPERVISOR, "key-1") for _ in range(5))
    results = await asyncio.gather(*sent)
    assert len(set(map(tuple, map(numbers, results)))) == 1
    assert len(await hall.sessions.events(SESSION)) == 2


async def test_a_refusal_stays_a_refusal_under_its_key(hall: Shell, clock: FakeClock) -> None:
    for now in (clock.now(), T0 - 30 * MINUTE):  # at the second time it would be accepted
        clock.set(now)
        with pytest.raises(CommandRefused) as caught:
            await hall.sessions.handle(SESSION, TakeChair(), HOST, "key-1")
        assert caught.value.code == "room_not_open"
    await hall.sessions.handle(SESSION, TakeChair(), HOST, "key-2")


async def test_a_key_cannot_be_used_for_something_else(hall: Shell) -> None:
    await hall.sessions.handle(SESSION, Note(text="once"), SUPERVISOR, "key-1")
    with pytest.raises(CommandRefused) as caught:
        await hall.sessions.handle(SESSION, Note(text="twice"), SUPERVISOR, "key-1")
    assert caught.value.code == "idempotency_key_reused"


async def test_nobody_can_use_up_anothers_key(hall: Shell, clock: FakeClock) -> None:
    clock.set(T0 - 30 * MINUTE)
    first = await hall.sessions.handle(SESSION, TakeChair(), HOST, "key-1")
    second = await hall.sessions.handle(SESSION, TakeChair(), DEPUTY, "key-1")
    assert numbers(first) != numbers(second)


async def test_a_late_bid_is_refused_though_the_timekeeper_slept(hall: Shell, clock: FakeClock) -> None:
    await hall.sessions.handle(SESSION, a_bid(A), A)
    clock.set(T0 - MS)
    await hall.sessions.handle(SESSION, a_bid(B), B)
    clock.set(T0)
    with pytest.raises(CommandRefused) as caught:
        await hall.sessions.handle(SESSION, a_bid(C), C)
    assert caught.value.code == "late"
    frozen = (await hall.state()).frozen
    assert frozen is not None
    assert (frozen.received, frozen.at) == (2, T0)
    assert (await hall.log(Stream.INTAKE))[-1] == "IntakeClosed"


async def test_nothing_comes_between_t0_and_the_frozen_set(hall: Shell, clock: FakeClock) -> None:
    for who in (A, B, C):
        await hall.sessions.handle(SESSION, a_bid(who), who)
    clock.set(T0 + 5 * SECOND)
    late = RecordLateBid(bidder=BidderId(B.id), name=B.name, slip_sha256=Digest("0" * 64), code="late")
    await asyncio.gather(*(hall.sessions.handle(SESSION, Note(text=str(n)), SUPERVISOR) for n in range(3)))
    await hall.sessions.handle(SESSION, late, CLOCK)
    log = await hall.sessions.events(SESSION)
    kinds = [type(record.event).__name__ for record in log]
    assert kinds.index("SetFrozen") < kinds.index("SupervisorNoted")
    assert log[kinds.index("SetFrozen")].at == T0


async def test_check_in_goes_to_the_secret_stream_before_t0_and_to_the_public_one_after(
    hall: Shell, clock: FakeClock
) -> None:
    for who in (A, B, C):
        await hall.sessions.handle(SESSION, a_bid(who), who)
    clock.set(T0 - 10 * MINUTE)
    (early,) = await hall.sessions.handle(SESSION, CheckIn(bidder=BidderId(A.id), statement=Jws("a")), A)
    clock.set(T0 + SECOND)
    (late,) = await hall.sessions.handle(SESSION, CheckIn(bidder=BidderId(B.id), statement=Jws("b")), B)
    assert isinstance(early.event, BidderCheckedIn)
    assert isinstance(late.event, BidderCheckedIn)
    assert (early.stream, late.stream) == (Stream.INTAKE, Stream.OPENING)
    assert not [record for record in hall.bell.rung if record.stream is Stream.INTAKE]


async def test_a_postponement_moves_t0_in_both_streams(tmp_path: Path, clock: FakeClock) -> None:
    async with a_shell(tmp_path, clock) as hall:
        plan = a_plan()
        await hall.sessions.create(replace(plan, pack=replace(plan.pack, two_person=frozenset())))
        later = T0 + 60 * MINUTE
        await hall.sessions.handle(SESSION, Postpone(t0=later, reason="documents changed"), HOST)
        for stream in (Stream.OPENING, Stream.INTAKE):
            moved = [r.event.new for r in await hall.sessions.events(SESSION, stream) if isinstance(r.event, T0Moved)]
            assert moved == [later]
        clock.set(T0 + MINUTE)
        assert numbers(await hall.sessions.handle(SESSION, a_bid(A), A)) == [3]


async def test_an_announcement_that_fails_loses_nothing(tmp_path: Path) -> None:
    class Broken(Bell):
        def announce(self, session: SessionId, records: tuple[Recorded, ...]) -> None:
            raise RuntimeError("the bell is broken")

    async with a_shell(tmp_path) as hall:
        await hall.sessions.create(a_plan())
        deaf = Sessions(hall.stores, clock=hall.clock, announcer=Broken())
        assert numbers(await deaf.handle(SESSION, Note(text="kept"), SUPERVISOR)) == [2]
        assert numbers(await deaf.handle(SESSION, Note(text="and on"), SUPERVISOR)) == [3]
        assert [note.text for note in (await deaf.state(SESSION)).notes] == ["kept", "and on"]
        await deaf.close()


@pytest.mark.parametrize("length", [PAGE - 1, PAGE, PAGE + 1, 2 * PAGE])
async def test_a_log_of_any_length_is_read_whole(hall: Shell, length: int) -> None:
    notes = (hall.sessions.handle(SESSION, Note(text=str(n)), SUPERVISOR) for n in range(length - 1))
    await asyncio.gather(*notes)
    other = Sessions(hall.stores, clock=hall.clock, announcer=Bell())
    assert len((await other.state(SESSION)).notes) == length - 1
    await other.close()


async def test_memory_equals_what_the_log_adds_up_to(tmp_path: Path, hall: Shell, clock: FakeClock) -> None:
    for who in (A, B, C):
        await hall.sessions.handle(SESSION, a_bid(who), who)
    clock.set(T0 - 30 * MINUTE)
    await hall.host_takes_over_the_room()
    clock.set(T0 + SECOND)
    await hall.sessions.settle(SESSION)
    await hall.work_done()
    async with a_shell(tmp_path, clock, start=False) as other:
        assert await other.state() == await hall.state()
        assert await other.sessions.intake(SESSION) == await hall.sessions.intake(SESSION)


async def test_an_unknown_session_is_unknown_and_leaves_no_trace(hall: Shell) -> None:
    unknown = SessionId("made-up")
    with pytest.raises(UnknownSession):
        await hall.sessions.handle(unknown, Note(text="?"), SUPERVISOR)
    with pytest.raises(UnknownSession):
        await hall.sessions.state(unknown)
    with pytest.raises(UnknownSession):
        await hall.sessions.summary(unknown)
    assert unknown not in hall.sessions._appenders


async def test_sessions_not_used_for_long_are_read_from_the_log_again(hall: Shell) -> None:
    small = Sessions(hall.stores, clock=hall.clock, announcer=Bell(), kept=2)
    plans = [replace(a_plan(), session=SessionId(f"gx-{number}")) for number in range(2, 6)]
    for plan in plans:
        await small.create(plan)
    assert list(small._appenders) == ["gx-4", "gx-5"]
    assert (await small.state(SessionId("gx-2"))).plan == plans[0]
    assert numbers(await small.handle(SessionId("gx-3"), Note(text="still here"), SUPERVISOR)) == [2]
    await small.close()


async def test_a_session_is_announced_once(hall: Shell) -> None:
    with pytest.raises(CommandRefused) as caught:
        await hall.sessions.create(a_plan())
    assert caught.value.code == "already_scheduled"


async def test_beyond_the_queue_callers_are_told_to_come_back(hall: Shell) -> None:
    small = Sessions(hall.stores, clock=hall.clock, announcer=Bell(), queue=3)
    sent = (small.handle(SESSION, Note(text=str(n)), SUPERVISOR) for n in range(5))
    results = await asyncio.gather(*sent, return_exceptions=True)
    assert [type(result) for result in results] == [tuple, tuple, tuple, Overloaded, Overloaded]
    assert len(await hall.sessions.events(SESSION)) == 4
    await small.close()


async def test_the_calendar_follows_the_log(hall: Shell, clock: FakeClock) -> None:
    (line,) = await hall.sessions.calendar()
    assert (line.status, line.step, line.t0, line.due) == ("scheduled", None, T0, T0 - 60 * MINUTE)
    assert line.plan == plan_to_json(a_plan())
    assert await hall.sessions.next_due() == T0 - 60 * MINUTE
    assert [due for _, due in await hall.sessions.falling_due() if due <= clock.now()] == []
    clock.set(T0)  # with no bid at all
    assert await hall.sessions.falling_due() == [(SESSION, T0 - 60 * MINUTE)]
    await hall.sessions.settle(SESSION)
    line = await hall.sessions.summary(SESSION)
    assert (line.status, line.due, line.ended_at) == ("failed", None, T0)
    assert await hall.sessions.next_due() is None


async def test_recorded_times_never_go_back(hall: Shell, clock: FakeClock) -> None:
    clock.set(T0 - 2 * MINUTE)
    await hall.sessions.handle(SESSION, Note(text="first"), SUPERVISOR)
    behind = Sessions(hall.stores, clock=FakeClock(T0 - 30 * MINUTE), announcer=Bell())
    await behind.handle(SESSION, Note(text="second, by a clock that is behind"), SUPERVISOR)
    moments = [record.at for record in await hall.sessions.events(SESSION)]
    assert moments == sorted(moments)


async def test_the_first_command_must_found_the_session(tmp_path: Path) -> None:
    async with a_shell(tmp_path) as hall:
        with pytest.raises(UnknownSession):
            await hall.sessions.handle(SESSION, Note(text="?"), SUPERVISOR)
        (founded, opened) = await hall.sessions.handle(SESSION, Schedule(plan=plan_to_json(a_plan())), CLOCK)
        assert (founded.stream, opened.stream) == (Stream.OPENING, Stream.INTAKE)
