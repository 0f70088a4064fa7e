"""A rescue as it is kept beside the log: its digest is in the log, its content stays sealed (acts.rescuing)."""

from __future__ import annotations

import json

from crypto.digest import sha256_hex
from sessions.ids import Digest
from sessions.ports import Evidence


def read_kept(piece: Evidence) -> tuple[str, str, str, Digest]:
    """Return kind, group, sealed message and digest of a rescue as it was kept."""
    said = json.loads(piece.statement)
    return said["kind"], said["group"], said["hpke"], Digest(sha256_hex(piece.statement.encode()))
