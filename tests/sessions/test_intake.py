"""Before T0: what is taken, what is refused, and what is frozen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions import events as e
from sessions import intake
from sessions.commands import Abort, CheckIn, IntakeCommand, Postpone, RefuseBid, Schedule, Tick, WithdrawBid
from sessions.errors import CommandRefused
from sessions.ids import BidderId, Jws
from sessions.intake import next_due, sealed_bids
from sessions.plan_json import plan_to_json
from sessions.roles import CLOCK, Actor
from tests.support.ceremony import HOST, MINUTE, MS, SECOND, T0, A, B, C, Intake, a_bid, a_plan, check_in


def withdrawal(who: Actor) -> WithdrawBid:
    return WithdrawBid(bidder=BidderId(who.id), statement=Jws("withdrawn"))


def refused(who: Actor) -> RefuseBid:
    return RefuseBid(bidder=BidderId(who.id), name=who.name, code="bad_signature", header_sha256=None)


def with_bids(*who: Actor) -> Intake:
    i = Intake()
    for one in who:
        i.send(a_bid(one), one, i.now + SECOND)
    return i


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("foreign_tender", {"sealed_tender": "another"}),
        ("foreign_lot", {"sealed_lot": "2"}),
        ("foreign_bidder", {"sealed_bidder": B.id}),
        ("wrong_deadline", {"deadline": T0 + SECOND}),
        ("wrong_deadline", {"deadline": T0 - SECOND}),
        ("not_yours", {"bidder": B.id, "sealed_bidder": B.id}),
    ],
)
def test_a_bid_that_is_not_for_here_is_refused(code: str, changes: dict[str, Any]) -> None:
    i = Intake()
    with pytest.raises(CommandRefused) as no:
        i.send(a_bid(A, **changes), A)
    assert no.value.code == code


def test_a_bid_one_millisecond_before_t0_is_in_and_one_at_t0_is_late() -> None:
    i = Intake()
    assert [type(event) for event in i.send(a_bid(A), A, T0 - MS)] == [e.BidReceived]
    with pytest.raises(CommandRefused, match="late"):
        i.send(a_bid(B), B, T0)
    assert [bid.bidder for bid in sealed_bids(i.it)] == [A.id]


@given(stall=st.integers(0, 5 * 3_600_000).map(lambda ms: ms * MS))
def test_a_stalled_clock_lets_nobody_in(stall: timedelta) -> None:
    i = Intake()
    with pytest.raises(CommandRefused, match="late"):
        i.send(a_bid(A), A, T0 + stall)
    i.send(Tick(), CLOCK, T0 + stall)
    assert (i.facts[-1].at, i.facts[-1].event) == (T0, e.IntakeClosed(received=0))
    assert next_due(i.it) is None


def test_the_same_file_twice_is_one_bid() -> None:
    i = with_bids(A)
    assert i.send(a_bid(A), A, i.now + SECOND) == []


def test_a_copy_of_anothers_file_is_refused() -> None:
    i = with_bids(A)
    stolen = replace(a_bid(B), header_sha256=a_bid(A).header_sha256)
    with pytest.raises(CommandRefused, match="foreign_bidder"):
        i.send(stolen, B)


def test_a_later_version_replaces_the_one_before_and_takes_its_own_place() -> None:
    i = with_bids(A, B)
    (event,) = i.send(a_bid(A, version=2), A, i.now + SECOND)
    assert isinstance(event, e.BidReceived)
    assert event.replaces == a_bid(A).header_sha256
    rows = sealed_bids(i.it)
    assert [(bid.bidder, bid.versions) for bid in rows] == [(B.id, 1), (A.id, 2)]
    assert rows[1].header_sha256 == a_bid(A, version=2).header_sha256


def test_a_sealed_bid_that_was_replaced_or_withdrawn_is_not_taken_again() -> None:
    i = Intake(replace(a_plan(), once=True))
    i.send(a_bid(A), A)
    assert i.send(a_bid(A), A, i.now + SECOND) == []  # it stands: the same receipt
    i.send(a_bid(A, version=2), A, i.now + SECOND)
    with pytest.raises(CommandRefused, match="sealed_before"):
        i.send(a_bid(A), A, i.now + SECOND)
    i.send(withdrawal(A), A)
    with pytest.raises(CommandRefused, match="sealed_before"):
        i.send(a_bid(A, version=2), A, i.now + SECOND)
    i.send(a_bid(A, version=3), A, i.now + SECOND)
    assert [bid.header_sha256 for bid in sealed_bids(i.it)] == [a_bid(A, version=3).header_sha256]


def test_bids_of_one_moment_stand_in_the_order_of_their_digests() -> None:
    i = Intake()
    for who in (A, B, C):
        i.send(a_bid(who), who)
    headers = [bid.header_sha256 for bid in sealed_bids(i.it)]
    assert headers == sorted(headers)


def test_a_withdrawn_bid_is_not_frozen_and_may_come_back() -> None:
    i = with_bids(A, B)
    i.send(withdrawal(A), A)
    assert [bid.bidder for bid in sealed_bids(i.it)] == [B.id]
    i.send(a_bid(A, version=2), A, i.now + SECOND)
    assert [(bid.bidder, bid.versions) for bid in sealed_bids(i.it)] == [(B.id, 1), (A.id, 2)]


def test_check_in_needs_a_bid_and_the_window() -> None:
    i = with_bids(A)
    with pytest.raises(CommandRefused, match="no_bid"):
        i.send(check_in(B), B, T0 - 30 * MINUTE)
    i = with_bids(A)
    with pytest.raises(CommandRefused, match="checkin_not_open"):
        i.send(check_in(A), A, T0 - 60 * MINUTE - MS)
    i.send(check_in(A), A, T0 - 60 * MINUTE)
    assert i.send(check_in(A), A, T0 - 59 * MINUTE) == []
    assert sealed_bids(i.it)[0].checked_in_at == T0 - 60 * MINUTE


def test_a_bid_sealed_for_an_earlier_t0_stays_good_after_a_postponement() -> None:
    i = Intake()
    later = T0 + 60 * MINUTE
    i.send(Postpone(t0=later, reason="澄清"), CLOCK)
    i.send(a_bid(A), A, T0 + MINUTE)
    i.send(a_bid(B, deadline=later), B, later - MS)
    with pytest.raises(CommandRefused, match="late"):
        i.send(a_bid(C), C, later)
    assert len(sealed_bids(i.it)) == 2


def test_a_check_in_window_that_is_open_stays_open_when_t0_moves() -> None:
    i = with_bids(A)
    i.send(Postpone(t0=T0 + 180 * MINUTE, reason="澄清"), CLOCK, T0 - 10 * MINUTE)
    assert [type(event) for event in i.send(check_in(A), A)] == [e.BidderCheckedIn]


@pytest.mark.parametrize("make", [a_bid, withdrawal, check_in])
def test_after_the_close_nothing_of_a_bid_changes(make: Callable[[Actor], IntakeCommand]) -> None:
    i = with_bids(A)
    i.send(Tick(), CLOCK, T0)
    with pytest.raises(CommandRefused, match="late"):
        i.send(make(A), A)
    i = with_bids(A)
    i.send(Abort(reason="终止"), CLOCK)
    assert i.send(Abort(reason="终止"), CLOCK) == []
    with pytest.raises(CommandRefused, match="closed"):
        i.send(make(A), A)


def test_what_was_no_bid_is_recorded_as_refused() -> None:
    i = with_bids(A)
    (event,) = i.send(refused(B), CLOCK)
    assert isinstance(event, e.BidRefused)
    assert [bid.bidder for bid in sealed_bids(i.it)] == [A.id]


@pytest.mark.parametrize(
    ("command", "actor"),
    [(refused(A), A), (Postpone(t0=T0 + MINUTE, reason="x"), HOST), (Abort(reason="x"), HOST), (a_bid(A), CLOCK)],
)
def test_each_part_keeps_to_its_own_commands(command: IntakeCommand, actor: Actor) -> None:
    with pytest.raises(CommandRefused, match="not_your_role"):
        with_bids(A).send(command, actor)


def test_an_intake_begins_with_the_announcement_and_only_once() -> None:
    plan = Schedule(plan=plan_to_json(a_plan()))
    with pytest.raises(CommandRefused, match="not_scheduled"):
        intake.decide(None, Tick(), CLOCK, T0 - MINUTE)
    with pytest.raises(CommandRefused, match="t0_passed"):
        intake.decide(None, plan, CLOCK, T0)
    with pytest.raises(CommandRefused, match="already_scheduled"):
        Intake().send(plan, CLOCK)


acts = st.lists(
    st.tuples(
        st.sampled_from([A, B, C]),
        st.sampled_from(["bid", "bid", "withdraw", "check in", "tick"]),
        st.integers(1, 3),
        st.integers(0, 40 * 60_000),
    ),
    max_size=25,
)


@given(acts=acts)
def test_what_is_frozen_is_what_came_before_t0_and_was_not_withdrawn(
    acts: list[tuple[Actor, str, int, int]],
) -> None:
    i = Intake(at=T0 - 120 * MINUTE)
    expected: dict[str, str] = {}
    for who, act, version, wait in acts:
        moment = i.now + wait * MS
        command: IntakeCommand
        match act:
            case "bid":
                command = a_bid(who, version)
            case "withdraw":
                command = withdrawal(who)
            case "check in":
                command = CheckIn(bidder=BidderId(who.id), statement=Jws("in"))
            case _:
                command = Tick()
        try:
            i.send(command, CLOCK if act == "tick" else who, moment)
        except CommandRefused:
            continue
        if act == "bid":
            assert moment < T0
            expected[who.id] = a_bid(who, version).header_sha256
        if act == "withdraw":
            assert moment < T0
            del expected[who.id]
    i.send(Tick(), CLOCK, max(T0, i.now))
    rows = sealed_bids(i.it)
    assert {bid.bidder: bid.header_sha256 for bid in rows} == expected
    assert all(bid.received_at < T0 for bid in rows)
    assert i.facts[-1].at == T0
    assert [fact.at for fact in i.facts] == sorted(fact.at for fact in i.facts)
    replayed = None
    for fact in i.facts:
        replayed = intake.evolve(replayed, fact)
    assert replayed == i.it
