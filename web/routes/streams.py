"""The doors outward that are plain HTTP: server-sent events, reading from a number, and numbered segments.

They carry the same bytes as the WebSocket (web.door.gate), encoded once for each audience. Nothing comes in here:
commands are POSTs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from hall.rooms.seat import Seat, Write
from hall.views.audience import Audience
from hall.wire.errors import Stalled
from hall.wire.frames import Form
from sessions.ids import SessionId
from sessions.roles import Role
from web.answers.headers import UNDRESSED
from web.answers.problems import Problem
from web.asking.identity import audience_for
from web.door.gate import cursor
from web.door.line import line_of
from web.services import services_of

router = APIRouter()

_RETRY: Final = b"retry: 3000\n\n"
_BRIEF: Final = {"cache-control": "public, max-age=1"}
_FOR_EVER: Final = {"cache-control": "public, max-age=31536000, immutable"}


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
    events = EventStream(request.scope)
    address = services.address(request)
    events.seat = await services.hub.attach(
        session, audience, after, form=events.form, write=events.write, closed=events.close, address=address
    )
    return events


@router.get("/api/v1/sessions/{session}/log/head.json", summary="How far the public log is")
async def head(request: Request, session: SessionId) -> Response:
    """Where a reader without a stream looks every two seconds: a hundred bytes that anybody may keep for one."""
    body, etag = await services_of(request).hub.head(session)
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={**_BRIEF, "etag": etag})
    return Response(body, media_type="application/json", headers={**_BRIEF, "etag": etag})


@router.get("/api/v1/sessions/{session}/log/{number:int}.json", summary="Fifty facts of the public log")
async def segment(request: Request, session: SessionId, number: int) -> Response:
    """Facts 50 `number` + 1 to 50 `number` + 50, as the public gets them: for ever, once all fifty are there."""
    found = await services_of(request).hub.segment(session, number)
    if found is None:
        raise Problem("not_found")
    body, full = found
    return Response(body, media_type="application/json", headers=_FOR_EVER if full else _BRIEF)


class EventStream(Response):
    """Server-sent events from chunks that are framed already and shared by everyone who reads them.

    The hub writes, straight to the connection where the server offers its line (web.door.line). Elsewhere, by
    ASGI, without a task a chunk: a send is begun at once, and only one that has to wait, because the reader does not
    read, is finished by a task, while the seat is paused.
    """

    media_type = "text/event-stream"

    def __init__(self, scope: Scope) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._line = line_of(scope)
        self.form = Form.SSE if self._line is None else Form.CHUNKED
        self.write: Write = self._write if self._line is None else self._line.write
        self.seat: Seat | None = None
        self._send: Send
        self._sending: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._code: int | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go on until the reader leaves, takes nothing for too long, or the server goes down."""
        assert self.seat is not None
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        self._send = scope.get("extensions", {}).get(UNDRESSED, send)
        leaving = None
        try:
            await self._send(_body(_RETRY))
            if self._line is None:
                leaving = asyncio.create_task(self._left(receive))
            else:
                self._line.take(self.seat, self._ended.set)
            self.seat.resume()
            await self._ended.wait()
        finally:
            self.seat.leave()
            if leaving is not None:
                leaving.cancel()
            if self._sending is not None:
                self._sending.cancel()
        if self._code is not None and self._code != Stalled.close:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def _write(self, chunk: bytes) -> None:
        """Write what the hub has, through ASGI."""
        going = self._send(_body(chunk)).__await__()
        try:
            waits_for = next(going)
        except StopIteration:
            return
        assert self.seat is not None
        self.seat.pause()
        self._sending = asyncio.create_task(_finish(_Begun(going, waits_for)))
        self._sending.add_done_callback(self._sent)

    def close(self, code: int) -> None:
        """End, because the hub wants it."""
        self._code = code
        self._ended.set()
        if self.seat is not None:
            self.seat.leave()

    def _sent(self, done: asyncio.Task[None]) -> None:
        self._sending = None
        if done.cancelled() or done.exception() is not None:
            self._ended.set()
        elif self.seat is not None:
            self.seat.resume()

    async def _left(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._ended.set()


class _Begun:
    """The rest of something awaitable whose first step is done; Python 3.12 has eager tasks for this."""

    def __init__(self, going: Generator[Any, Any, None], waits_for: Any) -> None:
        self._going = going
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        try:
            yield self._waits_for
        except BaseException:
            self._going.close()
            raise
        yield from self._going


async def _finish(begun: _Begun) -> None:
    await begun


def _body(chunk: bytes) -> Message:
    return {"type": "http.response.body", "body": chunk, "more_body": True}


def kept_for(audience: Audience) -> dict[str, str]:
    """Return how long others may keep what ``audience`` reads: the public's for a second, everyone else's not."""
    public = audience.role is Role.PUBLIC
    return {"cache-control": "public, max-age=1" if public else "no-store", "vary": "cookie"}
