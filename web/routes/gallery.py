"""``/_/gallery``: every page in every state from made-up views, to be looked at and compared. Rehearsal only.

Nothing here reads a session, so it can be shown beside a real opening; ``web.app`` mounts it only where rehearsals
are allowed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from web.answers.errors import said
from web.answers.headers import devices_on_air, policy_with_worker
from web.answers.problems import Problem
from web.forms.tender import blank, faults_of
from web.forms.tender import values as form_values
from web.forms.tender_file import plan_of
from web.media.tokens import NOTICE
from web.pages import gallery
from web.pages.agenda import Filters
from web.pages.gallery_pages import PAGES
from web.pages.showing import (
    air_page,
    calendar_values,
    host_page,
    live_page,
    record_page,
    script_data,
    seat_page,
    supervise_page,
)
from web.routes.reader import reader
from web.services import services_of

_BIDDER = "bidder:91430100MA4L1AAA1X"
_SHOWN = ("s", "embed", "record", "seat", "host", "deputy", "supervise", "air", "mine")
_NOW = datetime(2026, 11, 23, 1, 4, 12, tzinfo=UTC)

router = APIRouter(prefix="/_/gallery", include_in_schema=False)


@router.get("", response_class=HTMLResponse)
async def index(request: Request) -> Response:
    """List the pages and states."""
    who = reader(request)
    plain = ("calendar", "calendar-none", "login", "verify", "new", "problem", *PAGES)
    return who.page("gallery.html", states=gallery.STATES, shown=_SHOWN, plain=plain)


@router.get("/s/{state}", response_class=HTMLResponse)
async def public(request: Request, state: str) -> Response:
    """Show the public page in ``state``."""
    return _public(request, state, "live.html")


@router.get("/embed/{state}", response_class=HTMLResponse)
async def embed(request: Request, state: str) -> Response:
    """Show the page for other sites' frames in ``state``."""
    return _public(request, state, "embed.html")


def _public(request: Request, state: str, template: str) -> Response:
    who = reader(request)
    body = live_page(
        who.pages,
        _view(state),
        gallery.facts(state),
        who.language,
        theme=who.theme,
        reading=_reading(state),
        path=request.url.path,
        refresh=False,
        template=template,
        source=request.url.path,
    )
    return who.answer(body)


@router.get("/calendar", response_class=HTMLResponse)
async def calendar(request: Request) -> Response:
    """Show the calendar on the day of the made-up opening."""
    who = reader(request)
    return who.page(
        "calendar.html", here="calendar", **calendar_values(gallery.summaries(), _NOW, who.language, Filters())
    )


@router.get("/record/{state}", response_class=HTMLResponse)
async def record(request: Request, state: str) -> Response:
    """Show the opening record in ``state``."""
    who = reader(request)
    body = record_page(
        who.pages,
        _view(state),
        gallery.facts(state),
        gallery.document(state),
        who.language,
        theme=who.theme,
        path=request.url.path,
        source=request.url.path,
        origin="https://hall.example.org",
    )
    return who.answer(body)


@router.get("/{page}/{state}", response_class=HTMLResponse)
async def desk(request: Request, page: str, state: str) -> Response:
    """Show ``state``: ``seat``, ``host``, ``deputy``, ``supervise``; on air: ``air`` a host, ``mine`` a bidder."""
    who = reader(request)
    if page in ("air", "mine"):
        return _air(request, page, state)
    audiences = {"seat": _BIDDER, "host": "host", "deputy": "deputy", "supervise": "supervisor"}
    if page not in audiences:
        raise Problem("not_found")
    make = seat_page if page == "seat" else supervise_page if page == "supervise" else host_page
    accounts = {"host": "li", "deputy": "wang", "supervise": "zhang"}
    told: dict[str, Any] = {"extra": {"account": accounts[page]}} if page in accounts else {"on_air": True}
    body = make(
        who.pages,
        _view(state, audiences[page]),
        gallery.facts(state),
        who.language,
        theme=who.theme,
        reading=_reading(state),
        path=request.url.path,
        source=request.url.path,
        role=page.replace("supervise", "supervisor"),
        **told,
    )
    return who.answer(body)


def _air(request: Request, page: str, state: str) -> Response:
    """Show the page where somebody goes on air: by its own devices, but nothing is ever sent from a gallery."""
    who = reader(request)
    role, place, audience = ("host", "host", "host") if page == "air" else ("bidder", "seat", _BIDDER)
    body = air_page(
        who.pages,
        _view(state, audience),
        who.language,
        media={"video": "h264", "notice": NOTICE},
        place=place,
        role=role,
        theme=who.theme,
        path=request.url.path,
        source=request.url.path,
    )
    return who.answer(body, headers={"permissions-policy": devices_on_air()})


@router.get("/{page}", response_class=HTMLResponse)
async def plain(request: Request, page: str) -> Response:
    """Show a page that has no opening: ``login``, ``verify``, ``new``, ``problem``, or one of ``gallery_pages``."""
    who = reader(request)
    match page:
        case "login":
            return who.page(
                "login.html", here="login", page=script_data(who.language), next="/", problem=None, account=""
            )
        case "verify":
            key = {"kid": "k" * 22, "x": "x" * 43}
            data = script_data(who.language, ("ui", "verify"), halls=[])
            shown = who.page("verify.html", here="verify", page=data, hall=key, older=[key])
            shown.headers["content-security-policy"] = policy_with_worker(services_of(request).settings.origin)
            return shown
        case "new":
            wrong = {**blank(), "seats[0].account": "lin", "deadline": "2026-11-30T09:30"}
            faults = faults_of(wrong, partial(plan_of, rehearsal_allowed=True, quorum=0), (), _NOW, who.language)
            return who.page("new.html", **form_values(wrong, who.language, faults=faults, rehearsals=True))
        case "problem":
            saying = said(Problem("not_your_role"), incident="7F3K-22QD")
            return who.page("errors/problem.html", status=200, problem=saying)
        case "calendar-none":
            return who.page("calendar.html", here="calendar", **calendar_values((), _NOW, who.language, Filters()))
        case _ if page in PAGES:
            template, values = PAGES[page](who.language)
            return who.page(template, **values)
        case _:
            raise Problem("not_found")


def _view(state: str, audience: str = "public") -> gallery.View:
    if state not in gallery.STATES:
        raise Problem("not_found")
    return gallery.view(state, audience)


def _reading(state: str) -> int:
    return 3 if state == "readout" else 0
