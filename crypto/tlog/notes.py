"""Signed notes and verifier keys (c2sp.org/signed-note, FORMAT.md section 12.1)."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from crypto.digest import sha256
from crypto.encoding import MAX_INTEGER
from crypto.errors import CertificateRefused, NoteRefused
from crypto.signing import HallPublicKey

ED25519: Final = 0x01
COSIGNATURE: Final = 0x04
MAX_NOTE: Final = 131_072
"""Bytes of a note. The standard asks for room for 16 signatures, of which some may have 5 kB."""
MAX_SIGNATURES: Final = 64
_DASH: Final = "— "
_HASH: Final = 32


def b64(data: bytes) -> str:
    """Return base64 with padding (RFC 4648 section 4), which is how C2SP writes bytes."""
    return base64.b64encode(data).decode("ascii")


def unb64(text: str, size: int | None = None) -> bytes:
    """Return the bytes of padded base64, which must be the one spelling of them, and ``size`` bytes if given."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise NoteRefused("malformed_note", detail="not base64") from error
    if b64(data) != text or (size is not None and len(data) != size):
        raise NoteRefused("malformed_note", detail="not canonical base64 of the right length")
    return data


def unhash(line: str) -> bytes:
    """Return the tree hash that stands on a line."""
    return unb64(line, _HASH)


def decimal(text: str) -> int:
    """Return an ASCII decimal without leading zeroes, up to 2^53 - 1 so that every language reads the same."""
    if not re.fullmatch(r"0|[1-9][0-9]{0,15}", text) or int(text) > MAX_INTEGER:
        raise NoteRefused("malformed_note", detail="not a decimal in range")
    return int(text)


def check_name(name: str) -> str:
    """Return ``name`` if it may name a key: not empty, no Unicode space, no plus, no control character."""
    if not name or "+" in name or any(letter.isspace() or letter < " " for letter in name):
        raise NoteRefused("malformed_note", detail="not a key name")
    return name


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A name and an Ed25519 key for one kind of signature: ``ED25519`` of a log, ``COSIGNATURE`` of a witness."""

    name: str
    kind: int
    raw: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.kind not in {ED25519, COSIGNATURE}:
            raise NoteRefused("malformed_note", detail="another kind of signature")
        HallPublicKey(self.raw)  # refuses another length and keys of small order

    @property
    def key_id(self) -> bytes:
        """The four bytes by which a signature line names its key."""
        return sha256(f"{self.name}\n".encode() + bytes([self.kind]) + self.raw)[:4]

    def __str__(self) -> str:
        """Return the vkey: ``name+hex(key id)+base64(kind | key)``."""
        return f"{self.name}+{self.key_id.hex()}+{b64(bytes([self.kind]) + self.raw)}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Return the key a vkey states; its id must be the right one."""
        name, plus, rest = text.partition("+")
        key_id, more, material = rest.partition("+")
        if not plus or not more:
            raise NoteRefused("malformed_note", detail="not a verifier key")
        data = unb64(material, 1 + _HASH)
        try:
            key = cls(name, data[0], data[1:])
        except CertificateRefused as error:
            raise NoteRefused("malformed_note", detail="weak key") from error
        if key.key_id.hex() != key_id:
            raise NoteRefused("malformed_note", detail="the id is not this key's")
        return key


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature under a note: who says to have signed, and the bytes after the key id."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        """Return the line with its newline."""
        return f"{_DASH}{self.name} {b64(self.key_id + self.signature)}\n"

    @classmethod
    def parse(cls, line: str) -> "SignatureLine":
        """Return the signature on a line without its newline."""
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        data = unb64(encoded)
        if not line.startswith(_DASH) or len(data) < 5:
            raise NoteRefused("malformed_note", detail="not a signature line")
        return cls(check_name(name), data[:4], data[4:])


@dataclass(frozen=True, slots=True)
class Note:
    """A text ending in a newline and the signatures under it, **none of them verified**."""

    text: str
    signatures: tuple[SignatureLine, ...]

    def __str__(self) -> str:
        """Return the note as it is sent and stored."""
        return f"{self.text}\n{''.join(map(str, self.signatures))}"

    def by(self, key: VerifierKey) -> tuple[SignatureLine, ...]:
        """Return the signatures that name this key and its id; all others must be ignored."""
        return tuple(one for one in self.signatures if (one.name, one.key_id) == (key.name, key.key_id))


def read_note(note: str | bytes) -> Note:
    """Return the parts of a note; refuse what is not in its one form. Verifies nothing."""
    try:
        data = note.encode() if isinstance(note, str) else note
        text = data.decode()
    except UnicodeError as error:
        raise NoteRefused("malformed_note", detail="not UTF-8") from error
    if len(data) > MAX_NOTE:
        raise NoteRefused("too_large")
    if any(letter < " " and letter != "\n" for letter in text):
        raise NoteRefused("malformed_note", detail="control characters")
    body, blank, lines = text.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise NoteRefused("malformed_note", detail="no signatures after a blank line")
    signatures = lines[:-1].split("\n")
    if len(signatures) > MAX_SIGNATURES:
        raise NoteRefused("too_large")
    return Note(f"{body}\n", tuple(map(SignatureLine.parse, signatures)))
