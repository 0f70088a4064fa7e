"""Viewers' connections, handed over by a web process: no byte of a picture passes through one that handles bids.

The web process reads the request, agrees to the WebSocket and sends one datagram to ``Places.viewers``: JSON with the
session, the variant and the answer to write, and the open socket beside it (SCM_RIGHTS, unix(7)). From then on the
line belongs to the programme.
"""

from __future__ import annotations

import array
import asyncio
import base64
import json
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hall.door import bound
from hall.limits import LIMITS
from hall.media.port.places import Places, short
from hall.media.programme.package import Crowd
from hall.wire.frames import PING, close_frame
from hall.wire.inbound import Inbound, is_lone_pong
from sessions.ids import SessionId

LARGEST: Final = 4_096
COME_AGAIN: Final = 1012

FULL: Final = "full"
LOW: Final = "low"
SOUND: Final = "sound"
WORDS: Final = "words"
"""The captions alone, beside a picture that comes another way."""

VARIANTS: Final = (FULL, LOW, SOUND, WORDS)


class NobodyHome(Exception):
    """The programme does not take viewers just now: try again in a moment, or take the HLS files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """What goes along with a socket."""

    session: SessionId
    variant: str
    answer: bytes  # the 101 of the handshake, not written yet


def hand_over(places: Places, handover: Handover, connection: int) -> None:
    """Give the socket with this descriptor away; the caller closes its own copy. Never waits. Raises NobodyHome."""
    words = {
        "session": handover.session,
        "variant": handover.variant,
        "answer": base64.b64encode(handover.answer).decode(),
    }
    beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [connection]).tobytes())]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out, short(places.viewers) as address:
            out.setblocking(False)
            out.sendmsg([json.dumps(words).encode()], beside, 0, address)
    except OSError as error:
        raise NobodyHome from error


class Reception:
    """Takes handed-over sockets until ``close``. ``crowd`` finds who they go to, or None."""

    def __init__(self, places: Places, crowd: Callable[[SessionId, str], Crowd | None]) -> None:
        self._places = places
        self._crowd = crowd
        self._door: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.lines: set[Line] = set()

    def open(self) -> None:
        """Listen, in the place of whoever listened there before; with the event loop running."""
        self._places.viewers.unlink(missing_ok=True)
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._door.setblocking(False)
        with short(self._places.viewers) as address:
            self._door.bind(address)
        os.chmod(self._places.viewers, 0o600)
        asyncio.get_running_loop().add_reader(self._door, self._come)

    def close(self) -> None:
        """Take nobody in any more, and send everybody away: they come again when there is a programme."""
        if self._door is not None:
            asyncio.get_running_loop().remove_reader(self._door)
            self._door.close()
            self._places.viewers.unlink(missing_ok=True)
        for line in tuple(self.lines):
            line.close(COME_AGAIN)

    def _come(self) -> None:
        if self._door is None:
            return
        try:
            data, beside, _, _ = self._door.recvmsg(LARGEST, socket.CMSG_SPACE(4))
        except BlockingIOError:
            return
        for level, kind, content in beside:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                connection = socket.socket(fileno=int.from_bytes(content[:4], "little"))
                task = asyncio.get_running_loop().create_task(self._take(connection, json.loads(data)))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _take(self, connection: socket.socket, words: Mapping[str, Any]) -> None:
        connection.setblocking(False)
        crowd = self._crowd(SessionId(words["session"]), words["variant"])
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(
            lambda: Line(crowd, base64.b64decode(words["answer"]), self.lines), connection
        )


class Line(asyncio.Protocol):
    """One viewer's connection, from the answer to its handshake on."""

    def __init__(self, crowd: Crowd | None, answer: bytes, lines: set[Line]) -> None:
        self._crowd = crowd
        self._answer = answer
        self._lines = lines
        self._inbound: Inbound | None = None
        self._over = False
        self._transport: asyncio.Transport
        self._pinging: asyncio.TimerHandle | None = None

    # -- as the crowd sees it ------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """See Viewer."""
        if not self._over:
            self._transport.write(data)

    def waiting(self) -> int:
        """See Viewer."""
        return self._transport.get_write_buffer_size()

    def close(self, code: int) -> None:
        """Say goodbye and leave."""
        self.write(close_frame(code))
        self._leave()

    # -- as the transport sees it --------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Answer the handshake and take a place."""
        assert isinstance(transport, asyncio.Transport)  # what asyncio makes of a socket
        self._transport = transport
        bound(transport, LIMITS)
        self._lines.add(self)
        self.write(self._answer)
        if self._crowd is None:
            self.close(COME_AGAIN)
            return
        self._crowd.enter(self)
        self._ping()

    def connection_lost(self, exc: Exception | None) -> None:
        """Make room."""
        self._leave()
        self._lines.discard(self)

    def data_received(self, data: bytes) -> None:
        """Hear pings and goodbyes; anything else ends the conversation."""
        if self._over or (self._inbound is None and is_lone_pong(data)):
            return
        if self._inbound is None:
            self._inbound = Inbound(deflated=False)
        answer = self._inbound.receive(data, asyncio.get_running_loop().time())
        if answer:
            self.write(answer)
        if self._inbound.over:
            self._leave()

    def _ping(self) -> None:
        """Keep the line in use: proxies cut idle ones, and TCP finds out who is gone."""
        self.write(PING)
        loop = asyncio.get_running_loop()
        self._pinging = loop.call_later(LIMITS.ping.total_seconds(), self._ping)

    def _leave(self) -> None:
        self._over = True
        if self._pinging is not None:
            self._pinging.cancel()
        if self._crowd is not None:
            self._crowd.leave(self)
        if not self._transport.is_closing():
            self._transport.close()
