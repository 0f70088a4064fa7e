"""How late facts came: counted in classes, gathered in rounds, told only as far as it was reported."""

import pytest

from hall.rooms.lag import BOUNDS, FEWEST, LONGEST, ROUND, SHOWN, Histogram, Round, Rounds, histogram, told
from hall.rooms.presence import Elsewhere, Here, heard


def counting(*reports: int) -> Histogram:
    found = Histogram()
    for report in reports:
        found = found.plus(report)
    return found


def closed(*reports: int, of: int, at: float = 100.0) -> Round:
    return Round(reports=counting(*reports), of=of, closed=at)


@pytest.mark.parametrize("bound", SHOWN)
def test_a_report_counts_in_the_class_whose_bound_it_keeps(bound: int) -> None:
    assert counting(bound).within(100) == bound
    assert counting(bound + 1).within(100) != bound


def test_what_is_beyond_the_last_class_shown_is_only_called_late() -> None:
    for late in (SHOWN[-1] + 1, LONGEST):
        assert counting(late).within(100) is None
        assert counting(late).count == 1


def test_the_percent_asked_for_is_kept_by_so_many_reports() -> None:
    found = counting(*[100] * 50, *[300] * 48, 2_000, 90_000)
    assert (found.within(50), found.within(51), found.within(98)) == (100, 300, 300)
    assert (found.within(99), found.within(100)) == (2_000, None)


def test_nothing_is_within_anything_where_nobody_reported() -> None:
    assert Histogram().within(100) is None
    assert Histogram().rows() == []


def test_merged_is_as_if_all_had_been_counted_in_one_place() -> None:
    assert counting(10, 70, 90_000).merged(counting(70, 700)) == counting(10, 70, 90_000, 70, 700)


def test_what_is_kept_comes_back_as_it_was() -> None:
    found = counting(10, 70, 70, 90_000)
    assert found.classes() == {50: 1, 100: 2, LONGEST: 1}
    assert histogram(found.classes()) == found


def test_the_rows_of_a_record_end_with_all() -> None:
    assert counting(10, 70, 70, 90_000).rows() == [(50, 1, 25), (100, 2, 75), (None, 1, 100)]


@pytest.mark.parametrize("counts", [(), (1,), (-1, *[0] * (len(BOUNDS) - 1))])
def test_nonsense_is_no_histogram(counts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="each class"):
        Histogram(counts)


def test_a_round_is_over_as_soon_as_everyone_reported() -> None:
    rounds = Rounds()
    for at in (1.0, 1.1):
        rounds.take(80, spectators=3, now=at)
    rounds.settle(3, 2.0)
    assert rounds.last is None
    rounds.take(80, spectators=3, now=2.1)
    rounds.settle(3, 3.0)
    assert rounds.last == closed(80, 80, 80, of=3, at=3.0)


def test_a_round_waits_no_longer_than_its_time_for_who_says_nothing() -> None:
    rounds = Rounds()
    for _ in range(3):
        rounds.take(80, spectators=5, now=1.0)
    rounds.settle(5, 0.9 + ROUND)
    assert rounds.last is None
    rounds.settle(5, 1.0 + ROUND)
    assert rounds.last == closed(80, 80, 80, of=5, at=1.0 + ROUND)


def test_a_report_after_its_round_begins_the_next_one() -> None:
    rounds = Rounds()
    rounds.take(80, spectators=5, now=1.0)
    rounds.take(500, spectators=5, now=1.0 + ROUND)
    assert rounds.last is not None
    assert rounds.last.reports == counting(80)


def test_who_left_meanwhile_was_among_the_viewers() -> None:
    rounds = Rounds()
    for _ in range(3):
        rounds.take(80, spectators=4, now=1.0)
    rounds.leave()
    rounds.settle(3, 2.0)
    assert rounds.last is None  # three are left, but the fourth saw it too and has not reported
    rounds.settle(3, 1.0 + ROUND)
    assert rounds.last == closed(80, 80, 80, of=4, at=1.0 + ROUND)


def test_one_worker_of_several_never_takes_its_own_readers_for_everyone() -> None:
    rounds = Rounds(alone=False)
    for _ in range(3):
        rounds.take(80, spectators=3, now=1.0)
    rounds.settle(3, 2.0)
    assert rounds.last is None


def test_nothing_is_said_of_fewer_than_three() -> None:
    assert told([(9, closed(*[80] * (FEWEST - 1), of=9))]) is None
    assert told([(9, None)]) is None
    assert told([]) is None


def test_what_is_said_is_who_reported_of_who_watched() -> None:
    found = told([(312, closed(*[120] * 290, *[380] * 8, of=312))])
    assert found is not None
    assert found.members() == {"count": 298, "of": 312, "p50_ms": 150, "p99_ms": 400, "max_ms": 400}


def test_more_reports_than_viewers_are_believed_by_nobody() -> None:
    assert told([(3, closed(*[1] * 500, of=3))]) is None


def test_the_rounds_of_all_workers_are_told_as_one() -> None:
    found = told([(4, closed(80, 80, of=4)), (5, closed(90, 900, 900, of=5, at=95.0)), (7, None)])
    assert found is not None
    assert (found.count, found.of, found.max_ms) == (5, 16, 1_000)


def test_an_old_round_of_another_worker_is_not_mixed_with_a_new_one() -> None:
    found = told([(3, closed(80, 80, 80, of=3)), (5, closed(9_000, of=5, at=100 - 3 * ROUND))])
    assert found is not None
    assert (found.count, found.of, found.max_ms) == (3, 8, 100)


def test_a_round_comes_to_the_other_workers_as_it_was() -> None:
    elsewhere = Elsewhere()
    here = Here(spectators=3, round=closed(80, 300, of=4, at=7.0))
    elsewhere.hear(*heard(here.told("w2", 9.0), 109.0), now=109.0)  # its clock began at another moment
    mine = Rounds(last=closed(80, of=1, at=108.0))
    assert elsewhere.lag(1, mine) == told([(1, mine.last), (3, closed(80, 300, of=4, at=107.0))])
