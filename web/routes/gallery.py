"""``/_/gallery``: every page in every state from made-up views, to be looked at and compared. Rehearsal only.

Nothing here reads a session, so it can be shown beside a real opening; ``web.app`` mounts it only where rehearsals
are allowed.
"""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from web import gallery
from web.calendar import Filters
from web.problems import Problem
from web.routes.reader import reader
from web.showing import calendar_values, live_page

_NOW = datetime(2026, 11, 23, 1, 4, 12, tzinfo=UTC)

router = APIRouter(prefix="/_/gallery", include_in_schema=False)


@router.get("", response_class=HTMLResponse)
async def index(request: Request) -> Response:
    """List the pages and states."""
    who = reader(request)
    return who.page("gallery.html", states=gallery.STATES)


@router.get("/s/{state}", response_class=HTMLResponse)
async def public(request: Request, state: str) -> Response:
    """Show the public page in ``state``."""
    who = reader(request)
    body = live_page(
        who.pages, _view(state), gallery.facts(state), who.language, theme=who.theme, reading=_reading(state),
        path=request.url.path, refresh=False, source=request.url.path,
    )  # fmt: skip
    return who.answer(body)


@router.get("/calendar", response_class=HTMLResponse)
async def calendar(request: Request) -> Response:
    """Show the calendar on the day of the made-up opening."""
    who = reader(request)
    return who.page(
        "calendar.html", here="calendar", **calendar_values(gallery.summaries(), _NOW, who.language, Filters())
    )


def _view(state: str, audience: str = "public") -> gallery.View:
    if state not in gallery.STATES:
        raise Problem("not_found")
    return gallery.view(state, audience)


def _reading(state: str) -> int:
    return 3 if state == "readout" else 0
