"""Evidence and what follows from it: a bidder's signs of life, and the certificate of why its bid was not opened."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from sessions.failure import failures
from sessions.heartbeat import LONGEST
from sessions.ids import Jws, SessionId
from sessions.witnessing import AT_ONCE
from web import bodies
from web.bootstrap import services_of
from web.identity import bidder_required, visitor_required
from web.problems import Problem

router = APIRouter(prefix="/api/v1/sessions/{session}")

_BODY: Any = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}
_MS = timedelta(milliseconds=1)


@router.get("/heartbeats", summary="How to give signs of life")
async def terms(request: Request, session: SessionId) -> Response:
    """During the decrypt window, for a bidder of the frozen set: nonce, cadence, and the number of the next beat."""
    services = services_of(request)
    actor = await bidder_required(request)
    services.pace("heartbeat", (session, actor.id))
    found = await services.witnessing.terms(session, actor)
    ack = found.acks[-1] if found.acks else None
    return JSONResponse(
        {"nonce": found.nonce, "cadence_ms": found.cadence // _MS, "next": found.next, "ack": ack},
        headers={"cache-control": "no-store"},
    )


@router.post("/heartbeats", summary="Give signs of life", openapi_extra=_BODY)
async def hear(request: Request, session: SessionId) -> Response:
    """`{"beats": [jws, ..]}`, at most eight, by their numbers; answers `{"acks": [jws, ..]}`, which you keep."""
    services = services_of(request)
    actor = await bidder_required(request)
    services.pace("heartbeat", (session, actor.id))
    form = await bodies.read_object(request, limit=AT_ONCE * (LONGEST + 16) + 64)
    beats = form.get("beats")
    if form.keys() != {"beats"} or not isinstance(beats, list) or not all(isinstance(one, str) for one in beats):
        raise Problem("malformed_request", detail="beats")
    certificate = (await visitor_required(request)).certificates[0]
    acks = await services.witnessing.hear(session, actor, [Jws(one) for one in beats], certificate)
    return JSONResponse({"acks": list(acks)})


@router.get("/failures/mine", summary="Why one's own bid was not opened, certified")
async def own_failures(request: Request, session: SessionId) -> Response:
    """`{"failures": [..]}`: a certificate as soon as the cause is known, another if two persons ruled. Keep them."""
    services = services_of(request)
    actor = await bidder_required(request)
    services.pace("receipt", actor.id)
    given = [one for one in failures(await services.sessions.events(session)) if one.bidder == actor.id]
    return JSONResponse(
        {
            "failures": [
                {
                    "event": one.event,
                    "cause": one.payload["cause"],
                    "consequence": one.payload["consequence"],
                    "at": one.payload["at"],
                    "statement": one.signed(services.hall_key),
                }
                for one in given
            ]
        },
        headers={"cache-control": "no-store"},
    )
