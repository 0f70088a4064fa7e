"""Votes: when the hall is out, when it is only poor, and that nobody learns from it who is present."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sessions.watch.health import State, Vote, judge
from tests.support.ceremony import SECOND, T0

WELL = Vote(worker="w1", at=T0, database_ms=4, loop_ms=1, free_bytes=1 << 40)


@pytest.mark.parametrize(
    ("changes", "state", "reasons"),
    [
        ({}, State.HEALTHY, ()),
        ({"database_ms": 1_500}, State.DEGRADED, ()),
        ({"database_ms": 5_000}, State.OUTAGE, ("database",)),
        ({"loop_ms": 10_000}, State.DEGRADED, ()),
        ({"loop_ms": 15_000}, State.OUTAGE, ("loop",)),
        ({"free_bytes": 1 << 28}, State.DEGRADED, ()),
        ({"free_bytes": 1 << 20}, State.OUTAGE, ("disk",)),
        ({"present": 4, "before": 4}, State.HEALTHY, ()),
        ({"present": 0, "before": 4}, State.HEALTHY, ()),
        ({"present": 3, "before": 10}, State.HEALTHY, ()),
        ({"present": 2, "before": 10}, State.OUTAGE, ("seats",)),
        ({"database_ms": 9_000, "present": 0, "before": 9}, State.OUTAGE, ("database", "seats")),
        ({"at": T0 - 11 * SECOND}, State.OUTAGE, ("gap",)),
    ],
)
def test_one_worker_votes_for_the_hall(changes: dict[str, object], state: State, reasons: tuple[str, ...]) -> None:
    told = judge([replace(WELL, **changes)], T0)  # type: ignore[arg-type]  # the names are those of its fields
    assert (told.state, told.reasons) == (state, reasons)


def test_more_than_half_of_the_workers_must_say_so() -> None:
    bad = replace(WELL, worker="w2", loop_ms=20_000)
    assert judge([WELL, bad], T0).state is State.DEGRADED
    assert judge([WELL, bad, replace(bad, worker="w3")], T0).reasons == ("loop",)


def test_a_worker_that_fell_silent_has_no_vote() -> None:
    dead = replace(WELL, worker="w2", at=T0 - timedelta(minutes=1), database_ms=60_000)
    assert judge([WELL, dead], T0).state is State.HEALTHY


def test_seats_are_counted_over_all_workers() -> None:
    votes = [replace(WELL, worker=f"w{n}", present=0, before=3) for n in (1, 2)]
    assert judge(votes, T0).reasons == ("seats",)
    assert judge([votes[0], replace(votes[1], present=3)], T0).state is State.HEALTHY


def test_the_figures_say_nothing_of_who_is_present() -> None:
    told = judge([replace(WELL, present=1, before=12)], T0)
    assert told.figures == {"workers": "1", "database_ms": "4", "loop_ms": "1"}
