"""Is the process alive, and fit to serve? Reasons are for the operator: this machine, or whoever has the token."""

from __future__ import annotations

import hmac
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from web.asking.addresses import is_here
from web.readiness import look
from web.services import Services, services_of

router = APIRouter(include_in_schema=False)

_ROBOTS: Final = "User-agent: *\nDisallow: /api/\nDisallow: /login\nDisallow: /seat/\nDisallow: /host/\n"


@router.get("/healthz")
async def alive() -> Response:
    """Answer as long as the loop turns. Asks nobody: a database that stumbles must not restart a live session."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
async def ready(request: Request) -> Response:
    """Answer 200 if a new reader or bidder may be sent here, else 503 and, for the operator, why."""
    services = services_of(request)
    looked = await look(services)
    well = all(each.well for each in looked if each.needed)
    body: dict[str, object] = {"ready": well}
    if _may_know(request, services):
        body |= {each.about: each.well for each in looked}
        if reasons := [reason for each in looked for reason in each.reasons]:
            body["reasons"] = reasons
    return JSONResponse(body, status_code=200 if well else 503)


@router.get("/robots.txt")
async def robots() -> Response:
    """Keep crawlers to what is public and worth finding."""
    return PlainTextResponse(_ROBOTS, headers={"cache-control": "public, max-age=86400"})


def _may_know(request: Request, services: Services) -> bool:
    if is_here(services.address(request)):
        return True
    file = services.settings.readiness_token_file
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    return file is not None and hmac.compare_digest(given.encode(), file.read_bytes().strip())
