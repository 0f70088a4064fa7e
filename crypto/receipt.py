"""Receipts and refusal slips: what the hall owes everyone who uploads (FORMAT.md section 7)."""

import hmac
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, TypeVar

from crypto import signing
from crypto.digest import sha256
from crypto.encoding import canonical, check_identifier, check_integer, check_moment, exactly, unhex
from crypto.errors import EncodingRefused, StatementRefused
from crypto.signing import HallKey, HallPublicKey

RECEIPT: Final = "receipt"
SLIP: Final = "slip"
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOKALIKES: Final = str.maketrans("OIL", "011")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The hall received exactly these bytes at this moment; ``length`` is that of the file."""

    session: str
    tender: str
    lot: str
    bidder: str
    header_sha256: str
    root: str
    length: int
    declaration_sha256: str
    received_at: str
    leaf_salt: str = field(repr=False)

    def payload(self) -> dict[str, Any]:
        """Return the statement's payload, every member checked."""
        for text in (self.session, self.tender, self.lot, self.bidder):
            check_identifier(text)
        for digest in (self.header_sha256, self.root, self.declaration_sha256, self.leaf_salt):
            unhex(digest, 32)
        check_moment(self.received_at, milliseconds=True)
        check_integer(self.length)
        return {"v": 1, **asdict(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """The hall did not take the bytes, and says so under its key: ``code`` is the refusal. None means not known."""

    session: str
    tender: str
    lot: str
    bidder: str | None
    header_sha256: str | None
    declaration_sha256: str | None
    length: int
    received_at: str
    code: str

    def payload(self) -> dict[str, Any]:
        """Return the statement's payload, every member checked."""
        for text in (self.session, self.tender, self.lot, self.code):
            check_identifier(text)
        if self.bidder is not None:
            check_identifier(self.bidder)
        for digest in (self.header_sha256, self.declaration_sha256):
            if digest is not None:
                unhex(digest, 32)
        check_moment(self.received_at, milliseconds=True)
        check_integer(self.length)
        return {"v": 1, **asdict(self)}


_Statement = TypeVar("_Statement", Receipt, Slip)


def issue(statement: Receipt | Slip, hall: HallKey) -> str:
    """Return the receipt or slip signed by the hall."""
    return signing.sign(statement.payload(), RECEIPT if isinstance(statement, Receipt) else SLIP, hall)


def verify_receipt(token: str, hall: HallPublicKey) -> Receipt:
    """Return the receipt in ``token`` if the hall signed it."""
    return _read(Receipt, signing.verify(token, RECEIPT, hall))


def verify_slip(token: str, hall: HallPublicKey) -> Slip:
    """Return the refusal slip in ``token`` if the hall signed it."""
    return _read(Slip, signing.verify(token, SLIP, hall))


def _read(kind: type[_Statement], payload: Mapping[str, Any]) -> _Statement:
    names: list[str] = [field.name for field in fields(kind)]
    try:
        members = exactly(payload, ("v", *names))
        check_integer(members["v"], 1, 1)
        statement = kind(**{name: members[name] for name in names})
        statement.payload()
    except EncodingRefused as error:
        raise StatementRefused("malformed_token", detail=error.detail) from error
    return statement


def tracker(payload: Mapping[str, Any]) -> str:
    """Return the short code people read out over the phone: 70 bits of the payload's digest, ``K7F2-9QWM-3TRD-A1``.

    It shows nothing of a receipt before its ``leaf_salt`` is known, and is enough to find it again.
    """
    number = int.from_bytes(sha256(b"SBID1/tracker" + canonical(payload)), "big") >> (256 - 70)
    symbols = "".join(_CROCKFORD[number >> shift & 31] for shift in range(65, -1, -5))
    return "-".join((symbols[:4], symbols[4:8], symbols[8:12], symbols[12:]))


def read_tracker(text: str) -> str:
    """Return the code as ``tracker`` writes it from what a person typed: any case, spaces, O for 0, I and L for 1."""
    symbols = "".join(text.upper().replace("-", "").split()).translate(_LOOKALIKES)
    if len(symbols) != 14 or not set(symbols) <= set(_CROCKFORD):
        raise EncodingRefused("malformed_field", detail="not a tracker code")
    return "-".join((symbols[:4], symbols[4:8], symbols[8:12], symbols[12:]))


def log_leaf(receipt: Receipt) -> bytes:
    """Return the log entry of a receipt, which shows nothing until its salt is shown."""
    return _blinded(unhex(receipt.leaf_salt, 32), receipt.payload())


def decoy_leaf(session: str, index: int, decoy_key: bytes) -> bytes:
    """Return the log entry that stands at ``index`` where no receipt does: like a receipt's, until the key is shown.

    The key (32 bytes) is shown when intake is over. Then only one decoy can stand in a place, and no receipt's leaf
    can be passed off as it.
    """
    salt = hmac.digest(decoy_key, b"SBID1/decoy" + check_integer(index, 0, 2**32 - 1).to_bytes(4, "big"), "sha256")
    return _blinded(salt, {"v": 1, "session": session, "decoy": index})


def _blinded(salt: bytes, payload: Mapping[str, Any]) -> bytes:
    return sha256(b"SBID1/leaf" + sha256(salt + sha256(canonical(payload))))
