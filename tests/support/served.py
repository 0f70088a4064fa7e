"""The hall behind a real server on a loopback port, for what only a socket can show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect

from hall.limits import LIMITS, Limits
from sessions.store.migrations import migrate
from tests.support.house import House, TurnedClock, trust
from tests.support.team import database_url
from web.bootstrap import build
from web.serving.server import HallServer
from web.settings import Settings


class Served:
    """A hall that listens: ``house`` acts in it, ``url`` is where it is."""

    def __init__(self, house: House, server: HallServer) -> None:
        self.house = house
        self.server = server
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        self.port = int(port)
        self.host = f"{host}:{port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def client(self, other: httpx.AsyncClient | None = None) -> httpx.AsyncClient:
        """Return a program that connects; logged in like ``other``, if there is one."""
        return httpx.AsyncClient(base_url=self.url, headers={"x-kaibiao": "1", "cookie": _cookie(other)}, timeout=60)

    def live(self, path: str, other: httpx.AsyncClient | None = None, **more: Any) -> connect:
        """Return a WebSocket connection to open."""
        headers = {"Cookie": _cookie(other)}
        return connect(f"ws://{self.host}{path}", additional_headers=headers, proxy=None, **more)

    def stop(self) -> None:
        """Tell the server to stop, as a signal would."""
        self.server.should_exit = True


def _cookie(other: httpx.AsyncClient | None) -> str:
    return "; ".join(f"{name}={value}" for name, value in other.cookies.items()) if other else ""


@asynccontextmanager
async def served(folder: Path, *, limits: Limits = LIMITS, **settings: Any) -> AsyncIterator[Served]:
    """Serve a hall in ``folder`` with the same settings of the server as ``kaibiao serve``."""
    home = folder / "hall"
    given = {"data_dir": home, "database_url": database_url(home), "port": 0, "rehearsal_allowed": True}
    chosen = Settings(**given | settings)
    trust(chosen)
    clock = TurnedClock()
    services = build(chosen, clock, limits=limits)
    await migrate(services.database)
    server = HallServer(services)
    running = asyncio.create_task(server.serve())
    while not server.started:
        assert not running.done(), "the server did not start"
        await asyncio.sleep(0.01)
    try:
        yield Served(House(server.config.app, services, clock), server)  # type: ignore[arg-type]
    finally:
        server.should_exit = True
        await running
