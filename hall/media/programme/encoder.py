"""Encode picture and sound once, for everybody: x264 and AAC in fragments, Opus and x264 as packets for WebRTC.

Baseline at level 3.1 or below and AAC-LC are what every browser plays (ISO/IEC 14496-10; RFC 6184). All times come
from the caller as ticks since the beginning, so a machine that is late leaves pictures out and never drifts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Protocol

import av
from av.audio import AudioStream
from av.audio.codeccontext import AudioCodecContext
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import PictureType
from av.video.stream import VideoStream
from PIL import Image

from hall.media.mp4.boxes import Cutter, FragmentSink
from hall.media.packets.rtp import units
from hall.media.voice.sound import SAMPLES

VIDEO_CLOCK: Final = 90_000
LIVE_MS: Final = 200  # of a fragment for who watches
KEPT_MS: Final = 500  # of a fragment on disk
OPUS_MS: Final = 20
ROUND: Final = 8  # pixels round a box that changed

Box = tuple[int, int, int, int]
_Stream = VideoStream | AudioStream

_QUIET: Final = b"\x01\x00"
"""Silence as Opus gets it: of zeros libopus makes numbers so small (denormal) that they cost four times as much."""

_FRAGMENTED: Final = "empty_moov+default_base_moof+frag_keyframe+cmaf+skip_sidx+skip_trailer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How a picture is encoded: ``fps`` is at most that of the ticks, ``gop`` counts pictures."""

    width: int = 1280
    height: int = 720
    fps: int = 10
    gop: int = 20
    crf: int = 28  # 370 kbit/s of a stage with a keyframe every 2 s, text still crisp (45 dB)
    sound: int = 64_000


FULL: Final = Format()
LOW: Final = Format(width=640, height=360, fps=2, gop=8, crf=31, sound=32_000)
"""For a line that carries little: a twentieth of the pixels' rate, a keyframe every 4 s.

Its picture takes 70 kbit/s; with a keyframe every 2 s it would be 109, with one every 8 s 43 and files 16 s late.
"""


class Packets(Protocol):
    """Who takes encoded packets, for WebRTC."""

    def picture(self, data: bytes, timestamp: int, keyframe: bool) -> None:
        """One picture, Annex B; ``timestamp`` at 90 kHz. Keyframes have their parameter sets in front."""

    def sound(self, data: bytes, timestamp: int) -> None:
        """20 ms of Opus; ``timestamp`` at 48 kHz."""


class _Out:
    """What a muxer takes for a file: it can be written to, and nothing else."""

    name = "programme.mp4"

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self.write = write


