"""RTP packets (RFC 3550 section 5.1), read and written; sequence numbers that wrap. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

HEADER: Final = 12


class NotRtp(ValueError):
    """These bytes are no RTP packet."""


@dataclass(frozen=True, slots=True)
class Packet:
    """What of a packet is forwarded; contributing sources and header extensions are its sender's affair."""

    kind: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def parse(data: bytes) -> Packet:
    """Read a packet. Raises ``NotRtp``."""
    if len(data) < HEADER:
        raise NotRtp
    first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHLL", data)
    if first >> 6 != 2:
        raise NotRtp
    begin = HEADER + 4 * (first & 0x0F)
    if first & 0x10:
        if len(data) < begin + 4:
            raise NotRtp
        begin += 4 + 4 * int(struct.unpack_from("!H", data, begin + 2)[0])
    padding = data[-1] if first & 0x20 else 0
    end = len(data) - padding
    if begin > end or (first & 0x20 and not padding):
        raise NotRtp
    return Packet(second & 0x7F, bool(second & 0x80), sequence, timestamp, ssrc, data[begin:end])


def header(kind: int, marker: bool, sequence: int, timestamp: int, ssrc: int) -> bytes:
    """Return the header of a packet without contributing sources and extensions."""
    return struct.pack("!BBHLL", 0x80, marker << 7 | kind, sequence, timestamp, ssrc)


def is_rtcp(data: bytes) -> bool:
    """Return whether a packet is a report (RFC 5761 section 4)."""
    return len(data) >= 2 and 192 <= data[1] <= 223


def ahead(later: int, earlier: int) -> int:
    """Return how far a sequence number is ahead of another, from -32768 to 32767."""
    return (later - earlier + 0x8000 & 0xFFFF) - 0x8000
