"""A zip file with exactly one form for given files, so that every one of its bytes can be accounted for.

Members are stored, not compressed: what is hashed is what lies in the file, ``unzip`` and ``sha256sum`` are all that
a stranger needs, and there is no ratio to attack. Films may be hundreds of megabytes: nobody holds one whole.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final, cast

MOST_BYTES: Final = 500_000_000
MOST_FILES: Final = 10_000
PIECE: Final = 1 << 20

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,3}")
_DATE = (1980, 1, 1, 0, 0, 0)  # the first a zip file can say; when a bundle was made is no fact of the opening
_MODE = 0o100644 << 16
_LOCAL_HEAD = 30  # bytes, then a name and extra fields whose lengths stand at its end


class NotOurs(ValueError):
    """A file that ``pack`` did not write."""


class Large:
    """A member that is made piece by piece, each time it is wanted."""

    def __init__(self, pieces: Callable[[], Iterator[bytes]]) -> None:
        """Make it once, to know its size and digest. Raises what ``pieces`` raises."""
        self.pieces = pieces
        self._size, self.sha256 = _measured(pieces())

    def __len__(self) -> int:
        return self._size


class Stored:
    """A member where it lies in a zip file; a slice of it is read when it is asked for."""

    def __init__(self, file: Path, at: int, size: int) -> None:
        self._file, self._at, self._size = file, at, size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self._size)
        with self._file.open("rb") as file:
            file.seek(self._at + start)
            return file.read(max(0, stop - start))

    def pieces(self) -> Iterator[bytes]:
        """Yield it."""
        yield from (self[at : at + PIECE] for at in range(0, self._size, PIECE))


Member = bytes | Large | Stored


def pieces(data: Member) -> Iterator[bytes]:
    """Yield a member."""
    return iter((data,)) if isinstance(data, bytes) else data.pieces()


def digest(data: Member) -> str:
    """Return SHA-256 of a member in lower-case hex."""
    return data.sha256 if isinstance(data, Large) else _measured(pieces(data))[1]


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return the zip file of ``files``, in the order of their names."""
    out = io.BytesIO()
    write(out, files)
    return out.getvalue()


def write(out: BinaryIO, files: Mapping[str, Member]) -> None:
    """Write the zip file of ``files`` into a file that is empty and can seek. A file that changed raises OSError."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name in sorted(files):
            if not _NAME.fullmatch(name):
                raise NotOurs(f"{name!r} is no name for a member")
            member = zipfile.ZipInfo(name, _DATE)
            member.create_system, member.external_attr = 3, _MODE
            member.file_size = len(files[name])
            with archive.open(member, "w") as inside:
                written = sum(inside.write(piece) for piece in pieces(files[name]))
            if written != len(files[name]):
                raise OSError(f"{name} changed while it was packed")


def unpack(data: bytes) -> dict[str, bytes]:
    """Return the files in ``data``; raise NotOurs unless ``pack`` makes exactly these bytes of them.

    So there are no bytes before, between or after the members, none twice, none hidden, and nothing in a header that
    could be read in two ways. The limits come before anything is read.
    """
    return cast("dict[str, bytes]", _unpacked(io.BytesIO(data), len(data), lambda *_: None))


def opened(file: Path, large: Callable[[str], bool]) -> dict[str, bytes | Stored]:
    """Return the files in ``file`` as ``unpack`` does, but those with ``large`` names where they lie."""

    def stored(name: str, at: int, size: int) -> Stored | None:
        return Stored(file, at, size) if large(name) else None

    with file.open("rb") as read:
        return _unpacked(read, file.stat().st_size, stored)


def _unpacked(
    file: BinaryIO, length: int, stored: Callable[[str, int, int], Stored | None]
) -> dict[str, bytes | Stored]:
    if length > MOST_BYTES:
        raise NotOurs(f"more than {MOST_BYTES} bytes")
    try:
        with zipfile.ZipFile(file) as archive:
            files = _members(archive, file, length, stored)
        again = _Again(file)
        write(cast(BinaryIO, again), files)
    except NotOurs:
        raise
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise NotOurs(str(error) or type(error).__name__) from error
    if again.differs or again.end != length:
        raise NotOurs("there are bytes in it that belong to no file")
    return files


def _members(
    archive: zipfile.ZipFile, file: BinaryIO, length: int, stored: Callable[[str, int, int], Stored | None]
) -> dict[str, bytes | Stored]:
    members = archive.infolist()
    if len(members) > MOST_FILES:
        raise NotOurs(f"more than {MOST_FILES} files")
    if sum(member.file_size for member in members) > length:
        raise NotOurs("its files are larger than it is")
    files: dict[str, bytes | Stored] = {}
    for member in members:
        if not _NAME.fullmatch(member.filename) or member.filename in files:
            raise NotOurs(f"{member.filename!r} may not be in it, or not twice")
        if member.compress_type != zipfile.ZIP_STORED:
            raise NotOurs(f"{member.filename} is compressed")
        file.seek(member.header_offset + _LOCAL_HEAD - 4)
        begins = member.header_offset + _LOCAL_HEAD + sum(struct.unpack("<HH", file.read(4).ljust(4, b"\0")))
        if (there := stored(member.filename, begins, member.file_size)) is None:
            files[member.filename] = archive.read(member)
            continue
        with archive.open(member) as inside:  # to its end: then its checksum holds
            while inside.read(PIECE):
                pass
        files[member.filename] = there
    return files


class _Again:
    """Takes what would be written and says where a file has something else. Of a head the last writing counts."""

    def __init__(self, file: BinaryIO) -> None:
        self.end = 0
        self.differs: set[tuple[int, int]] = set()
        self._file = file
        self._at = 0

    def write(self, data: bytes) -> int:
        self._file.seek(self._at)
        place = self._at, len(data)
        if self._file.read(len(data)) == data:
            self.differs.discard(place)
        else:
            self.differs.add(place)
        self._at += len(data)
        self.end = max(self.end, self._at)
        return len(data)

    def tell(self) -> int:
        return self._at

    def seek(self, at: int, whence: int = 0) -> int:
        self._at = at if whence == 0 else self.end + at
        return self._at

    def seekable(self) -> bool:
        return True

    def flush(self) -> None:
        pass


def _measured(content: Iterable[bytes]) -> tuple[int, str]:
    size, hashed = 0, sha256()
    for piece in content:
        size += len(piece)
        hashed.update(piece)
    return size, hashed.hexdigest()
