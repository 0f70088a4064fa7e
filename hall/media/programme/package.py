"""Fragments to those who watch: over a WebSocket at once, and as an HLS folder that any file server can serve.

Each fragment is framed once and the same bytes are written to everybody, so a viewer costs next to nothing: 1000 of
them took 5.8 % of a core. The folder is as RFC 8216 asks: segments never change, the playlist is renamed into place.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from hall.media.mp4.boxes import Fragment, Init
from hall.wire.frames import binary_frame, text_frame
from sessions.shape import rfc3339

BEHIND: Final = 1 << 20
"""Bytes that wait for a viewer from which on fragments are left out for it, until the next keyframe."""

OVER: Final = 1000
"""Closes a line on which everything was said (RFC 6455 section 7.4.1)."""

SEGMENT_MS: Final = 2_000
LISTED: Final = 6  # segments in the playlist: three times what a player may have to go back (RFC 8216, 6.3.3)
KEPT: Final = 4  # older ones that a slow player may still ask for (6.2.2)


class Viewer(Protocol):
    """One connection, as far as fragments go."""

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""

    def waiting(self) -> int:
        """Return how many bytes have not left yet."""

    def close(self, code: int) -> None:
        """Say goodbye with a WebSocket close code, and leave."""


class Crowd:
    """Who watches over WebSockets: a head, what came since the last keyframe, and then everything as it comes."""

    def __init__(self, variant: str, want_keyframe: Callable[[], object] = lambda: None) -> None:
        self.variant = variant
        self.viewers: dict[Viewer, bool] = {}  # and whether each has everything since the last keyframe
        self.left_out = 0
        self._want_keyframe = want_keyframe
        self._head = b""
        self._since: list[bytes] = []
        self._told: dict[str, bytes] = {}

    def begin(self, init: Init) -> None:
        """See FragmentSink."""
        words = {"mime": init.mime, "variant": self.variant}
        self._head = text_frame(json.dumps(words).encode()) + binary_frame(init.data)
        self._since = []
        for viewer in self.viewers:
            viewer.write(self._head)
            self.viewers[viewer] = False

    def take(self, fragment: Fragment) -> None:
        """See FragmentSink."""
        frame = binary_frame(fragment.data)
        if fragment.keyframe:
            self._since = []
        elif not self._since:
            return  # nobody can begin with it
        self._since.append(frame)
        for viewer, whole in self.viewers.items():
            if viewer.waiting() > BEHIND:
                self.viewers[viewer] = False
                self.left_out += 1
            elif whole or fragment.keyframe:
                self.viewers[viewer] = True
                viewer.write(frame)

    def end(self) -> None:
        """See FragmentSink. Viewers are sent home; if the opening is still on, they come again."""
        self._head, self._since = b"", []
        for viewer in tuple(self.viewers):
            viewer.close(OVER)

    def tell(self, kind: str, words: object) -> None:
        """Tell everybody, and whoever comes later: clock and captions travel beside the picture."""
        frame = text_frame(json.dumps({kind: words}, ensure_ascii=False, separators=(",", ":")).encode())
        self._told[kind] = frame
        for viewer in self.viewers:
            if viewer.waiting() <= BEHIND:
                viewer.write(frame)

    def enter(self, viewer: Viewer) -> None:
        """Take a viewer in; it sees a picture as soon as the line has carried one."""
        self.viewers[viewer] = False
        self._welcome(viewer)

    def leave(self, viewer: Viewer) -> None:
        """Make room. Harmless for who was not there."""
        self.viewers.pop(viewer, None)

    def _welcome(self, viewer: Viewer) -> None:
        viewer.write(b"".join(self._told.values()))
        if self._head:
            viewer.write(self._head + b"".join(self._since))
        self.viewers[viewer] = bool(self._since)
        if not self._since:
            self._want_keyframe()


class Folder:
    """An HLS folder: ``index.m3u8``, a head, segments that begin with keyframes. The first has ``master.m3u8`` too.

    The second it began in is in every name and number, so names never come twice, and players are told of a new
    encoder.
    """

    def __init__(self, folder: Path, began: datetime, *, first: bool = False) -> None:
        """``began`` is the moment of decode time 0. ``first``: others lie in folders below it (VARIANTS)."""
        self._folder = folder
        self._first = first
        self._began = began
        self._life = int(began.timestamp())
        self._number = 0
        self._open: list[Fragment] = []
        self._listed: deque[Segment] = deque()
        self._old: deque[str] = deque()

    def begin(self, init: Init) -> None:
        """See FragmentSink. What an encoder before left here is cleared away."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for readable in (self._folder, self._folder.parent):
            readable.chmod(0o755)
        for left in self._folder.glob("*.m*"):
            left.unlink(missing_ok=True)
        self._write(self._head, init.data)
        if self._first:
            self._write(MASTER, MASTER_TEXT.encode())

    def take(self, fragment: Fragment) -> None:
        """See FragmentSink."""
        if fragment.keyframe and sum(one.duration_ms for one in self._open) >= SEGMENT_MS:
            self._close()
        if self._open or fragment.keyframe:
            self._open.append(fragment)

    def end(self) -> None:
        """See FragmentSink: the playlist says that nothing more comes."""
        if self._open:
            self._close()
        if self._listed:
            self._list("#EXT-X-ENDLIST\n")

    def _close(self) -> None:
        name, length = f"s{self._life}-{self._number}.m4s", sum(one.duration_ms for one in self._open)
        self._write(name, b"".join(one.data for one in self._open))
        began = self._began + timedelta(milliseconds=self._open[0].decode_ms)
        self._open, self._number = [], self._number + 1
        self._listed.append(Segment(name=name, length_ms=length, at=began))
        if len(self._listed) > LISTED:
            self._old.append(self._listed.popleft().name)
        self._list()
        if len(self._old) > KEPT:
            (self._folder / self._old.popleft()).unlink(missing_ok=True)

    def _list(self, end: str = "") -> None:
        first = self._number - len(self._listed)
        text = playlist(self._life, first, self._head, self._listed) + end
        self._write(".index", text.encode())
        os.replace(self._folder / ".index", self._folder / PLAYLIST)

    def _write(self, name: str, content: bytes) -> None:
        file = self._folder / name
        file.write_bytes(content)
        file.chmod(0o644)  # public, and served by whoever serves files here

    @property
    def _head(self) -> str:
        return f"init{self._life}.mp4"


