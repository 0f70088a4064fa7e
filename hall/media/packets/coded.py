"""What an encoded picture or a piece of sound says of itself, read without decoding it. Pure.

What comes in is of a stranger: nothing here loops or takes memory beyond what it was given, and what cannot be read
is ``Unreadable``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from hall.media.packets.rtp import units

LARGEST_SIDE: Final = 8192
_IDR, _SPS, _PPS, _DELIMITER, _FILLER = 5, 7, 8, 9, 12  # ISO/IEC 14496-10, table 7-1
_CHROMA_PROFILES: Final = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_SETS: Final = 8  # parameter sets of a kind that are kept


class Unreadable(ValueError):
    """These bytes are no picture of this codec."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a decoder must know before the first picture: when it changes, another file begins.

    ``sps`` and ``pps`` are empty for VP8.
    """

    width: int
    height: int
    sps: tuple[bytes, ...] = ()
    pps: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture as a file takes it. ``look`` is there if it stands by itself."""

    data: bytes
    look: Look | None


class H264:
    """Reads the pictures of one stream, which may tell its parameter sets once for many of them."""

    def __init__(self) -> None:
        self._sps: tuple[bytes, ...] = ()
        self._pps: tuple[bytes, ...] = ()

    def read(self, data: bytes) -> Picture:
        """Read a picture in Annex B; return it with lengths instead of start codes. Raises Unreadable.

        Its parameter sets are in its ``look``, and not in it (ISO/IEC 14496-15 section 5.3.3: avc1).
        """
        sps, pps, rest, stands = list[bytes](), list[bytes](), list[bytes](), False
        for unit in units(data):
            match unit[0] & 0x1F:
                case 7:
                    sps.append(unit)
                case 8:
                    pps.append(unit)
                case 9 | 12:
                    continue
                case kind:
                    stands |= kind == _IDR
                    rest.append(struct.pack("!L", len(unit)) + unit)
        self._sps, self._pps = tuple(sps[:_SETS]) or self._sps, tuple(pps[:_SETS]) or self._pps
        if not rest:
            raise Unreadable("no picture")
        look = None
        if stands and self._sps and self._pps:
            width, height = size_of(self._sps[0])
            look = Look(width=width, height=height, sps=self._sps, pps=self._pps)
        return Picture(data=b"".join(rest), look=look)


class Vp8:
    """Reads VP8 (RFC 6386 section 9.1), where every keyframe says how large it is."""

    def read(self, data: bytes) -> Picture:
        """Read a picture. Raises Unreadable."""
        if len(data) < 3:
            raise Unreadable("no picture")
        if data[0] & 1:
            return Picture(data=data, look=None)
        if len(data) < 10 or data[3:6] != b"\x9d\x01\x2a":
            raise Unreadable("no keyframe")
        width, height = struct.unpack_from("<HH", data, 6)
        return Picture(data=data, look=_look(width & 0x3FFF, height & 0x3FFF))


def size_of(sps: bytes) -> tuple[int, int]:
    """Return the size of the pictures of a parameter set (ISO/IEC 14496-10 section 7.3.2.1). Raises Unreadable."""
    if not 4 <= len(sps) <= 1024:
        raise Unreadable("no parameter set")
    bits = _Bits(sps[1:].replace(b"\0\0\3", b"\0\0"))
    profile = bits.read(8)
    bits.read(16)
    bits.golomb()
    chroma = 1
    if profile in _CHROMA_PROFILES:
        chroma = bits.golomb()
        bits.read(int(chroma == 3))
        bits.golomb()
        bits.golomb()
        bits.read(1)
        if bits.read(1):
            for place in range(12 if chroma == 3 else 8):
                if bits.read(1):
                    _skip_scaling(bits, 16 if place < 6 else 64)
    bits.golomb()
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.read(1)
        bits.golomb()
        bits.golomb()
        for _ in range(bits.golomb(255)):
            bits.golomb()
    bits.golomb()
    bits.read(1)
    across, down = bits.golomb() + 1, bits.golomb() + 1
    frames = bits.read(1)
    bits.read(int(not frames))
    bits.read(1)
    width, height = across * 16, down * 16 * (2 - frames)
    if bits.read(1):
        wide, high = (1 if chroma in (0, 3) else 2), (2 if chroma == 1 else 1) * (2 - frames)
        left, right, top, bottom = (bits.golomb() for _ in range(4))
        width, height = width - wide * (left + right), height - high * (top + bottom)
    look = _look(width, height)
    return look.width, look.height


def opus_samples(packet: bytes) -> int:
    """Return how many samples at 48 kHz a packet of Opus lasts (RFC 6716 section 3.1). Raises Unreadable."""
    if not packet:
        raise Unreadable("no sound")
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:
        frame = (480, 960, 1920, 2880)[config & 3]
    elif config < 16:
        frame = (480, 960)[config & 1]
    else:
        frame = (120, 240, 480, 960)[config & 3]
    count = 1 if code == 0 else 2
    if code == 3:
        if len(packet) < 2:
            raise Unreadable("no sound")
        count = packet[1] & 0x3F
    samples = frame * count
    if not 0 < samples <= 5760:
        raise Unreadable("no sound")
    return samples


def _look(width: int, height: int) -> Look:
    if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
        raise Unreadable(f"{width} x {height}")
    return Look(width=width, height=height)


def _skip_scaling(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


class _Bits:
    """Bits from the front, and numbers as Exp-Golomb codes (section 9.1)."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def read(self, count: int) -> int:
        if self._at + count > 8 * len(self._data):
            raise Unreadable("ends too early")
        value = 0
        for _ in range(count):
            value = value << 1 | self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1
            self._at += 1
        return value

    def golomb(self, most: int = 1 << 31) -> int:
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 31:
                raise Unreadable("too large a number")
        value = (1 << zeros) - 1 + self.read(zeros)
        if value > most:
            raise Unreadable("too large a number")
        return value

    def signed(self) -> int:
        value = self.golomb()
        return (value + 1) // 2 if value & 1 else -(value // 2)
