"""A few seconds of picture and sound, really encoded: a moving bar and a tone.

Remake the one that is kept: ``python -m tests.support.film``.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from hall.media.mp4.boxes import Fragment, Init, cut

OPTIONS = {
    "movflags": "empty_moov+default_base_moof+frag_keyframe+cmaf+skip_sidx+skip_trailer",
    "frag_duration": "500000",
    "flush_packets": "1",
}
RATE = 48_000


def film(
    seconds: float,
    *,
    file: Any = None,
    size: tuple[int, int] = (160, 90),
    fps: int = 10,
    shown: Callable[[float], object] = lambda _: None,
) -> bytes:
    """Write a fragmented MP4 into ``file``, piece by piece as it is encoded, or return it.

    ``shown`` is told after each picture how many seconds there are.
    """
    import av  # the extra `media`

    into = file or io.BytesIO()
    with av.open(into, "w", format="mp4", options=OPTIONS) as container:
        video = container.add_stream("libx264", rate=fps)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.options = {"profile": "baseline", "preset": "veryfast", "tune": "zerolatency", "g": str(2 * fps)}
        sound = container.add_stream("libopus", rate=RATE)
        sound.layout = "mono"
        tone = _tone(av)
        for n in range(int(seconds * fps)):
            for packet in video.encode(_picture(av, n, size)):
                container.mux(packet)
            while (heard := next(tone)).pts is not None and heard.pts / RATE <= (n + 1) / fps:
                for packet in sound.encode(heard):
                    container.mux(packet)
            shown((n + 1) / fps)
    return into.getvalue() if file is None else b""


def _picture(av: Any, n: int, size: tuple[int, int]) -> Any:
    width, height = size
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, shade in zip(frame.planes, (40, 128, 128), strict=True):
        row = bytearray([shade]) * plane.line_size
        if plane is frame.planes[0]:
            at = n * 4 % (width - 16)
            row[at : at + 16] = b"\xd0" * 16
        plane.update(bytes(row) * plane.height)
    frame.pts, frame.time_base = n, Fraction(1, 10)
    return frame


def _tone(av: Any) -> Iterator[Any]:
    at = 0
    while True:
        frame = av.AudioFrame(format="s16", layout="mono", samples=960)
        wave = (int(6000 * math.sin((at + i) * 2 * math.pi * 440 / RATE)) for i in range(960))
        frame.planes[0].update(b"".join(value.to_bytes(2, "little", signed=True) for value in wave))
        frame.pts, frame.sample_rate, frame.time_base = at, RATE, Fraction(1, RATE)
        yield frame
        at += 960


HERE = Path(__file__).parent.parent / "vectors" / "media" / "film.mp4"
"""Four seconds, kept so that a test of what is done with a film need not be able to make one."""


def kept() -> tuple[Init, list[Fragment]]:
    """The film that is kept, cut."""
    return cut(HERE.read_bytes())


if __name__ == "__main__":
    HERE.write_bytes(film(4))
