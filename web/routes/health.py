"""Is the process alive, and fit to serve? Reasons are for the operator: this machine, or whoever has the token."""

from __future__ import annotations

import hmac
import shutil
from collections.abc import Awaitable
from datetime import timedelta
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from sessions.clock import SystemClock
from web.addresses import is_here
from web.bootstrap import Services, services_of

router = APIRouter(include_in_schema=False)

_DRIFT: Final = timedelta(seconds=1)
_ROOM: Final = 1 << 29  # bytes
_ROBOTS: Final = "User-agent: *\nDisallow: /api/\nDisallow: /login\nDisallow: /seat/\nDisallow: /host/\n"


@router.get("/healthz")
async def alive() -> Response:
    """Answer as long as the loop turns. Asks nobody: a database that stumbles must not restart a live session."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
async def ready(request: Request) -> Response:
    """Answer 200 if a new reader or bidder may be sent here, else 503."""
    services = services_of(request)
    found = {
        "database": await _answers(services.sessions.next_due()),
        "disk": shutil.disk_usage(services.settings.data_dir).free >= _ROOM,
        "clock": _steady(services),
        "log": not (doubts := await _doubts(services)),
    }
    body = found | ({"doubts": doubts} if doubts else {}) if _may_know(request, services) else {}
    return JSONResponse({"ready": all(found.values()), **body}, status_code=200 if all(found.values()) else 503)


@router.get("/robots.txt")
async def robots() -> Response:
    """Keep crawlers to what is public and worth finding."""
    return PlainTextResponse(_ROBOTS, headers={"cache-control": "public, max-age=86400"})


async def _answers(asked: Awaitable[object]) -> bool:
    try:
        await asked
    except Exception:  # whatever it is that fails, the database cannot be used
        return False
    return True


async def _doubts(services: Services) -> list[str]:
    """What witnesses hold against this database: a restored backup, or a second hall under one key."""
    try:
        return list(await services.notary.doubts())
    except Exception:  # a database that does not answer says nothing; ``database`` tells that
        return []


def _steady(services: Services) -> bool:
    """Whether nobody set the machine's clock since the start; a clock that cannot tell is one of a test."""
    clock = services.clock
    return not isinstance(clock, SystemClock) or abs(clock.drift()) < _DRIFT


def _may_know(request: Request, services: Services) -> bool:
    if is_here(services.address(request)):
        return True
    file = services.settings.readiness_token_file
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    return file is not None and hmac.compare_digest(given.encode(), file.read_bytes().strip())
