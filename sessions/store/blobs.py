"""Large content in a local folder: ``NAME.part`` while it grows, ``NAME`` once it is finished.

Written here and not through obstore, whose local store does not fsync: what an upload was told to be there could go
with the next power cut, and the moment it was durable, which decides whether a bid was in time, would be made up.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import shutil
from collections.abc import AsyncIterable
from pathlib import Path
from typing import BinaryIO

from sessions.clock import Clock
from sessions.failpoint import Point, failpoint
from sessions.ports import Appended, WrongOffset
from sessions.store import failing

PIECE = 1 << 20
"""Small pieces of a request are gathered to this many bytes: one trip to a thread for each, not for every packet."""

RESERVE = 1 << 30
"""Bytes kept free, or a twentieth of a smaller disk, so that a running session can still close and sign."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")


class BlobsRefused(Exception):
    """An address of blobs that cannot be used."""

    hint = "blobs_url is empty, file:///FOLDER or s3://BUCKET/PREFIX?endpoint=https://HOST"


def checked(name: str) -> str:
    """Return ``name`` if it is one that the hall gives; raise ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name the hall gives")
    return name


class FolderBlobs:
    """A BlobStore (sessions.ports) in a folder of its own. One process writes; several may read."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._busy: set[str] = set()

    async def append(self, name: str, offset: int, pieces: AsyncIterable[bytes], limit: int) -> Appended:
        """See BlobStore. Two appends to one blob at once: the second meets WrongOffset."""
        path = self._path(name, ".part")
        size = await asyncio.to_thread(_size, path)
        if name in self._busy or offset != size:
            raise WrongOffset(await self.size(name))
        self._busy.add(name)
        try:
            file = await asyncio.to_thread(path.open, "ab")
            try:
                await _write_all(file, pieces, limit - size)
            finally:
                # Whatever ended the sending, the bytes that came are kept, and only durable ones are counted.
                appended = await asyncio.shield(asyncio.to_thread(self._settle, file, size))
            return appended
        finally:
            self._busy.discard(name)

    async def size(self, name: str) -> int:
        """See BlobStore."""
        part, whole = self._path(name, ".part"), self._path(name)
        return await asyncio.to_thread(lambda: _size(whole) or self._durable(part))

    async def room(self) -> int:
        """See BlobStore."""
        disk = await asyncio.to_thread(shutil.disk_usage, self._folder)
        return max(0, disk.free - min(RESERVE, disk.total // 20))

    async def finish(self, name: str) -> None:
        """See BlobStore."""
        await asyncio.to_thread(self._finish, name)

    async def discard(self, name: str) -> None:
        """See BlobStore."""
        await asyncio.to_thread(self._path(name, ".part").unlink, missing_ok=True)

    def open(self, name: str) -> BinaryIO:
        """See BlobStore."""
        return self._path(name).open("rb")

    def _settle(self, file: BinaryIO, before: int) -> Appended:
        try:
            with file:
                file.flush()
                size = file.tell()
                failpoint(Point.CHUNK_WRITTEN)
                _sync(file, before)
        except OSError:  # no room: what could not be written has to come again
            os.truncate(file.name, before)
            raise
        _sync_folder(self._folder)
        failpoint(Point.CHUNK_DURABLE)
        return Appended(size=size, at=self._clock.now())

    def _durable(self, part: Path) -> int:
        """Make what an append has written so far durable, and count that: a sender drops what the hall counts."""
        try:
            file = part.open("rb")
        except FileNotFoundError:
            return 0
        with file:
            size = os.fstat(file.fileno()).st_size
            _sync(file, 0)  # how much of it was durable before, nobody knows
        _sync_folder(self._folder)
        return size

    def _finish(self, name: str) -> None:
        part, whole = self._path(name, ".part"), self._path(name)
        if part.exists():
            part.rename(whole)
            whole.chmod(0o400)
            failpoint(Point.UPLOAD_RENAMED)
            _sync_folder(self._folder)
        elif not whole.exists():
            raise FileNotFoundError(whole)

    def _path(self, name: str, suffix: str = "") -> Path:
        return self._folder / (checked(name) + suffix)


async def _write_all(file: BinaryIO, pieces: AsyncIterable[bytes], room: int) -> None:
    gathered = bytearray()
    try:
        async for piece in pieces:
            room -= len(piece)
            if room < 0:
                raise WrongOffset(file.tell() + len(gathered))
            gathered += piece
            if len(gathered) >= PIECE:
                full, gathered = gathered, bytearray()
                await asyncio.to_thread(file.write, full)
    finally:
        file.write(gathered)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _sync(file: BinaryIO, kept: int) -> None:
    """Make a file durable. If the disk fails at it, leave only the ``kept`` bytes that are for certain, and stop."""
    try:
        os.fsync(file.fileno())
    except OSError as error:
        os.truncate(file.name, kept)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        failing.stop()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        failing.stop()
    finally:
        os.close(handle)
