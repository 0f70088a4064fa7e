"""Our DER is the one form X.690 allows, and nothing else is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto import der
from crypto.declaration import verify
from crypto.errors import SealedBidRefused, SlotRefused
from crypto.recipients import parse


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        (der.integer(0), "020100"),
        (der.integer(127), "02017f"),
        (der.integer(128), "02020080"),
        (der.oid("1.2.840.113549.1.7.1"), "06092a864886f70d010701"),
        (der.oid("2.16.840.1.101.3.4.1.46"), "060960864801650304012e"),
        (der.sequence(), "3000"),
        (der.octets(bytes(127))[:2], "047f"),
        (der.octets(bytes(128))[:3], "048180"),
        (der.octets(bytes(256))[:4], "04820100"),
        (der.set_of([b"\x02\x01\x02", b"\x02\x01\x01"]), "3106020101020102"),
    ],
)
def test_values_are_encoded_as_the_standard_says(encoded: bytes, expected: str) -> None:
    assert encoded.hex() == expected


@pytest.mark.parametrize(
    "data",
    ["", "30", "3001", "3080", "308100", "30820001", "30817f", "3085000000000100", "1f0100", "300000", "3100"],
    ids=str,
)
def test_other_forms_are_refused(data: str) -> None:
    with pytest.raises(der.NotDer):
        der.one(bytes.fromhex(data), der.SEQUENCE).end()


@given(st.binary(max_size=300))
def test_rubbish_is_refused_and_never_crashes(data: bytes) -> None:
    with pytest.raises(SlotRefused):
        parse(data)
    with pytest.raises(SealedBidRefused):
        verify(data, bytes(32))


def test_a_deep_nest_costs_nothing() -> None:
    nest = b""
    for _ in range(2000):
        nest = der.sequence(nest)
    with pytest.raises(SlotRefused):
        parse(nest)
