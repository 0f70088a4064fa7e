"""One entry, proven without asking anybody (c2sp.org/tlog-proof, FORMAT.md section 12.5)."""

from collections.abc import Sequence
from dataclasses import dataclass

from crypto.digest import leaf_hash, verify_inclusion
from crypto.errors import NoteRefused, ProofRefused
from crypto.signing import HallPublicKey
from crypto.tlog.checkpoints import Checkpoint, open_checkpoint
from crypto.tlog.notes import b64, decimal, unb64, unhash

_HEAD = "c2sp.org/tlog-proof@v1"
_MAX_PROOF = 262_144
_MAX_PATH = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Entry ``index`` (from 0), the way up from it, and the checkpoint as a note. ``extra`` is not authenticated."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None

    def verify(self, entry: bytes, hall: HallPublicKey, origin: str) -> Checkpoint:
        """Return the checkpoint of the log ``origin`` in which ``entry`` stands at ``index``; raise if it does not.

        Who cosigned is another question: ``Policy.require(proof.checkpoint)``.
        """
        checkpoint = open_checkpoint(self.checkpoint, hall, origin)
        verify_inclusion(leaf_hash(entry), self.index, checkpoint.size, self.hashes, checkpoint.root)
        return checkpoint


def write_proof(index: int, hashes: Sequence[bytes], checkpoint: str, extra: bytes | None = None) -> str:
    """Return the text of a ``.tlog-proof`` file."""
    more = [] if extra is None else [f"extra {b64(extra)}"]
    return "\n".join([_HEAD, *more, f"index {index}", *map(b64, hashes), "", checkpoint])


def read_proof(text: str) -> Proof:
    """Return the parts of a ``.tlog-proof``; refuse what is not in its one form. Verifies nothing."""
    if len(text) > _MAX_PROOF:
        raise NoteRefused("too_large")
    head, blank, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    try:
        if not blank or lines.pop(0) != _HEAD:
            raise NoteRefused("malformed_note")
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = unb64(lines.pop(0).removeprefix("extra "))
        if not lines or not lines[0].startswith("index ") or len(lines) > 1 + _MAX_PATH:
            raise NoteRefused("malformed_note")
        index = decimal(lines[0].removeprefix("index "))
        hashes = tuple(map(unhash, lines[1:]))
    except NoteRefused as error:
        raise ProofRefused("malformed_proof") from error
    return Proof(index=index, hashes=hashes, checkpoint=checkpoint, extra=extra)
