"""How late facts arrive, as the public's pages report it: two figures, kept of nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hall.rooms.lag import LONGEST
from hall.views.audience import PUBLIC
from sessions.ids import SessionId
from web.answers.problems import Problem
from web.asking import bodies
from web.asking.identity import audience_for
from web.services import services_of

router = APIRouter(prefix="/api/v1")

_LIMIT: Final = 128
_BODY: Any = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}


@router.post("/sessions/{session}/lag", summary="Say how late facts arrive", status_code=204, openapi_extra=_BODY)
async def report(request: Request, session: SessionId) -> Response:
    """`{"lag_ms": int, "within_ms": int}`: the latest fact since the last report, and what the clock may be wrong by.

    Only readers without a login are counted: before T0 the number of bidders in the room is a secret. Others get
    the same answer.
    """
    services = services_of(request)
    services.pace("lag", services.address(request))
    form = await bodies.read_object(request, limit=_LIMIT)
    within = _figure(form, "lag_ms") + _figure(form, "within_ms")
    if len(form) > 2 or within > LONGEST:
        raise Problem("malformed_request", detail="lag")
    if await audience_for(request, session) == PUBLIC:
        await services.hub.reported(session, within)
        services.lags.add(session, within)
    return Response(status_code=204)


def _figure(form: Mapping[str, Any], name: str) -> int:
    value = form.get(name)
    if type(value) is not int or value < 0:  # True is no figure
        raise Problem("malformed_request", detail=name)
    return value
