"""Explaining shows the outside of a file, verifies nothing and says so."""

from io import BytesIO

import pytest

from crypto import signing
from crypto.errors import SealedBidRefused
from crypto.explain import explain
from crypto.receipt import issue, tracker
from crypto.signing import HallKey
from tests.support.bidders import QUOTE, RECEIPT, a_sealed_bid


def lines(data: bytes) -> dict[str, str]:
    return {line.label: line.value for line in explain(BytesIO(data))}


def test_a_sealed_bid_shows_its_header_and_not_its_quote() -> None:
    sealed = a_sealed_bid(b"x", commercial=(b"y",), envelopes=2)
    shown = lines(sealed.data)
    assert "nothing verified" in shown["what"]
    assert shown["bidder"] == sealed.bidder.id
    assert shown["header sha256"] == sealed.bid.header_sha256
    assert "the figures read out" in shown["group B part quote"]
    assert QUOTE["price"] not in str(shown)


def test_a_receipt_shows_its_members_and_its_tracker() -> None:
    shown = lines(issue(RECEIPT, HallKey.generate()).encode() + b"\n")
    assert "signature not verified" in shown["what"]
    assert shown["tracker"] == tracker(RECEIPT.payload())
    assert shown["length"] == "4096"


def test_a_statement_of_another_kind_is_shown_without_a_tracker() -> None:
    shown = lines(signing.sign({"b": [1], "a": "x"}, "login", HallKey.generate()).encode())
    assert (shown["a"], shown["b"]) == ("x", "[1]")
    assert "tracker" not in shown


@pytest.mark.parametrize("data", [b"", b"hello", b"%PDF-1.7", b"a.b.c", "中文".encode(), b"PK\x03\x04broken"])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(SealedBidRefused) as refused:
        explain(BytesIO(data))
    assert refused.value.code == "not_a_sealed_bid"
