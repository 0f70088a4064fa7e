"""Audiences: who looks, in a word."""

import pytest

from hall.views.audience import BIDDERS, PUBLIC, Audience
from sessions.ids import BidderId
from sessions.roles import Role

BIDDER = Audience(Role.BIDDER, BidderId("9143"))


def test_the_key_is_what_the_protocol_calls_it() -> None:
    assert [a.key for a in (PUBLIC, Audience(Role.HOST), BIDDER)] == ["public", "host", "bidder:9143"]


def test_a_bidder_shares_what_all_bidders_see() -> None:
    assert BIDDER.shared == BIDDERS
    assert PUBLIC.shared is PUBLIC


def test_the_staff_are_three() -> None:
    assert {role for role in Role if role is not Role.CLOCK and Audience(role).staff} == {
        Role.HOST,
        Role.DEPUTY,
        Role.SUPERVISOR,
    }


def test_the_clock_looks_at_nothing() -> None:
    with pytest.raises(ValueError, match="clock"):
        Audience(Role.CLOCK)


def test_nobody_but_a_bidder_has_a_bid_of_its_own() -> None:
    with pytest.raises(ValueError, match="bidder"):
        Audience(Role.HOST, BidderId("9143"))
