"""A short fragmented MP4, as the hall's own muxer writes such: picture and sound, or sound alone."""

from __future__ import annotations

import io
from fractions import Fraction
from functools import cache

import av

FRAGMENTED = {
    "movflags": "empty_moov+default_base_moof+frag_keyframe+cmaf+skip_sidx+skip_trailer",
    "frag_duration": "200000",
    "flush_packets": "1",
}


@cache
def muxed(frames: int = 25, *, gop: int = 10, picture: bool = True) -> bytes:
    """Return ``frames`` tenths of a second: a keyframe every ``gop``."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4", options=FRAGMENTED) as file:
        sound = file.add_stream("aac", rate=48000, layout="mono")
        if picture:
            screen = file.add_stream(
                "libx264", rate=10, options={"preset": "ultrafast", "tune": "zerolatency", "threads": "1"}
            )
            screen.width, screen.height, screen.pix_fmt, screen.gop_size = 64, 48, "yuv420p", gop
            screen.options |= {"profile": "baseline", "x264-params": "scenecut=0"}
        for number in range(frames):
            if picture:
                image = av.VideoFrame(64, 48, "yuv420p")
                for plane in image.planes:
                    plane.update(bytes([100 + number]) * plane.buffer_size)
                image.pts, image.time_base = number, Fraction(1, 10)
                file.mux(screen.encode(image))
            tone = av.AudioFrame("fltp", "mono", 4800)
            tone.sample_rate, tone.pts, tone.time_base = 48000, number * 4800, Fraction(1, 48000)
            for plane in tone.planes:
                plane.update(bytes(plane.buffer_size))
            file.mux(sound.encode(tone))
        if picture:
            file.mux(screen.encode(None))
        file.mux(sound.encode(None))
    return out.getvalue()
