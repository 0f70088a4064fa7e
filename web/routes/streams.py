"""The doors through which facts go outward: a WebSocket, server-sent events, and plain reading from a number.

All three carry the same bytes, encoded once for each audience. Nothing comes in here: commands are POSTs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Final

from fastapi import APIRouter, Request, WebSocket, WebSocketDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hall.audience import Audience
from hall.errors import BadCursor, HallRefused
from hall.frames import Form
from hall.limits import LIMITS
from sessions.errors import UnknownSession
from sessions.ids import SessionId
from sessions.roles import Role
from web.bootstrap import Services, services_of
from web.identity import audience_for
from web.problems import Problem
from web.sameorigin import own_origin

router = APIRouter()

_RETRY: Final = b"retry: 3000\n\n"
_UNKNOWN, _FOREIGN, _INCOMING = 4404, 4403, 1008


@router.get("/api/v1/sessions/{session}/events", summary="Facts after a number")
async def events(request: Request, session: SessionId) -> Response:
    """At most 500 facts after `after`, as this reader may see them, and the newest number there is."""
    services = services_of(request)
    audience = await audience_for(request, session)
    body = await services.hub.facts(session, audience, cursor(request.query_params.get("after")))
    return Response(body, media_type="application/json", headers=kept_for(audience))


@router.get("/api/v1/sessions/{session}/stream", summary="Facts as they happen (server-sent events)")
async def stream(request: Request, session: SessionId) -> Response:
    """Facts after `after`, then live. `Last-Event-ID` wins over `after`, so a browser resumes by itself."""
    services = services_of(request)
    audience = await audience_for(request, session)
    services.pace_reader(audience)
    after = cursor(request.headers.get("last-event-id", request.query_params.get("after")))
    chunks = await services.hub.follow(session, audience, after, form=Form.SSE, address=services.address(request))
    return EventStream(chunks)


@router.websocket("/live/{session}")
async def live(socket: WebSocket, session: SessionId) -> None:
    """Facts as text frames, the same bytes as the other door's data. A message from the client closes it (1008)."""
    services: Services = services_of(socket)
    if not own_origin(socket.headers, services.settings.origin):
        await socket.close(_FOREIGN)
        return
    await socket.accept()
    try:
        audience = await audience_for(socket, session)
        services.pace_reader(audience)
        after = cursor(socket.query_params.get("after"))
        chunks = await services.hub.follow(
            session, audience, after, form=Form.LINES, address=services.address(socket)
        )
    except UnknownSession:
        await socket.close(_UNKNOWN)
    except HallRefused as refused:
        await socket.close(refused.close)
    except Problem as problem:
        await socket.close(1013 if problem.code == "too_many" else _FOREIGN)
    else:
        await _converse(socket, chunks)


async def _converse(socket: WebSocket, chunks: AsyncGenerator[bytes]) -> None:
    """Write until one side has enough, and close with the reason."""
    writing = asyncio.create_task(_write_frames(socket, chunks))
    hearing = asyncio.create_task(_hear(socket))
    try:
        done, _ = await asyncio.wait({writing, hearing}, return_when=asyncio.FIRST_COMPLETED)
        code = next(iter(done)).result()
    finally:
        writing.cancel()
        hearing.cancel()
        await asyncio.gather(writing, hearing, return_exceptions=True)
    if code is not None:
        with suppress(WebSocketDisconnect):  # the reader may leave while we say why we do
            await socket.close(code)


async def _write_frames(socket: WebSocket, chunks: AsyncGenerator[bytes]) -> int | None:
    try:
        async with aclosing(chunks):
            async for chunk in chunks:  # one frame for all that is ready: a frame costs more than what is in it
                async with asyncio.timeout(LIMITS.stall.total_seconds()):
                    await socket.send_text(chunk.decode().removesuffix("\n"))
    except TimeoutError:
        return 1013
    except (WebSocketDisconnect, OSError):
        return None
    return 1012


async def _hear(socket: WebSocket) -> int | None:
    """Wait for the client to leave, or to say something, which it must not."""
    message = await socket.receive()
    return None if message["type"] == "websocket.disconnect" else _INCOMING


class EventStream(Response):
    """Server-sent events from chunks that are framed already and shared by everyone who reads them."""

    media_type = "text/event-stream"

    def __init__(self, chunks: AsyncGenerator[bytes]) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write until the reader leaves, takes nothing for too long, or the server goes down."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        writing = asyncio.create_task(self._write(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            writing.cancel()
            leaving.cancel()
            await asyncio.gather(writing, leaving, return_exceptions=True)

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.body", "body": _RETRY, "more_body": True})
        async with aclosing(self._chunks):
            async for chunk in self._chunks:
                async with asyncio.timeout(LIMITS.stall.total_seconds()):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def cursor(text: str | None) -> int:
    """Return the number a reader stands at; nothing given is the beginning. Raise ``BadCursor`` for anything else."""
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise BadCursor
    return int(text)


def kept_for(audience: Audience) -> dict[str, str]:
    """Return how long others may keep what ``audience`` reads: the public's for a second, everyone else's not."""
    public = audience.role is Role.PUBLIC
    return {"cache-control": "public, max-age=1" if public else "no-store", "vary": "cookie"}
