"""A tree that grows: roots and proofs at any size in a few steps, and nothing hashed twice (RFC 6962 section 2.1)."""

from __future__ import annotations

from collections.abc import Iterable

from crypto.digest import leaf_hash, node_hash, sha256

_HASH = 32


class Tree:
    """Leaf hashes and the hash of every full subtree over them; about 64 bytes an entry.

    An append costs one hash more than the leaf's own on average; a root, or a proof between any two sizes reached so
    far, costs at most a few dozen. Full subtrees never change, so every earlier tree is still in here.
    """

    __slots__ = ("_levels",)

    def __init__(self, entries: Iterable[bytes] = ()) -> None:
        self._levels: list[bytearray] = [bytearray()]
        for entry in entries:
            self.append(entry)

    def __len__(self) -> int:
        return len(self._levels[0]) // _HASH

    def append(self, entry: bytes) -> None:
        """Add one entry, which is hashed as a leaf."""
        self._levels[0] += leaf_hash(entry)
        level = 0
        while len(self._levels[level]) % (2 * _HASH) == 0:
            if level + 1 == len(self._levels):
                self._levels.append(bytearray())
            pair = self._levels[level][-2 * _HASH :]
            self._levels[level + 1] += node_hash(bytes(pair[:_HASH]), bytes(pair[_HASH:]))
            level += 1

    def grown(self, entries: Iterable[bytes]) -> Tree:
        """Return a tree that has ``entries`` besides; this one stays as it is."""
        other = Tree()
        other._levels = [bytearray(level) for level in self._levels]
        for entry in entries:
            other.append(entry)
        return other

    def leaf(self, index: int) -> bytes:
        """Return the leaf hash of entry ``index``."""
        self._check(index + 1, low=1)
        return self._node(0, index)

    def hashes(self, level: int, start: int, end: int) -> bytes:
        """Return the hashes of the full subtrees ``start`` to ``end`` of 2^level leaves, one after the other."""
        if not 0 <= start < end or level >= len(self._levels) or end * _HASH > len(self._levels[level]):
            raise IndexError("no such full subtrees")
        return bytes(self._levels[level][start * _HASH : end * _HASH])

    def root(self, size: int | None = None) -> bytes:
        """Return the root of the first ``size`` entries, of all without it; of none, SHA-256 of nothing."""
        end = len(self) if size is None else size
        self._check(end)
        return self._range(0, end) if end else sha256(b"")

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """Return the audit path of entry ``index`` in the tree of ``size`` entries (RFC 6962 section 2.1.1)."""
        end = len(self) if size is None else size
        self._check(end, low=index + 1)
        if index < 0:
            raise IndexError("no such entry")
        start, path = 0, list[bytes]()
        while end - start > 1:
            cut = start + _split(end - start)
            if index < cut:
                path.append(self._range(cut, end))
                end = cut
            else:
                path.append(self._range(start, cut))
                start = cut
        return path[::-1]

    def consistency_proof(self, old_size: int, size: int | None = None) -> list[bytes]:
        """Return the proof that the tree of ``old_size`` is a prefix of that of ``size`` (RFC 6962 section 2.1.2).

        It is empty for equal sizes and for an old size of 0, as the witness protocol has it.
        """
        end = len(self) if size is None else size
        self._check(end, low=old_size)
        self._check(old_size)
        if old_size in (0, end):
            return []
        start, whole, path = 0, True, list[bytes]()
        while old_size != end:
            cut = start + _split(end - start)
            if old_size <= cut:
                path.append(self._range(cut, end))
                end = cut
            else:
                path.append(self._range(start, cut))
                start, whole = cut, False
        if not whole:
            path.append(self._range(start, end))
        return path[::-1]

    def _check(self, size: int, low: int = 0) -> None:
        if not low <= size <= len(self) or size < 0:
            raise IndexError("no such tree")

    def _node(self, level: int, index: int) -> bytes:
        return bytes(self._levels[level][index * _HASH : (index + 1) * _HASH])

    def _range(self, start: int, end: int) -> bytes:
        """The hash of leaves start to end, where start is a multiple of a power of two not below their number."""
        width = end - start
        if width & (width - 1) == 0:
            level = width.bit_length() - 1
            return self._node(level, start >> level)
        cut = start + _split(width)
        return node_hash(self._range(start, cut), self._range(cut, end))


def _split(size: int) -> int:
    """The largest power of two smaller than ``size``."""
    return 1 << ((size - 1).bit_length() - 1)
