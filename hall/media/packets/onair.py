"""What the edge gives the programme of the source that is on air: whole encoded frames, on one connection. Pure.

A datagram socket of the kernel holds ten packets and a keyframe has fifty, so this is a stream of messages: length
in four bytes; version; what it carries (``Payload``, or 0 for nobody on air any more); session and source, each
behind its length in one byte; the time, in ticks of the source, in eight bytes; when that was, in seconds of the
source's clock, as a double (NaN while its reports did not say); the frame.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hall.media.packets.datagrams import Payload
from hall.media.port.engine import Source
from sessions.ids import SessionId

VERSION: Final = 2
LARGEST: Final = 1 << 20
NOTHING: Final = 0
NOBODY: Final = Source("")


class NotOnAir(ValueError):
    """These bytes are no message of ours: hang up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnAir:
    """One frame. ``payload`` is None, and ``source`` and ``data`` empty, when nobody is on air any more."""

    session: SessionId
    source: Source = NOBODY
    payload: Payload | None = None
    timestamp: int = 0
    sent: float | None = None  # hall.media.edge.moments
    data: bytes = b""


def pack(frame: OnAir) -> bytes:
    """Return a frame as a message. Raises NotOnAir for one that is too large."""
    session, source = frame.session.encode(), frame.source.encode()
    if len(session) > 255 or len(source) > 255 or len(frame.data) > LARGEST:
        raise NotOnAir
    payload = NOTHING if frame.payload is None else frame.payload
    inside = bytes((VERSION, payload, len(session))) + session + bytes((len(source),)) + source
    inside += struct.pack("!Q", frame.timestamp % 2**64) + moment(frame.sent) + frame.data
    return struct.pack("!L", len(inside)) + inside


class Reader:
    """Bytes in any pieces go in, frames come out."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[OnAir]:
        """Yield what ``data`` completes. Raises NotOnAir."""
        self._held += data
        while len(self._held) >= 4:
            length = int.from_bytes(self._held[:4], "big")
            if length > LARGEST + 1024:
                raise NotOnAir
            if len(self._held) < 4 + length:
                return
            message = bytes(self._held[4 : 4 + length])
            del self._held[: 4 + length]
            yield unpack(message)


def unpack(message: bytes) -> OnAir:
    """Return the frame of a message without its length. Raises NotOnAir."""
    try:
        version, payload, length = message[0], message[1], message[2]
        at = 3 + length
        session, named = message[3:at].decode(), message[at]
        source = message[at + 1 : at + 1 + named].decode()
        (timestamp,) = struct.unpack_from("!Q", message, at + 1 + named)
        if version != VERSION:
            raise NotOnAir
        return OnAir(
            session=SessionId(session),
            source=Source(source),
            payload=None if payload == NOTHING else Payload(payload),
            timestamp=timestamp,
            sent=moment_of(message, at + 9 + named),
            data=message[at + 17 + named :],
        )
    except (IndexError, struct.error, ValueError):
        raise NotOnAir from None


def moment(sent: float | None) -> bytes:
    """Return when something was sent, as eight bytes."""
    return struct.pack("!d", math.nan if sent is None else sent)


def moment_of(message: bytes, at: int) -> float | None:
    """Return what ``moment`` wrote there. Raises struct.error."""
    sent: float = struct.unpack_from("!d", message, at)[0]
    return sent if math.isfinite(sent) else None
