"""Encoded pictures and sound as RTP packets for the edge (RFC 3550; RFC 6184 for H.264, RFC 7587 for Opus). Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

ROOM: Final = 1_188
"""Bytes of payload: with every header and the SRTP tag below any path's 1280."""

_FU_A: Final = 28
_NTP_BEGINS: Final = datetime(1900, 1, 1, tzinfo=UTC)


class Packetiser:
    """One stream: numbers its packets."""

    def __init__(self, payload_type: int, ssrc: int, sequence: int = 0) -> None:
        self._type = payload_type
        self._ssrc = ssrc.to_bytes(4, "big")
        self._sequence = sequence

    def packet(self, payload: bytes, timestamp: int, *, marker: bool) -> bytes:
        """Return the next packet."""
        head = bytes((0x80, self._type | (0x80 if marker else 0)))
        head += self._sequence.to_bytes(2, "big") + (timestamp & 0xFFFF_FFFF).to_bytes(4, "big") + self._ssrc
        self._sequence = (self._sequence + 1) & 0xFFFF
        return head + payload

    def picture(self, data: bytes, timestamp: int) -> Iterator[bytes]:
        """Yield the packets of one picture in Annex B; the last one is marked."""
        payloads = [payload for unit in units(data) for payload in fragments(unit)]
        for place, payload in enumerate(payloads, 1):
            yield self.packet(payload, timestamp, marker=place == len(payloads))


def report(ssrc: int, moment: datetime, timestamp: int) -> bytes:
    """Return a sender report: which moment ``timestamp`` is (RFC 3550 section 6.4.1). It counts nothing."""
    return struct.pack("!BBHLQLLL", 0x80, 200, 6, ssrc, ntp(moment), timestamp & 0xFFFF_FFFF, 0, 0)


def ntp(moment: datetime) -> int:
    """Return a moment as reports say it (RFC 3550 section 4)."""
    return ((moment - _NTP_BEGINS) // timedelta(microseconds=1) << 32) // 1_000_000 % 2**64


def units(data: bytes) -> Iterator[bytes]:
    """Yield the NAL units of an Annex B picture (ISO/IEC 14496-10, annex B), without their start codes."""
    at = data.find(b"\0\0\1")
    while at >= 0:
        begin, at = at + 3, data.find(b"\0\0\1", at + 3)
        unit = data[begin:] if at < 0 else data[begin:at].rstrip(b"\0")
        if unit:
            yield unit


def fragments(unit: bytes) -> Iterator[bytes]:
    """Yield a NAL unit as payloads: whole, or in fragments (FU-A, RFC 6184 section 5.8)."""
    if len(unit) <= ROOM:
        yield unit
        return
    indicator, kind, body = unit[0] & 0xE0 | _FU_A, unit[0] & 0x1F, unit[1:]
    for at in range(0, len(body), ROOM - 2):
        last = at + ROOM - 2 >= len(body)
        yield bytes((indicator, kind | (0x80 if at == 0 else 0) | (0x40 if last else 0))) + body[at : at + ROOM - 2]
