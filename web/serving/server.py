"""The server of one process: how it listens, begins, and stops without losing a reader."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from hall.accepting import accept_no_more
from hall.media.port.processes import Processes
from web.app import create_app
from web.door.gate import HallGate, through
from web.process.descriptors import allowed
from web.process.notify import Notifier
from web.services import Services

BACKLOG = 4096
"""Connections that may wait to be accepted: at T0 a crowd comes at once."""

AT_A_TIME = 1
"""Connections that one of several workers accepts before it looks at anything else. They accept from one socket, and
whoever woke first took a whole crowd: the spectators of one session, who come together, then sat with one worker, and
where another led it they all heard of T0 by way of the database."""

SWITCH = 0.0005
"""Seconds that a thread may keep the interpreter from the event loop. A fan-out is a system call for each reader, and
after each of them bids that are being checked may take their turn: 5 ms, Python's own, make it six times as long."""


class HallServer(uvicorn.Server):
    """A server that sends readers home as it begins to stop: a stream would otherwise be waited for."""

    begun: Callable[[], object] | None = None
    """Called once it listens."""

    def __init__(
        self, services: Services, *, beside: Callable[[str], Processes | None] | None = None, **more: Any
    ) -> None:
        """``more`` goes to ``uvicorn.Config``, over what ``SERVER`` says.

        ``beside`` returns the media processes to keep alive, for the address at which this hall is reached.
        """
        address = {"host": services.settings.host, "port": services.settings.port}
        super().__init__(
            uvicorn.Config(
                create_app(services),
                **(SERVER | {"http": through(HallGate(services, descriptors=allowed()))} | address | more),
            )
        )
        self._services = services
        self._notifier = Notifier()
        self._beside = beside
        self._media: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and tell systemd once it is so."""
        await super().startup(sockets)
        if self.started:
            self._notifier.ready()
            if self.begun is not None:
                self.begun()
            if self._beside is not None:
                host, port = self.servers[0].sockets[0].getsockname()[:2]
                if (kept := self._beside(reached_at(host, port))) is not None:
                    self._media = asyncio.create_task(kept.run())

    def stop(self) -> None:
        """Begin to stop, as a signal would have it."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: streams end and are resumed elsewhere, requests that have begun are finished."""
        self._notifier.stopping()
        if self._media is not None:
            self._media.cancel()
            await asyncio.wait({self._media})
        await self._services.hub.close()
        await self._services.retire()
        await accept_no_more(*self.servers)  # those just taken get as far as being told that the hall stops
        await super().shutdown(sockets)


def reached_at(host: str, port: int) -> str:
    """Return the address at which a program of this machine reaches a hall that listens there."""
    here = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104  # compared, not bound
    return f"http://[{here}]:{port}" if ":" in here else f"http://{here}:{port}"


SERVER: dict[str, Any] = {
    "backlog": BACKLOG,
    "access_log": False,  # addresses of bidders beside moments say who bid
    "log_config": None,
    "server_header": False,
    "date_header": True,
    "proxy_headers": False,  # web.asking.addresses believes only the proxies it was told of
    "ws": "websockets-sansio",
    "ws_max_size": 4096,  # a stream is receive-only
    "ws_per_message_deflate": False,
    "ws_ping_interval": 25.0,
    "timeout_keep_alive": 15,
    "timeout_graceful_shutdown": 10,
    "lifespan": "on",
}
"""How every hall is served; a test serves with the same."""


def settle() -> None:
    """Let the garbage collector look no more at what stays as long as we serve: code, tables, templates.

    A full collection of a hall that just started looked at 198,000 objects for 60 to 130 ms, in which no reader hears
    anything, and a crowd that comes causes several. After this it looks at what is new since: at first nothing.

    Done again some seconds before each opening time: its own work makes the collector look, while all wait for it.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
