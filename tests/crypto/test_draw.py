"""A draw: commitments that bind, randomness from everybody, numbers without bias."""

from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto import draw
from crypto.draw import Numbers, Share, check_seed, commitment, mix, pick
from crypto.errors import ProofRefused

HOST = Share(role="host", party="lin", seed=bytes(range(32)))
ALICE = Share(role="bidder", party="91430000MA4L000001", seed=bytes(32))


def test_a_seed_fits_its_own_commitment_and_no_other() -> None:
    check_seed("s-1", 1, HOST, commitment("s-1", 1, HOST))
    for session, number, share in (
        ("s-2", 1, HOST),
        ("s-1", 2, HOST),
        ("s-1", 1, Share(role="supervisor", party="lin", seed=HOST.seed)),
        ("s-1", 1, Share(role="host", party="gu", seed=HOST.seed)),
        ("s-1", 1, Share(role="host", party="lin", seed=bytes(32))),
    ):
        with pytest.raises(ProofRefused) as refused:
            check_seed(session, number, share, commitment("s-1", 1, HOST))
        assert refused.value.code == "wrong_seed"


def test_a_seed_has_32_bytes() -> None:
    with pytest.raises(ProofRefused):
        commitment("s-1", 1, Share(role="host", party="lin", seed=bytes(31)))


def test_the_randomness_depends_on_every_seed_and_on_no_order() -> None:
    both = mix("s-1", 1, [HOST, ALICE])
    assert mix("s-1", 1, [ALICE, HOST]) == both
    others = [
        mix("s-1", 1, [HOST]),
        mix("s-1", 2, [HOST, ALICE]),
        mix("s-2", 1, [HOST, ALICE]),
        mix("s-1", 1, [HOST, Share(role="bidder", party=ALICE.party, seed=b"\x01" + bytes(31))]),
    ]
    assert len({both, *others}) == 5


def test_parties_whose_names_run_together_are_told_apart() -> None:
    one = [Share(role="bidder", party="ab", seed=bytes(32)), Share(role="bidder", party="c", seed=bytes(32))]
    two = [Share(role="bidder", party="a", seed=bytes(32)), Share(role="bidder", party="bc", seed=bytes(32))]
    assert mix("s", 1, one) != mix("s", 1, two)


def test_a_draw_is_what_it_always_was() -> None:
    randomness = mix("GX-2026-0117-1", 1, [HOST, ALICE])
    assert randomness.hex() == "f77a9b86eb5174b1d75e1e976e2d57569ca5dacebcceeb96a9fafe43bad4252f"
    assert pick(randomness, "k", ["0.95", "0.96", "0.97", "0.98"], 1) == ("0.96",)
    assert pick(randomness, "order", ["1", "2", "3", "4", "5"], 5) == ("2", "4", "3", "5", "1")


@given(st.binary(min_size=32, max_size=32), st.integers(1, 12), st.data())
def test_nothing_is_drawn_twice_and_nothing_that_was_not_there(seed: bytes, size: int, data: st.DataObject) -> None:
    values = [str(n) for n in range(size)]
    drawn = pick(seed, "lots", values, data.draw(st.integers(0, size)))
    assert len(set(drawn)) == len(drawn)
    assert set(drawn) <= set(values)


def test_two_draws_of_one_session_are_independent() -> None:
    values = [str(n) for n in range(50)]
    assert pick(bytes(32), "a", values, 50) != pick(bytes(32), "b", values, 50)


def test_more_cannot_be_drawn_than_there_is() -> None:
    with pytest.raises(ValueError, match="not so many"):
        pick(bytes(32), "a", ["1"], 2)


def test_the_incomplete_last_stretch_is_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = iter([bytes([255] * 32), bytes([255] * 31 + [254]), bytes(31) + b"\x05"])
    monkeypatch.setattr(draw, "sha256", lambda data: next(blocks))
    # 2^256 is 1 above a multiple of 3: only the very last value would favour one of them.
    assert Numbers(b"", "").below(3) == (2**256 - 2) % 3
    assert Numbers(b"", "").below(3) == 5 % 3


def test_every_outcome_is_about_as_likely() -> None:
    """30,000 draws of all orders of three: chi-squared with 5 degrees of freedom, beyond 35 once in a million."""
    outcomes = Counter(pick(n.to_bytes(32, "big"), "order", "abc", 3) for n in range(30_000))
    assert set(outcomes) == set(permutations("abc"))
    assert sum((seen - 5_000) ** 2 / 5_000 for seen in outcomes.values()) < 35