PLAYLIST: Final = "index.m3u8"
MASTER: Final = "master.m3u8"

TARGET: Final = 4
"""Seconds of the longest segment, the small picture's: all lists of a master must say the same (RFC 8216, 6.2.4)."""

PICTURE: Final = "avc1.42c01f,mp4a.40.2"
SOUND: Final = "mp4a.40.2"
MASTER_TEXT: Final = f"""\
#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-STREAM-INF:BANDWIDTH=1000000,AVERAGE-BANDWIDTH=500000,CODECS="{PICTURE}",RESOLUTION=1280x720,FRAME-RATE=10.000
{PLAYLIST}
#EXT-X-STREAM-INF:BANDWIDTH=150000,AVERAGE-BANDWIDTH=120000,CODECS="{PICTURE}",RESOLUTION=640x360,FRAME-RATE=2.000
low/{PLAYLIST}
#EXT-X-STREAM-INF:BANDWIDTH=50000,AVERAGE-BANDWIDTH=40000,CODECS="{SOUND}"
sound/{PLAYLIST}
"""
"""All that there is, for players of a browser's own, which choose by what the line carries (RFC 8216 section 4.3.4).

Measured of a stage with a voice, without and with somebody before a camera: 448 and 520 kbit/s (in the largest
segment 555), 116 and 119 (138), 38 (45).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One file of a playlist, and the moment that its first picture shows."""

    name: str
    length_ms: int
    at: datetime


def playlist(life: int, first: int, head: str, segments: Sequence[Segment]) -> str:
    """Return the media playlist (RFC 8216 section 4.3).

    The sequence of discontinuities is the encoder's life, so it grows when a new one begins.
    """
    longest = max((one.length_ms for one in segments), default=SEGMENT_MS)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(TARGET, round(longest / 1000))}",
        f"#EXT-X-MEDIA-SEQUENCE:{life * 1_000_000 + first}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{life}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{head}"',
    ]
    for one in segments:
        lines += [f"#EXT-X-PROGRAM-DATE-TIME:{rfc3339(one.at)}", f"#EXTINF:{one.length_ms / 1000:.3f},", one.name]
    return "\n".join(lines) + "\n"
