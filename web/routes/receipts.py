"""The log of receipts: before T0 it tells the time and nothing else, for everybody (crypto/FORMAT.md section 7)."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from crypto.encoding import canonical
from crypto.errors import NoteRefused
from crypto.tlog import entry_bundle, read_tile_path
from crypto.tlog.notes import b64
from sessions.errors import CommandRefused
from sessions.ids import SessionId
from sessions.logging_receipts import blinding
from web.answers.problems import Problem
from web.services import services_of

router = APIRouter(prefix="/api/v1/sessions/{session}/log/intake")

_BRIEF: Final = {"cache-control": "public, max-age=1"}
_FOR_EVER: Final = {"cache-control": "public, max-age=31536000, immutable"}
_MEDIA: Final = "text/plain; charset=utf-8"


@router.get("/checkpoint", summary="The newest checkpoint of the log of receipts")
async def checkpoint(request: Request, session: SessionId) -> Response:
    """Signed by the hall at every tick, with the cosignatures it has so far. 404 before the first tick."""
    return await _checkpoint(request, session, None)


@router.get("/checkpoint/{size}", summary="A checkpoint of the log of receipts")
async def checkpoint_of(request: Request, session: SessionId, size: int) -> Response:
    """With the cosignatures it has so far. 404 if none of this size was signed."""
    return await _checkpoint(request, session, size)


@router.get("/consistency", summary="That the log of receipts only grew")
async def consistency(request: Request, session: SessionId, old: int, new: int) -> Response:
    """The consistency proof of RFC 6962 between two sizes, a hash in base64 on each line."""
    services = services_of(request)
    await services.sessions.state(session)
    tree = await services.receipt_proofs.tree(session)
    if not 0 <= old <= new <= len(tree):
        raise Problem("not_found")
    lines = "".join(f"{b64(one)}\n" for one in tree.consistency_proof(old, new))
    return Response(lines, media_type=_MEDIA, headers=_FOR_EVER)


@router.get("/tile/{path:path}", summary="A tile of hashes, or a bundle of entries, of the log of receipts")
async def tile(request: Request, session: SessionId, path: str) -> Response:
    """As c2sp.org/tlog-tiles has them: `LEVEL/N`, `entries/N`, with `.p/WIDTH` for partial ones."""
    services = services_of(request)
    await services.sessions.state(session)
    tree = await services.receipt_proofs.tree(session)
    try:
        asked = read_tile_path(path)
        if asked.end > len(tree):
            raise IndexError("no such tile")
        if asked.level is None:
            start = asked.index * 256
            entries = await services.stores.events.entries(session, after=start)
            body = entry_bundle(entries[: asked.end - start])
        else:
            body = asked.hashes(tree)
    except (NoteRefused, IndexError):
        raise Problem("not_found") from None
    return Response(body, media_type="application/octet-stream", headers=_FOR_EVER)


@router.get("/decoys", summary="What tells decoys from receipts, after T0")
async def decoys(request: Request, session: SessionId) -> Response:
    """`{"v", "session", "decoy_key"}`, as in the archive: anybody can count. 409 `not_frozen` before T0."""
    services = services_of(request)
    opening = await services.sessions.state(session)
    if opening.plan.intake_log is None:
        raise Problem("not_found")
    if opening.frozen is None:
        raise CommandRefused("not_frozen")
    key = (await blinding(services.stores.secrets, session)).decoy_key
    body = canonical({"v": 1, "session": session, "decoy_key": key.hex()})
    return Response(body, media_type="application/json", headers=_FOR_EVER)


async def _checkpoint(request: Request, session: SessionId, size: int | None) -> Response:
    note = await services_of(request).receipt_proofs.checkpoint(session, size)
    if note is None:
        raise Problem("not_found")
    return Response(note, media_type=_MEDIA, headers=_BRIEF)
