"""The recording of an opening that is over: its files, to play or to keep, and what was said as captions."""

from __future__ import annotations

import re
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from sessions.ids import SessionId
from web.answers.problems import Problem
from web.services import services_of

router = APIRouter()

_PART: Final = re.compile(r"([a-z0-9][a-z0-9-]{0,63}-[1-9][0-9]{0,5})\.mp4", re.ASCII)
_CAPTIONS: Final = re.compile(r"captions\.(zh|en)\.vtt", re.ASCII)
_FOR_EVER: Final = {"cache-control": "public, max-age=31536000, immutable"}


@router.get("/s/{session}/recording/{name}", summary="The recording of an opening that is over")
async def recording(request: Request, session: SessionId, name: str) -> Response:
    """`programme-1.mp4` and on, sources as `host-1.mp4`, in ranges where asked for; `captions.zh.vtt`.

    404 until the recording is closed.
    """
    films = services_of(request).films
    if (found := _PART.fullmatch(name)) is not None:
        file = await films.file(session, found[1])
        if file is not None:
            return FileResponse(file, media_type="video/mp4", headers=_FOR_EVER)
    elif (found := _CAPTIONS.fullmatch(name)) is not None:
        told = await films.captions(session, found[1])
        if told is not None:
            return Response(told, media_type="text/vtt; charset=utf-8", headers=_FOR_EVER)
    raise Problem("not_found")
