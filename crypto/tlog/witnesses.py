"""Witnesses and their cosignatures, Ed25519 (c2sp.org/tlog-cosignature, FORMAT.md section 12.3)."""

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from crypto.encoding import MAX_INTEGER
from crypto.errors import NoteRefused
from crypto.signing import HallKey
from crypto.tlog.checkpoints import Checkpoint
from crypto.tlog.notes import COSIGNATURE, Note, SignatureLine, VerifierKey, read_note


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """The public half of a witness: its name and its key, written as a vkey of kind 04."""

    name: str
    raw: bytes

    @property
    def verifier(self) -> VerifierKey:
        """The key by which its signature lines are found."""
        return VerifierKey(self.name, COSIGNATURE, self.raw)

    def __str__(self) -> str:
        """Return the vkey."""
        return str(self.verifier)

    @classmethod
    def parse(cls, vkey: str) -> "WitnessKey":
        """Return the witness a vkey names; the key must be one for cosignatures."""
        key = VerifierKey.parse(vkey)
        if key.kind != COSIGNATURE:
            raise NoteRefused("malformed_note", detail="not a witness's key")
        return cls(key.name, key.raw)


@dataclass(frozen=True, slots=True, repr=False)
class WitnessSecret:
    """What a witness keeps to itself. The key serves this one witness only: the signed message names no witness."""

    name: str
    key: HallKey

    @property
    def public(self) -> WitnessKey:
        """The half to publish."""
        return WitnessKey(self.name, self.key.public.raw)


def _message(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def cosign(note: str | bytes, witness: WitnessSecret, time: int) -> str:
    """Return the witness's signature line for a checkpoint, at ``time`` in seconds since 1970.

    It says that this is the largest consistent tree the witness has seen of the log; the caller answers for that.
    """
    text = read_note(note).text
    Checkpoint.parse(text)
    if not 0 < time <= MAX_INTEGER:
        raise NoteRefused("malformed_note", detail="no such time")
    signature = time.to_bytes(8, "big") + witness.key.private.sign(_message(text, time))
    key = witness.public.verifier
    return str(SignatureLine(key.name, key.key_id, signature))


def verify_cosignature(note: str | bytes, witness: WitnessKey) -> int:
    """Return when the witness cosigned the checkpoint, in seconds since 1970; raise if it did not.

    Several cosignatures of one witness are allowed, all must verify, and the earliest time counts.
    """
    parsed = read_note(note)
    times = [_time(parsed, line, witness) for line in parsed.by(witness.verifier)]
    if not times:
        raise NoteRefused("wrong_signer")
    return min(times)


def _time(note: Note, line: SignatureLine, witness: WitnessKey) -> int:
    Checkpoint.parse(note.text)
    time = int.from_bytes(line.signature[:8], "big")
    if len(line.signature) != 72 or not 0 < time <= MAX_INTEGER:
        raise NoteRefused("bad_signature")
    try:
        Ed25519PublicKey.from_public_bytes(witness.raw).verify(line.signature[8:], _message(note.text, time))
    except InvalidSignature as error:
        raise NoteRefused("bad_signature") from error
    return time


def cosignatures(note: str | bytes, witnesses: Iterable[WitnessKey]) -> dict[str, int]:
    """Return which of these witnesses cosigned, by name, and when; a broken line of one of them refuses the note."""
    parsed = read_note(note)
    return {one.name: verify_cosignature(note, one) for one in witnesses if parsed.by(one.verifier)}


def with_signatures(note: str | bytes, lines: str) -> str:
    """Return the note with more signature lines under it, those that it has already left out. Verifies nothing."""
    parsed = read_note(note)
    if not lines.endswith("\n"):
        raise NoteRefused("malformed_note", detail="not signature lines")
    added = tuple(map(SignatureLine.parse, lines[:-1].split("\n")))
    return str(Note(parsed.text, tuple(dict.fromkeys((*parsed.signatures, *added)))))
