"""A timestamp authority as a small HTTP server (RFC 3161 section 3.4), for demonstrations and tests only."""

from __future__ import annotations

import secrets

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from crypto.certificates import Credential
from crypto.timestamping import MAX_REQUEST, reply
from sessions.clock import Clock
from sessions.outside.stamping import QUERY, REPLY


def timestamp_app(authority: Credential, clock: Clock) -> Starlette:
    """Return the application: a POST of a TimeStampReq to ``/`` is answered with a TimeStampResp."""

    async def answer(request: Request) -> Response:
        if request.headers.get("content-type") != QUERY:
            return PlainTextResponse(f"send {QUERY}\n", status_code=415)
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_REQUEST:
                return PlainTextResponse("too large\n", status_code=413)
        stamped = reply(bytes(body), authority, at=clock.now(), serial=secrets.randbits(64))
        return Response(stamped, media_type=REPLY)

    return Starlette(routes=[Route("/", answer, methods=["POST"])])
