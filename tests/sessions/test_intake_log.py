"""The log of receipts: its size follows from the clock, every receipt comes into it once, first come first served."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.receipt import decoy_leaf, log_leaf
from sessions.ids import SessionId
from sessions.intake.log import Blinding, due, last, next_tick, ticks
from sessions.intake.receipts import receipt_of
from sessions.plan import IntakeLog
from sessions.roles import CLOCK
from tests.support.ceremony import MINUTE, MS, T0, A, B, Intake, a_bid, a_plan

LOG = IntakeLog(every=10 * MINUTE, leaves=4)
BY = Blinding(session=SessionId("gx-1"), secret=bytes(range(32)))
ANNOUNCED = T0 - 60 * MINUTE


def receipts(count: int) -> list[bytes]:
    return [bytes([number]) * 32 for number in range(1, count + 1)]


def decoys(entries: list[bytes]) -> list[int]:
    return [i for i, entry in enumerate(entries) if entry == decoy_leaf("gx-1", i, BY.decoy_key)]


@pytest.mark.parametrize(
    ("after", "count"),
    [
        (timedelta(), 0),
        (10 * MINUTE - MS, 0),
        (10 * MINUTE, 1),
        (59 * MINUTE, 5),
        (60 * MINUTE, 5),  # that is T0, which has its own last batch
        (600 * MINUTE, 5),
    ],
)
def test_ticks_are_counted_from_the_announcement_and_end_before_t0(after: timedelta, count: int) -> None:
    assert ticks(LOG, ANNOUNCED, T0, ANNOUNCED + after) == count


def test_t0_between_two_ticks_lets_the_one_before_it_count() -> None:
    assert ticks(LOG, ANNOUNCED, T0 + MS, T0 + MINUTE) == 6


def test_the_next_tick_comes_while_t0_does_not_come_first() -> None:
    assert next_tick(LOG, ANNOUNCED, T0, ANNOUNCED) == ANNOUNCED + 10 * MINUTE
    assert next_tick(LOG, ANNOUNCED, T0, ANNOUNCED + 10 * MINUTE) == ANNOUNCED + 20 * MINUTE
    assert next_tick(LOG, ANNOUNCED, T0, T0 - 10 * MINUTE) is None


@pytest.mark.parametrize("came", [0, 1, 4, 11])
def test_a_tick_adds_as_many_whoever_bid(came: int) -> None:
    assert len(due(LOG, [], receipts(came), 1, BY)) == 4


def test_a_rush_waits_its_turn_and_none_is_forgotten() -> None:
    first = due(LOG, [], receipts(6), 1, BY)
    assert set(first) == set(receipts(4))
    second = due(LOG, first, receipts(7), 2, BY)
    assert set(receipts(7)[4:]) < set(second)
    assert decoys(first + second) == [i for i in range(4, 8) if (first + second)[i] not in receipts(7)]


def test_ticks_that_a_stopped_hall_missed_are_caught_up_at_the_right_sizes() -> None:
    before = due(LOG, [], receipts(1), 1, BY)
    assert len(due(LOG, before, receipts(1), 4, BY)) == 3 * 4
    assert due(LOG, before, receipts(3), 1, BY) == []


def test_the_last_batch_takes_everything_that_waits() -> None:
    entries = due(LOG, [], receipts(2), 1, BY)
    everything = entries + last(LOG, entries, receipts(9), 1, BY)
    assert len(everything) == 4 + 7
    assert set(receipts(9)) < set(everything)


def test_the_last_batch_is_as_large_as_any_when_little_waits() -> None:
    assert len(last(LOG, [], receipts(1), 0, BY)) == 4
    assert len(last(LOG, [], [], 2, BY)) == 8 + 4


def test_the_places_in_a_batch_do_not_tell_the_order_of_arrival() -> None:
    """A bidder sees the place of its own receipt before T0."""
    log, sessions = IntakeLog(every=MINUTE, leaves=16), 400
    first, second = [0] * 16, [0] * 16
    for number in range(sessions):
        by = Blinding(session=SessionId("gx-1"), secret=number.to_bytes(32, "big"))
        entries = due(log, [], receipts(2), 1, by)
        first[entries.index(receipts(2)[0])] += 1
        second[entries.index(receipts(2)[1])] += 1
    for seen in (first, second):
        assert min(seen) > 5  # 25 each on average, five standard deviations below it is 0.8; the draw is fixed anyway
        assert max(seen) < 50


@given(st.lists(st.integers(0, 12), max_size=8), st.integers(0, 20))
def test_every_receipt_is_in_the_log_once_and_all_else_is_a_decoy(arriving: list[int], late: int) -> None:
    given_out: list[bytes] = []
    entries: list[bytes] = []
    for tick, count in enumerate([*arriving, late], start=1):
        given_out += [(len(given_out) + k + 1).to_bytes(32, "big") for k in range(count)]
        if tick <= len(arriving):
            entries += due(LOG, entries, given_out, tick, BY)
            assert len(entries) == 4 * tick
    entries += last(LOG, entries, given_out, len(arriving), BY)
    assert sorted(entry for entry in entries if entry in set(given_out)) == given_out
    assert len(entries) == len(given_out) + len(decoys(entries))
    batches = [min(entries.index(receipt) // 4, len(arriving)) for receipt in given_out]
    assert all(a <= b for a, b in pairwise(batches))  # first come, first served


def test_a_decoy_of_another_place_session_or_key_is_another_entry() -> None:
    one = decoy_leaf("gx-1", 3, BY.decoy_key)
    assert len({one, decoy_leaf("gx-1", 4, BY.decoy_key), decoy_leaf("gx-2", 3, BY.decoy_key)}) == 3
    assert one != decoy_leaf("gx-1", 3, BY.secret)


def test_intake_knows_the_entry_of_every_receipt_it_gave_in_order() -> None:
    plan = a_plan(intake_log=LOG)
    story = Intake(plan)
    for who, version in ((A, 1), (B, 1), (A, 2)):
        story.send(a_bid(who, version), who, T0 - MINUTE)
    given_out = [log_leaf(receipt_of(fact, plan)) for fact in story.facts if fact.actor != CLOCK]
    assert list(story.it.entries) == given_out
    assert len(given_out) == 3


def test_a_plan_without_a_log_keeps_none() -> None:
    story = Intake()
    story.send(a_bid(A), A, T0 - MINUTE)
    assert story.it.entries == ()
