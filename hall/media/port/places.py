"""Where media keeps what: one run folder with the sockets of its processes, one folder of recordings a session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sessions.ids import SessionId


@dataclass(frozen=True, slots=True)
class Places:
    """The folders and sockets under a hall's data folder."""

    data: Path

    @property
    def run(self) -> Path:
        """The folder of the sockets, for this user alone."""
        return self.data / "run" / "media"

    @property
    def edge(self) -> Path:
        """Where the edge is asked (hall.media.port.link)."""
        return self.run / "edge.sock"

    @property
    def programme(self) -> Path:
        """Where the programme is asked."""
        return self.run / "programme.sock"

    @property
    def speech(self) -> Path:
        """What was said before, by its digest (hall.media.voice.speaker). It may be emptied at any time."""
        return self.run / "speech"

    @property
    def rtp(self) -> Path:
        """Where the edge takes the programme's packets (hall.media.packets.datagrams)."""
        return self.run / "rtp.sock"

    @property
    def on_air(self) -> Path:
        """Where the programme takes frames of the source that is on air (hall.media.packets.onair), if it listens."""
        return self.run / "on-air.sock"

    @property
    def viewers(self) -> Path:
        """Where the programme is given the connections of its viewers (hall.media.programme.viewers)."""
        return self.run / "viewers.sock"

    def hls(self, session: SessionId, variant: str = "full") -> Path:
        """Where the files of a session's HLS stream lie, for any file server; those of other variants below them."""
        folder = self.data / "hls" / session
        return folder if variant == "full" else folder / variant

    def recordings(self, session: SessionId) -> Path:
        """Where the recordings of ``session`` lie."""
        return self.data / "media" / session

    def make(self) -> None:
        """Make the run folder."""
        self.run.mkdir(parents=True, exist_ok=True, mode=0o700)


@contextmanager
def short(socket: Path) -> Iterator[str]:
    """Yield a short address of a Unix socket: the kernel takes 107 bytes, and a data folder may lie deeper."""
    folder = os.open(socket.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{socket.name}"
    finally:
        os.close(folder)
