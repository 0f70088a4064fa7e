"""SHA-256 and the RFC 6962 Merkle tree (section 2.1), over segments and over log leaves."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from crypto.errors import ProofRefused

SEGMENT = 4 * 1024 * 1024
TREE = "rfc6962-sha256"


def sha256(data: bytes) -> bytes:
    """Return SHA-256 of ``data``."""
    return hashlib.sha256(data).digest()


def sha256_hex(data: bytes) -> str:
    """Return SHA-256 of ``data`` in lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of one entry as a leaf; the 00 keeps leaves and nodes apart."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two smaller than ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes; of none, SHA-256 of nothing."""
    match len(leaves):
        case 0:
            return sha256(b"")
        case 1:
            return leaves[0]
        case size:
            cut = _split(size)
            return node_hash(root(leaves[:cut]), root(leaves[cut:]))


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of leaf ``index``, nearest sibling first (RFC 6962 section 2.1.1)."""
    if not 0 <= index < len(leaves):
        raise IndexError("no such leaf")
    if len(leaves) == 1:
        return []
    cut = _split(len(leaves))
    if index < cut:
        return [*inclusion_proof(leaves[:cut], index), root(leaves[cut:])]
    return [*inclusion_proof(leaves[cut:], index - cut), root(leaves[:cut])]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> None:
    """Raise unless ``proof`` shows ``leaf`` at ``index`` in the tree of ``size`` leaves (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        raise ProofRefused("wrong_proof", detail="no such leaf")
    position, last, current = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofRefused("wrong_proof", detail="too long")
        if position & 1 or position == last:
            current = node_hash(sibling, current)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            current = node_hash(current, sibling)
        position, last = position >> 1, last >> 1
    if last or current != expected_root:
        raise ProofRefused("wrong_proof")


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """Return the proof that the first ``old_size`` leaves are a prefix of all (RFC 6962 section 2.1.2)."""
    if not 0 < old_size <= len(leaves):
        raise IndexError("no such earlier tree")
    return _subproof(leaves, old_size, True)


def _subproof(leaves: Sequence[bytes], old_size: int, complete: bool) -> list[bytes]:
    if old_size == len(leaves):
        return [] if complete else [root(leaves)]
    cut = _split(len(leaves))
    if old_size <= cut:
        return [*_subproof(leaves[:cut], old_size, complete), root(leaves[cut:])]
    return [*_subproof(leaves[cut:], old_size - cut, False), root(leaves[:cut])]


def verify_consistency(old_size: int, old_root: bytes, size: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raise unless ``proof`` shows that the old tree is a prefix of the new one (RFC 9162 section 2.1.4.2)."""
    if not 0 < old_size <= size:
        raise ProofRefused("wrong_proof", detail="no such earlier tree")
    if old_size == size:
        if proof or old_root != new_root:
            raise ProofRefused("wrong_proof")
        return
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise ProofRefused("wrong_proof", detail="too short")
    position, last = old_size - 1, size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofRefused("wrong_proof", detail="too long")
        if position & 1 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        position, last = position >> 1, last >> 1
    if last or old != old_root or new != new_root:
        raise ProofRefused("wrong_proof")


class Behind:
    """Feeds pieces to ``update`` in a thread of its own, one piece behind the caller.

    Hashing and decrypting both let go of the interpreter's lock, so two cores work at once. Leave the ``with`` block
    before asking for the digest. The caller must not change a piece before the call after it returns.
    """

    def __init__(self, update: Callable[[memoryview], object]) -> None:
        self._update = update
        self._pool = ThreadPoolExecutor(1)
        self._last: Future[object] | None = None

    def __enter__(self) -> Self:
        return self

    def __call__(self, piece: memoryview) -> None:
        if self._last is not None:
            self._last.result()
        self._last = self._pool.submit(self._update, piece)

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        if self._last is not None:
            self._last.result()


class SegmentHasher:
    """The tree over a stream's 4 MiB segments, fed in pieces of any size."""

    def __init__(self) -> None:
        self.leaves: list[bytes] = []
        self.length = 0
        self._open = hashlib.sha256(b"\x00")
        self._room = SEGMENT

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Add the next bytes of the stream."""
        view = memoryview(data)
        self.length += len(view)
        while view:
            piece, view = view[: self._room], view[self._room :]
            self._open.update(piece)
            self._room -= len(piece)
            if not self._room:
                self._close()

    def _close(self) -> None:
        self.leaves.append(self._open.digest())
        self._open = hashlib.sha256(b"\x00")
        self._room = SEGMENT

    def finish(self) -> bytes:
        """Close the last, shorter segment and return the root. Call once, at the end."""
        if self._room != SEGMENT:
            self._close()
        return root(self.leaves)
