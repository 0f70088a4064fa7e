"""The commitment to a sealed set: one root over the header digests of all bids, in row order."""

from __future__ import annotations

from collections.abc import Sequence

from crypto.digest import leaf_hash, root
from sessions.ids import Digest


def set_root(headers: Sequence[Digest]) -> Digest:
    """Return the RFC 6962 root; each leaf is the 32 raw bytes of a header digest. Of none: SHA-256 of nothing."""
    return Digest(root([leaf_hash(bytes.fromhex(header)) for header in headers]).hex())
