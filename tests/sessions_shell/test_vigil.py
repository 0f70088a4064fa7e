"""The hall watches over itself: what it finds comes ahead of everything that fell due meanwhile."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sessions.acts.submission import Refused
from sessions.commands import Approve, Resume
from sessions.errors import CommandRefused
from sessions.events import Stream
from sessions.opening import Status
from sessions.watch.health import State
from sessions.watch.vigil import Vigil
from tests.support.ceremony import DEPUTY, HOST, MINUTE, SECOND, SUPERVISOR, T0, a_plan
from tests.support.set_clock import Room, SetClock, over
from tests.support.shell import SESSION, Shell, a_bid_for_this, a_shell, pieces, the_actor

DAY = timedelta(days=1)


async def announced(hall: Shell, clock: SetClock, vigil: Vigil) -> None:
    """Three bids are in, the staff are in the room, five seconds are left until T0."""
    await hall.sessions.create(a_plan())
    for name in ("甲公司", "乙公司", "丙公司"):
        await hall.submit(a_bid_for_this(name))
    await alive(clock, vigil, T0 - 3 * MINUTE)
    await hall.host_takes_over_the_room()
    await alive(clock, vigil, T0 - 5 * SECOND)


async def alive(clock: SetClock, vigil: Vigil, until: object) -> None:
    """Let time pass with the hall at work."""
    while clock.now() < until:  # type: ignore[operator]  # a datetime
        clock.advance(min(20 * SECOND, until - clock.now()))  # type: ignore[operator]
        await vigil.recover()


async def going_on(hall: Shell) -> None:
    number = len((await hall.state()).proposals) + 1
    await hall.sessions.handle(SESSION, Resume(reason="恢复正常"), HOST)
    await hall.sessions.handle(SESSION, Approve(proposal=number), SUPERVISOR)


async def a_late_try(hall: Shell) -> str:
    late = a_bid_for_this("迟到公司")
    try:
        await hall.submissions.begin(SESSION, the_actor(late.bidder), len(late.data))
    except (CommandRefused, Refused) as refused:
        return refused.code
    return "taken"


@pytest.fixture
def clock() -> SetClock:
    return SetClock(T0 - 4 * MINUTE)


async def test_a_hall_that_works_closes_at_t0(tmp_path: Path, clock: SetClock) -> None:
    made: list[Vigil] = []
    async with a_shell(tmp_path, clock, watched=over(clock, made)) as hall:
        await announced(hall, clock, made[0])
        clock.set(T0 + SECOND)
        assert await a_late_try(hall) == "late"
        assert (await hall.state()).frozen is not None
        assert "OutageBegan" not in await hall.log()


async def test_a_stall_of_ten_seconds_at_t0_is_no_outage_and_lets_nobody_in(tmp_path: Path, clock: SetClock) -> None:
    made: list[Vigil] = []
    async with a_shell(tmp_path, clock, watched=over(clock, made)) as hall:
        await announced(hall, clock, made[0])
        clock.advance(15 * SECOND)  # nothing ran since five seconds before T0
        assert await a_late_try(hall) == "late"
        frozen = (await hall.state()).frozen
        assert frozen is not None
        assert (frozen.at, frozen.received) == (T0, 3)


async def test_when_the_hall_was_out_across_t0_nothing_closes_and_t0_moves(tmp_path: Path, clock: SetClock) -> None:
    made: list[Vigil] = []
    async with a_shell(tmp_path, clock, watched=over(clock, made)) as hall:
        await announced(hall, clock, made[0])
        clock.advance(60 * SECOND)  # no sign of life was kept: the database was away, or the machine slept
        assert await a_late_try(hall) == "intake_held"
        assert (await hall.state()).frozen is None
        assert await a_late_try(hall) == "intake_held"
        assert (await hall.log())[-2:] == ["OutageBegan", "OutageEnded"]
        await going_on(hall)
        o = await hall.state()
        assert o.t0 >= clock.now() + 2 * 60 * MINUTE
        assert await a_late_try(hall) == "taken"
        assert (await hall.log(Stream.INTAKE))[-2:] == ["IntakeHeld", "IntakeFreed"]
        await alive(clock, made[0], o.t0 - SECOND)
        await hall.submit(a_bid_for_this("迟到公司"))
        await alive(clock, made[0], o.t0 + SECOND)
        await hall.sessions.settle(SESSION)
        await hall.work_done()
        frozen = (await hall.state()).frozen
        assert frozen is not None
        assert (frozen.at, frozen.received) == (o.t0, 4)


async def test_an_outage_that_is_noticed_a_moment_after_an_act_began_is_told_once(
    tmp_path: Path, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever decides took its moment before it asked, or another worker noticed meanwhile."""
    made: list[Vigil] = []
    async with a_shell(tmp_path, clock, watched=over(clock, made)) as hall:
        await announced(hall, clock, made[0])

        def a_moment_later() -> datetime:
            clock.advance(SECOND / 100)
            return clock.now()

        monkeypatch.setattr(made[0], "_now", a_moment_later)
        clock.advance(60 * SECOND)
        for _ in range(3):
            await hall.sessions.settle(SESSION)
        log = await hall.log()
        assert (log.count("OutageBegan"), log.count("OutageEnded")) == (1, 1)


