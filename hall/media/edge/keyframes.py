"""Where a picture begins that needs no picture before it: read from one RTP payload. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

SPS: Final = 7
STAP_A: Final = 24


class Video(StrEnum):
    """The codecs of the hall's picture."""

    H264 = "h264"
    VP8 = "vp8"


def h264(payload: bytes) -> bool:
    """Return whether a keyframe begins here (RFC 6184): with its parameter set, alone or first in an aggregate.

    A picture without its parameter set ahead of it helps nobody who has just come, so an IDR alone does not count.
    """
    if not payload:
        return False
    kind = payload[0] & 0x1F
    if kind == STAP_A:
        return len(payload) > 3 and payload[3] & 0x1F == SPS
    return kind == SPS


def vp8(payload: bytes) -> bool:
    """Return whether a keyframe begins here (RFC 7741 sections 4.2 and 4.3)."""
    if not payload:
        return False
    extended, first, partition = payload[0] & 0x80, payload[0] & 0x10, payload[0] & 0x07
    at = 1
    if extended:
        if len(payload) < 2:
            return False
        flags, at = payload[1], 2
        if flags & 0x80:  # picture id, of one byte or two
            at += 2 if len(payload) > at and payload[at] & 0x80 else 1
        at += bool(flags & 0x40)  # TL0PICIDX
        at += bool(flags & 0x30)  # TID, KEYIDX
    return bool(first) and not partition and len(payload) > at and not payload[at] & 1


BEGINS: Final[Mapping[Video, Callable[[bytes], bool]]] = {Video.H264: h264, Video.VP8: vp8}
