"""The opening handshake of a WebSocket (RFC 6455 section 4.2), with what compression is agreed (RFC 7692). Pure."""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from websockets.exceptions import InvalidHeaderFormat
from websockets.headers import parse_extension

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_DEFLATE: Final = "permessage-deflate"
_AGREED: Final = (
    b"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"
)
_ANSWER: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n%b\r\n"
)


class NoHandshake(Exception):
    """The request is none. ``status`` answers it: 400, or 426 for another version of the protocol."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The answer, ready to be written, and whether frames may be packed."""

    answer: bytes
    deflated: bool


def accept(method: str, headers: Sequence[tuple[bytes, bytes]]) -> Accepted:
    """Return the answer to an upgrade request; names of headers in lower case.

    No subprotocol is spoken, and no frame is ever packed for one reader alone: an offer is taken only if it lets us
    go without context takeover and with the full window, so that all can share a packed frame.

    Raises:
        NoHandshake: it asks for something else.
    """
    if method != "GET":
        raise NoHandshake(400, "A WebSocket begins with GET.")
    versions: list[bytes] = []
    keys: list[bytes] = []
    offers: list[bytes] = []
    for name, value in headers:
        if name.startswith(b"sec-websocket-"):
            if name == b"sec-websocket-version":
                versions.append(value.strip())
            elif name == b"sec-websocket-key":
                keys.append(value.strip())
            elif name == b"sec-websocket-extensions":
                offers.append(value.strip())
    if versions != [b"13"]:
        raise NoHandshake(426, "This is version 13 of the WebSocket protocol: say Sec-WebSocket-Version: 13.")
    if len(keys) != 1 or not _is_key(keys[0]):
        raise NoHandshake(400, "Sec-WebSocket-Key is 16 random bytes in Base64, once.")
    deflated = bool(offers) and _offered(offers)
    proof = binascii.b2a_base64(hashlib.sha1(keys[0] + _GUID, usedforsecurity=False).digest(), newline=False)
    return Accepted(answer=_ANSWER % (proof, _AGREED if deflated else b""), deflated=deflated)


def _is_key(key: bytes) -> bool:
    try:
        return len(binascii.a2b_base64(key, strict_mode=True)) == 16
    except binascii.Error:
        return False


def _offered(values: Sequence[bytes]) -> bool:
    try:
        offers = [offer for value in values for offer in parse_extension(value.decode("latin-1"))]
    except InvalidHeaderFormat as error:
        raise NoHandshake(400, "Sec-WebSocket-Extensions is malformed.") from error
    return any(name == _DEFLATE and _takes(dict(parameters), len(parameters)) for name, parameters in offers)


def _takes(parameters: dict[str, str | None], count: int) -> bool:
    """Whether our answer answers this offer. ``client_max_window_bits`` is a mere hint (section 7.1.2.2)."""
    flags = all(parameters.get(f"{side}_no_context_takeover") is None for side in ("server", "client"))
    known = {"server_no_context_takeover", "client_no_context_takeover", "client_max_window_bits"}
    hint = parameters.get("client_max_window_bits")
    bits = hint is None or hint in {str(bits) for bits in range(8, 16)}
    return flags and bits and parameters.keys() <= known and len(parameters) == count
