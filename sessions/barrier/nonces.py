"""The challenge a release answers: bound to one window of one log, and unpredictable before it (hall/PROTOCOL.md)."""

from __future__ import annotations

from collections.abc import Sequence

from crypto.digest import sha256_hex
from crypto.encoding import lv
from sessions.events import Recorded, StepEntered
from sessions.ids import BidderId, Digest
from sessions.opening import Opening
from sessions.plan import StepKind

LABEL = "KAIBIAO/nonce"


def window_digest(opening: Opening, records: Sequence[Recorded]) -> Digest | None:
    """Return the digest of the event with which the decrypt window began, if it has."""
    steps = {step.id for step in opening.plan.pack.steps if step.kind is StepKind.DECRYPT}
    for record in records:
        if isinstance(record.event, StepEntered) and record.event.step in steps:
            return record.digest
    return None


def nonce(window: Digest, bidder: BidderId) -> str:
    """Return the challenge of this bidder in this window, hex of 32 bytes."""
    return sha256_hex(lv(LABEL) + bytes.fromhex(window) + lv(bidder))
