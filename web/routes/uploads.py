"""A sealed bid on its way in: resumable upload (tus 1.0.0) by the bidder it belongs to, and nobody else.

Somebody else's upload is as unknown as one that never was. The last answer carries the receipt, or the slip.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from crypto.errors import EncodingRefused
from crypto.receipt import read_tracker, tracker
from crypto.signing import peek
from sessions.ids import BidderId, SessionId
from sessions.ports import Answer
from sessions.shape import rfc3339
from web.answers.problems import Problem
from web.asking import bodies, tus
from web.asking.identity import bidder_acting, bidder_required
from web.services import services_of

router = APIRouter(prefix="/api/v1/sessions/{session}/uploads")

_PATH: Final = "/api/v1/sessions/{session}/uploads"
_SILENCE: Final = 60.0  # seconds without a byte: the line is dead, and the sender resumes from what is durable


@router.options("", include_in_schema=False)
async def abilities(request: Request) -> Response:
    """Tell what of the protocol is spoken here."""
    limit = services_of(request).settings.max_bid_bytes
    return Response(
        status_code=204,
        headers=tus.response_headers(tus_version=tus.VERSION, tus_extension=tus.EXTENSIONS, tus_max_size=limit),
    )


@router.post("", summary="Begin to send a sealed bid", status_code=201)
async def create(request: Request, session: SessionId) -> Response:
    """`Tus-Resumable: 1.0.0` and `Upload-Length`; answers `Location`. After T0: 409 `late` with a slip."""
    services = services_of(request)
    actor = await bidder_acting(request)
    services.pace("upload", actor.id)
    tus.check_version(request.headers)
    length = tus.length(request.headers, services.settings.max_bid_bytes)
    upload = await services.submissions.begin(session, actor, length)
    place = f"{_PATH.format(session=session)}/{upload.id}"
    return Response(status_code=201, headers=tus.response_headers(location=place, upload_offset=0))


@router.get("/mine", summary="One's own bid, receipts and slips")
async def mine(request: Request, session: SessionId) -> Response:
    """What this bidder sent and what the hall signed in answer; nothing about anybody else."""
    services = services_of(request)
    actor = await bidder_required(request)
    services.pace("receipt", actor.id)
    answers = await services.submissions.mine(session, actor)
    intake = await services.sessions.intake(session)
    bid = intake.bids.get(BidderId(actor.id))
    current = bid and {
        "header_sha256": bid.header_sha256,
        "received_at": rfc3339(bid.received_at),
        "tracker": bid.tracker,
    }
    checked_in = actor.id in intake.checked_in
    return JSONResponse(
        {"bid": current, "checked_in": checked_in, "answers": [_answer(answer) for answer in answers]}
    )


@router.get("/mine/{code}", summary="One's own receipt as a file")
async def receipt_file(request: Request, session: SessionId, code: str) -> Response:
    """By its tracker code. With the proof that it is in the log of receipts, once a tick has logged it."""
    services = services_of(request)
    actor = await bidder_required(request)
    services.pace("receipt", actor.id)
    try:
        wanted = read_tracker(code)
    except EncodingRefused:
        raise Problem("not_found") from None
    given = [answer for answer in await services.submissions.mine(session, actor) if answer.code is None]
    token = next((answer.statement for answer in given if _tracker(answer) == wanted), None)
    if token is None:
        raise Problem("not_found")
    file = await services.receipt_proofs.file(session, token)
    return Response(
        file.to_bytes(),
        media_type="application/json",
        headers={
            "content-disposition": f'attachment; filename="receipt-{wanted}.json"',
            "cache-control": "no-store",
        },
    )


@router.head("/{upload}", include_in_schema=False)
async def standing(request: Request, session: SessionId, upload: str) -> Response:
    """Tell how much of an upload is durable."""
    tus.check_version(request.headers)
    actor = await bidder_required(request)
    progress = await services_of(request).submissions.progress(session, upload, actor)
    headers = tus.response_headers(upload_offset=progress.offset, upload_length=progress.upload.length)
    return Response(headers=headers)


@router.patch("/{upload}", summary="Send bytes of a sealed bid")
async def append(request: Request, session: SessionId, upload: str) -> Response:
    """`Upload-Offset` and the bytes from there. The last byte is answered with the receipt, or 409 and a slip."""
    tus.check_version(request.headers)
    offset = tus.offset(request.headers)
    actor = await bidder_acting(request)
    services = services_of(request)
    pieces = _pieces(request, services.settings.max_bid_bytes)
    progress = await services.submissions.receive(session, upload, actor, offset, pieces)
    if progress.answer is None:
        return Response(status_code=204, headers=tus.response_headers(upload_offset=progress.offset))
    return JSONResponse(_accepted(progress.answer), headers=tus.response_headers(upload_offset=progress.offset))


@router.delete("/{upload}", summary="Give an unfinished upload up", status_code=204)
async def drop(request: Request, session: SessionId, upload: str) -> Response:
    """What was complete stays: it is evidence."""
    tus.check_version(request.headers)
    actor = await bidder_acting(request)
    await services_of(request).submissions.drop(session, upload, actor)
    return Response(status_code=204, headers=tus.response_headers())


async def _pieces(request: Request, limit: int) -> AsyncIterator[bytes]:
    """Yield what arrives. A sender that breaks off or falls silent ends it, and what came until then is kept."""
    arriving = bodies.limited(request, limit=limit)
    while True:
        try:
            async with asyncio.timeout(_SILENCE):
                piece = await anext(arriving, None)
        except (ClientDisconnect, TimeoutError):
            return
        if piece is None:
            return
        yield piece


def _accepted(answer: Answer) -> dict[str, Any]:
    return {"accepted": True, "receipt": answer.statement, "tracker": _tracker(answer)}


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "at": rfc3339(answer.at),
        "accepted": answer.code is None,
        "code": answer.code,
        "header_sha256": answer.header_sha256,
        "statement": answer.statement,
        "tracker": None if answer.code else _tracker(answer),
    }


def _tracker(answer: Answer) -> str:
    """The short code is computed from the receipt, so it is never stored beside it."""
    _, payload = peek(answer.statement)
    return tracker(payload)
