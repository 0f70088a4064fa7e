"""A zip file with exactly one form for given files, so that every one of its bytes can be accounted for.

Members are stored, not compressed: what is hashed is what lies in the file, ``unzip`` and ``sha256sum`` are all that
a stranger needs, and there is no ratio to attack.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from typing import Final

MOST_BYTES: Final = 500_000_000
MOST_FILES: Final = 10_000

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,3}")
_DATE = (1980, 1, 1, 0, 0, 0)  # the first a zip file can say; when a bundle was made is no fact of the opening
_MODE = 0o100644 << 16


class NotOurs(ValueError):
    """A file that ``pack`` did not write."""


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return the zip file of ``files``, in the order of their names."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name in sorted(files):
            if not _NAME.fullmatch(name):
                raise NotOurs(f"{name!r} is no name for a member")
            member = zipfile.ZipInfo(name, _DATE)
            member.create_system, member.external_attr = 3, _MODE
            archive.writestr(member, files[name])
    return out.getvalue()


def unpack(data: bytes) -> dict[str, bytes]:
    """Return the files in ``data``; raise NotOurs unless ``pack`` makes exactly these bytes of them.

    So there are no bytes before, between or after the members, none twice, none hidden, and nothing in a header that
    could be read in two ways. The limits come before anything is read.
    """
    if len(data) > MOST_BYTES:
        raise NotOurs(f"more than {MOST_BYTES} bytes")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = _members(archive, len(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise NotOurs(str(error) or type(error).__name__) from error
    if pack(files) != data:
        raise NotOurs("there are bytes in it that belong to no file")
    return files


def _members(archive: zipfile.ZipFile, length: int) -> dict[str, bytes]:
    members = archive.infolist()
    if len(members) > MOST_FILES:
        raise NotOurs(f"more than {MOST_FILES} files")
    if sum(member.file_size for member in members) > length:
        raise NotOurs("its files are larger than it is")
    files: dict[str, bytes] = {}
    for member in members:
        if not _NAME.fullmatch(member.filename) or member.filename in files:
            raise NotOurs(f"{member.filename!r} may not be in it, or not twice")
        if member.compress_type != zipfile.ZIP_STORED:
            raise NotOurs(f"{member.filename} is compressed")
        files[member.filename] = archive.read(member)
    return files
