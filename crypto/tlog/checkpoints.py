"""Checkpoints: the root of a log at one size, signed (c2sp.org/tlog-checkpoint, FORMAT.md section 12.2)."""

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from crypto.errors import NoteRefused
from crypto.signing import HallKey, HallPublicKey
from crypto.tlog.notes import ED25519, Note, SignatureLine, VerifierKey, b64, decimal, read_note, unhash


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The log ``origin`` had ``size`` entries and this root. ``extension``: lines a log may add; ours adds none."""

    origin: str
    size: int
    root: bytes
    extension: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The body that is signed, final newline included."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, b64(self.root), *self.extension))

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Return the checkpoint in a note's text: three lines or more, none empty."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
            raise NoteRefused("malformed_checkpoint")
        try:
            size, root = decimal(lines[1]), unhash(lines[2])
        except NoteRefused as error:
            raise NoteRefused("malformed_checkpoint") from error
        return cls(origin=lines[0], size=size, root=root, extension=tuple(lines[3:-1]))


def log_key(origin: str, hall: HallPublicKey) -> VerifierKey:
    """Return the verifier key of a log of this hall: the key's name is the log's origin."""
    return VerifierKey(origin, ED25519, hall.raw)


def sign_checkpoint(checkpoint: Checkpoint, hall: HallKey) -> str:
    """Return the checkpoint as a note signed by the hall.

    The caller answers for the promise of a log: never two roots for one size, and never a tree that does not continue
    the last one signed.
    """
    key = log_key(checkpoint.origin, hall.public)
    line = SignatureLine(key.name, key.key_id, hall.private.sign(checkpoint.text.encode()))
    return str(Note(checkpoint.text, (line,)))


def open_checkpoint(note: str | bytes, hall: HallPublicKey, origin: str | None = None) -> Checkpoint:
    """Return the checkpoint in ``note`` if the hall signed it, and if it is of the log ``origin`` when that is given.

    Cosignatures and signatures by unknown keys are ignored; see ``cosignatures``.
    """
    parsed = read_note(note)
    checkpoint = Checkpoint.parse(parsed.text)
    if origin is not None and checkpoint.origin != origin:
        raise NoteRefused("wrong_origin")
    verify_log(parsed, log_key(checkpoint.origin, hall))
    return checkpoint


def verify_log(note: Note, key: VerifierKey) -> None:
    """Raise unless the note carries a signature of the log's key, and no broken one under its name."""
    lines = note.by(key)
    if not lines:
        raise NoteRefused("wrong_signer")
    public = Ed25519PublicKey.from_public_bytes(key.raw)
    for line in lines:
        try:
            public.verify(line.signature, note.text.encode())
        except InvalidSignature as error:
            raise NoteRefused("bad_signature") from error


def peek_checkpoint(note: str | bytes) -> Checkpoint:
    """Return what a note states **without verifying it**: to find out which log's key to use."""
    return Checkpoint.parse(read_note(note).text)
