"""A response written straight to its connection: what was framed once for everybody is not framed again for each.

uvicorn puts every piece of a response into an HTTP chunk of its own, by a coroutine, for each reader: more than half
of what a server-sent event cost. ``web.door.gate`` offers a line to requests for streams; other servers do not.
"""

from __future__ import annotations

from asyncio import BaseTransport, WriteTransport
from collections.abc import Callable
from typing import Any, Final

from starlette.types import Scope

from hall.rooms.seat import Seat

LINE: Final = "kaibiao.line"
"""The extension of the scope under which a line is found."""


class Line:
    """The connection of one request. Bytes for ``write`` are in HTTP chunks already; nobody else writes meanwhile."""

    __slots__ = ("_listen", "_lost", "_seat", "_then", "write")

    def __init__(self, transport: BaseTransport, listen: Callable[[], object]) -> None:
        """``listen`` lets the connection be read from: a lost one is only noticed so."""
        assert isinstance(transport, WriteTransport)
        self.write = transport.write
        self._listen = listen
        self._seat: Seat | None = None
        self._then: Callable[[], object] | None = None
        self._lost = False

    def take(self, seat: Seat, then: Callable[[], object]) -> None:
        """Let ``seat`` follow the connection from now on, and call ``then`` once that is lost."""
        self._seat, self._then = seat, then
        self._listen()
        if self._lost:
            self.lost()

    def pause(self) -> None:
        """Say that the buffer is full."""
        if self._seat is not None:
            self._seat.pause()

    def resume(self) -> None:
        """Say that it has drained."""
        if self._seat is not None:
            self._seat.resume()

    def lost(self) -> None:
        """Say that nobody is there any more."""
        self._lost = True
        if self._seat is not None and self._then is not None:
            self._seat.leave()
            self._then()


def line_of(scope: Scope) -> Line | None:
    """Return the line that the server offers, if it does."""
    extensions: dict[str, Any] = scope.get("extensions") or {}
    line = extensions.get(LINE)
    return line if isinstance(line, Line) else None
