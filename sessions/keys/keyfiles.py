"""Key files in the data folder: made once, durable, for the owner's eyes only, numbered from the oldest on.

``master.key`` is number 1, ``master-2.key`` number 2. A file never changes; a newer key is a file more.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class KeyExposed(Exception):
    """A key file that others on this machine may read."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path.name} may be read by others")
        self.hint = f"chmod 600 {path}"


def numbered(folder: Path, first: str) -> dict[int, Path]:
    """Return the files of the family of ``first`` by their numbers, oldest first. A folder may be missing."""
    stem, _, suffix = first.rpartition(".")
    name = re.compile(rf"{re.escape(stem)}(?:-([2-9]|[1-9]\d{{1,5}}))?\.{re.escape(suffix)}")
    found = (name.fullmatch(entry) for entry in (os.listdir(folder) if folder.is_dir() else ()))
    return dict(sorted((int(match[1] or 1), folder / match[0]) for match in found if match))


def path_of(folder: Path, first: str, number: int) -> Path:
    """Return where number ``number`` of the family of ``first`` stands."""
    stem, _, suffix = first.rpartition(".")
    return folder / (first if number == 1 else f"{stem}-{number}.{suffix}")


def read(path: Path) -> bytes:
    """Return a key file's content. Raises KeyExposed."""
    if path.stat().st_mode & 0o077:
        raise KeyExposed(path)
    return path.read_bytes()


def make(path: Path, content: bytes) -> None:
    """Write a new file, durable and whole or not at all. If another process made it first, its own stays."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(draft)  # unlike a rename, refuses to replace the other's
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    sync(path.parent)


def sync(folder: Path) -> None:
    """Make durable which files there are."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextmanager
def locked(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the folder's keys still: alone to add one, ``shared`` while something is being sealed under the newest."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)
