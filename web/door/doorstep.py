"""Where a connection begins. A reader who comes for a live stream says so in its first bytes, and goes straight in.

Everybody else is handed to uvicorn with what it said. A reader of uvicorn's, with its parser, its addresses and its
timer, costs a third of what letting somebody in does; most of a crowd that comes at once comes for a stream.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any, Final

from web.door.patience import PatientProtocol

LONGEST: Final = 8_192  # bytes of a head that is read here

_HEAD: Final = re.compile(
    rb"GET (/live/[!-~]*) HTTP/1\.1\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n)+)\r\n"
)
"""RFC 9112 sections 3 and 5, of what a browser sends; whatever else is allowed is uvicorn's to read."""

_BODY: Final = frozenset({b"content-length", b"transfer-encoding", b"expect"})


@dataclass(frozen=True, slots=True)
class Head:
    """A whole request for a live WebSocket. Names of headers in lower case."""

    target: bytes
    headers: list[tuple[bytes, bytes]]


def live_head(data: bytes) -> Head | None:
    """Return the request if ``data`` is exactly one head that asks for a stream, and nothing unusual about it."""
    if not data.startswith(b"GET /live/") or len(data) > LONGEST:
        return None
    if (found := _HEAD.fullmatch(data)) is None:
        return None
    headers = []
    upgrades = connection = False
    for line in found[2][:-2].split(b"\r\n"):
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip(b" \t")
        if name == b"upgrade":
            upgrades = value.lower() == b"websocket"
        elif name == b"connection":
            connection = b"upgrade" in [token.strip() for token in value.lower().split(b",")]
        elif name in _BODY:
            return None
        headers.append((name, value))
    return Head(found[1], headers) if upgrades and connection else None


class Silent:
    """Connections that have not said a word yet, in the order they came; one timer for all of them."""

    def __init__(self) -> None:
        self._due: dict[Doorstep, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, one: Doorstep) -> None:
        """Close the connection once patience is at its end."""
        loop = asyncio.get_running_loop()
        self._due[one] = due = loop.time() + PatientProtocol.patience
        if self._timer is None:
            self._timer = loop.call_at(due, self._look)

    def discard(self, one: Doorstep) -> None:
        """Wait for it no more."""
        self._due.pop(one, None)

    def _look(self) -> None:
        loop, self._timer = asyncio.get_running_loop(), None
        for one, due in tuple(self._due.items()):
            if due > loop.time():
                self._timer = loop.call_at(due, self._look)
                return
            del self._due[one]
            one.shutdown()


class Doorstep(asyncio.Protocol):
    """A connection until it has said something. ``connections`` is the server's set of open connections."""

    __slots__ = ("_connections", "_silent", "_transport")

    def __init__(self, connections: set[Any], silent: Silent) -> None:
        self._connections = connections
        self._silent = silent
        self._transport: asyncio.Transport

    def enter(self, head: Head) -> None:
        """Let a reader of a live stream in, or refuse."""
        raise NotImplementedError

    def uvicorns(self) -> asyncio.Protocol:
        """Return a protocol that reads everything else."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn's
        """Begin to wait for the first word."""
        self._transport = transport
        self._connections.add(self)
        self._silent.add(self)

    def data_received(self, data: bytes) -> None:
        """Hear what is wanted, and hand the connection on."""
        self._leave()
        head = live_head(data)
        if head is not None:
            self.enter(head)
            return
        reading = self.uvicorns()
        self._transport.set_protocol(reading)
        reading.connection_made(self._transport)
        reading.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._leave()

    def shutdown(self) -> None:
        """Close: nothing was asked for, as when the server stops."""
        self._transport.close()

    def _leave(self) -> None:
        self._connections.discard(self)
        self._silent.discard(self)
