"""Packets between edge and programme: what is packed is unpacked, and anything else is none of ours."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hall.media.edge.rtp import NotRtp, header, parse
from hall.media.packets.datagrams import LARGEST, NotADatagram, pack, unpack
from sessions.ids import SessionId


@given(st.text("abc-开标", min_size=1, max_size=20), st.binary(min_size=12, max_size=1400))
def test_what_is_packed_is_unpacked(session: str, packet: bytes) -> None:
    assert unpack(pack(SessionId(session), packet)) == (session, packet)


@given(st.binary(max_size=40))
def test_anything_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(NotADatagram):
        unpack(data)
    with contextlib.suppress(NotADatagram):
        unpack(b"\x01" + data)
    with contextlib.suppress(NotRtp):
        parse(b"\xb1" + data)


@pytest.mark.parametrize(("session", "size"), [("s" * 256, 12), ("s", LARGEST + 1)])
def test_what_does_not_fit_is_refused(session: str, size: int) -> None:
    with pytest.raises(NotADatagram):
        pack(SessionId(session), bytes(size))


def test_an_rtp_packet_is_read_past_its_extensions_sources_and_padding() -> None:
    plain = header(96, True, 65535, 7, 9) + b"payload"
    assert parse(plain) == parse(
        bytes((0xB1,)) + plain[1:12] + bytes(4) + bytes.fromhex("bede0001") + bytes(4) + b"payload" + b"\0\0\x03"
    )
    packet = parse(plain)
    assert (packet.kind, packet.marker, packet.sequence, packet.timestamp, packet.ssrc) == (96, True, 65535, 7, 9)
