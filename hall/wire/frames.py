"""How messages look on each door. The JSON is the same everywhere; only what stands round it differs."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from enum import StrEnum
from typing import Final


class Form(StrEnum):
    """What a door writes. Every form may be joined: several messages in one write."""

    LINES = "lines"  # one message a line, for doors that frame for themselves
    SSE = "sse"  # text/event-stream (WHATWG HTML, Server-sent events)
    CHUNKED = "chunked"  # the same in chunks of HTTP/1.1, ready for the transport (RFC 9112 section 7.1)
    WEBSOCKET = "websocket"  # server text frames, unmasked, ready for the transport (RFC 6455 section 5.2)
    DEFLATED = "deflated"  # the same, packed where that pays, for readers that agreed to it (RFC 7692)


FRAMED: Final = frozenset({Form.WEBSOCKET, Form.DEFLATED})
PING: Final = b"\x89\x00"
"""A ping without a payload, the same for everyone."""

_WORTH_PACKING: Final = 1024
"""Bytes from which a message is packed. A lone event is half digests, which do not shrink; ten share all else."""


def facts_frame(form: Form, first: int, messages: Sequence[bytes]) -> bytes:
    """Return the JSON of the facts from number ``first`` on, framed. JSON escapes line ends, so a line holds one."""
    match form:
        case Form.SSE:
            return b"".join(b"id: %d\ndata: %b\n\n" % numbered for numbered in enumerate(messages, first))
        case Form.CHUNKED:
            return _chunk(facts_frame(Form.SSE, first, messages))
        case Form.LINES:
            return b"".join(message + b"\n" for message in messages)
        case Form.WEBSOCKET:
            return b"".join(map(text_frame, messages))
        case Form.DEFLATED:
            return deflated_frame(b"\n".join(messages))


def signal_frame(form: Form, message: bytes) -> bytes:
    """Return a signal framed: without an id, so that a reader's place does not move."""
    match form:
        case Form.SSE:
            return b"event: signal\ndata: %b\n\n" % message
        case Form.CHUNKED:
            return _chunk(signal_frame(Form.SSE, message))
        case Form.LINES:
            return message + b"\n"
        case Form.WEBSOCKET | Form.DEFLATED:
            return text_frame(message)


def text_frame(payload: bytes) -> bytes:
    """Return one whole unfragmented text frame as a server sends it."""
    return _head(0x81, len(payload)) + payload


def binary_frame(payload: bytes) -> bytes:
    """Return one whole unfragmented binary frame as a server sends it."""
    return _head(0x82, len(payload)) + payload


def deflated_frame(payload: bytes) -> bytes:
    """Return the frame that stands by itself, so that all who agreed to no context takeover can share it.

    A context of its own for each connection costs 22-97 KiB and three times the processor time.
    """
    if len(payload) < _WORTH_PACKING:
        return text_frame(payload)
    packing = zlib.compressobj(wbits=-15, memLevel=9)
    packed = packing.compress(payload) + packing.flush(zlib.Z_SYNC_FLUSH)
    # RFC 7692 section 7.2.1: the empty block at the end is left out, and RSV1 is set.
    return _head(0xC1, len(packed) - 4) + packed[:-4]


def close_frame(code: int) -> bytes:
    """Return the frame that ends a conversation."""
    return bytes((0x88, 2)) + code.to_bytes(2, "big")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _head(first: int, size: int) -> bytes:
    if size < 126:
        return bytes((first, size))
    if size < 65_536:
        return bytes((first, 126)) + size.to_bytes(2, "big")
    return bytes((first, 127)) + size.to_bytes(8, "big")
