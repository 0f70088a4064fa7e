"""Statements verify for their signer, kind and bytes, and for nothing else."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import signing
from crypto.authority import Algorithm
from crypto.encoding import b64u
from crypto.errors import CertificateRefused, CryptoRefused, EncodingRefused, StatementRefused
from crypto.receipt import Receipt, Slip, issue, log_leaf, read_tracker, tracker, verify_receipt, verify_slip
from crypto.signing import HallKey, HallPublicKey, sign, verify
from tests.support.bidders import RECEIPT, a_bidder

HALL = HallKey.generate()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(payload=st.dictionaries(st.text(max_size=10), JSON, max_size=4))
def test_any_payload_comes_back(payload: dict[str, Any]) -> None:
    assert verify(sign(payload, "login", HALL), "login", HALL.public) == payload


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_certificate_signs(algorithm: Algorithm) -> None:
    signer = a_bidder(algorithm=algorithm).sign
    assert verify(sign({"a": 1}, "login", signer), "login", signer.certificate) == {"a": 1}
    with pytest.raises(StatementRefused) as refused:
        verify(sign({"a": 1}, "login", signer), "login", HALL.public)
    assert refused.value.code == "malformed_token"


def test_every_changed_symbol_is_refused() -> None:
    signer = a_bidder().sign
    token = sign({"session": "S-1"}, "login", signer)
    for place, symbol in enumerate(token):
        changed = token[:place] + ("A" if symbol != "A" else "B") + token[place + 1 :]
        with pytest.raises(CryptoRefused):
            verify(changed, "login", signer.certificate)


@pytest.mark.parametrize("size", [63, 65, 71])
def test_an_ecdsa_signature_of_another_length_is_refused(size: int) -> None:
    signer = a_bidder().sign
    head, body, _ = sign({}, "login", signer).split(".")
    with pytest.raises(StatementRefused) as refused:
        verify(f"{head}.{body}.{b64u(bytes(size))}", "login", signer.certificate)
    assert refused.value.code == "bad_signature"


def test_a_statement_that_grows_too_large_is_refused() -> None:
    with pytest.raises(StatementRefused) as refused:
        sign({"x": "y" * 60_000}, "login", HALL)
    assert refused.value.code == "too_large"


@pytest.mark.parametrize("kind", ["", "Login", "a b", "x" * 40])
def test_a_kind_is_a_short_word(kind: str) -> None:
    with pytest.raises(StatementRefused):
        sign({}, kind, HALL)


def test_the_hall_key_keeps_its_name() -> None:
    again = HallKey.load(HALL.pem())
    assert again.public == HALL.public == HallPublicKey.from_document(HALL.public.document())
    assert len(HALL.public.kid) == 22


def test_a_public_document_must_agree_with_itself() -> None:
    document = HALL.public.document()
    for wrong in ({**document, "kid": "A" * 22}, {**document, "alg": "ES256"}, {**document, "x": "AA"}, {}, []):
        with pytest.raises(CertificateRefused):
            HallPublicKey.from_document(wrong)


def test_keys_of_small_order_are_refused() -> None:
    """Under such a key one signature fits every message. The list is checked by arithmetic, not by memory."""
    field, d = 2**255 - 19, -121665 * pow(121666, -1, 2**255 - 19)

    def eight_times_is_neutral(y: int) -> bool:
        # Doubling needs only y: y(2P) = (y^2 + x^2) / (1 - d x^2 y^2), with x^2 from the curve equation.
        for _ in range(3):
            xx = (y * y - 1) * pow(d * y * y + 1, -1, field) % field
            y = (y * y + xx) * pow(1 - d * xx * y * y, -1, field) % field
        return y % field == 1

    for raw in signing._SMALL_ORDER:
        assert eight_times_is_neutral(int.from_bytes(raw, "little"))
        for sign_bit in (0, 0x80):
            with pytest.raises(CertificateRefused) as refused:
                HallPublicKey(raw[:31] + bytes([raw[31] | sign_bit]))
            assert refused.value.code == "weak_key"
    assert not eight_times_is_neutral(int.from_bytes(HALL.public.raw, "little") % 2**255)


def test_a_receipt_comes_back_as_it_was_given() -> None:
    assert verify_receipt(issue(RECEIPT, HALL), HALL.public) == RECEIPT


def test_a_slip_is_no_receipt() -> None:
    slip = Slip(
        session="S-1",
        tender="T-1",
        lot="1",
        bidder=None,
        header_sha256=None,
        declaration_sha256=None,
        length=12,
        received_at="2026-11-21T01:00:00.000Z",
        code="late",
    )
    token = issue(slip, HALL)
    assert verify_slip(token, HALL.public) == slip
    with pytest.raises(StatementRefused) as refused:
        verify_receipt(token, HALL.public)
    assert refused.value.code == "wrong_kind"


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"v": 2},
        {"v": True},
        {"n": 7},
        {"length": -1},
        {"root": "zz"},
        {"received_at": "2026-11-21T00:59:59Z"},
    ],
)
def test_a_signed_receipt_of_another_form_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(StatementRefused) as refused:
        verify_receipt(sign(RECEIPT.payload() | change, "receipt", HALL), HALL.public)
    assert refused.value.code == "malformed_token"


def test_a_tracker_is_read_as_people_type_it() -> None:
    code = tracker(RECEIPT.payload())
    assert [len(piece) for piece in code.split("-")] == [4, 4, 4, 2]
    assert read_tracker(code.lower().replace("-", " ")) == code
    assert read_tracker("oil0-oil0-oil0-oi") == "0110-0110-0110-01"
    for wrong in ("", code[:-1], code + "0", "U" * 14):
        with pytest.raises(EncodingRefused):
            read_tracker(wrong)


def test_tracker_and_leaf_hang_on_every_member() -> None:
    other = Receipt(**{**{name: getattr(RECEIPT, name) for name in Receipt.__slots__}, "length": 4097})
    assert tracker(other.payload()) != tracker(RECEIPT.payload())
    assert log_leaf(other) != log_leaf(RECEIPT)
