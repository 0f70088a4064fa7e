"""What a reader needs to check one row of the read-out for itself (hall/PROTOCOL.md, Proofs of rows)."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from crypto.encoding import b64u, canonical
from hall.views.audience import PUBLIC
from sessions.archive.row_proof import DECIDED, row_proof
from sessions.ids import SessionId
from sessions.visibility import Datum, sees
from web.answers.problems import Problem
from web.services import services_of

router = APIRouter(prefix="/api/v1")

_KEPT: Final = {"cache-control": "public, max-age=60"}  # a ruling may still change what a row says


@router.get("/sessions/{session}/bids/{row}/proof", summary="What a row was opened from")
async def proof(request: Request, session: SessionId, row: int) -> Response:
    """`{"row", "header", "sealed", "key"}`, as the archive will have them. 409 `not_decided` before it is opened."""
    services = services_of(request)
    opening = await services.sessions.state(session)
    bid = next((bid for bid in opening.bids if bid.row == row), None) if opening.listed else None
    if bid is None:
        raise Problem("not_found")
    if bid.state not in DECIDED or Datum.QUOTE not in sees(opening, PUBLIC.role):
        raise Problem("not_decided")
    found = await row_proof(services.stores.intake, services.stores.blobs, session, bid)
    if found is None:
        raise Problem("bid_lost")
    form = {
        "row": row,
        "header": b64u(found.header),
        "sealed": None if found.sealed is None else b64u(found.sealed),
        "key": found.key,
    }
    return Response(canonical(form), media_type="application/json", headers=_KEPT)
