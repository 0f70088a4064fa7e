"""Numbers and times that go on over every change of the source, over a wrap, and out of order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hall.media.edge.continuity import ROOM, Continuity
from hall.media.edge.limiter import Limiter


def a_stream(sequence: int = 99, timestamp: int = 5000) -> Continuity:
    return Continuity(rate=90000, sequence=sequence, timestamp=timestamp)


def test_a_change_goes_on_with_the_next_number_and_the_time_that_went_by() -> None:
    stream = a_stream()
    stream.begin(7000, 10**6, now=0.0)
    first = [stream.put(7000 + n, 10**6 + 6000 * n, False, b"a", n / 15) for n in range(3)]
    stream.begin(64000, 42, now=3 / 15)
    second = stream.put(64000, 42, True, b"b", 3 / 15)
    assert [kept.sequence for kept in first if kept] == [100, 101, 102]
    assert second is not None
    assert (second.sequence, second.marker, second.payload) == (103, True, b"b")
    assert second.timestamp - first[-1].timestamp == 6000  # type: ignore[union-attr]


def test_nothing_of_a_source_is_sent_before_it_was_taken_up_nor_from_before() -> None:
    stream = a_stream()
    assert stream.put(1, 1, False, b"", 0.0) is None
    stream.begin(500, 0, 0.0)
    assert stream.put(499, 0, False, b"late", 0.0) is None
    assert stream.put(500, 0, False, b"", 0.0) is not None


def test_a_gap_of_the_source_stays_a_gap_and_what_comes_late_fills_it() -> None:
    stream = a_stream()
    stream.begin(10, 0, 0.0)
    numbers = [kept and kept.sequence for kept in (stream.put(n, 0, False, b"", 0.0) for n in (10, 13, 12, 12, 11))]
    assert numbers == [100, 103, 102, None, 101]


def test_what_was_sent_can_be_asked_for_again_until_there_is_no_room() -> None:
    stream = a_stream(sequence=65530)
    stream.begin(0, 0, 0.0)
    for n in range(ROOM + 3):
        stream.put(n, 0, False, b"%d" % n, 0.0)
    assert stream.again(65531) is None
    assert stream.again(65534).payload == b"3"  # type: ignore[union-attr]
    assert stream.again(stream.next_sequence) is None


def test_a_report_is_shifted_like_the_packets_it_speaks_of() -> None:
    stream = a_stream()
    stream.begin(0, 2**32 - 10, 0.0)
    kept = stream.put(0, 2**32 - 10, False, b"", 0.0)
    assert kept is not None
    assert stream.timestamp(2**32 - 10) == kept.timestamp
    assert stream.timestamp(90) == kept.timestamp + 100


@given(
    start=st.integers(0, 0xFFFF),
    sources=st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1), st.integers(1, 40)), max_size=12),
)
def test_viewers_see_one_unbroken_row_whatever_the_sources_count(
    start: int, sources: list[tuple[int, int, int]]
) -> None:
    stream = Continuity(rate=90000, sequence=start, timestamp=2**32 - 100)
    now, expected, last = 0.0, start, None
    for first, timestamp, count in sources:
        stream.begin(first, timestamp, now)
        for n in range(count):
            kept = stream.put(first + n & 0xFFFF, timestamp + 3000 * n & 0xFFFFFFFF, True, b"", now)
            expected = expected + 1 & 0xFFFF
            assert kept is not None
            assert kept.sequence == expected
            if last is not None:
                assert 0 < (kept.timestamp - last & 0xFFFFFFFF) <= 3001
            last = kept.timestamp
            now += 1 / 30


def test_a_source_that_runs_for_hours_wraps_again_and_again() -> None:
    stream = a_stream()
    stream.begin(65000, 0, 0.0)
    for n in range(3 * 65536):
        kept = stream.put(65000 + n & 0xFFFF, 0, False, b"", 0.0)
        assert kept is not None
        assert kept.sequence == 100 + n & 0xFFFF


@pytest.mark.parametrize("wishes", [[0.0, 0.1, 0.2, 0.49]])
def test_a_keyframe_is_asked_for_at_most_every_half_second_and_no_wish_is_lost(wishes: list[float]) -> None:
    limiter = Limiter()
    assert [limiter.wish(now) for now in wishes] == [True, False, False, False]
    assert not limiter.tick(0.49)
    assert limiter.tick(0.5)
    assert not limiter.tick(2.0)
    assert limiter.wish(2.0)
