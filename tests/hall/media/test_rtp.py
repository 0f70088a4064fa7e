"""Pictures become packets that another program puts together again."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta

from aiortc.clock import datetime_from_ntp
from aiortc.codecs.h264 import H264PayloadDescriptor
from aiortc.rtp import RtcpPacket, RtcpSrPacket
from hypothesis import given
from hypothesis import strategies as st

from hall.media.packets.rtp import ROOM, Packetiser, fragments, report, units

UNITS = st.lists(
    st.tuples(st.sampled_from([0x65, 0x41, 0x67, 0x68]), st.integers(1, 5000)), min_size=1, max_size=4
).map(lambda made: [bytes((kind,)) + b"\x5a" * size for kind, size in made])


@given(UNITS)
def test_another_program_puts_the_units_together_again(made: list[bytes]) -> None:
    data = b"".join(b"\0\0\0\1" + unit for unit in made)
    assert list(units(data)) == made
    got = b"".join(H264PayloadDescriptor.parse(payload)[1] for unit in made for payload in fragments(unit))
    assert got == data


@given(UNITS, st.integers(0, 0xFFFF), st.integers(0, 2**40))
def test_packets_are_numbered_and_the_last_of_a_picture_is_marked(made: list[bytes], first: int, at: int) -> None:
    stream = Packetiser(96, 0x01020304, first)
    packets = list(stream.picture(b"".join(b"\0\0\1" + unit for unit in made), at))
    assert all(len(packet) <= 12 + ROOM for packet in packets)
    for place, packet in enumerate(packets):
        version, kind, sequence, timestamp, ssrc = struct.unpack("!BBHII", packet[:12])
        assert (version, sequence, timestamp, ssrc) == (0x80, (first + place) % 65536, at % 2**32, 0x01020304)
        assert bool(kind & 0x80) == (place == len(packets) - 1)
        assert kind & 0x7F == 96


@given(st.integers(0, 2_000_000_000), st.integers(0, 2**40))
def test_another_program_reads_which_moment_is_shown(second: int, at: int) -> None:
    moment = datetime.fromtimestamp(second, UTC) + timedelta(milliseconds=250)
    (read,) = RtcpPacket.parse(report(96, moment, at))
    assert isinstance(read, RtcpSrPacket)
    assert (read.ssrc, read.sender_info.rtp_timestamp) == (96, at % 2**32)
    said = datetime_from_ntp(read.sender_info.ntp_timestamp)
    assert abs(said - moment) < timedelta(milliseconds=1)
