"""Packets from the programme to the edge: one datagram a packet, to ``Places.rtp``.

A datagram is version, length of the session's name, the name, and an RTP packet (RFC 3550) with a payload type of
``Payload``. Nobody waits: what does not fit is lost, as on any network. The way back is ``onair``.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from sessions.ids import SessionId

VERSION: Final = 1
LARGEST: Final = 2048


class Payload(IntEnum):
    """RTP payload types on these sockets."""

    H264 = 96
    VP8 = 97
    OPUS = 111


class NotADatagram(ValueError):
    """These bytes are none of ours."""


def pack(session: SessionId, packet: bytes) -> bytes:
    """Return the datagram that carries ``packet`` of ``session``."""
    name = session.encode()
    if len(name) > 255 or len(packet) > LARGEST:
        raise NotADatagram
    return bytes((VERSION, len(name))) + name + packet


def unpack(datagram: bytes) -> tuple[SessionId, bytes]:
    """Return session and packet. Raises ``NotADatagram``."""
    if len(datagram) < 2 or datagram[0] != VERSION or len(datagram) < 2 + datagram[1] + 12:
        raise NotADatagram
    name, packet = datagram[2 : 2 + datagram[1]], datagram[2 + datagram[1] :]
    try:
        return SessionId(name.decode()), packet
    except UnicodeDecodeError:
        raise NotADatagram from None
