"""The hall stops by itself: nothing is settled for time in which nobody could act, and T0 lets nobody in late."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions import events as e
from sessions.commands import (
    Abort,
    Approve,
    CheckClock,
    CloseIntake,
    DoubtClock,
    Pause,
    Postpone,
    RecordOutage,
    RecordRecovery,
    Resume,
    TakeChair,
    TrustClock,
)
from sessions.errors import CommandRefused
from sessions.opening import next_due
from sessions.plan import ClockTerms, Resumes
from sessions.roles import CLOCK
from tests.support.ceremony import (
    DEPUTY,
    HOST,
    MINUTE,
    MS,
    SECOND,
    SUPERVISOR,
    T0,
    A,
    Ceremony,
    a_plan,
    a_release,
    a_sealed_bid,
    closing,
)

DAY = timedelta(days=1)


def out(c: Ceremony, since: timedelta, length: timedelta) -> Ceremony:
    """The hall was out from ``since`` after now on, and notices it when it is back."""
    began = c.now + since
    c.now = began + length
    c.send(RecordOutage(began=began, noticed_at=c.now, reasons=("gap",), votes={"silent_s": "60"}), CLOCK)
    c.send(RecordRecovery(), CLOCK)
    return c


def going_on(c: Ceremony) -> list[e.Event]:
    c.send(Resume(reason="恢复正常"), HOST, c.now + SECOND)
    return c.send(Approve(proposal=len(c.it.proposals)), SUPERVISOR, c.now + SECOND)


def in_the_room() -> Ceremony:
    c = Ceremony()
    c.tick(T0 - 30 * MINUTE)
    for who in (HOST, DEPUTY, SUPERVISOR):
        c.send(TakeChair(), who)
    return c


def test_what_fell_due_while_the_hall_was_out_is_not_settled() -> None:
    c = Ceremony().decrypting()
    end = c.it.due
    assert end is not None
    out(c, 29 * MINUTE, 10 * MINUTE)
    assert c.now > end
    assert c.it.barrier is None
    assert next_due(c.it) is None


def test_what_was_due_before_the_outage_is_settled_first() -> None:
    c = Ceremony().decrypting()
    out(c, 31 * MINUTE, 10 * MINUTE)
    assert c.it.barrier is not None
    assert c.it.barrier.missing
    assert c.it.hold is not None


def test_a_window_is_longer_by_just_the_time_that_was_lost() -> None:
    c = Ceremony().decrypting()
    end, began = c.it.due, c.now + 5 * MINUTE
    out(c, 5 * MINUTE, 40 * MINUTE)
    going_on(c)
    assert end is not None
    assert c.it.due == end + (c.now - began)


def test_a_window_that_was_nearly_over_has_the_notice_left() -> None:
    c = Ceremony().decrypting()
    out(c, 30 * MINUTE - SECOND, MINUTE)
    going_on(c)
    assert c.it.due == c.now + 10 * MINUTE


def test_no_key_is_taken_while_the_hall_stands_still_and_afterwards_it_is() -> None:
    c = Ceremony().decrypting()
    out(c, 29 * MINUTE, 10 * MINUTE)
    with pytest.raises(CommandRefused, match="held"):
        c.send(a_release(A), A)
    going_on(c)
    assert [type(event) for event in c.send(a_release(A), A)] == [e.KeyReleased]


def test_to_go_on_takes_host_and_supervisor() -> None:
    c = out(in_the_room(), MINUTE, MINUTE)
    with pytest.raises(CommandRefused, match="text_missing"):
        c.send(Resume(), DEPUTY)
    c.send(Resume(reason="恢复正常"), DEPUTY)
    with pytest.raises(CommandRefused, match="same_person"):
        c.send(Approve(proposal=1), DEPUTY)
    with pytest.raises(CommandRefused, match="supervisor_wanted"):
        c.send(Approve(proposal=1), HOST)
    resumed = c.send(Approve(proposal=1), SUPERVISOR)[0]
    assert isinstance(resumed, e.SessionResumed)
    assert resumed.approved_by == SUPERVISOR.id
    assert c.facts[-1].actor == DEPUTY


def test_nobody_goes_on_before_the_hall_works_again() -> None:
    c = in_the_room()
    c.send(RecordOutage(began=c.now, noticed_at=c.now, reasons=("database",), votes={}), CLOCK)
    with pytest.raises(CommandRefused, match="hall_down"):
        c.send(Resume(reason="恢复正常"), DEPUTY)


def test_nobody_goes_on_while_the_clock_is_unsafe() -> None:
    c = in_the_room()
    c.send(DoubtClock(since=c.now, noticed_at=c.now, reason="stepped", by_ms=-86_400_000), CLOCK)
    with pytest.raises(CommandRefused, match="clock_unsafe"):
        c.send(Resume(reason="恢复正常"), DEPUTY)
    c.send(TrustClock(by_ms=0), CLOCK)
    assert isinstance(going_on(c)[0], e.SessionResumed)


def test_an_unsafe_clock_does_not_close_the_intake_and_t0_moves_when_they_go_on() -> None:
    c = in_the_room()
    c.tick(T0 - SECOND)
    c.send(DoubtClock(since=T0 - SECOND, noticed_at=T0, reason="offset", by_ms=5_000), CLOCK, T0)
    c.tick(T0 + 20 * MINUTE)
    assert c.it.frozen is None
    assert not c.it.step_complete
    c.send(TrustClock(by_ms=0), CLOCK)
    resumed = going_on(c)[0]
    assert isinstance(resumed, e.SessionResumed)
    assert resumed.t0 == c.it.t0 == c.it.due
    assert c.it.t0 >= c.now + 2 * 60 * MINUTE - SECOND
    assert c.it.t0.microsecond == 0
    assert [(move.old, move.new, move.approved_by) for move in c.it.moves] == [(T0, c.it.t0, SUPERVISOR.id)]


def test_no_stop_comes_between_t0_and_the_frozen_set() -> None:
    c = in_the_room()
    c.tick(T0)
    assert c.it.step_complete
    with pytest.raises(CommandRefused, match="not_due"):
        c.send(DoubtClock(since=c.now, noticed_at=c.now, reason="offset", by_ms=5_000), CLOCK)
    with pytest.raises(CommandRefused, match="not_due"):
        c.send(RecordOutage(began=c.now, noticed_at=c.now, reasons=("gap",), votes={}), CLOCK)


def test_a_t0_that_is_far_enough_stays_where_it_was_announced() -> None:
    c = in_the_room()
    out(c, MINUTE, 5 * MINUTE)
    resumed = going_on(c)[0]
    assert isinstance(resumed, e.SessionResumed)
    assert resumed.t0 is None
    assert c.it.t0 == T0


def test_a_pause_that_people_made_does_not_stop_t0_until_the_hall_stops_too() -> None:
    c = in_the_room()
    c.send(Pause(reason="停电"), DEPUTY)
    c.send(DoubtClock(since=c.now, noticed_at=c.now, reason="stepped", by_ms=9_000), CLOCK, T0 - MINUTE)
    c.tick(T0 + MINUTE)
    assert not c.it.step_complete
    assert c.it.hold is not None
    assert c.it.hold.by == DEPUTY


def test_a_stopped_session_can_be_put_off_and_aborted() -> None:
    c = in_the_room()
    c.send(DoubtClock(since=c.now, noticed_at=c.now, reason="stepped", by_ms=9_000), CLOCK)
    c.send(Postpone(t0=T0 + 24 * 60 * MINUTE, reason="时钟故障"), HOST, T0 + MINUTE)
    c.send(Approve(proposal=1), DEPUTY)
    assert c.it.t0 == T0 + 24 * 60 * MINUTE
    c.send(Abort(reason="改期"), HOST)
    c.send(Approve(proposal=2), DEPUTY)
    assert c.it.status == "aborted"


def test_before_anybody_has_come_a_stop_ends_by_itself() -> None:
    c = Ceremony()
    c.tick(T0 - DAY + MINUTE)
    out(c, MINUTE, MINUTE)
    lifted = c.now
    c.wait(5 * MINUTE)
    assert c.facts[-1].at == lifted + 5 * MINUTE
    assert c.facts[-1].actor == CLOCK
    assert c.it.hold is None
    assert c.it.t0 == T0


def test_a_t0_that_came_while_the_hall_was_away_before_anybody_had_come_moves_too() -> None:
    c = Ceremony()
    out(c, timedelta(), 2 * DAY)
    c.wait(5 * MINUTE)
    assert c.it.t0 == c.now + 2 * 60 * MINUTE
    assert c.it.status == "scheduled"
    c.tick(c.it.t0)
    assert c.it.status == "live"


def test_where_the_pack_says_so_the_clock_goes_on_after_an_outage_and_not_after_an_unsafe_clock() -> None:
    plan = a_plan()
    assert plan.pack.outage is not None
    auto = replace(plan, pack=replace(plan.pack, outage=replace(plan.pack.outage, resume=Resumes.AUTO)))
    c = Ceremony(auto).decrypting()
    out(c, MINUTE, MINUTE)
    c.wait(5 * MINUTE)
    assert c.it.hold is None
    c.send(DoubtClock(since=c.now, noticed_at=c.now, reason="stepped", by_ms=9_000), CLOCK)
    c.send(TrustClock(by_ms=0), CLOCK)
    c.wait(DAY)
    assert c.it.hold is not None


def test_a_second_outage_starts_the_healthy_time_anew() -> None:
    c = Ceremony()
    out(c, MINUTE, MINUTE)
    out(c, 2 * MINUTE, MINUTE)
    c.wait(5 * MINUTE - MS)
    assert c.it.hold is not None
    c.wait(MS)
    assert c.it.hold is None


def test_a_rehearsal_with_short_windows_waits_as_little() -> None:
    windows = {"checkin": 60, "draw": 10, "decrypt": 30, "confirm": 10, "objection": 10, "sign": 10}
    c = Ceremony(replace(a_plan(), windows={name: length * SECOND for name, length in windows.items()}))
    c.tick(T0 - 30 * SECOND)
    c.send(TakeChair(), HOST)
    c.send(DoubtClock(since=c.now, noticed_at=c.now, reason="stepped", by_ms=9_000), CLOCK)
    c.send(TrustClock(by_ms=0), CLOCK, T0)
    going_on(c)
    assert c.it.t0 == c.now + 120 * SECOND


def test_rules_of_an_earlier_version_know_no_stop() -> None:
    plan = a_plan()
    c = Ceremony(replace(plan, pack=replace(plan.pack, outage=None)))
    with pytest.raises(CommandRefused, match="no_outage_rule"):
        c.send(RecordOutage(began=c.now, noticed_at=c.now, reasons=("gap",), votes={}), CLOCK)


@pytest.mark.parametrize("reasons", [(), ("weather",), ("loop", "gap"), ("gap", "gap")])
def test_an_outage_has_known_reasons_in_their_order(reasons: tuple[str, ...]) -> None:
    c = Ceremony()
    with pytest.raises(CommandRefused, match="no_such_reason"):
        c.send(RecordOutage(began=c.now, noticed_at=c.now, reasons=reasons, votes={}), CLOCK)


# -- the clock at T0 ----------------------------------------------------------------------------------------------


SOURCES = ("ntp1.example:123", "ntp2.example:123", "ntp3.example:123")


def compared() -> CheckClock:
    return CheckClock(sources=SOURCES[:2], offset_ms=3, uncertainty_ms=12, measured_at=T0 - 20 * SECOND, steady=True)


def at_t0() -> tuple[Ceremony, CloseIntake]:
    c = Ceremony(replace(a_plan(), clock=ClockTerms(sources=SOURCES)))
    c.tick(T0)
    return c, closing(*(a_sealed_bid(who) for who in (A,)))


def test_the_set_is_frozen_only_with_what_the_sources_said_of_the_clock() -> None:
    c, command = at_t0()
    with pytest.raises(CommandRefused, match="wrong_clock_check"):
        c.send(command, CLOCK, T0 + SECOND)
    c.send(compared(), CLOCK, T0 + SECOND)
    with pytest.raises(CommandRefused, match="wrong_clock_check"):
        c.send(replace(command, clock_offset_ms=0), CLOCK)
    c.send(command, CLOCK)
    assert [fact.at for fact in c.facts if isinstance(fact.event, e.ClockChecked | e.SetFrozen)] == [T0, T0]
    assert c.it.clock is not None
    assert c.it.clock.sources == SOURCES[:2]


def test_silent_sources_are_told_and_hold_nothing_up() -> None:
    c, command = at_t0()
    silent = CheckClock(sources=(), offset_ms=None, uncertainty_ms=None, measured_at=None, steady=True)
    c.send(silent, CLOCK)
    c.send(replace(command, clock_offset_ms=None), CLOCK)
    assert c.it.frozen is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"sources": ("stranger.example:123",)},
        {"sources": (SOURCES[1], SOURCES[0])},
        {"sources": ()},
        {"offset_ms": None},
        {"measured_at": None},
        {"uncertainty_ms": -1},
    ],
)
def test_a_comparison_that_does_not_hold_together_is_refused(wrong: dict[str, object]) -> None:
    c, _ = at_t0()
    with pytest.raises(CommandRefused, match="wrong_clock_check"):
        c.send(replace(compared(), **wrong), CLOCK)  # type: ignore[arg-type]  # the names are those of its fields


def test_a_comparison_is_recorded_at_t0_and_once() -> None:
    c, _ = at_t0()
    c.send(compared(), CLOCK)
    assert c.send(compared(), CLOCK) == []
    early = Ceremony(replace(a_plan(), clock=ClockTerms(sources=SOURCES)))
    with pytest.raises(CommandRefused, match="not_live"):
        early.send(compared(), CLOCK)
    without = in_the_room()
    without.tick(T0)
    with pytest.raises(CommandRefused, match="no_clock_sources"):
        without.send(compared(), CLOCK)


@given(began=st.integers(0, 3_600), length=st.integers(1, 7_200), waits=st.integers(0, 600))
def test_whenever_the_hall_is_out_nobody_misses_a_window_for_it(began: int, length: int, waits: int) -> None:
    c = Ceremony().decrypting()
    entered = c.now
    out(c, began * SECOND, length * SECOND)
    if c.it.hold is not None and c.it.barrier is None:
        c.wait(waits * SECOND)
        going_on(c)
        assert c.it.due is not None
        c.tick(c.it.due)
    if c.it.barrier is None and c.it.due is not None:
        c.tick(c.it.due)
    assert c.it.barrier is not None
    lost = sum((past.until - past.hold.since for past in c.it.pauses), timedelta())
    assert c.it.barrier.at - entered - lost >= c.it.plan.windows["decrypt"]
