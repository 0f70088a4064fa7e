"""STUN as the edge speaks it: the published vectors, a second implementation, and bytes that somebody bent."""

import contextlib
import zlib

import pytest
from aioice import stun as other
from hypothesis import given
from hypothesis import strategies as st

from hall.media.edge import stun
from hall.media.edge.stun import NotStun

REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
"""RFC 5769 section 2.1; PASSWORD is its password."""
PASSWORD = "VOkJxbRl1RmTxUk/WvJxBt"
TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")


def test_the_published_request_is_read_and_its_signature_holds() -> None:
    message = stun.parse(REQUEST)
    assert (message.kind, message.transaction, message.receiver) == (stun.REQUEST, TRANSACTION, "evtj")
    assert message.is_by(PASSWORD)
    assert not message.is_by(PASSWORD + "x")
    assert not message.nominates


def test_the_published_addresses_are_written() -> None:
    """RFC 5769 sections 2.2 and 2.3."""
    assert stun.xor_address("192.0.2.1", 32853, TRANSACTION).hex() == "0001a147e112a643"
    assert (
        stun.xor_address("2001:db8:1234:5678:11:2233:4455:6677", 32853, TRANSACTION).hex()
        == "0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    )
    assert stun.xor_address("::ffff:192.0.2.1", 32853, TRANSACTION).hex() == "0001a147e112a643"


def test_another_implementation_reads_what_is_answered() -> None:
    answer = stun.success(stun.parse(REQUEST), "192.0.2.1", 32853, PASSWORD)
    read = other.parse_message(answer)
    assert read.message_class is other.Class.RESPONSE
    assert read.check_message_integrity(PASSWORD.encode())
    assert read.transaction_id == TRANSACTION
    assert read.attributes["XOR-MAPPED-ADDRESS"] == ("192.0.2.1", 32853)


def test_a_check_of_another_implementation_is_read() -> None:
    check = other.Message(message_method=other.Method.BINDING, message_class=other.Class.REQUEST)
    check.attributes["USERNAME"] = "ours:theirs"
    check.attributes["PRIORITY"] = 1
    check.attributes["USE-CANDIDATE"] = None
    check.add_message_integrity(b"a password")
    message = stun.parse(bytes(check))
    assert message.is_by("a password")
    assert message.nominates
    assert message.receiver == "ours"


@pytest.mark.parametrize("at", range(len(REQUEST)))
def test_a_bent_bit_is_no_message_or_not_by_whom_it_says(at: int) -> None:
    bent = REQUEST[:at] + bytes((REQUEST[at] ^ 1,)) + REQUEST[at + 1 :]
    try:
        message = stun.parse(bent)
    except NotStun:
        return
    assert not message.is_by(PASSWORD)


@pytest.mark.parametrize("length", range(0, len(REQUEST), 7))
def test_a_piece_of_a_message_is_none(length: int) -> None:
    with pytest.raises(NotStun):
        stun.parse(REQUEST[:length])


def test_what_stands_behind_the_signature_is_not_believed() -> None:
    check = stun.build(stun.REQUEST, TRANSACTION, {stun.USERNAME: b"ours:theirs"}, PASSWORD)[:-8]
    more = check + bytes.fromhex("00250000")
    more = more[:2] + (len(more) - 12).to_bytes(2, "big") + more[4:]
    message = stun.parse(more + bytes.fromhex("80280004") + (zlib.crc32(more) ^ 0x5354554E).to_bytes(4, "big"))
    assert message.is_by(PASSWORD)
    assert not message.nominates


@given(st.binary(max_size=200))
def test_anything_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(NotStun):
        stun.parse(data)
    with contextlib.suppress(NotStun):
        stun.parse(b"\0\1" + (len(data) - len(data) % 4).to_bytes(2, "big") + REQUEST[4:20] + data[: len(data) & ~3])