async def test_a_clock_that_was_set_stops_the_opening_in_the_same_breath(tmp_path: Path, clock: SetClock) -> None:
    made: list[Vigil] = []
    async with a_shell(tmp_path, clock, watched=over(clock, made)) as hall:
        await announced(hall, clock, made[0])
        clock.step(-DAY)
        clock.advance(10 * SECOND)
        await hall.sessions.settle(SESSION)
        o = await hall.state()
        assert o.hall.clock_unsafe
        assert o.frozen is None
        assert await a_late_try(hall) == "intake_held"
        await made[0].recover()
        clock.step(DAY)
        await made[0].recover()
        await hall.sessions.settle(SESSION)
        assert not (await hall.state()).hall.clock_unsafe
        await going_on(hall)
        assert (await hall.state()).t0 > clock.now()
        assert [(one.kind, one.reasons) for one in await made[0].incidents()][-1] == ("clock", ("stepped",))


async def test_a_bid_that_was_here_before_t0_is_taken_though_the_clock_was_set_meanwhile(
    tmp_path: Path, clock: SetClock
) -> None:
    made: list[Vigil] = []
    async with a_shell(tmp_path, clock, watched=over(clock, made)) as hall:
        await announced(hall, clock, made[0])
        clock.step(300 * SECOND)
        await hall.submit(a_bid_for_this("准时公司"))
        assert len((await hall.sessions.intake(SESSION)).bids) == 4


async def test_a_hall_that_was_down_for_an_hour_settles_nothing_of_it(tmp_path: Path, clock: SetClock) -> None:
    made: list[Vigil] = []
    async with a_shell(tmp_path, clock, watched=over(clock, made)) as hall:
        await announced(hall, clock, made[0])
    clock.advance(60 * MINUTE)
    async with a_shell(tmp_path, clock, watched=over(clock, made, name="w2")) as hall:
        o = await hall.state()
        assert (o.frozen, o.hall.outage, o.stopped) == (None, None, True)
        assert [one.reasons for one in await made[1].incidents()][-1] == ("gap",)


async def test_an_opening_that_failed_at_t0_is_closed_though_the_hall_went_out_right_after_it(
    tmp_path: Path, clock: SetClock
) -> None:
    made: list[Vigil] = []
    async with a_shell(tmp_path, clock, watched=over(clock, made)) as hall:
        await hall.sessions.create(a_plan())
        await hall.submit(a_bid_for_this("甲公司"))  # one, and the pack asks for three
        await alive(clock, made[0], T0 + 2 * SECOND)  # nothing was settled: the disk was slow
    clock.advance(60 * SECOND)
    async with a_shell(tmp_path, clock, watched=over(clock, made, name="w2")) as hall:
        o = await hall.state()
        assert (o.status, o.at) == (Status.FAILED, T0)
        assert (await hall.sessions.intake(SESSION)).closed
        assert [one.reasons for one in await made[1].incidents()] == [("gap",)]


