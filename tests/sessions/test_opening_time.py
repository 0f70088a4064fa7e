"""Time: nothing early, nothing late, and a clock that stalls changes no moment of the record."""

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
    ExtendWindow,
    Pause,
    Postpone,
    Resume,
    TakeChair,
)
from sessions.errors import CommandRefused
from sessions.opening import FreezeSet, next_due, work_due
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
    B,
    C,
    Ceremony,
    a_release,
    a_sealed_bid,
    check_in,
    closing,
)


def test_a_key_one_millisecond_before_the_end_counts_and_one_at_the_end_does_not() -> None:
    c = Ceremony().decrypting()
    assert c.it.due is not None
    end = c.it.due
    c.send(a_release(A), A, end - MS)
    with pytest.raises(CommandRefused, match="window_closed"):
        c.send(a_release(B), B, end)


@given(late=st.timedeltas(min_value=timedelta(), max_value=timedelta(days=2)))
def test_a_late_tick_does_not_move_the_record(late: timedelta) -> None:
    late -= timedelta(microseconds=late.microseconds % 1000)
    c = Ceremony()
    c.tick(T0 + late)
    assert [(fact.at, type(fact.event)) for fact in c.facts[1:]] == [
        (T0 - 60 * MINUTE, e.StepEntered),
        (T0, e.StepCompleted),
    ]
    bids = [a_sealed_bid(who) for who in (A, B, C)]
    c.send(closing(*bids), CLOCK, T0 + late + SECOND)
    assert all(fact.at == T0 for fact in c.facts if isinstance(fact.event, e.SetFrozen | e.BiddersListed))


@given(stalls=st.lists(st.integers(min_value=0, max_value=5_000_000), min_size=1, max_size=6))
def test_however_the_clock_stalls_the_facts_are_those_of_a_punctual_one(stalls: list[int]) -> None:
    def ceremony() -> Ceremony:
        return Ceremony().decrypting().released(A, B)

    punctual, stalled = ceremony(), ceremony()
    end = punctual.now + timedelta(milliseconds=sum(stalls))
    while (due := next_due(punctual.it)) is not None and due <= end:
        punctual.tick(due)
    for stall in stalls:
        stalled.wait(timedelta(milliseconds=stall))
    assert punctual.facts == stalled.facts


def test_the_clock_has_nothing_left_to_do_after_a_tick() -> None:
    c = Ceremony().decrypting()
    assert c.it.due is not None
    c.tick(c.it.due + 10 * MINUTE)
    assert (due := next_due(c.it)) is None or due > c.now


def test_a_clock_that_goes_back_is_held_at_the_newest_event() -> None:
    c = Ceremony().decrypting().released(A)
    newest = c.it.at
    c.send(a_release(B), B, newest - MINUTE)
    assert c.facts[-1].at == newest


@given(
    before=st.integers(min_value=1, max_value=1_000_000),
    frozen=st.integers(min_value=0, max_value=10_000_000),
)
def test_a_pause_moves_the_deadline_by_exactly_the_time_it_lasted(before: int, frozen: int) -> None:
    c = Ceremony().decrypting()
    assert c.it.due is not None
    due = c.it.due
    c.send(Pause(reason="网络中断", incident=True), HOST, c.now + before * MS)
    assert next_due(c.it) is None
    assert c.tick(c.now + frozen * MS) == []
    c.send(Resume(), HOST)
    assert c.it.due == due + frozen * MS
    assert c.named(e.SessionResumed)[0].frozen_ms == frozen


def test_during_a_pause_the_window_cannot_run_out() -> None:
    c = Ceremony().decrypting().released(A, B)
    c.send(Pause(reason="停电", incident=True), SUPERVISOR)
    c.tick(c.now + 24 * 60 * MINUTE)
    assert not c.named(e.BarrierPassed)


def test_a_pause_during_the_read_out_moves_the_row_being_read() -> None:
    c = Ceremony().decrypting().released(A, B, C)
    c.open_bids()
    reading = c.it.reading()
    assert reading is not None
    began = reading[0]
    c.send(Pause(reason="听不清"), HOST, c.now + SECOND)
    c.send(Resume(), HOST, c.now + 20 * SECOND)
    reading = c.it.reading()
    assert reading is not None
    assert reading[0] == began + 20 * SECOND


def test_a_pause_before_t0_does_not_keep_the_set_from_being_frozen() -> None:
    c = Ceremony()
    c.tick(T0 - MINUTE)
    c.send(TakeChair(), HOST)
    c.send(Pause(reason="停电"), HOST)
    c.tick(T0 + MINUTE)
    assert work_due(c.it) == FreezeSet()
    c.send(closing(a_sealed_bid(A), a_sealed_bid(B)), CLOCK)
    assert c.named(e.SetFrozen)
    assert c.facts[-1].at == T0
    assert not c.named(e.OpeningFailed)  # no outcome while everything stands still
    c.send(Resume(), HOST, c.now + MINUTE)
    assert (type(c.events[-1]), c.facts[-1].at) == (e.OpeningFailed, c.now)


