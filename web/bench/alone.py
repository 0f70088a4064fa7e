"""The finished hub alone, for load from outside: what is posted goes to everybody. Never part of ``kaibiao serve``.

``/live/bench`` and ``/bench/stream`` are the hall's own doors, ``POST /bench/publish`` fans its body out, ``?n=10``
ten times. Facts are numbered in the order of the posts; ``since`` is understood as ``after`` is.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from hall.hub import Hub
from hall.limits import LIMITS, Limits
from hall.media.port.places import Places
from hall.rooms.live import Live
from hall.rooms.room import Room
from hall.views.audience import PUBLIC, Audience
from hall.wire.errors import HallRefused
from sessions.clock import SystemClock
from sessions.errors import UnknownSession
from sessions.events import Recorded, Stream
from sessions.ids import SessionId
from web.door.gate import RawHeaders, cursor, through
from web.process.descriptors import allowed
from web.routes.streams import EventStream

SESSION: Final = SessionId("bench")


class Echo(Room):
    """A room whose facts are any bytes: no opening, no views."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(SESSION, limits)
        self._bodies: list[bytes] = []

    def put(self, body: bytes) -> None:
        """Add a fact, of one line."""
        self._bodies.append(body)
        self._told.number += 1

    def fact(self, number: int) -> bytes:
        """See hall.rooms.lane.Lane."""
        return self._bodies[number - 1]

    def lane(self, audience: Audience) -> Echo:  # type: ignore[override]  # of a lane only facts are asked for
        return self


class Quiet(Echo):
    """An echo without signals: what comes is what was posted."""

    def signal(self, kind: str, message: dict[str, Any], *, to: frozenset[str] | None = None) -> None:
        """Say nothing."""


class NoLog:
    """A log in which nothing is."""

    async def read(
        self, session: SessionId, stream: Stream, *, after: int = 0, limit: int | None = None
    ) -> tuple[Recorded, ...]:
        return ()

    async def heads(self, sessions: object) -> Mapping[SessionId, int]:
        return {}


class Alone(Hub):
    """The hub with one room, which is an echo."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(NoLog(), SystemClock(), limits=limits)
        self.echo = Quiet(limits)

    async def _read_room(self, session: SessionId) -> Live:
        if session != SESSION:
            raise UnknownSession(session)
        live = self._live[session] = Live(room=self.echo, last_word=self._clock.now())
        return live

    async def publish(self, body: bytes, count: int) -> None:
        """Let ``body`` be the next ``count`` facts."""
        live = await self.warm(SESSION)
        for _ in range(count):
            self.echo.put(body)
        self._tell_soon(live)


class OpenGate:
    """A gate that lets everybody in as the public."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.descriptors = allowed()
        self.places = Places(Path("nowhere"))  # and so no picture

    def is_own_page(self, headers: Mapping[str, str]) -> bool:
        return True

    def address(self, peer: str | None, headers: Mapping[str, str]) -> str:
        return peer or "local"

    def cursor(self, query: Mapping[str, list[str]]) -> int:
        given = query.get("after") or query.get("since")
        return cursor(given[-1] if given else None)

    def spectator(self, headers: Mapping[str, str]) -> bool:
        return True

    async def audience(self, session: SessionId, headers: RawHeaders) -> Audience:
        return PUBLIC


def server(host: str, port: int, *, tick_ms: int = 0, limits: Limits = LIMITS) -> AloneServer:
    """Return a server of the hub alone, for as many as there are descriptors, from any address."""
    most = allowed()
    tick = timedelta(milliseconds=tick_ms)
    hub = Alone(replace(limits, tick=tick, watchers=most, watchers_per_address=most))
    gate = OpenGate(hub)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if scope["path"] == "/bench/publish" and scope["method"] == "POST":
            await hub.publish(await request.body(), int(query.get("n", ["1"])[0]))
            await PlainTextResponse("")(scope, receive, send)
        elif scope["path"] == "/bench/stream":
            events = EventStream(scope)
            try:
                events.seat = await hub.attach(
                    SESSION, PUBLIC, gate.cursor(query), form=events.form, write=events.write, closed=events.close
                )
            except HallRefused as refused:
                await PlainTextResponse(refused.code, refused.status)(scope, receive, send)
            else:
                await events(scope, receive, send)
        else:
            await PlainTextResponse("not found", 404)(scope, receive, send)

    config = uvicorn.Config(
        app, host=host, port=port, http=through(gate), lifespan="off", log_level="critical", backlog=4096
    )
    return AloneServer(config, hub)


class AloneServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, hub: Alone) -> None:
        super().__init__(config)
        self.hub = hub

    async def startup(self, sockets: object = None) -> None:
        await super().startup()
        await self.hub.start()
        await self.hub.warm(SESSION)

    async def shutdown(self, sockets: object = None) -> None:
        await self.hub.close()
        await super().shutdown()


def serve(host: str, port: int, tick_ms: int) -> None:
    """Serve until told to stop."""

    async def running() -> None:
        serving = server(host, port, tick_ms=tick_ms)
        gc.freeze()
        await serving.serve()

    asyncio.run(running())
