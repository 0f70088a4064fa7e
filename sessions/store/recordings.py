"""What the recorder wrote, as the hall reads it: a folder a session, a file and its line index a part."""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

from sessions.ids import SessionId

_INDEX = re.compile(r"([a-z0-9][a-z0-9-]{0,63}-[1-9][0-9]{0,5})\.jsonl")
PIECE = 1 << 20


class FolderRecordings:
    """A RecordingStore (sessions.ports) over the folder that the recorder of this machine writes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def parts(self, session: SessionId) -> tuple[str, ...]:
        """See RecordingStore."""
        folder = self._root / session
        names = (_INDEX.fullmatch(path.name) for path in folder.glob("*.jsonl")) if folder.is_dir() else ()
        return tuple(sorted((found[1] for found in names if found), key=_order))

    def told(self, session: SessionId, part: str, after: int) -> bytes:
        """See RecordingStore."""
        with (self._root / session / f"{part}.jsonl").open("rb") as file:
            file.seek(after)
            return file.read(PIECE)

    def open(self, session: SessionId, part: str) -> BinaryIO:
        """See RecordingStore."""
        return (self._root / session / f"{part}.mp4").open("rb")


def _order(part: str) -> tuple[str, int]:
    track, _, number = part.rpartition("-")
    return track, int(number)
