"""Rescue when the certificate fails on the day: a spare read-out sheet, or the bare key (FORMAT.md section 6.3).

Neither can be exchanged for another: a key must reproduce ``kcb``, a sheet the commitment ``pc`` that was sealed with
the bid. The salt of that commitment is in the rescue file and nowhere else, so ``pc`` says nothing about the sheet.
"""

import hmac
import os
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec

from crypto.digest import sha256
from crypto.encoding import b64u, canonical, check_integer, exactly, lv, parse_canonical, unb64u, unhex
from crypto.errors import EncodingRefused, ReleaseRefused, SealedBidRefused
from crypto.header import MAX_SHEET, QUOTE, Header
from crypto.opening import parse_sheet
from crypto.release import HPKE, NONCE

SALT: Final = 32
KEY: Final = "key"
PLAIN: Final = "plain"
KINDS: Final = (KEY, PLAIN)
WHAT: Final = "kaibiao-rescue"
LIMIT: Final = 2 * MAX_SHEET
OVERHEAD: Final = 65 + 16


def new_salt() -> bytes:
    """Return a fresh salt of a commitment."""
    return os.urandom(SALT)


def plain_commitment(context: bytes, part: str, salt: bytes, plain: bytes) -> bytes:
    """Return ``pc``: what commits to the plain bytes of one part. ``context`` is the group's ``ctx_g``.

    Binding: another sheet with this value is a collision of SHA-256. Hiding: ``salt`` is 32 random bytes.
    """
    if len(salt) != SALT:
        raise SealedBidRefused("malformed_rescue")
    return sha256(b"SBID1/plain" + lv(context) + lv(part) + salt + sha256(plain))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Rescue:
    """A spare read-out sheet with the salt of its commitment. Whoever has it knows the price: keep it as the key."""

    header_sha256: str
    salt: bytes
    sheet: bytes

    def encode(self) -> bytes:
        """Return the rescue file."""
        return canonical(
            {
                "v": 1,
                "what": WHAT,
                "header_sha256": self.header_sha256,
                "salt": self.salt.hex(),
                "quote": parse_sheet(self.sheet, "malformed_quote"),
            }
        )


def read_rescue(data: bytes) -> Rescue:
    """Return the rescue file in ``data``; ``malformed_rescue``. It is checked against a header by ``check_sheet``."""
    try:
        said = exactly(parse_canonical(data, limit=LIMIT), ("v", "what", "header_sha256", "salt", "quote"))
        check_integer(said["v"], 1, 1)
        if said["what"] != WHAT or not isinstance(said["quote"], dict):
            raise EncodingRefused("malformed_field", detail="what")
        unhex(said["header_sha256"], 32)
        salt = unhex(said["salt"], SALT)
    except EncodingRefused as error:
        raise SealedBidRefused("malformed_rescue", detail=error.detail) from error
    return Rescue(header_sha256=said["header_sha256"], salt=salt, sheet=canonical(said["quote"]))


def check_sheet(header: Header, salt: bytes, sheet: bytes) -> None:
    """Raise unless the sealed bid committed to just this sheet: ``no_rescue`` if to none, ``commitment_mismatch``."""
    part = header.part(QUOTE)
    if part.pc is None:
        raise SealedBidRefused("no_rescue")
    parse_sheet(sheet, "malformed_quote")
    if not hmac.compare_digest(plain_commitment(header.context(part.group), QUOTE, salt, sheet), part.pc):
        raise SealedBidRefused("commitment_mismatch")


def read_key(data: bytes) -> bytes:
    """Return the group key in a key file: 32 bare bytes, or as hex or base64url text. ``malformed_rescue``."""
    if len(data) == 32:
        return data
    try:
        text = data.decode("ascii").strip()
        key = bytes.fromhex(text) if len(text) == 64 else unb64u(text)
    except (UnicodeDecodeError, ValueError, EncodingRefused) as error:
        raise SealedBidRefused("malformed_rescue") from error
    if len(key) != 32:
        raise SealedBidRefused("malformed_rescue")
    return key


def _info(kind: str, session: str, group: str, header_sha256: str, nonce: str) -> bytes:
    about = lv(kind) + lv(session) + lv(group)
    return b"SBID1/rescue" + about + lv(unhex(header_sha256, 32)) + lv(unhex(nonce, NONCE))


def seal_rescue(
    payload: bytes,
    kind: str,
    *,
    session: str,
    group: str,
    header_sha256: str,
    nonce: str,
    session_key: ec.EllipticCurvePublicKey,
) -> str:
    """Return ``payload`` (a key's 32 bytes, or a rescue file) sealed to the session, in base64url."""
    return b64u(HPKE.encrypt(payload, session_key, _info(kind, session, group, header_sha256, nonce)))


def open_rescue(
    sealed: str,
    kind: str,
    *,
    session: str,
    group: str,
    header_sha256: str,
    nonce: str,
    session_key: ec.EllipticCurvePrivateKey,
) -> bytes:
    """Return what ``seal_rescue`` sealed; ``malformed_rescue`` for its form, ``not_decryptable``.

    A sheet is opened behind the barrier only; a key before it too, to be compared and forgotten.
    """
    try:
        message = unb64u(sealed)
    except EncodingRefused as error:
        raise ReleaseRefused("malformed_rescue") from error
    if kind not in KINDS or not OVERHEAD < len(message) <= LIMIT + OVERHEAD:
        raise ReleaseRefused("malformed_rescue")
    try:
        return HPKE.decrypt(message, session_key, _info(kind, session, group, header_sha256, nonce))
    except (InvalidTag, ValueError) as error:
        raise ReleaseRefused("not_decryptable") from error
