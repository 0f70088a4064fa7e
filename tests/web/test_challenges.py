from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crypto.encoding import b64u, unb64u
from web.challenges import LIFETIME, Challenges
from web.problems import Problem

NOW = datetime(2026, 5, 1, 1, 0, 0, 123_000, tzinfo=UTC)
MS = timedelta(milliseconds=1)


def test_a_nonce_tells_when_it_was_issued() -> None:
    challenges = Challenges()
    assert challenges.redeem(challenges.issue(NOW), NOW + timedelta(seconds=3)) == NOW


def test_two_nonces_of_one_moment_differ() -> None:
    challenges = Challenges()
    assert challenges.issue(NOW) != challenges.issue(NOW)


def test_a_nonce_is_good_for_the_whole_lifetime_and_no_longer() -> None:
    challenges = Challenges()
    challenges.redeem(challenges.issue(NOW), NOW + LIFETIME)
    late = challenges.issue(NOW)
    with pytest.raises(Problem, match="stale_challenge"):
        challenges.redeem(late, NOW + LIFETIME + MS)


def test_a_nonce_works_once() -> None:
    challenges = Challenges()
    nonce = challenges.issue(NOW)
    challenges.redeem(nonce, NOW)
    with pytest.raises(Problem, match="stale_challenge"):
        challenges.redeem(nonce, NOW)


def test_a_used_nonce_stays_used_until_it_is_too_old() -> None:
    challenges = Challenges()
    nonce = challenges.issue(NOW)
    challenges.redeem(nonce, NOW)
    challenges.redeem(challenges.issue(NOW + LIFETIME), NOW + LIFETIME)
    with pytest.raises(Problem, match="stale_challenge"):
        challenges.redeem(nonce, NOW + LIFETIME)


@pytest.mark.parametrize("place", [0, 7, 8, 23, 24, 39])
def test_a_changed_nonce_is_refused(place: int) -> None:
    challenges = Challenges()
    raw = bytearray(unb64u(challenges.issue(NOW)))
    raw[place] ^= 1
    with pytest.raises(Problem, match="stale_challenge"):
        challenges.redeem(b64u(bytes(raw)), NOW)


@pytest.mark.parametrize("nonce", ["", "x", "=", "A" * 54, "A" * 10_000, None, 7, ["A"]])
def test_what_is_no_nonce_is_refused(nonce: object) -> None:
    with pytest.raises(Problem, match="stale_challenge"):
        Challenges().redeem(nonce, NOW)


def test_a_nonce_of_another_process_is_refused() -> None:
    with pytest.raises(Problem, match="stale_challenge"):
        Challenges().redeem(Challenges().issue(NOW), NOW)


def test_a_nonce_from_the_future_is_refused() -> None:
    challenges = Challenges()
    with pytest.raises(Problem, match="stale_challenge"):
        challenges.redeem(challenges.issue(NOW + MS), NOW)
