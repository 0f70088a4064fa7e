"""A log as files that never change: tiles and bundles (c2sp.org/tlog-tiles, FORMAT.md section 12.7)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from crypto.encoding import lv
from crypto.errors import NoteRefused
from crypto.tlog.tree import Tree

WIDTH: Final = 256
_PATH = re.compile(
    r"(?P<level>entries|[0-9]|[1-5][0-9]|6[0-3])/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TilePath:
    """Which tile: ``level`` is that of hash tiles, None for bundles of entries; ``width`` below 256 if partial."""

    level: int | None
    index: int
    width: int = WIDTH

    @property
    def end(self) -> int:
        """How many entries a log must have for this tile to exist."""
        return (self.index * WIDTH + self.width) << 8 * (self.level or 0)

    def __str__(self) -> str:
        """Return the path after ``tile/``: ``0/x001/x234/067.p/8``."""
        digits = f"{self.index:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[start : start + 3] for start in range(0, len(digits), 3)]
        name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"{'entries' if self.level is None else self.level}/{name}{partial}"

    def hashes(self, tree: Tree) -> bytes:
        """Return a hash tile's bytes; ``IndexError`` if the tree is not that large."""
        if self.level is None:
            raise IndexError("entries are not in the tree")
        start = self.index * WIDTH
        return tree.hashes(8 * self.level, start, start + self.width)


def read_tile_path(path: str) -> TilePath:
    """Return the tile a path names; refuse any other spelling of it."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise NoteRefused("malformed_note", detail="not a tile's path")
    level = None if found["level"] == "entries" else int(found["level"])
    width = int(found["width"]) if found["width"] else WIDTH
    tile = TilePath(level=level, index=int(found["index"].replace("x", "").replace("/", "")), width=width)
    if str(tile) != path:
        raise NoteRefused("malformed_note", detail="not a tile's path")
    return tile


def tiles_of(size: int) -> list[TilePath]:
    """Return the paths of all tiles and bundles of a log of ``size`` entries."""
    paths, level, count = list[TilePath](), 0, size
    while count:
        full, rest = divmod(count, WIDTH)
        partial = [TilePath(level=level, index=full, width=rest)] if rest else []
        paths += [*(TilePath(level=level, index=index) for index in range(full)), *partial]
        level, count = level + 1, full
    bundles = [TilePath(level=None, index=tile.index, width=tile.width) for tile in paths if tile.level == 0]
    return [*paths, *bundles]


def entry_bundle(entries: Iterable[bytes]) -> bytes:
    """Return entries one after the other, each after its length in two bytes."""
    return b"".join(map(lv, entries))


def read_entry_bundle(data: bytes) -> list[bytes]:
    """Return the entries of a bundle."""
    entries, at = list[bytes](), 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 2], "big")
        if at + 2 + length > len(data):
            raise NoteRefused("malformed_note", detail="a bundle cut short")
        entries.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    return entries