def test_t0_moves_later_by_two_persons_and_check_in_lasts_until_then() -> None:
    c = Ceremony()
    c.tick(T0 - 30 * MINUTE)
    later = T0 + 60 * MINUTE
    c.send(Postpone(t0=later, reason="澄清影响编制"), HOST)
    assert c.it.t0 == T0
    c.send(Approve(proposal=1), SUPERVISOR, c.now + SECOND)
    assert (c.it.t0, c.it.due, next_due(c.it)) == (later, later, later)
    moved = c.facts[-1]
    assert moved.event == e.T0Moved(old=T0, new=later, reason="澄清影响编制", approved_by=SUPERVISOR.id)
    assert moved.actor == HOST
    c.tick(later)
    assert (c.facts[-1].at, work_due(c.it)) == (later, FreezeSet())


def test_a_postponement_approved_too_late_is_refused() -> None:
    c = Ceremony()
    c.tick(T0 - 30 * MINUTE)
    c.send(Postpone(t0=T0 + 60 * MINUTE, reason="澄清"), HOST)
    with pytest.raises(CommandRefused, match="t0_passed"):
        c.send(Approve(proposal=1), SUPERVISOR, T0)


def test_a_session_can_be_postponed_while_it_is_paused() -> None:
    c = Ceremony()
    c.tick(T0 - 30 * MINUTE)
    c.send(Pause(reason="断网", incident=True), DEPUTY)
    c.send(Postpone(t0=T0 + 60 * MINUTE, reason="断网"), DEPUTY)
    c.send(Approve(proposal=1), HOST)
    assert c.it.t0 == T0 + 60 * MINUTE


def test_an_extension_moves_the_deadline_by_the_amount_of_the_pack() -> None:
    c = Ceremony().decrypting()
    assert c.it.due is not None
    due = c.it.due
    c.send(ExtendWindow(reason="网络拥堵"), HOST, due - MS)
    assert c.it.due == due + 10 * MINUTE
    c.send(a_release(A), A, due + MINUTE)
    assert not c.named(e.BarrierPassed)


def test_past_the_hosts_own_number_an_extension_needs_two_persons() -> None:
    c = Ceremony().decrypting()
    for _ in range(2):
        c.send(ExtendWindow(reason="拥堵"), HOST)
    due = c.it.due
    assert due is not None
    assert [type(event) for event in c.send(ExtendWindow(reason="拥堵"), HOST)] == [e.ActProposed]
    assert c.it.due == due
    c.send(Approve(proposal=1), DEPUTY)
    assert c.it.due == due + 10 * MINUTE
    assert c.it.proposals[0].state == "done"
    assert c.named(e.WindowExtended)[-1].approved_by == DEPUTY.id


def test_no_window_can_be_extended_after_its_end() -> None:
    c = Ceremony().decrypting().released(A, B)
    assert c.it.due is not None
    with pytest.raises(CommandRefused, match="no_window"):
        c.send(ExtendWindow(reason="太短"), HOST, c.it.due)


def test_where_the_pack_gives_no_extension_there_is_none() -> None:
    c = Ceremony().decrypting()
    rules = {**c.it.plan.pack.windows, "decrypt": replace(c.it.plan.pack.windows["decrypt"], extension=timedelta())}
    c.state = replace(c.it, plan=replace(c.it.plan, pack=replace(c.it.plan.pack, windows=rules)))
    with pytest.raises(CommandRefused, match="no_extension"):
        c.send(ExtendWindow(reason="太短"), HOST)


def test_an_abort_ends_everything_and_what_was_sealed_stays_sealed() -> None:
    c = Ceremony().decrypting().released(A)
    c.send(Abort(reason="主管部门要求"), HOST)
    c.send(Approve(proposal=1), SUPERVISOR)
    assert (c.it.status, c.it.phase, next_due(c.it), work_due(c.it)) == ("aborted", "decrypt", None, None)
    assert c.tick(c.now + 60 * MINUTE) == []


def test_nobody_checks_in_between_the_opening_time_and_the_list() -> None:
    c = Ceremony()
    c.tick(T0 - 30 * MINUTE)
    c.send(Pause(reason="停电", incident=True), SUPERVISOR)
    c.tick(T0)
    c.send(closing(a_sealed_bid(A), a_sealed_bid(B, checked_in=False)), CLOCK, T0 + 200 * MS)
    with pytest.raises(CommandRefused) as refused:
        c.send(check_in(B), B, T0 + SECOND)
    assert refused.value.code == "not_frozen"
