"""The WebSocket door: a connection whose handshake is over becomes a seat of the hub, without a queue or a task.

What goes out is written by the hub to everybody at once; what comes in is hall.wire.inbound's; this stands between
them and the transport: it pauses with the buffer, ends with a code, and gives lost lines up.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from hall.hub import Hub, Terms
from hall.limits import Limits
from hall.rooms.seat import Seat
from hall.views.audience import Audience
from hall.wire.errors import GoingAway, HallRefused, Stalled
from hall.wire.frames import Form, close_frame
from hall.wire.inbound import Inbound, is_lone_pong
from sessions.errors import Unanswered, UnknownSession
from sessions.ids import SessionId

UNKNOWN: Final = 4404
FAULT: Final = 1011

_FAREWELL: Final = 2.0  # seconds for the other side to read why
_UNREAD: Final = 65_536  # bytes that may still come after our goodbye


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Who came, for what, from where. ``audience`` is awaited when it takes a look at a login."""

    session: SessionId
    after: int
    address: str
    deflated: bool
    audience: Audience | Awaitable[Audience]

    @property
    def form(self) -> Form:
        return Form.DEFLATED if self.deflated else Form.WEBSOCKET


class Door(asyncio.Protocol):
    """One reader's connection. Set it as the transport's protocol, then call ``open``.

    ``connections`` is the server's set of open connections: it is told to ``shutdown`` those, and waits for them.
    """

    __slots__ = ("_arrival", "_connections", "_hub", "_inbound", "_over", "_seat", "_task", "_transport", "_unread")

    def __init__(self, hub: Hub, connections: set[Any]) -> None:
        self._hub = hub
        self._connections = connections
        self._transport: asyncio.Transport
        self._arrival: Arrival
        self._seat: Seat | None = None
        self._inbound: Inbound | None = None
        self._task: asyncio.Task[None] | None = None
        self._unread = 0
        self._over = False

    def open(self, transport: asyncio.Transport, answer: bytes, arrival: Arrival) -> None:
        """Write the handshake's answer and take the reader in; whoever cannot be is closed with a code."""
        self._transport, self._arrival = transport, arrival
        self._connections.add(self)
        bound(transport, self._hub.limits)
        transport.set_write_buffer_limits(high=self._hub.limits.write_buffer)
        transport.write(answer)
        if isinstance(arrival.audience, Audience):
            try:
                seat = self._hub.attach_now(arrival.session, arrival.audience, arrival.after, **self._terms())
            except HallRefused as refused:
                self.close(refused.close)
                return
            if seat is not None:
                self._sit(seat)
                return
        transport.pause_reading()  # until it is known who speaks
        self._task = asyncio.get_running_loop().create_task(self._enter())

    def close(self, code: int) -> None:
        """Say goodbye with ``code`` and leave. Harmless when that was done before."""
        if not self._over:
            self._end(close_frame(code))

    def shutdown(self) -> None:
        """Send the reader home, which the server asks of every connection as it stops."""
        self.close(GoingAway.close)

    # -- the transport's side ----------------------------------------------------------------------------------

    def connection_lost(self, exc: Exception | None) -> None:
        """Make room."""
        self._over = True
        self._connections.discard(self)
        if self._task is not None:
            self._task.cancel()
        if self._seat is not None:
            self._seat.leave()

    def pause_writing(self) -> None:
        """Stop being written to: the buffer is full."""
        if self._seat is not None:
            self._seat.pause()

    def resume_writing(self) -> None:
        """Catch up."""
        if self._seat is not None and not self._over:
            self._seat.resume()

    def data_received(self, data: bytes) -> None:
        """Hear what the reader says."""
        if self._inbound is None and is_lone_pong(data):
            return
        if self._over:
            self._unread += len(data)
            if self._unread > _UNREAD:
                self._transport.abort()
            return
        if self._inbound is None:
            self._inbound = Inbound(deflated=self._arrival.deflated, limits=self._hub.limits)
        answer = self._inbound.receive(data, asyncio.get_running_loop().time())
        if self._inbound.over:
            self._end(answer)
        elif answer and not (self._seat is not None and self._seat.paused):  # who does not read needs no pong
            self._transport.write(answer)

    # -- coming and going --------------------------------------------------------------------------------------

    async def _enter(self) -> None:
        """Find out who it is, and take the reader in."""
        arrival = self._arrival
        try:
            known = arrival.audience if isinstance(arrival.audience, Audience) else await arrival.audience
            self._sit(await self._hub.attach(arrival.session, known, arrival.after, **self._terms()))
        except UnknownSession:
            self.close(UNKNOWN)
        except HallRefused as refused:
            self.close(refused.close)
        except Unanswered:  # the store is away: come again
            self.close(Stalled.close)
        except asyncio.CancelledError:
            raise
        except Exception:
            self.close(FAULT)
            raise
        finally:
            self._task = None
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def _sit(self, seat: Seat) -> None:
        self._seat = seat
        if self._over:
            seat.leave()
        else:
            seat.resume()

    def _terms(self) -> Terms:
        arrival = self._arrival
        return {
            "form": arrival.form,
            "write": self._transport.write,
            "closed": self.close,
            "address": arrival.address,
        }

    def _end(self, last: bytes) -> None:
        """Write the last frame and let go of the line: at once where nothing can be read any more, else gently."""
        self._over = True
        stuck = self._seat is not None and self._seat.paused
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        if self._seat is not None:
            self._seat.leave()
        if self._transport.is_closing():
            return
        self._transport.write(last)
        if stuck:
            self._transport.abort()
        elif self._transport.can_write_eof():
            # Closing at once with something unread would reset the line, and take our reason away with it.
            with suppress(OSError):  # it was reset meanwhile
                self._transport.write_eof()
            asyncio.get_running_loop().call_later(_FAREWELL, self._transport.abort)
        else:
            self._transport.close()


def bound(transport: asyncio.BaseTransport, limits: Limits) -> None:
    """Bound what the kernel keeps for a reader that stalls, and how long it waits for one that is gone."""
    line = transport.get_extra_info("socket")
    if line is not None:
        with suppress(
            AttributeError, OSError
        ):  # a socket of this machine has no timeout, and only Linux has this one
            line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.send_buffer)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limits.unheard // timedelta(milliseconds=1))
