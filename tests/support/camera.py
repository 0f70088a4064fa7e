"""What a camera and a microphone send, really encoded: frames as the edge has them, whole and in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from av.video.frame import PictureType

from hall.media.edge.keyframes import Video
from hall.media.edge.sdp import Kind
from hall.media.edge.tape import SOUND_DELAY
from tests.support.film import _tone


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One frame, and the second in which it is whole at the edge."""

    kind: Kind
    data: bytes
    timestamp: int
    at: float


def pictures(
    video: Video,
    seconds: float,
    *,
    size: tuple[int, int] = (128, 80),
    fps: int = 20,
    every: int = 40,
    shade: int = 200,
) -> Iterator[Sent]:
    """Yield pictures of one brightness, with a keyframe first and then ``every`` so many."""
    encoder = av.CodecContext.create({Video.H264: "libx264", Video.VP8: "libvpx"}[video], "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = *size, "yuv420p", Fraction(1, fps)
    encoder.bit_rate = 300_000
    encoder.options = {
        Video.H264: {"profile": "baseline", "preset": "ultrafast", "tune": "zerolatency", "forced-idr": "1"},
        Video.VP8: {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    }[video]
    for n in range(int(seconds * fps)):
        frame = av.VideoFrame(*size, "yuv420p")
        for plane, value in zip(frame.planes, (shade, 128, 128), strict=True):
            plane.update(bytes([value if plane is not frame.planes[0] else (value + n) % 256]) * plane.buffer_size)
        frame.pts, frame.pict_type = n, PictureType.I if n % every == 0 else PictureType.NONE
        for packet in encoder.encode(frame):
            # A frame is whole when the next one begins (aiortc's jitter buffer).
            yield Sent(kind=Kind.VIDEO, data=bytes(packet), timestamp=n * 90_000 // fps, at=(n + 1) / fps)


def sounds(seconds: float) -> Iterator[Sent]:
    """Yield a tone, 20 ms a piece."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "mono", "s16"
    encoder.time_base = Fraction(1, 48_000)
    tone, n = _tone(av), 0
    while n * 0.02 < seconds:
        for packet in encoder.encode(next(tone)):
            yield Sent(kind=Kind.AUDIO, data=bytes(packet), timestamp=n * 960, at=n * 0.02 + SOUND_DELAY)
            n += 1


def both(video: Video, seconds: float, **more: int) -> list[Sent]:
    """Return both, in the order in which they come."""
    return sorted([*pictures(video, seconds, **more), *sounds(seconds)], key=lambda sent: sent.at)
