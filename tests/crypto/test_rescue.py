"""A rescue opens only what was sealed: the sheet bit by bit, the key by its commitment."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from crypto.encoding import b64u, canonical
from crypto.errors import CryptoRefused
from crypto.header import QUOTE
from crypto.header import parse as parse_header
from crypto.release import new_session_key
from crypto.rescue import (
    KEY,
    PLAIN,
    Rescue,
    check_sheet,
    new_salt,
    open_rescue,
    plain_commitment,
    read_key,
    read_rescue,
    seal_rescue,
)
from tests.support.bidders import QUOTE as FIGURES
from tests.support.bidders import a_sealed_bid
from tests.support.forge import take_apart

SALT = bytes(range(32))
SHEET = canonical(FIGURES)


def a_header(salt: bytes | None = SALT):  # type: ignore[no-untyped-def]
    return a_sealed_bid(b"document", rescue_salt=salt).bid.header


def refused(code: str):  # type: ignore[no-untyped-def]
    return pytest.raises(CryptoRefused, check=lambda error: error.code == code)


def test_the_sheet_that_was_sealed_is_taken() -> None:
    check_sheet(a_header(), SALT, SHEET)


@pytest.mark.parametrize("at", [0, len(SHEET) // 2, len(SHEET) - 3])
def test_another_sheet_is_refused_wherever_it_differs(at: int) -> None:
    other = canonical({**FIGURES, "price": "1280000.01"}) if at else canonical({**FIGURES, "duration": "181"})
    with refused("commitment_mismatch"):
        check_sheet(a_header(), SALT, other)


def test_the_commitment_is_the_one_that_the_other_language_makes() -> None:
    pc = plain_commitment(bytes(range(32)), QUOTE, bytes(range(32, 64)), b'{"price":"1280000.00"}')
    assert pc.hex() == "b9c230baa966f6471a2ba69803305b10f740af9038ad98dd8ef12c09c828ecea"  # rescue.test.mjs


def test_another_salt_is_refused() -> None:
    with refused("commitment_mismatch"):
        check_sheet(a_header(), new_salt(), SHEET)


def test_a_sheet_of_another_bid_of_the_same_figures_is_refused() -> None:
    one, other = a_header(), a_header()
    assert one.part(QUOTE).pc != other.part(QUOTE).pc  # bound to this envelope
    with refused("commitment_mismatch"):
        check_sheet(replace(one, env=other.env), SALT, SHEET)


def test_a_bid_sealed_without_a_rescue_takes_none() -> None:
    with refused("no_rescue"):
        check_sheet(a_header(None), SALT, SHEET)


def test_the_commitment_is_in_the_signed_header_and_survives_reading_it() -> None:
    sealed = a_sealed_bid(b"document", rescue_salt=SALT)
    header = take_apart(sealed.data).header
    quote = next(part for part in header["parts"] if part["id"] == QUOTE)
    expected = plain_commitment(sealed.bid.header.context("A"), QUOTE, SALT, SHEET)
    assert quote["pc"] == expected.hex()
    assert parse_header(canonical(header)).part(QUOTE).pc == expected


def test_only_the_quote_may_have_one() -> None:
    header = take_apart(a_sealed_bid(b"document", rescue_salt=SALT).data).header
    header["parts"][1]["pc"] = "11" * 32
    with refused("malformed_header"):
        parse_header(canonical(header))


def test_a_rescue_file_reads_as_it_was_written() -> None:
    rescue = Rescue(header_sha256="ab" * 32, salt=SALT, sheet=SHEET)
    again = read_rescue(rescue.encode())
    assert (again.header_sha256, again.salt, again.sheet) == ("ab" * 32, SALT, SHEET)


@pytest.mark.parametrize(
    "change",
    [{"v": 2}, {"what": "other"}, {"salt": "11" * 31}, {"quote": "text"}, {"extra": 1}, {"header_sha256": "x"}],
)
def test_anything_else_is_no_rescue_file(change: dict[str, object]) -> None:
    told = {**json.loads(Rescue(header_sha256="ab" * 32, salt=SALT, sheet=SHEET).encode()), **change}
    with refused("malformed_rescue"):
        read_rescue(canonical(told))


@pytest.mark.parametrize("text", [SALT, SALT.hex().encode() + b"\n", b64u(SALT).encode()])
def test_a_key_file_is_bare_bytes_or_text(text: bytes) -> None:
    assert read_key(text) == SALT


@pytest.mark.parametrize("text", [b"", SALT[:31], b"zz" * 32, "é".encode()])
def test_anything_else_is_no_key_file(text: bytes) -> None:
    with refused("malformed_rescue"):
        read_key(text)


ABOUT = {"session": "S-1", "group": "A", "header_sha256": "ab" * 32, "nonce": "cd" * 32}


def test_what_is_sealed_to_the_session_opens_there() -> None:
    key = new_session_key()
    sealed = seal_rescue(SHEET, PLAIN, **ABOUT, session_key=key.public_key())
    assert open_rescue(sealed, PLAIN, **ABOUT, session_key=key) == SHEET


@pytest.mark.parametrize("change", [{"session": "S-2"}, {"group": "B"}, {"nonce": "ce" * 32}, {"kind": KEY}])
def test_it_opens_nowhere_else_and_as_nothing_else(change: dict[str, str]) -> None:
    key = new_session_key()
    sealed = seal_rescue(SHEET, PLAIN, **ABOUT, session_key=key.public_key())
    about = {**ABOUT, **change}
    kind = about.pop("kind", PLAIN)
    with refused("not_decryptable"):
        open_rescue(sealed, kind, **about, session_key=key)
