"""STUN messages (RFC 8489), as far as an ICE-lite agent answers connectivity checks (RFC 8445 section 2.5). Pure.

A check that is not signed with our password is no check: it gets no answer, so nobody can make the edge send anything
to an address that has not shown that it knows what the SDP answer said.
"""

from __future__ import annotations

import hmac
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha1
from ipaddress import ip_address
from typing import Final

COOKIE: Final = 0x2112A442
HEADER: Final = 20
LARGEST: Final = 1280
REQUEST: Final = 0x0001
SUCCESS: Final = 0x0101

USERNAME: Final = 0x0006
INTEGRITY: Final = 0x0008
XOR_MAPPED_ADDRESS: Final = 0x0020
PRIORITY: Final = 0x0024
USE_CANDIDATE: Final = 0x0025
FINGERPRINT: Final = 0x8028

_XOR: Final = 0x5354554E  # section 14.7


class NotStun(ValueError):
    """These bytes are no STUN message, or one that somebody changed on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as it came. ``signed``: its bytes ahead of MESSAGE-INTEGRITY, as that counts them; None without."""

    kind: int
    transaction: bytes
    attributes: Mapping[int, bytes]
    signed: bytes | None = None

    @property
    def receiver(self) -> str | None:
        """The fragment of whom this is for: the part of USERNAME before the colon (RFC 8445 section 7.2.2)."""
        name, colon, _ = self.attributes.get(USERNAME, b"").partition(b":")
        return name.decode("ascii", "replace") if colon else None

    @property
    def nominates(self) -> bool:
        """Whether the other side has chosen this path."""
        return USE_CANDIDATE in self.attributes

    def is_by(self, password: str) -> bool:
        """Return whether whoever wrote it knows ``password``."""
        if self.signed is None:
            return False
        return hmac.compare_digest(_sign(self.signed, password), self.attributes[INTEGRITY])


def parse(data: bytes) -> Message:
    """Read a message; it must end with its FINGERPRINT (RFC 8445 section 7.2.2). Raises ``NotStun``."""
    if not HEADER <= len(data) <= LARGEST:
        raise NotStun
    kind, length, cookie = struct.unpack_from("!HHL", data)
    if kind & 0xC000 or cookie != COOKIE or length % 4 or length + HEADER != len(data):
        raise NotStun
    attributes: dict[int, bytes] = {}
    signed: bytes | None = None
    at, whole = HEADER, False
    while at < len(data):
        name, size = struct.unpack_from("!HH", data, at)
        value = data[at + 4 : at + 4 + size]
        after = at + 4 + size + (-size % 4)
        if after > len(data):
            raise NotStun
        if name == FINGERPRINT:
            if size != 4 or after != len(data) or value != _crc(data[:at]):
                raise NotStun
            whole = True
        elif signed is None:  # what stands behind MESSAGE-INTEGRITY is not believed (section 14.5)
            if name == INTEGRITY:
                if size != 20:
                    raise NotStun
                signed = _of_length(data[:at], at + 24 - HEADER)
            attributes.setdefault(name, value)
        at = after
    if not whole:
        raise NotStun
    return Message(kind=kind, transaction=data[8:HEADER], attributes=attributes, signed=signed)


def build(kind: int, transaction: bytes, attributes: Mapping[int, bytes], password: str) -> bytes:
    """Return a message with MESSAGE-INTEGRITY by ``password`` and a FINGERPRINT."""
    data = struct.pack("!HHL", kind, 0, COOKIE) + transaction
    for name, value in attributes.items():
        data += _attribute(name, value)
    data = _of_length(data, len(data) + 24 - HEADER)
    data += _attribute(INTEGRITY, _sign(data, password))
    data = _of_length(data, len(data) + 8 - HEADER)
    return data + _attribute(FINGERPRINT, _crc(data))


def success(request: Message, host: str, port: int, password: str) -> bytes:
    """Return the answer to a check that came from ``host`` and ``port``."""
    mapped = xor_address(host, port, request.transaction)
    return build(SUCCESS, request.transaction, {XOR_MAPPED_ADDRESS: mapped}, password)


def xor_address(host: str, port: int, transaction: bytes) -> bytes:
    """Return the value of XOR-MAPPED-ADDRESS (section 14.2)."""
    address = ip_address(host)
    if address.version == 6 and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    mask = struct.pack("!L", COOKIE) + transaction
    family = 1 if address.version == 4 else 2
    plain = address.packed
    return struct.pack("!BBH", 0, family, port ^ COOKIE >> 16) + bytes(
        a ^ b for a, b in zip(plain, mask, strict=False)
    )


def _of_length(data: bytes, length: int) -> bytes:
    """Return ``data`` with its length as integrity and fingerprint count it: up to and with themselves."""
    return data[:2] + struct.pack("!H", length) + data[4:]


def _attribute(name: int, value: bytes) -> bytes:
    return struct.pack("!HH", name, len(value)) + value + bytes(-len(value) % 4)


def _sign(data: bytes, password: str) -> bytes:
    return hmac.digest(password.encode(), data, sha1)


def _crc(data: bytes) -> bytes:
    return struct.pack("!L", zlib.crc32(data) ^ _XOR)
