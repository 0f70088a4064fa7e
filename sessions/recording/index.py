"""The line index that the recorder keeps beside each file: what it wrote, told before anybody else can know.

``{track}-{part}.jsonl``, canonical JSON, a line each. The first: ``{"v": 1, "track", "part", "codec", "init_length",
"init_sha256", "utc"}``, ``utc`` being the moment of decode time 0. Then a line a fragment: ``{"offset", "length",
"sha256", "time_ms", "duration_ms", "keyframe"}``. The last, if the file was closed: ``{"closed": true, "size"}``. A
line stands when its newline does, and only after the bytes it speaks of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crypto.encoding import canonical, parse_canonical
from crypto.errors import CryptoRefused
from sessions.commands import Fragment
from sessions.ids import Digest
from sessions.shape import Misshapen, from_json, to_json

LINE = 4096


class BadIndex(ValueError):
    """A line of an index that this program did not write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Began:
    """The first line."""

    track: str
    part: int
    codec: str
    init_length: int
    init_sha256: Digest
    utc: datetime
    v: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The last line."""

    size: int
    closed: bool = True


Line = Began | Fragment | Closed


def written(line: Line) -> bytes:
    """Return a line with its newline."""
    return canonical(to_json(line)) + b"\n"


def read(data: bytes) -> tuple[list[Line], int]:
    """Return the whole lines in ``data``, and how many bytes they take; what follows the last newline is not one yet.

    Raises BadIndex.
    """
    end = data.rfind(b"\n") + 1
    return [_line(line) for line in data[:end].split(b"\n")[:-1]], end


def _line(line: bytes) -> Line:
    try:
        form = parse_canonical(line, limit=LINE)
        if not isinstance(form, Mapping):
            raise BadIndex("a line is no object")
        kind: Any = Began if "init_sha256" in form else Closed if "closed" in form else Fragment
        read: Line = from_json(kind, form)
    except (CryptoRefused, Misshapen) as error:
        raise BadIndex(str(error)) from error
    return read
