"""Frames that a reader may send and must not, as data: the order of the Autobahn suite's sections 1 to 7."""

from __future__ import annotations

import zlib

import pytest

from hall.limits import LIMITS
from hall.wire.inbound import Inbound, is_lone_pong

MASK = b"\x01\x02\x03\x04"


def frame(first: int, payload: bytes = b"", *, masked: bool = True, length: bytes | None = None) -> bytes:
    """Return a client's frame whose first byte is ``first``; ``length`` is written instead of the true one."""
    size = len(payload)
    if length is None:
        length = bytes((size,)) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    body = bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))
    if not masked:
        return bytes((first,)) + length + payload
    return bytes((first, length[0] | 0x80)) + length[1:] + MASK + body


def packed(text: bytes) -> bytes:
    packing = zlib.compressobj(wbits=-15)
    return (packing.compress(text) + packing.flush(zlib.Z_SYNC_FLUSH))[:-4]


def pong(payload: bytes) -> bytes:
    return bytes((0x8A, len(payload))) + payload


GOOD = {
    "2.1 a ping without payload": (frame(0x89), pong(b"")),
    "2.2 a ping with text": (frame(0x89, b"Hello"), pong(b"Hello")),
    "2.3 a ping of bytes that are no text": (frame(0x89, b"\x00\xff\xfe"), pong(b"\x00\xff\xfe")),
    "2.4 a ping of 125 bytes": (frame(0x89, b"x" * 125), pong(b"x" * 125)),
    "2.7 a pong nobody asked for": (frame(0x8A), b""),
    "2.8 a pong with payload": (frame(0x8A, b"unsolicited"), b""),
    "2.9 a pong and then a ping": (frame(0x8A) + frame(0x89, b"1"), pong(b"1")),
    "2.10 ten pings in one piece": (frame(0x89, b"1") * 10, pong(b"1") * 10),
}
ENDS = {
    "1.1.1 an empty text": (frame(0x81), 1008),
    "1.1.2 a text": (frame(0x81, b"hello"), 1008),
    "1.1.6 a text of 4096 bytes": (frame(0x81, b"x" * 4096), 1008),
    "1.1.7 a text of 4097 bytes": (frame(0x81, b"x" * 4097), 1009),
    "1.1.8 a text that says it has 17 MiB": (frame(0x81, length=b"\x7f" + (17 << 20).to_bytes(8, "big")), 1009),
    "1.1.9 a text that says it has 2^63 bytes": (frame(0x81, length=b"\x7f" + (1 << 63).to_bytes(8, "big")), 1009),
    "1.2.1 empty bytes": (frame(0x82), 1008),
    "1.2.2 bytes": (frame(0x82, b"\x00\x01"), 1008),
    "2.5 a ping of 126 bytes": (frame(0x89, b"x" * 126), 1002),
    "2.6 a pong of 126 bytes": (frame(0x8A, b"x" * 126), 1002),
    "3.1 the first reserved bit": (frame(0xC1, b"x"), 1002),
    "3.2 the second": (frame(0xA1, b"x"), 1002),
    "3.3 the third": (frame(0x91, b"x"), 1002),
    "3.4 all three": (frame(0xF1, b"x"), 1002),
    "3.5 a reserved bit in a ping": (frame(0xC9), 1002),
    "3.6 a reserved bit in a goodbye": (frame(0xC8, b"\x03\xe8"), 1002),
    "4.1.1 opcode 3": (frame(0x83), 1002),
    "4.1.2 opcode 4": (frame(0x84, b"x"), 1002),
    "4.1.3 opcode 5": (frame(0x85), 1002),
    "4.1.4 opcode 6": (frame(0x86), 1002),
    "4.1.5 opcode 7": (frame(0x87), 1002),
    "4.2.1 opcode 11": (frame(0x8B), 1002),
    "4.2.2 opcode 12": (frame(0x8C, b"x"), 1002),
    "4.2.3 opcode 13": (frame(0x8D), 1002),
    "4.2.4 opcode 14": (frame(0x8E), 1002),
    "4.2.5 opcode 15": (frame(0x8F), 1002),
    "5.1 a ping in pieces": (frame(0x09, b"pi"), 1002),
    "5.2 a pong in pieces": (frame(0x0A, b"po"), 1002),
    "5.3 a text in pieces": (frame(0x01, b"he") + frame(0x80, b"llo"), 1008),
    "5.9 a continuation of nothing": (frame(0x80, b"x"), 1002),
    "5.10 an open continuation of nothing": (frame(0x00, b"x"), 1002),
    "5.19 pieces without end": (frame(0x01, b"x") + frame(0x00, b"x" * 100) * 60, 1008),
    "6.3 a text that is no UTF-8": (frame(0x81, b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80"), 1008),
    "7.1.1 a goodbye": (frame(0x88, b"\x03\xe8"), 1000),
    "7.1.2 goodbye twice": (frame(0x88, b"\x03\xe8") * 2, 1000),
    "7.1.3 a ping after the goodbye": (frame(0x88, b"\x03\xe8") + frame(0x89), 1000),
    "7.3.1 a goodbye that says nothing": (frame(0x88), None),
    "7.3.2 a goodbye of one byte": (frame(0x88, b"\x03"), 1002),
    "7.3.4 a goodbye with words": (frame(0x88, b"\x03\xe8Bye"), 1000),
    "7.3.6 a goodbye of 126 bytes": (frame(0x88, b"\x03\xe8" + b"x" * 124), 1002),
    "7.5.1 a goodbye that is no UTF-8": (frame(0x88, b"\x03\xe8\xce\xba\xed\xa0\x80"), 1007),
    "7.7 a goodbye with a code of its own": (frame(0x88, b"\x0f\xa0"), 4000),
    "7.9 a goodbye with a code that is none": (frame(0x88, b"\x00\x00"), 1002),
    "7.9 a goodbye with a code nobody sends": (frame(0x88, b"\x03\xee"), 1002),
    "a frame without a mask": (frame(0x81, b"hello", masked=False), 1002),
    "a ping without a mask": (frame(0x89, masked=False), 1002),
}


def said(data: bytes, *, deflated: bool = False, pieces: int = 0) -> tuple[Inbound, bytes]:
    inbound = Inbound(deflated=deflated)
    step = pieces or len(data)
    return inbound, b"".join(inbound.receive(data[at : at + step], 0.0) for at in range(0, len(data), step))


def code_of(answer: bytes) -> int | None:
    assert answer[0] == 0x88
    return int.from_bytes(answer[2:4], "big") if answer[1] else None


@pytest.mark.parametrize("pieces", [0, 1])
@pytest.mark.parametrize("case", GOOD)
def test_a_reader_may(case: str, pieces: int) -> None:
    data, answer = GOOD[case]
    inbound, heard = said(data, pieces=pieces)
    assert (heard, inbound.over) == (answer, False)


@pytest.mark.parametrize("pieces", [0, 1])
@pytest.mark.parametrize("case", ENDS)
def test_a_conversation_ends_with_its_code_after(case: str, pieces: int) -> None:
    data, code = ENDS[case]
    inbound = Inbound(deflated=False)
    answer = b""
    for at in range(0, len(data), pieces or len(data)):
        answer += inbound.receive(data[at : at + (pieces or len(data))], 0.0)
        if inbound.over:
            break
    assert inbound.over
    assert code_of(answer) == code


def test_a_packed_message_is_a_message_where_packing_was_agreed() -> None:
    inbound, answer = said(frame(0xC1, packed(b"hello")), deflated=True)
    assert (inbound.over, code_of(answer)) == (True, 1008)


def test_a_bomb_is_closed_at_the_size_it_unpacks_to() -> None:
    inbound, answer = said(frame(0xC1, packed(b"\x00" * 1_000_000)), deflated=True)
    assert (inbound.over, code_of(answer)) == (True, 1009)


def test_pings_are_answered_up_to_the_limit_and_then_no_more() -> None:
    inbound = Inbound(deflated=False)
    for n in range(LIMITS.pings):
        inbound.receive(frame(0x89), n / 1000)
        assert not inbound.over
    inbound.receive(frame(0x89) * 2, 0.06)
    assert inbound.over


def test_four_pings_a_second_are_answered_for_ever() -> None:
    inbound = Inbound(deflated=False)
    for n in range(1000):
        assert inbound.receive(frame(0x89), n / 4) == pong(b"")


def test_a_flood_in_one_piece_is_cut_before_all_of_it_is_answered() -> None:
    inbound, answer = said(frame(0x89) * 40_000)
    assert inbound.over
    assert answer.count(pong(b"")) < 1000


@pytest.mark.parametrize(
    ("data", "lone"),
    [(frame(0x8A), True), (frame(0x8A, b"x"), False), (frame(0x89), False), (frame(0x8A) * 2, False), (b"", False)],
)
def test_only_the_answer_to_our_ping_needs_no_parser(data: bytes, lone: bool) -> None:
    assert is_lone_pong(data) is lone
