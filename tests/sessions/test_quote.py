"""The read-out sheet as it is shown: facts beside a row, never a judgement."""

from __future__ import annotations

import pytest

from sessions.quote import flags, is_well_formed, price
from tests.support.ceremony import A, B, C, Ceremony, a_plan, opened

TENDER = a_plan().tender


@pytest.mark.parametrize(
    ("quote", "expected"),
    [
        ({"price": "1500000.00"}, ()),
        ({"price": "1500000.01"}, ("over_ceiling",)),
        ({"price": "9"}, ()),
        ({"price": "1500000.001"}, ("malformed:price",)),
        ({"price": "壹佰万"}, ("malformed:price",)),
        ({}, ("missing:price",)),
        ({"price": "1", "days": "ten"}, ("malformed:days",)),
        ({"price": "1", "gift": "x"}, ("unknown:gift",)),
    ],
)
def test_flags_are_facts(quote: dict[str, str], expected: tuple[str, ...]) -> None:
    assert flags(TENDER, quote) == expected


def test_without_a_ceiling_no_price_is_over_it() -> None:
    assert flags(a_plan(ceiling=None).tender, {"price": "9999999999999999"}) == ()


def test_the_price_is_the_first_money_field_as_it_was_sealed() -> None:
    assert price(TENDER, {"price": "007"}) is None
    assert price(TENDER, {"price": "7.50"}) == "7.50"
    assert price(TENDER, {"days": "7"}) is None


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("integer", "365", "36.5"),
        ("percent", "97.5", "97.12345"),
        ("date", "2027-02-28", "2027-02-30"),
        ("date", "2027-02-28", "28.2.2027"),
        ("text", "张三，一级建造师", "a\x00b"),
        ("text", "x" * 500, "x" * 501),
        ("text", "x", " "),
    ],
)
def test_each_kind_of_field_has_one_form(kind: str, good: str, bad: str) -> None:
    assert is_well_formed(kind, good)
    assert not is_well_formed(kind, bad)


def test_a_price_above_the_ceiling_is_read_out_and_flagged() -> None:
    c = Ceremony().decrypting().released(A, B, C)
    c.open_bids(opened(B.id, "2000000"))
    bid = c.it.bid(B.id)
    assert bid is not None
    assert (bid.state, bid.flags) == ("opened", ("over_ceiling",))
