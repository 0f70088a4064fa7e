"""Evidence and what follows from it: a bidder's signs of life, and the certificate of why its bid was not opened."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from crypto.encoding import b64u
from sessions.acts.reach import AT_ONCE
from sessions.acts.rescuing import LONGEST as LONGEST_RESCUE
from sessions.archive.failure import failures
from sessions.ids import BidderId, Jws, SessionId
from sessions.roles import Actor, Role
from sessions.watch.heartbeat import LONGEST
from web.answers.problems import Problem
from web.asking import bodies
from web.asking.identity import actor_for, bidder_required, visitor_required
from web.services import services_of

router = APIRouter(prefix="/api/v1/sessions/{session}")

_BODY: Any = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}
_MS = timedelta(milliseconds=1)


@router.get("/heartbeats", summary="How to give signs of life")
async def terms(request: Request, session: SessionId) -> Response:
    """During the decrypt window, for a bidder of the frozen set: nonce, cadence, and the number of the next beat."""
    services = services_of(request)
    actor = await bidder_required(request)
    services.pace("heartbeat", (session, actor.id))
    found = await services.reach.terms(session, actor)
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
    acks = await services.reach.hear(session, actor, [Jws(one) for one in beats], certificate)
    return JSONResponse({"acks": list(acks)})


@router.get("/rescues", summary="What a rescue is sealed with")
async def rescue_terms(request: Request, session: SessionId, bidder: str = "") -> Response:
    """During the decrypt window: a bidder for its own bid, host or deputy for the bid of `bidder`."""
    services = services_of(request)
    actor = await actor_for(request, session)
    found = await services.rescuing.terms(session, _whose(actor, bidder))
    return JSONResponse(
        {
            "bidder": found.bidder,
            "header": b64u(found.header),
            "header_sha256": found.header_sha256,
            "nonce": found.nonce,
            "session_key": found.session_key,
            "groups": list(found.groups),
        },
        headers={"cache-control": "no-store"},
    )


@router.post("/rescues", summary="Hand in a rescue", openapi_extra=_BODY)
async def rescue(request: Request, session: SessionId) -> Response:
    """`{"bidder", "group", "kind": "key" | "plain", "hpke"}`: a key file or a spare sheet, sealed to the session."""
    services = services_of(request)
    actor = await actor_for(request, session)
    form = await bodies.read_object(request, limit=2 * LONGEST_RESCUE)
    if form.keys() != {"bidder", "group", "kind", "hpke"} or not all(isinstance(v, str) for v in form.values()):
        raise Problem("malformed_request", detail="rescue")
    who = _whose(actor, form["bidder"])
    services.pace("release", (session, who, actor.role))
    records = await services.rescuing.rescue(session, actor, who, form["group"], form["kind"], form["hpke"])
    services.timekeeper.stir()
    return JSONResponse({"events": [record.number for record in records]})


def _whose(actor: Actor, bidder: str) -> BidderId:
    if actor.role is Role.BIDDER:
        if bidder not in ("", actor.id):
            raise Problem("not_yours")
        return BidderId(actor.id)
    if actor.role not in (Role.HOST, Role.DEPUTY):
        raise Problem("not_your_role")
    return BidderId(bidder)


@router.get("/failures/mine", summary="Why one's own bid was not opened, certified")
async def own_failures(request: Request, session: SessionId) -> Response:
    """`{"failures": [..]}`: a certificate as soon as the cause is known, another if two persons ruled. Keep them."""
    services = services_of(request)
    actor = await bidder_required(request)
    services.pace("receipt", actor.id)
    key = services.hall_keys.of((await services.sessions.state(session)).plan)
    given = [one for one in failures(await services.sessions.events(session)) if one.bidder == actor.id]
    return JSONResponse(
        {
            "failures": [
                {
                    "event": one.event,
                    "cause": one.payload["cause"],
                    "consequence": one.payload["consequence"],
                    "at": one.payload["at"],
                    "statement": one.signed(key),
                }
                for one in given
            ]
        },
        headers={"cache-control": "no-store"},
    )
