"""A thousand openings in virtual time, each with its own people, machines and faults; every promise holds in all."""

from __future__ import annotations

import logging

import pytest

from tests.sim.world import play

SEEDS = 1_000
TOGETHER = 10  # each takes a fraction of a second; a test of its own for each would say no more
QUICK = 60

FOUND = """What the worlds found, told here because a seed is another world once the people in it act otherwise:

a database that failed while a bid was being answered let T0 pass over a bid that had come in time.
"""


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Faults are meant here: what the hall logs of them is no news."""
    caplog.set_level(logging.CRITICAL + 1)


@pytest.mark.parametrize("first", range(0, QUICK, TOGETHER))
def test_every_promise_holds(first: int) -> None:
    for seed in range(first, first + TOGETHER):
        play(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(QUICK, SEEDS, TOGETHER))
def test_every_promise_holds_in_many_worlds(first: int) -> None:
    for seed in range(first, first + TOGETHER):
        play(seed)


def test_a_seed_plays_the_same_world_again() -> None:
    assert play(4).story == play(4).story