class Encoder:
    """One encoding and everything cut from it. Not for several threads.

    ``live`` takes fragments of 200 ms, ``kept`` of 500 ms, ``heard`` of 200 ms without the picture; all from the same
    encoded packets.
    """

    def __init__(
        self,
        form: Format = FULL,
        *,
        live: FragmentSink | None = None,
        kept: FragmentSink | None = None,
        heard: FragmentSink | None = None,
        packets: Packets | None = None,
    ) -> None:
        self._packets = packets
        self._muxers: list[_Muxer] = []
        self._wanted = True
        self._lead: int | None = None  # what Opus begins before its first sample: RTP begins with 0
        # The container that owns the encoders writes nowhere: what they make is muxed as often as it is wanted.
        self._owner = av.open(_Out(len), "w", format="mp4", options={"movflags": _FRAGMENTED})
        self._video = self._screen(form)
        self._audio = self._microphone(form.sound)
        self._owner.start_encoding()
        self._opus = _opus() if packets else None
        both: tuple[_Stream, ...] = (self._video, self._audio)
        for length, sink, streams in ((LIVE_MS, live, both), (KEPT_MS, kept, both), (LIVE_MS, heard, (self._audio,))):
            if sink is not None:
                self._muxers.append(_Muxer(sink, length, streams))

    def want_keyframe(self) -> None:
        """Let the next picture stand by itself: somebody came, or lost something."""
        self._wanted = True

    def picture(self, frame: av.VideoFrame, at_ms: int) -> None:
        """Encode one picture that is shown from ``at_ms`` on; later than the one before."""
        frame.pts, frame.time_base = at_ms * VIDEO_CLOCK // 1000, Fraction(1, VIDEO_CLOCK)
        frame.pict_type = PictureType.I if self._wanted else PictureType.NONE
        self._wanted = False
        self._give(self._video.encode(frame))

    def sound(self, pcm: bytes, first: int) -> None:
        """Encode 16-bit samples, of which ``first`` is the number of the first; without gap or overlap."""
        frame = av.AudioFrame("s16", "mono", len(pcm) // 2)
        frame.sample_rate, frame.time_base = SAMPLES, Fraction(1, SAMPLES)
        if self._opus is not None and self._packets is not None:
            silent = pcm.count(0) == len(pcm)
            frame.planes[0].update(_QUIET * (len(pcm) // 2) if silent else pcm)
            frame.pts = first
            for packet in self._opus.encode(frame):
                self._lead = -(packet.pts or 0) if self._lead is None else self._lead
                self._packets.sound(bytes(packet), (packet.pts or 0) + self._lead)
        frame.planes[0].update(pcm)
        frame.pts = first
        self._give(self._audio.encode(frame))

    def end(self) -> None:
        """Write what is left and let go."""
        self._give(self._video.encode(None))
        self._give(self._audio.encode(None))
        for muxer in self._muxers:
            muxer.end()
        self._owner.close()

    def _give(self, made: list[Packet[VideoStream]] | list[Packet[AudioStream]]) -> None:
        for packet in made:
            for muxer in self._muxers:
                muxer.take(packet)
            if self._packets is not None and packet.stream is self._video and packet.pts is not None:
                data = bytes(packet)
                if packet.is_keyframe and not _has_parameters(data):
                    data = (self._video.codec_context.extradata or b"") + data
                self._packets.picture(data, int(packet.pts * packet.time_base * VIDEO_CLOCK), packet.is_keyframe)

    def _screen(self, form: Format) -> VideoStream:
        options = {
            "preset": "veryfast",
            "tune": "zerolatency",
            "profile": "baseline",
            "level": "3.1",
            "crf": str(form.crf),
            "forced-idr": "1",
            # Only when asked: a table that turns its page is no reason to make everyone wait for 100 KiB.
            "x264-params": "scenecut=0:repeat-headers=1",
        }
        video = self._owner.add_stream("libx264", rate=form.fps, options=options)
        video.width, video.height, video.pix_fmt = form.width, form.height, "yuv420p"
        video.codec_context.gop_size = form.gop
        video.codec_context.time_base = Fraction(1, VIDEO_CLOCK)
        video.codec_context.thread_count = 1
        return video

    def _microphone(self, bits: int) -> AudioStream:
        audio = self._owner.add_stream("aac", rate=SAMPLES, layout="mono")
        audio.codec_context.bit_rate = bits
        return audio


class _Muxer:
    """One container of the packets, cut for one sink."""

    def __init__(self, sink: FragmentSink, length_ms: int, streams: tuple[_Stream, ...]) -> None:
        self._cutter = Cutter(sink)
        options = {"movflags": _FRAGMENTED, "frag_duration": str(length_ms * 1000), "flush_packets": "1"}
        self._container: OutputContainer = av.open(_Out(self._cutter.write), "w", format="mp4", options=options)
        self._streams = {one.index: self._container.add_stream_from_template(one) for one in streams}

    def take(self, packet: Packet[VideoStream] | Packet[AudioStream]) -> None:
        own = packet.stream
        if own.index not in self._streams:
            return
        packet.stream = self._streams[own.index]
        self._container.mux(packet)
        packet.stream = own

    def end(self) -> None:
        self._container.close()
        self._cutter.end()


def smaller(frame: av.VideoFrame, form: Format) -> av.VideoFrame:
    """Return a picture that is ready for the encoder in another size."""
    return frame.reformat(width=form.width, height=form.height, format="yuv420p", interpolation="AREA")


def frame_of(image: Image.Image, form: Format = FULL) -> av.VideoFrame:
    """Return a painted picture as the encoder takes it. Costs more than painting a clock tick: once per change."""
    frame: av.VideoFrame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]  # says PyAV
    return frame.reformat(width=form.width, height=form.height, format="yuv420p", dst_colorspace="ITU709")


class Canvas:
    """A painted picture as the encoder takes it, of which only what changed is converted.

    A small picture that moves is an eighteenth of the whole; converting all of it took 8 ms, ten times a second.
    """

    def __init__(self, image: Image.Image) -> None:
        whole = frame_of(image)
        self._lines = [plane.line_size for plane in whole.planes]
        self._planes = [bytearray(plane) for plane in whole.planes]

    def frame(self, image: Image.Image, changed: Iterable[Box]) -> av.VideoFrame:
        """Return ``image``, of which ``changed`` is not as it was the last time: left, top, right, bottom."""
        for box in changed:
            self._convert(image, box)
        frame = av.VideoFrame(image.width, image.height, "yuv420p")
        for plane, data in zip(frame.planes, self._planes, strict=True):
            plane.update(bytes(data))
        return frame

    def _convert(self, image: Image.Image, box: Box) -> None:
        """Convert a box, with so much round it that its colours mix as they do in the whole."""
        left, top = (max(0, (at & ~1) - ROUND) for at in box[:2])
        right, bottom = min(image.width, (box[2] + 1 & ~1) + ROUND), min(image.height, (box[3] + 1 & ~1) + ROUND)
        piece = image.crop((left, top, right, bottom))
        found = frame_of(piece, Format(width=piece.width, height=piece.height))
        for number, plane in enumerate(found.planes):
            by = 1 if number == 0 else 2
            data, line, wide = bytes(plane), plane.line_size, piece.width // by
            for row in range(piece.height // by):
                at = (top // by + row) * self._lines[number] + left // by
                self._planes[number][at : at + wide] = data[row * line : row * line + wide]


def _opus() -> AudioCodecContext:
    opus = av.CodecContext.create("libopus", "w")
    opus.sample_rate, opus.layout, opus.format = SAMPLES, "mono", "s16"
    opus.time_base, opus.bit_rate = Fraction(1, SAMPLES), 48_000
    # For voices alone (`voip`) silence took 22 kbit/s and more of the processor than speech; 5 halves the rest.
    opus.options = {"application": "audio", "compression_level": "5", "frame_duration": str(OPUS_MS)}
    return opus


def _has_parameters(data: bytes) -> bool:
    return any(unit[:1] and unit[0] & 31 == 7 for unit in units(data))
