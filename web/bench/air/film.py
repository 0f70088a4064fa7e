"""What a made-up camera sends: a few seconds of VP8 and Opus, over and over, with each picture's number in it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Final

import av
from aiortc.codecs.opus import OpusEncoder
from aiortc.codecs.vpx import Vp8Encoder, vp8_depayload

WIDTH, HEIGHT, FPS, BITRATE = 640, 360, 20, 545_000
PICTURES: Final = 4 * FPS
SOUND_MS: Final = 20
BLOCK: Final = 32
BITS: Final = WIDTH // BLOCK // 2
NOISY: Final = 160  # lines that are new in every picture, so that there is something to encode


@dataclass(frozen=True, slots=True)
class Film:
    """Payloads of RTP: of every picture in turn, and of every fiftieth of a second."""

    pictures: tuple[tuple[bytes, ...], ...]
    sounds: tuple[bytes, ...]


@cache
def film() -> Film:
    """Make it, once; the same each time."""
    codec, packer, chance = av.CodecContext.create("libvpx", "w"), Vp8Encoder(), random.Random(1)  # noqa: S311  # noise
    codec.width, codec.height, codec.pix_fmt, codec.gop_size = WIDTH, HEIGHT, "yuv420p", FPS
    codec.time_base, codec.bit_rate, codec.thread_count = Fraction(1, FPS), BITRATE, 1
    codec.options = {"deadline": "realtime", "cpu-used": "-6", "lag-in-frames": "0"}
    packets = [packet for number in range(PICTURES) for packet in codec.encode(_picture(number, chance))]
    return Film(tuple(tuple(packer.pack(packet)[0]) for packet in packets), tuple(_sounds(chance)))


class Eye:
    """Sees pictures that came in pieces, and tells their numbers."""

    def __init__(self) -> None:
        self._codec = av.CodecContext.create("libvpx", "r")
        self._codec.thread_count = 1
        self._pieces: list[bytes] = []

    def see(self, payload: bytes, last: bool) -> int | None:
        """Take a piece; return the number of the picture that is whole with it, if it can be read."""
        self._pieces.append(vp8_depayload(payload))
        if not last:
            return None
        data, self._pieces = b"".join(self._pieces), []
        try:
            frames = self._codec.decode(av.Packet(data))
        except av.error.FFmpegError:  # in the middle of it: the next keyframe will do
            return None
        return _number(frames[0]) if frames else None


def _picture(number: int, chance: random.Random) -> av.VideoFrame:
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    bits = number | (number ^ (1 << BITS) - 1) << BITS
    strip = b"".join((b"\xeb" if bits >> place & 1 else b"\x10") * BLOCK for place in range(2 * BITS))
    noise = chance.randbytes(WIDTH * NOISY).translate(bytes(96 + each // 4 for each in range(256)))
    lines = [strip] * BLOCK + [noise[line * WIDTH :][:WIDTH] for line in range(NOISY)]
    for plane, default in zip(frame.planes, (b"\x70", b"\x80", b"\x80"), strict=True):
        lines += [default * plane.width] * (plane.height - len(lines))
        plane.update(b"".join(line.ljust(plane.line_size, b"\0") for line in lines))
        lines = []
    frame.pts = number
    return frame


def _number(frame: av.VideoFrame) -> int | None:
    plane = frame.planes[0]
    line = bytes(plane)[BLOCK // 2 * plane.line_size :]
    bits = sum((line[place * BLOCK + BLOCK // 2] > 127) << place for place in range(2 * BITS))
    number, check = bits & (1 << BITS) - 1, bits >> BITS
    return number if number ^ check == (1 << BITS) - 1 else None


def _sounds(chance: random.Random) -> list[bytes]:
    encoder, found = OpusEncoder(), list[bytes]()
    for number in range(PICTURES * 1000 // FPS // SOUND_MS):
        frame = av.AudioFrame("s16", "stereo", 48 * SOUND_MS)
        frame.sample_rate, frame.pts, frame.time_base = 48_000, number * 48 * SOUND_MS, Fraction(1, 48_000)
        frame.planes[0].update(chance.randbytes(frame.planes[0].buffer_size))
        found += encoder.encode(frame)[0]
    return found
