"""What a log asks of a witness (c2sp.org/tlog-witness, FORMAT.md section 12.6)."""

from collections.abc import Sequence
from dataclasses import dataclass

from crypto.errors import NoteRefused
from crypto.tlog.notes import b64, decimal, unhash

MAX_REQUEST = 262_144
MAX_PROOF = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheckpoint:
    """Cosign this checkpoint: it continues the one of ``old_size`` that you cosigned last, and here is the proof."""

    old_size: int
    proof: tuple[bytes, ...]
    checkpoint: str


def write_request(old_size: int, proof: Sequence[bytes], checkpoint: str) -> str:
    """Return the body of ``POST add-checkpoint``."""
    return "\n".join([f"old {old_size}", *map(b64, proof), "", checkpoint])


def read_request(text: str) -> AddCheckpoint:
    """Return what the body of ``POST add-checkpoint`` asks for; the checkpoint in it is not read yet."""
    if len(text) > MAX_REQUEST:
        raise NoteRefused("too_large")
    head, blank, checkpoint = text.partition("\n\n")
    first, *proof = head.split("\n")
    if not blank or not first.startswith("old ") or len(proof) > MAX_PROOF:
        raise NoteRefused("malformed_note", detail="not an add-checkpoint request")
    return AddCheckpoint(
        old_size=decimal(first.removeprefix("old ")), proof=tuple(map(unhash, proof)), checkpoint=checkpoint
    )
