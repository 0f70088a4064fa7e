"""The decoder, as a process: ``python -m hall.media.programme.decoder``. No stranger's picture is decoded elsewhere.

It reads messages as the edge sends them (hall.media.packets.onair) and writes pictures, small enough for the
programme's frame, and sound at the programme's rate: length in four bytes, ``P``, ``S`` or ``K``, the source behind
its length, when it was sent as the edge says it, and for a picture width and height in two bytes each before its RGB.
``K`` asks for a keyframe. What breaks a decoder breaks this process, and the programme goes on without the camera.
"""

from __future__ import annotations

import resource
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO, Final

import av
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext

from hall.media.packets.coded import H264, Unreadable, Vp8
from hall.media.packets.datagrams import Payload
from hall.media.packets.onair import LARGEST, NotOnAir, OnAir, moment, moment_of, unpack
from hall.media.port.engine import Source
from hall.media.voice.sound import SAMPLES

WIDTH, HEIGHT = 352, 198  # of the frame that there is for it (hall.media.picture.stage)
EVERY: Final = 90_000 // 11  # ticks between two pictures: the programme shows ten a second
MOST_PIXELS: Final = 2560 * 1440
MEMORY: Final = 2 << 30
_TOO_LATE: Final = 8  # pictures that cannot be decoded, until a keyframe is asked for again


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A picture of ``source``, as RGB."""

    source: Source
    sent: float | None
    width: int
    height: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Sound of ``source``, 48 kHz mono s16."""

    source: Source
    sent: float | None
    pcm: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Nothing can be shown of ``source`` before its next keyframe."""

    source: Source


Made = Shown | Heard | Asked


class Decoder:
    """One session's source on air, decoded. What cannot be decoded is left out."""

    def __init__(self) -> None:
        self._source = Source("")
        self._begin(self._source)

    def take(self, frame: OnAir) -> Iterator[Made]:
        """Yield what comes of a frame."""
        if frame.payload is None:
            return
        if frame.source != self._source:
            self._begin(frame.source)
        if frame.payload is Payload.OPUS:
            yield from self._sound(frame)
        else:
            yield from self._picture(frame, frame.payload)

    def _begin(self, source: Source) -> None:
        self._source = source
        self._video: VideoCodecContext | None = None
        self._opus: AudioCodecContext = av.CodecContext.create("opus", "r")
        self._opus.sample_rate, self._opus.layout = SAMPLES, "stereo"
        self._resampler = av.AudioResampler("s16", "mono", SAMPLES)
        self._of: Payload | None = None
        self._reader: H264 | Vp8 = H264()
        self._waited = 0
        self._shown: int | None = None

    def _picture(self, frame: OnAir, payload: Payload) -> Iterator[Made]:
        if payload is not self._of:
            self._of, self._video = payload, None
            self._reader = H264() if payload is Payload.H264 else Vp8()
        try:
            look = self._reader.read(frame.data).look
            if self._video is None:
                if look is None or look.width * look.height > MOST_PIXELS:
                    raise Unreadable
                self._video = _video(payload)
            packet = av.Packet(frame.data)
            packet.pts, packet.time_base = frame.timestamp, Fraction(1, 90_000)
            pictures = self._video.decode(packet)
        except (Unreadable, av.FFmpegError, ValueError):
            if self._waited % _TOO_LATE == 0:
                yield Asked(source=self._source)
            self._waited += 1
            return
        self._waited = 0
        for picture in pictures:
            if self._shown is None or not 0 <= frame.timestamp - self._shown < EVERY:
                self._shown = frame.timestamp
                yield _small(self._source, frame.sent, picture)

    def _sound(self, frame: OnAir) -> Iterator[Made]:
        packet = av.Packet(frame.data)
        packet.pts, packet.time_base = frame.timestamp, Fraction(1, SAMPLES)
        try:
            for heard in self._opus.decode(packet):
                for made in self._resampler.resample(heard):
                    pcm = bytes(made.planes[0])[: 2 * made.samples]
                    yield Heard(source=self._source, sent=frame.sent, pcm=pcm)
        except (av.FFmpegError, ValueError):  # also when the format of what is heard changes in between
            self._resampler = av.AudioResampler("s16", "mono", SAMPLES)


def written(made: Made) -> bytes:
    """Return what came of a frame as a message."""
    source = made.source.encode()
    match made:
        case Shown():
            kind, data = b"P", moment(made.sent) + struct.pack("!HH", made.width, made.height) + made.data
        case Heard():
            kind, data = b"S", moment(made.sent) + made.pcm
        case Asked():
            kind, data = b"K", b""
    inside = kind + bytes((len(source),)) + source + data
    return struct.pack("!L", len(inside)) + inside


def read(message: bytes) -> Made:
    """Return what a message without its length says. Raises ValueError."""
    try:
        at = 2 + message[1]
        source, data = Source(message[2:at].decode()), message[at:]
        match message[:1]:
            case b"P":
                width, height = struct.unpack_from("!HH", data, 8)
                if len(data) != 12 + 3 * width * height:
                    raise ValueError("a picture of another size")
                return Shown(source=source, sent=moment_of(data, 0), width=width, height=height, data=data[12:])
            case b"S":
                return Heard(source=source, sent=moment_of(data, 0), pcm=data[8:])
            case b"K":
                return Asked(source=source)
    except (IndexError, struct.error):
        pass
    raise ValueError("no message of a decoder")


def serve(asked: BinaryIO, answered: BinaryIO) -> None:
    """Decode until nobody sends any more."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    decoder = Decoder()
    while len(head := asked.read(4)) == 4:
        length = int.from_bytes(head, "big")
        if length > LARGEST + 1024:
            raise NotOnAir
        for made in decoder.take(unpack(asked.read(length))):
            answered.write(written(made))
        answered.flush()


def _video(payload: Payload) -> VideoCodecContext:
    context: VideoCodecContext = av.CodecContext.create("h264" if payload is Payload.H264 else "vp8", "r")
    context.thread_count = 1
    context.options = {"max_pixels": str(MOST_PIXELS)}
    context.flags |= av.codec.context.Flags.low_delay
    return context


def _small(source: Source, sent: float | None, picture: av.VideoFrame) -> Shown:
    """Return a picture so small that it fits, whole."""
    scale = min(WIDTH / picture.width, HEIGHT / picture.height)
    width, height = max(2, round(picture.width * scale) & ~1), max(2, round(picture.height * scale) & ~1)
    image = picture.to_image(width=width, height=height)  # type: ignore[no-untyped-call]  # says PyAV
    return Shown(source=source, sent=sent, width=width, height=height, data=image.tobytes())


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
