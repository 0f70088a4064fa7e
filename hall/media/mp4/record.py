"""Writes what was muxed to disk, so that killing it at any instant costs at most the newest fragment.

It knows no session, no event and no database: fragments come in as they are cut (boxes), a file and its line index
(sessions.recording.index) come out, one pair for each life of the process. The hall follows the index and makes facts
of it. The bytes of a fragment are handed to the system before its line is; both reach the disk before the next
keyframe, so that a power cut costs at most what a player could not begin with anyway.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from crypto.digest import sha256_hex
from hall.media.mp4 import boxes
from sessions.commands import Fragment
from sessions.ids import Digest
from sessions.recording.index import BadIndex, Began, Closed, Line, read, written

_NAME = re.compile(r"([a-z0-9][a-z0-9-]{0,63})-([1-9][0-9]{0,5})\.jsonl")


class Recorder:
    """One file of one track: a FragmentSink (boxes). Not for several threads; a call returns when the system has it.

    A disk that takes no more raises OSError: whoever feeds it goes on without it, and says so.
    """

    def __init__(self, folder: Path, track: str, anchor: datetime) -> None:
        """``folder`` is the session's. ``anchor`` is the moment of decode time 0, in whole milliseconds.

        What is there of this track is left alone: a new part begins.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._track = track
        self._anchor = anchor
        self._media: BinaryIO | None = None
        self._index: BinaryIO | None = None
        self._size = 0
        self._until = 0
        self.part = 0

    def begin(self, init: boxes.Init) -> None:
        """See FragmentSink. The file exists from here on."""
        self.part = 1 + max((part for track, part in parts(self._folder) if self._known(track, part)), default=0)
        for ending in ("mp4", "jsonl"):  # of one that was killed before its first line: nobody can know of it
            (self._folder / f"{self._track}-{self.part}.{ending}").unlink(missing_ok=True)
        self._media, self._index = self._new("mp4"), self._new("jsonl")
        self._put(init.data)
        self._say(
            Began(
                track=self._track,
                part=self.part,
                codec=init.codecs,
                init_length=len(init.data),
                init_sha256=Digest(sha256_hex(init.data)),
                utc=self._anchor,
            )
        )
        self._sync()
        _sync_folder(self._folder)

    def take(self, fragment: boxes.Fragment) -> None:
        """See FragmentSink."""
        if fragment.keyframe:
            self._sync()
        # Sound alone in a file with a picture moves no clock: it stands where the picture has come to.
        at = fragment.decode_ms if fragment.duration_ms else self._until
        line = Fragment(
            offset=self._size,
            length=len(fragment.data),
            sha256=Digest(sha256_hex(fragment.data)),
            time_ms=at,
            duration_ms=fragment.duration_ms,
            keyframe=fragment.keyframe,
        )
        self._put(fragment.data)
        self._say(line)
        self._until = at + fragment.duration_ms

    def end(self) -> None:
        """See FragmentSink. A file that is never ended is as good, and is known to be broken off."""
        if self._media is None or self._index is None:
            return
        self._say(Closed(size=self._size))
        self._sync()
        self._media.close()
        self._index.close()
        self._media = self._index = None

    def _known(self, track: str, part: int) -> bool:
        return track == self._track and b"\n" in (self._folder / f"{track}-{part}.jsonl").read_bytes()

    def _new(self, ending: str) -> BinaryIO:
        path = self._folder / f"{self._track}-{self.part}.{ending}"
        return open(path, "xb", buffering=0, opener=_private)

    def _put(self, content: bytes) -> None:
        _write(self._media, content)
        self._size += len(content)

    def _say(self, line: Line) -> None:
        _write(self._index, written(line))

    def _sync(self) -> None:
        for file in (self._media, self._index):  # in this order: no line may outlive its bytes
            if file is not None:
                os.fsync(file.fileno())


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What a dead recorder left, made whole: ``cut`` bytes of a torn tail are gone. ``closed``: it had been ended."""

    track: str
    part: int
    fragments: int
    size: int
    cut: int
    closed: bool


def parts(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield track and part of everything that was recorded in a session's folder."""
    for path in sorted(folder.glob("*.jsonl")):
        if (found := _NAME.fullmatch(path.name)) is not None:
            yield found[1], int(found[2])


def recover(folder: Path) -> tuple[Recovered, ...]:
    """Make whole what a dead recorder left: file and index end together, after the last whole fragment.

    Call it before recording goes on, never beside a recorder that works in this folder. Harmless when all is well.
    Bytes that the hall has made a fact of are never cut: the index tells them only when they are there.
    """
    return tuple(_recovered(folder, track, part) for track, part in sorted(parts(folder)))


def _recovered(folder: Path, track: str, part: int) -> Recovered:
    media, index = folder / f"{track}-{part}.mp4", folder / f"{track}-{part}.jsonl"
    told = index.read_bytes()
    there = media.stat().st_size if media.exists() else 0
    size = kept = stands = 0
    closed = False
    for line in _lines(told):
        match line:
            case Began(init_length=length, init_sha256=digest):
                good = size == 0 and _holds(media, 0, length, digest)
            case Fragment(offset=offset, length=length, sha256=digest):
                good = offset == size > 0 and _holds(media, offset, length, digest)
                kept += good
            case Closed(size=whole):
                good, length = size == whole, 0
                closed = good
        if not good:
            break
        size, stands = size + length, stands + len(written(line))
    _cut(media, size, there)
    _cut(index, stands, len(told))
    return Recovered(track=track, part=part, fragments=kept, size=size, cut=there - size, closed=closed)


def _lines(told: bytes) -> Iterator[Line]:
    """The lines up to the first that cannot be read, as after a power cut."""
    for line in told.splitlines(keepends=True):
        try:
            yield from read(line)[0]
        except BadIndex:
            return


def _holds(media: Path, offset: int, length: int, digest: str) -> bool:
    with media.open("rb") as file:
        file.seek(offset)
        return sha256_hex(file.read(length)) == digest


def _cut(path: Path, size: int, there: int) -> None:
    if size < there:
        with path.open("rb+") as file:
            file.truncate(size)
            os.fsync(file.fileno())


def _write(file: BinaryIO | None, content: bytes) -> None:
    if file is None:
        raise ValueError("nothing is recorded before the head")
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
