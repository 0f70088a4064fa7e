"""Take a sealed bid apart and put it together again, honestly signed, with one thing changed."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from cryptography import x509

from crypto import container, declaration
from crypto.certificates import Credential
from crypto.digest import SegmentHasher, sha256_hex
from crypto.encoding import canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """A sealed bid in pieces; the header as plain JSON, free to be changed."""

    header: dict[str, Any]
    body: bytes
    declaration: bytes


def take_apart(data: bytes) -> Pieces:
    found = container.read_header(BytesIO(data))
    body = data[found.body : found.total_len]
    return Pieces(header=json.loads(found.header_bytes), body=body, declaration=found.declaration)


def front(header: Mapping[str, Any] | bytes, body: bytes) -> bytes:
    """Return everything before the declaration."""
    header_bytes = header if isinstance(header, bytes) else canonical(header)
    return container.prefix(header_bytes) + header_bytes + body


def close(front_bytes: bytes, signed: bytes) -> bytes:
    return front_bytes + signed + container.trailer(signed)


def declare(
    header: Mapping[str, Any] | bytes,
    body: bytes,
    signer: Credential,
    certificates: Iterable[x509.Certificate],
    **stated: Any,
) -> bytes:
    """Return a genuine declaration over these pieces, except for what ``stated`` says otherwise."""
    everything = front(header, body)
    hasher = SegmentHasher()
    hasher.update(everything)
    root = hasher.finish().hex()
    header_bytes = header if isinstance(header, bytes) else canonical(header)
    fields: dict[str, Any] = {
        "header_sha256": sha256_hex(header_bytes),
        "root": root,
        "segments": len(hasher.leaves),
        "total_len": len(everything),
    }
    return declaration.sign(declaration.content(**(fields | stated)), signer, certificates)


def put_together(
    header: Mapping[str, Any] | bytes,
    body: bytes,
    signer: Credential,
    certificates: Iterable[x509.Certificate],
    **stated: Any,
) -> bytes:
    return close(front(header, body), declare(header, body, signer, certificates, **stated))
