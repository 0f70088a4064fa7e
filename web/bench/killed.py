"""What kill -9 leaves of a recording: seconds that play, of the seconds that were written."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from hall.media.mp4.boxes import Cutter
from hall.media.mp4.record import Recorder, recover
from web.bench.goal import Goal

WRITTEN = 6.7
"""Seconds of film after which the recorder is killed."""

FPS = 10
_OPTIONS = {
    "movflags": "empty_moov+default_base_moof+frag_keyframe+cmaf+skip_sidx+skip_trailer",
    "frag_duration": "500000",
    "flush_packets": "1",
}


def goal() -> Goal:
    """Film in a process of its own, kill it, and play what is left."""
    import av

    with TemporaryDirectory() as place:
        command = [sys.executable, "-m", "web.bench.killed", place]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as recorder:  # noqa: S603 - our own words
            told = iter(recorder.stdout or ())
            written = next(seconds for seconds in map(float, told) if seconds >= WRITTEN)
            recorder.kill()
            written = max([written, *(float(line) for line in told if line.endswith("\n"))])
        recover(Path(place))
        with av.open(str(Path(place) / "programme-1.mp4")) as film:
            playable = sum(1 for _ in film.decode(video=0)) / FPS
    return Goal(
        name="playable after kill -9 : written",
        measured=playable / written,
        limit=0.90,
        above=False,
        one=f"{playable:.1f} s",
        other=f"{written:.1f} s",
    )


def film(folder: Path) -> None:
    """Record a moving grey until this process is ended; tell after each picture how many seconds there are."""
    import av

    recorder = Recorder(folder, "programme", datetime(2026, 1, 1, tzinfo=UTC))
    with av.open(Cutter(recorder), "w", format="mp4", options=_OPTIONS) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        stream.options = {"profile": "baseline", "preset": "veryfast", "tune": "zerolatency", "g": str(2 * FPS)}
        for n in range(600 * FPS):
            frame = av.VideoFrame(640, 360, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([n % 200 + 20]) * plane.buffer_size)
            frame.pts, frame.time_base = n, Fraction(1, FPS)
            for packet in stream.encode(frame):
                container.mux(packet)
            sys.stdout.write(f"{(n + 1) / FPS}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    film(Path(sys.argv[1]))
