"""The finished file: chapters in its head and an index before its fragments, of which no byte changes.

ISO/IEC 14496-12 for the boxes; ``chpl`` is the chapter list that players know from MP4 files (moov/udta). What is
added can be taken away again to the byte, so the digest of the head as it was written still tells (ARCHIVE.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sessions.commands import Fragment

_TICKS = 10_000  # of 100 ns in a millisecond
MOST_CHAPTERS = 255
LONGEST_TITLE = 255


class NotOurs(ValueError):
    """Bytes that are no head, or no finished file, of the form that the recorder writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """Where something begins, in milliseconds of the file, and what it is called."""

    at_ms: int
    title: str


def finished(init: bytes, fragments: Sequence[Fragment], chapters: Sequence[Chapter]) -> bytes:
    """Return what stands before the first fragment of the finished file. Raises NotOurs."""
    ftyp, moov = _head(init)
    titled = _with_udta(moov, _chpl(chapters)) if chapters else moov
    return ftyp + titled + (_sidx(*_lead(moov), fragments) if fragments else b"")


def opened(data: bytes) -> tuple[bytes, int]:
    """Return the head of a finished file as the recorder wrote it, and where its first fragment begins.

    Raises NotOurs.
    """
    ftyp, moov = _head(data)
    begins = len(ftyp) + len(moov)
    for kind, box in _boxes(data[begins : begins + (1 << 24)], whole=False):
        if kind == b"sidx":
            begins += len(box)
        break
    return ftyp + _without_chpl(moov), begins


def chapters_in(data: bytes) -> tuple[Chapter, ...]:
    """Return the chapters that a finished file names. Raises NotOurs."""
    _, moov = _head(data)
    chpl = _child(_child(moov, b"udta") or b"", b"chpl")
    if chpl is None:
        return ()
    told, at = [], 17
    for _ in range(chpl[16]):
        begin, length = int.from_bytes(chpl[at : at + 8], "big"), chpl[at + 8]
        told.append(Chapter(at_ms=begin // _TICKS, title=chpl[at + 9 : at + 9 + length].decode()))
        at += 9 + length
    return tuple(told)


def _head(data: bytes) -> tuple[bytes, bytes]:
    boxes = _boxes(data, whole=False)
    kinds = [next(boxes, (b"", b"")) for _ in range(2)]
    if [kind for kind, _ in kinds] != [b"ftyp", b"moov"]:
        raise NotOurs("a file begins with ftyp and moov")
    return kinds[0][1], kinds[1][1]


def _boxes(data: bytes, *, whole: bool = True) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and box, one after the other; with ``whole`` the last ends where the data does."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size < 8 or at + size > len(data):
            break
        yield data[at + 4 : at + 8], data[at : at + size]
        at += size
    if whole and at != len(data):
        raise NotOurs("a box ends where no box may end")


def _child(box: bytes, kind: bytes) -> bytes | None:
    return next((inner for name, inner in _boxes(box[8:]) if name == kind), None)


def _box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def _with_udta(moov: bytes, chpl: bytes) -> bytes:
    """Return the moov with the list at the end of its udta, which it gets if it has none."""
    inner = list(_boxes(moov[8:]))
    if not any(kind == b"udta" for kind, _ in inner):
        return _box(b"moov", moov[8:] + _box(b"udta", chpl))
    return _box(b"moov", b"".join(_box(b"udta", box[8:] + chpl) if kind == b"udta" else box for kind, box in inner))


def _without_chpl(moov: bytes) -> bytes:
    left = b""
    for kind, box in _boxes(moov[8:]):
        if kind == b"udta" and _child(box, b"chpl") is not None:
            rest = b"".join(inner for name, inner in _boxes(box[8:]) if name != b"chpl")
            left += _box(b"udta", rest) if rest else b""
        else:
            left += box
    return _box(b"moov", left)


def _chpl(chapters: Sequence[Chapter]) -> bytes:
    told = chapters[:MOST_CHAPTERS]
    content = b"\x01\0\0\0" + b"\0\0\0\0" + bytes([len(told)])  # version 1, reserved, how many
    for chapter in told:
        title = chapter.title.encode()[:LONGEST_TITLE].decode(errors="ignore").encode()
        content += (max(chapter.at_ms, 0) * _TICKS).to_bytes(8, "big") + bytes([len(title)]) + title
    return _box(b"chpl", content)


def _sidx(track: int, scale: int, fragments: Sequence[Fragment]) -> bytes:
    """Return the index (section 8.16.3): a reference from each keyframe to the next, so that a player may jump.

    Its clock is the track's: players are known that take it for that without asking.
    """
    starts = [n for n, fragment in enumerate(fragments) if fragment.keyframe or n == 0]
    bounds = [*starts, len(fragments)]
    last = fragments[-1]
    end = max(last.time_ms + last.duration_ms, fragments[starts[-1]].time_ms)
    references = b""
    for begin, until in pairwise(bounds):
        size = sum(fragment.length for fragment in fragments[begin:until])
        next_ms = fragments[until].time_ms if until < len(fragments) else end
        sap = 0x9000_0000 if fragments[begin].keyframe else 0
        lasts = max(_ticks(next_ms, scale) - _ticks(fragments[begin].time_ms, scale), 0)
        references += b"".join(part.to_bytes(4, "big") for part in (size, lasts, sap))
    head = b"\x01\0\0\0" + track.to_bytes(4, "big") + scale.to_bytes(4, "big")  # version 1
    times = _ticks(fragments[0].time_ms, scale).to_bytes(8, "big") + (0).to_bytes(8, "big")
    return _box(b"sidx", head + times + b"\0\0" + len(starts).to_bytes(2, "big") + references)


def _ticks(ms: int, scale: int) -> int:
    return ms * scale // 1000


def _lead(moov: bytes) -> tuple[int, int]:
    """Number and clock of the track that shows the picture, or of the first."""
    tracks = [box for kind, box in _boxes(moov[8:]) if kind == b"trak"]
    if not tracks:
        raise NotOurs("a head without a track")
    for trak in tracks:
        handler = _child(_child(trak, b"mdia") or b"", b"hdlr")
        if handler is not None and handler[16:20] == b"vide":
            return _told(trak)
    return _told(tracks[0])


def _told(trak: bytes) -> tuple[int, int]:
    head, media = _child(trak, b"tkhd"), _child(_child(trak, b"mdia") or b"", b"mdhd")
    if head is None or media is None:
        raise NotOurs("a track without its head")
    return _at(head, 28 if head[8] else 20), _at(media, 28 if media[8] else 20)


def _at(box: bytes, at: int) -> int:
    return int.from_bytes(box[at : at + 4], "big")
