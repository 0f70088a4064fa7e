"""Token buckets at one below, at and one above each limit, by a clock that only the test moves."""

from datetime import UTC, datetime, timedelta

import pytest

from hall.limits import RATES, Buckets, Rate

NOW = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize("name", sorted(RATES))
def test_the_burst_is_let_through_and_the_next_is_not(name: str) -> None:
    rate, buckets = RATES[name], Buckets()
    taken = [buckets.take("k", rate, NOW) for _ in range(rate.burst + 1)]
    assert taken[:-1] == [None] * rate.burst
    assert taken[-1] == rate.interval


@pytest.mark.parametrize("name", sorted(RATES))
def test_whoever_waits_as_told_gets_in(name: str) -> None:
    rate, buckets = RATES[name], Buckets()
    while (wait := buckets.take("k", rate, NOW)) is None:
        pass
    assert buckets.take("k", rate, NOW + wait - timedelta(microseconds=1)) is not None
    assert buckets.take("k", rate, NOW + wait) is None


def test_a_refused_one_costs_nothing() -> None:
    rate, buckets = Rate(count=1, per=timedelta(seconds=1), burst=1), Buckets()
    buckets.take("k", rate, NOW)
    for _ in range(100):
        buckets.take("k", rate, NOW)
    assert buckets.take("k", rate, NOW + timedelta(seconds=1)) is None


def test_one_key_does_not_use_up_another() -> None:
    rate, buckets = Rate(count=1, per=timedelta(seconds=1), burst=1), Buckets()
    buckets.take("a", rate, NOW)
    assert buckets.take("b", rate, NOW) is None


def test_in_the_long_run_the_rate_holds() -> None:
    rate, buckets = Rate(count=10, per=timedelta(seconds=1), burst=20), Buckets()
    moments = (NOW + timedelta(milliseconds=ms) for ms in range(0, 10_000, 7))
    assert sum(buckets.take("k", rate, now) is None for now in moments) == 20 + 99


def test_full_buckets_are_forgotten_when_there_are_too_many() -> None:
    rate, buckets = Rate(count=1, per=timedelta(seconds=1), burst=1), Buckets(most=10)
    for key in range(10):
        buckets.take(key, rate, NOW)
    buckets.take("new", rate, NOW + timedelta(seconds=2))
    assert len(buckets) == 1
