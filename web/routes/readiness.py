"""The check-up before the opening: a bidder's own ready slip, which nobody else can ask for."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from crypto.certificates import parse_certificate
from crypto.encoding import unb64u
from crypto.errors import CertificateRefused, EncodingRefused
from crypto.signing import peek
from sessions.acts.readying import Slip
from sessions.ids import Jws, SessionId
from web.answers.problems import Problem
from web.asking import bodies
from web.asking.identity import bidder_required, visitor_required
from web.services import services_of

router = APIRouter(prefix="/api/v1/sessions/{session}/ready")

SPEED = 262_144
_BODY: Any = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}
_PRIVATE = {"cache-control": "no-store"}


@router.post("", summary="Say that one is ready", openapi_extra=_BODY)
async def say(request: Request, session: SessionId) -> Response:
    """`{"ready": jws, "encrypt": b64u DER}` → `{"slip": jws | null, "saw": {..}}`; null: see `saw` and the checks."""
    services = services_of(request)
    actor = await bidder_required(request)
    services.pace("receipt", actor.id)
    form = await bodies.read_object(request)
    if form.keys() != {"ready", "encrypt"} or not all(isinstance(value, str) for value in form.values()):
        raise Problem("malformed_request", detail="ready")
    try:
        encrypt = parse_certificate(unb64u(form["encrypt"]))
    except EncodingRefused as error:
        raise CertificateRefused("malformed_certificate") from error
    certificates = (await visitor_required(request)).certificates
    slip = await services.readying.ready(session, actor, Jws(form["ready"]), certificates, encrypt)
    return JSONResponse(_slip(slip), headers=_PRIVATE)


@router.get("", summary="One's own newest ready slip")
async def newest(request: Request, session: SessionId) -> Response:
    """`{"slip": jws | null, "saw", "at", "good_until", "stale": null | "age" | "certificate" | "bid"}`."""
    services = services_of(request)
    actor = await bidder_required(request)
    services.pace("receipt", actor.id)
    slip = await services.readying.newest(session, actor, (await visitor_required(request)).certificates)
    return JSONResponse({"slip": None} if slip is None else _slip(slip), headers=_PRIVATE)


@router.post("/speed", summary="Send bytes, to see how fast they go", status_code=204)
async def speed(request: Request, session: SessionId) -> Response:
    """At most 256 KiB of anything, which is thrown away."""
    services = services_of(request)
    actor = await bidder_required(request)
    services.pace("speed", actor.id)
    await bodies.read_bytes(request, limit=SPEED)
    return Response(status_code=204)


def _slip(found: Slip) -> dict[str, Any]:
    told: dict[str, Any] = {"slip": found.slip, "saw": dict(found.saw), "stale": found.stale}
    if found.slip is not None:
        said = peek(found.slip)[1]
        told |= {"at": said["received_at"], "good_until": said["good_until"]}
    return told
