"""The officers of the locks: the shares sealed to them go out, behind the barrier, and come back open."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from crypto.encoding import b64u, unb64u
from crypto.errors import EncodingRefused
from sessions.acts.officers import SHARE
from sessions.barrier.behind import Sealed
from sessions.barrier.lockbox import Place
from sessions.events import Stream
from sessions.ids import BidderId, SessionId
from sessions.roles import STAFF
from web.answers.problems import Problem
from web.asking import bodies
from web.asking.identity import actor_for
from web.services import services_of

router = APIRouter(prefix="/api/v1")

MOST_SHARES: Final = 4000
LIMIT: Final = 1_048_576
"""Bytes of one officer's shares: some 130 a share, of 4000 bids at most."""

_BODY: Final = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}


@router.get("/sessions/{session}/shares", summary="The shares sealed to an officer")
async def shares(request: Request, session: SessionId) -> Response:
    """Behind the barrier, for an officer of a lock, and its own only. Opening them is its machine's work."""
    services = services_of(request)
    actor = await actor_for(request, session)
    if actor.role not in STAFF:
        raise Problem("not_your_role")
    services.pace("shares", (session, actor.id))
    work = await services.officers.shares(session, actor)
    return JSONResponse(
        {
            "session": session,
            "lock": work.lock.id,
            "cert": work.lock.officers[work.index - 1].certificate,
            "shares": [share_form(session, work.lock.id, one) for one in work.shares],
        },
        headers={"cache-control": "no-store"},
    )


@router.post("/sessions/{session}/shares", summary="Remove a lock", openapi_extra=_BODY)
async def bring(request: Request, session: SessionId) -> Response:
    """`{"shares": [{"bidder","group","share": b64u of 32 bytes, or null}, ..]}`: what the officer's key gave.

    Each is held against its commitment; `failed` names the bids on which one does not fit. It may be sent again.
    """
    services = services_of(request)
    actor = await actor_for(request, session)
    if actor.role not in STAFF:
        raise Problem("not_your_role")
    services.pace("shares", (session, actor.id))
    values = _values(await bodies.read_object(request, limit=LIMIT))
    brought = await services.officers.bring(session, actor, values)
    services.timekeeper.stir()
    numbers = [record.number for record in brought.records if record.stream is Stream.OPENING]
    return JSONResponse({"events": numbers, "opened": list(brought.opened), "failed": dict(brought.failed)})


def share_form(session: SessionId, lock: str, one: Sealed) -> dict[str, Any]:
    """Return one sealed share as an officer's program gets it."""
    sealed = {"slot": b64u(one.slot)} if one.slot is not None else {"hpke": b64u(one.hpke or b"")}
    return {
        "session": session,
        "bidder": one.bidder,
        "group": one.group,
        "lock": lock,
        "i": one.index,
        "t": one.threshold,
        "n": one.count,
        "kcs": one.kcs.hex(),
        "suite": one.suite,
        "context": one.context.hex(),
        "header_sha256": one.header_sha256,
        "nonce": one.nonce,
        **sealed,
    }


def _values(form: dict[str, Any]) -> dict[Place, bytes | None]:
    given = form.get("shares")
    if form.keys() != {"shares"} or not isinstance(given, list) or len(given) > MOST_SHARES:
        raise Problem("malformed_request", detail="shares")
    values: dict[Place, bytes | None] = {}
    for one in given:
        if not isinstance(one, dict) or one.keys() != {"bidder", "group", "share"}:
            raise Problem("malformed_request", detail="shares")
        bidder, group = one["bidder"], one["group"]
        if not isinstance(bidder, str) or group not in ("A", "B") or (bidder, group) in values:
            raise Problem("malformed_request", detail="shares")
        values[(BidderId(bidder), group)] = _value(one["share"])
    return values


def _value(text: object) -> bytes | None:
    if text is None:
        return None
    try:
        value = unb64u(text)
    except EncodingRefused:
        raise Problem("malformed_request", detail="share") from None
    if len(value) != SHARE:
        raise Problem("malformed_request", detail="share")
    return value