async def test_a_hall_that_was_set_back_a_day_and_restarted_knows_it_by_its_own_log(
    tmp_path: Path, clock: SetClock
) -> None:
    made: list[Vigil] = []
    async with a_shell(tmp_path, clock, watched=over(clock, made)) as hall:
        await announced(hall, clock, made[0])
    earlier = SetClock(clock.now() - DAY)
    async with a_shell(tmp_path, earlier, watched=over(earlier, made, name="w2")) as hall:
        await hall.sessions.settle(SESSION)
        assert (await hall.state()).hall.clock_unsafe
        last = (await hall.sessions.events(SESSION))[-1]
        assert last.at >= T0 - 4 * MINUTE  # recorded times never go back


async def test_a_worker_that_slept_believes_the_others_that_did_not(tmp_path: Path, clock: SetClock) -> None:
    made: list[Vigil] = []
    async with a_shell(tmp_path, clock, watched=over(clock, made)) as hall:
        await announced(hall, clock, made[0])
        other = over(clock, made, name="w2")(hall.database)
        for _ in range(3):
            clock.advance(20 * SECOND)
            await other.recover()
        assert await a_late_try(hall) == "late"
        assert "OutageBegan" not in await hall.log()


async def test_an_opening_far_ahead_hears_nothing_of_it(tmp_path: Path, clock: SetClock) -> None:
    made: list[Vigil] = []
    early = SetClock(T0 - 10 * DAY)
    async with a_shell(tmp_path, early, watched=over(early, made)) as hall:
        await hall.sessions.create(a_plan())
        early.advance(DAY)
        await hall.sessions.settle(SESSION)
        assert await hall.log() == ["SessionScheduled"]


async def test_everybody_cut_off_at_once_is_an_outage_until_they_are_back(tmp_path: Path, clock: SetClock) -> None:
    made: list[Vigil] = []
    room = Room()
    async with a_shell(tmp_path, clock, watched=over(clock, made, room)) as hall:
        await announced(hall, clock, made[0])
        room.present = 12
        await made[0].recover()
        room.present = 1
        clock.advance(2 * SECOND)
        await made[0].recover()
        await hall.sessions.settle(SESSION)
        assert (await hall.state()).hall.outage is not None
        with pytest.raises(CommandRefused, match="hall_down"):
            await hall.sessions.handle(SESSION, Resume(reason="恢复正常"), DEPUTY)
        room.present = 11
        clock.advance(2 * SECOND)
        await made[0].recover()
        await hall.sessions.settle(SESSION)
        assert (await hall.state()).hall.outage is None
        began = next(r.event for r in await hall.sessions.events(SESSION) if type(r.event).__name__ == "OutageBegan")
        assert "12" not in str(began)  # nothing that is said of it tells how many there were


async def test_people_who_leave_after_the_end_are_missed_by_nobody(tmp_path: Path, clock: SetClock) -> None:
    made: list[Vigil] = []
    room = Room()
    async with a_shell(tmp_path, clock, watched=over(clock, made, room)) as hall:
        await announced(hall, clock, made[0])
        room.present = 12
        await made[0].recover()
        room.present, room.over = 0, True
        clock.advance(2 * SECOND)
        await made[0].recover()
        assert await made[0].incidents() == ()
        assert made[0].judgement.state is State.HEALTHY


async def test_a_bid_that_was_cut_off_by_the_outage_can_be_finished_after_t0_moved(
    tmp_path: Path, clock: SetClock
) -> None:
    made: list[Vigil] = []
    async with a_shell(tmp_path, clock, watched=over(clock, made)) as hall:
        await announced(hall, clock, made[0])
        bid = a_bid_for_this("半途公司")
        actor = the_actor(bid.bidder)
        upload = await hall.submissions.begin(SESSION, actor, len(bid.data))
        await hall.submissions.receive(SESSION, upload.id, actor, 0, pieces(bid.data[:1000]))
        clock.advance(90 * SECOND)
        with suppress(CommandRefused):
            await hall.submissions.receive(SESSION, upload.id, actor, 1000, pieces(bid.data[1000:]))
        assert len((await hall.sessions.intake(SESSION)).bids) == 3
        await going_on(hall)
        done = await hall.submissions.receive(SESSION, upload.id, actor, 1000, pieces(bid.data[1000:]))
        assert done.answer is not None
        assert done.answer.code is None
