"""The programme as files (HLS, RFC 8216), for players that take nothing else and for readers without JavaScript.

nginx or a CDN may serve the folder as it lies: segments never change, the playlist is renamed into place.
"""

from __future__ import annotations

import re
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from hall.media.port.places import Places
from sessions.ids import SessionId
from web.answers.problems import Problem
from web.services import services_of

router = APIRouter()

_NAME: Final = re.compile(r"master\.m3u8|((low|sound)/)?(index\.m3u8|init\d+\.mp4|s\d+-\d+\.m4s)", re.ASCII)
_SESSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_TYPES: Final = {"m3u8": "application/vnd.apple.mpegurl", "mp4": "video/mp4", "m4s": "video/iso.segment"}
_BRIEF: Final = {"cache-control": "public, max-age=1"}
_FOR_EVER: Final = {"cache-control": "public, max-age=31536000, immutable"}


@router.get("/media/{session}/hls/{name:path}", summary="The public programme as files (HLS)")
async def hls(request: Request, session: SessionId, name: str) -> Response:
    """`master.m3u8` names what there is, `index.m3u8` is the playlist of all of it, `low/` and `sound/` have less.

    404 while there is no programme.
    """
    places = Places(services_of(request).settings.data_dir)
    if _NAME.fullmatch(name) is None or _SESSION.fullmatch(session) is None:
        raise Problem("not_found")
    file = places.hls(session) / name
    if not file.is_file():
        raise Problem("not_found")
    headers = _BRIEF if name.endswith("m3u8") else _FOR_EVER
    return FileResponse(file, media_type=_TYPES[name.rpartition(".")[2]], headers=headers)
