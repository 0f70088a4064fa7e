"""Any t of n shares give the secret back; fewer could be shares of anything."""

from itertools import combinations, islice, permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import shares
from crypto.errors import ShareRefused
from crypto.shares import Share, combine, split
from tests.support.vectors import vector


def _table() -> tuple[list[int], dict[int, int]]:
    """The field by logarithms to the base 3: another construction than the one under test."""
    powers, value = [], 1
    for _ in range(255):
        powers.append(value)
        value ^= value << 1
        value ^= 0x11B if value > 0xFF else 0
    return powers, {value: log for log, value in enumerate(powers)}


POWERS, LOGS = _table()


def product(one: int, other: int) -> int:
    return POWERS[(LOGS[one] + LOGS[other]) % 255] if one and other else 0


def at(x: int, *coefficients: int) -> int:
    value, power = 0, 1
    for coefficient in coefficients:
        value ^= product(coefficient, power)
        power = product(power, x)
    return value


def refused(given_shares: list[Share], threshold: int) -> str:
    with pytest.raises(ShareRefused) as error:
        combine(given_shares, threshold)
    return error.value.code


def test_the_field_is_the_one_of_aes() -> None:
    """FIPS 197 section 4.2: {57} times {83} is {c1}, and times {13} is {fe}."""
    assert shares._product(0x57, 0x83) == 0xC1
    assert shares._product(0x57, 0x13) == 0xFE
    assert shares._inverse(0x53) == 0xCA


def test_every_product_is_that_of_the_logarithms() -> None:
    row = bytes(range(256))
    for one in range(256):
        assert shares._times(one, row) == bytes(product(one, other) for other in range(256))


def test_shares_made_by_hand_give_their_secret() -> None:
    curves = [(0x00, 0x01, 0x02), (0x42, 0xFF, 0x80), (0xFF, 0x00, 0x00), (0x9A, 0x13, 0x37)]
    dealt = [Share(x, bytes(at(x, *curve) for curve in curves)) for x in range(1, 17)]
    assert dealt[0].value[1] == 0x42 ^ 0xFF ^ 0x80
    assert dealt[1].value[0] == 0x01 << 1 ^ 0x02 << 2
    secret = bytes(curve[0] for curve in curves)
    for some in combinations(dealt, 3):
        assert combine(some, 3) == secret
    assert combine(dealt, 3) == secret


@st.composite
def sharings(draw: st.DrawFn) -> tuple[bytes, int, int]:
    count = draw(st.integers(1, 16))
    return draw(st.binary(min_size=1, max_size=40)), draw(st.integers(1, count)), count


@settings(max_examples=80, deadline=None)
@given(sharing=sharings(), data=st.data())
def test_any_t_of_n_give_the_secret_in_any_order(sharing: tuple[bytes, int, int], data: st.DataObject) -> None:
    secret, threshold, count = sharing
    dealt = split(secret, threshold, count)
    assert [share.index for share in dealt] == list(range(1, count + 1))
    some = data.draw(st.lists(st.sampled_from(dealt), min_size=threshold, unique_by=lambda share: share.index))
    assert combine(some, threshold) == secret


@settings(max_examples=40, deadline=None)
@given(sharing=sharings().filter(lambda sharing: sharing[1] > 1), data=st.data())
def test_fewer_than_t_go_with_every_secret(sharing: tuple[bytes, int, int], data: st.DataObject) -> None:
    """Whatever value a byte has, there is one curve through it and the t - 1 shares: they rule nothing out."""
    secret, threshold, count = sharing
    dealt = split(secret, threshold, count)
    known = data.draw(
        st.lists(
            st.sampled_from(dealt),
            min_size=threshold - 1,
            max_size=threshold - 1,
            unique_by=lambda share: share.index,
        )
    )
    unseen = next(share.index for share in dealt if share not in known)
    alike = [Share(each.index, each.value[:1] * 256) for each in known]
    assert set(combine([*alike, Share(unseen, bytes(range(256)))], threshold)) == set(range(256))


def test_one_of_n_is_the_secret_itself() -> None:
    assert {share.value for share in split(b"secret", 1, 5)} == {b"secret"}


def test_two_sharings_of_one_secret_differ() -> None:
    assert split(bytes(32), 2, 3)[0].value != split(bytes(32), 2, 3)[0].value


def test_what_is_no_sharing_is_refused() -> None:
    one, two, three = split(b"secret", 2, 3)
    assert refused([one, one], 2) == "malformed_shares"
    assert refused([one, Share(2, two.value + b"\x00")], 2) == "malformed_shares"
    assert refused([one, Share(0, two.value)], 2) == "malformed_shares"
    assert refused([one, Share(17, two.value)], 2) == "malformed_shares"
    assert refused([Share(1, b""), Share(2, b"")], 2) == "malformed_shares"
    assert refused([one], 2) == "too_few_shares"
    assert refused([], 1) == "too_few_shares"
    assert refused([one, two], 0) == "too_few_shares"
    assert refused([one, two, Share(3, bytes([three.value[0] ^ 1]) + three.value[1:])], 2) == "shares_disagree"


@pytest.mark.parametrize(("threshold", "count"), [(0, 1), (2, 1), (1, 0), (1, 17), (17, 17)])
def test_thresholds_out_of_range_are_refused(threshold: int, count: int) -> None:
    with pytest.raises(ShareRefused) as error:
        split(b"secret", threshold, count)
    assert error.value.code == "malformed_shares"


def test_nothing_cannot_be_shared() -> None:
    with pytest.raises(ShareRefused):
        split(b"", 1, 1)


@pytest.mark.parametrize("case", vector("shares")["sharings"], ids=lambda case: f"{case['t']} of {case['n']}")
def test_recorded_shares_give_the_recorded_secret(case: dict[str, Any]) -> None:
    recorded = [Share(x, bytes.fromhex(value)) for x, value in enumerate(case["shares"], 1)]
    for some in islice(permutations(recorded, case["t"]), 40):
        assert combine(some, case["t"]).hex() == case["secret"]


@pytest.mark.parametrize("case", vector("shares")["refused"], ids=lambda case: case["name"])
def test_recorded_refusals_have_their_code(case: dict[str, Any]) -> None:
    listed = [Share(x, bytes.fromhex(value)) for x, value in case["shares"]]
    assert refused(listed, case["t"]) == case["code"]
