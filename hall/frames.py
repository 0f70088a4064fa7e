"""How a message looks on each door. The JSON is the same everywhere; only what stands round it differs."""

from __future__ import annotations

from enum import StrEnum


class Form(StrEnum):
    """What a door writes. Every form may be joined: several messages in one write."""

    LINES = "lines"  # one message a line, for doors that frame for themselves
    SSE = "sse"  # text/event-stream (WHATWG HTML, Server-sent events)
    WEBSOCKET = "websocket"  # server text frames, unmasked, ready for the transport (RFC 6455 section 5.2)


def fact_frame(form: Form, number: int, message: bytes) -> bytes:
    """Return ``message``, the JSON of fact ``number``, framed. JSON escapes line ends, so one line is enough."""
    match form:
        case Form.SSE:
            return b"id: %d\ndata: %b\n\n" % (number, message)
        case Form.LINES:
            return message + b"\n"
        case Form.WEBSOCKET:
            return text_frame(message)


def signal_frame(form: Form, message: bytes) -> bytes:
    """Return a signal framed: without an id, so that a reader's place does not move."""
    match form:
        case Form.SSE:
            return b"event: signal\ndata: %b\n\n" % message
        case Form.LINES:
            return message + b"\n"
        case Form.WEBSOCKET:
            return text_frame(message)


def text_frame(payload: bytes) -> bytes:
    """Return one whole unfragmented text frame as a server sends it."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload
