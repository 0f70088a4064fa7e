"""Whether a clock can be believed: steps, sources that disagree, and what is said at T0."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sessions.plan import ClockTerms
from sessions.watch.steady import ClockGuard, Comparison, Sample, compare
from tests.support.ceremony import MINUTE, MS, SECOND, T0
from tests.support.set_clock import SetClock

DAY = timedelta(days=1)


def a_sample(name: str, offset: timedelta, uncertainty: timedelta = 10 * MS) -> Sample:
    return Sample(source=name, offset=offset, uncertainty=uncertainty)


def found(offset: timedelta, uncertainty: timedelta = 10 * MS) -> Comparison:
    return Comparison(sources=("a:123", "b:123"), offset=offset, uncertainty=uncertainty, at=T0)


@pytest.mark.parametrize("step", [timedelta(), SECOND, -SECOND, 900 * MS])
def test_a_step_within_the_limit_or_a_leap_second_is_no_reason_to_doubt(step: timedelta) -> None:
    clock = SetClock()
    guard = ClockGuard(clock)
    clock.step(step)
    assert guard.doubt() is None


@pytest.mark.parametrize("step", [2 * SECOND, 300 * SECOND, -300 * SECOND, -DAY, 10 * 365 * DAY])
def test_a_clock_that_was_set_is_doubted_from_when_it_was_last_right(step: timedelta) -> None:
    clock = SetClock()
    guard = ClockGuard(clock)
    clock.advance(5 * SECOND)
    assert guard.doubt() is None
    right = clock.now()
    clock.advance(3 * SECOND)
    clock.step(step)
    doubt = guard.doubt()
    assert doubt is not None
    assert (doubt.reason, doubt.by, doubt.since) == ("stepped", step, right)
    clock.step(-step)
    assert guard.doubt() is None


def test_a_clock_that_is_set_to_and_fro_is_doubted_whenever_it_is_off() -> None:
    clock = SetClock()
    guard = ClockGuard(clock)
    seen = []
    for _ in range(10):
        clock.step(300 * SECOND)
        seen.append(guard.doubt() is not None)
        clock.step(-300 * SECOND)
        seen.append(guard.doubt() is not None)
    assert seen == [True, False] * 10


def test_sources_can_vouch_for_the_halls_own_clock_after_a_step_and_not_for_the_next_one() -> None:
    clock = SetClock()
    guard = ClockGuard(clock)
    clock.step(-DAY)
    assert guard.doubt() is not None
    guard.measured(found(4 * MS))
    assert guard.doubt() is None
    clock.step(5 * SECOND)
    assert guard.doubt() is not None


def test_a_clock_that_the_sources_contradict_beyond_doubt_is_unsafe() -> None:
    guard = ClockGuard(SetClock())
    guard.measured(found(1200 * MS, uncertainty=300 * MS))
    assert guard.doubt() is None
    guard.measured(found(5 * SECOND))
    doubt = guard.doubt()
    assert doubt is not None
    assert (doubt.reason, doubt.by) == ("offset", 5 * SECOND)


def test_silent_sources_change_nothing() -> None:
    guard = ClockGuard(SetClock())
    guard.measured(found(3 * MS))
    guard.measured(None)
    assert guard.doubt() is None
    assert guard.last is not None


def test_a_clock_behind_what_is_on_record_is_unsafe() -> None:
    guard = ClockGuard(SetClock(T0))
    assert guard.behind(T0 + SECOND) is None
    assert guard.behind(None) is None
    doubt = guard.behind(T0 + MINUTE)
    assert doubt is not None
    assert (doubt.reason, doubt.by, doubt.since) == ("behind", MINUTE, T0)


def test_the_median_is_not_moved_by_a_minority_of_liars() -> None:
    honest = [a_sample(name, offset * MS) for name, offset in (("a", 3), ("b", 5), ("c", 9))]
    told = compare([*honest, a_sample("liar", 3600 * SECOND), a_sample("other", 3600 * SECOND)], T0)
    assert told is not None
    assert told.offset == 9 * MS
    assert told.uncertainty < SECOND


def test_two_sources_that_disagree_prove_nothing() -> None:
    told = compare([a_sample("a", timedelta()), a_sample("b", 10 * SECOND)], T0)
    assert told is not None
    assert told.offset == 5 * SECOND
    assert told.uncertainty >= 5 * SECOND
    assert compare([], T0) is None


def test_what_is_recorded_names_only_the_announced_sources_that_answered() -> None:
    guard = ClockGuard(SetClock())
    terms = ClockTerms(sources=("b:123", "z:123"))
    assert guard.compared(None) is None
    silent = guard.compared(terms)
    assert silent is not None
    assert (silent.sources, silent.offset_ms, silent.steady) == ((), None, True)
    guard.measured(found(-7 * MS, 12 * MS))
    told = guard.compared(terms)
    assert told is not None
    assert (told.sources, told.offset_ms, told.uncertainty_ms, told.measured_at) == (("b:123",), -7, 12, T0)


def test_an_opening_is_judged_by_the_limit_of_its_own_rules() -> None:
    clock = SetClock()
    guard = ClockGuard(clock)
    strict, lax = 500 * MS, 10 * SECOND
    assert guard.doubt(strict) is None
    clock.advance(4 * SECOND)
    assert guard.doubt() is None
    right = clock.now()
    clock.step(3 * SECOND)
    assert guard.doubt(lax) is None
    for limit in (strict, None):
        doubt = guard.doubt(limit)
        assert doubt is not None
        assert (doubt.reason, doubt.by, doubt.since) == ("stepped", 3 * SECOND, right), "whoever asked"
    assert guard.behind(clock.now() + 3 * SECOND, lax) is None
    assert guard.behind(clock.now() + 3 * SECOND, strict) is not None
