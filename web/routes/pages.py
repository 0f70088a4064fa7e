"""The public pages: calendar, live page, record, verification. No login needed, the same bytes for everyone.

They are kept per event number, language and paper, so a crowd costs one rendering per event.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from crypto.digest import sha256_hex
from hall.rooms.room import Snapshot
from hall.views.audience import PUBLIC
from sessions.ids import SessionId
from sessions.opening import OVER
from sessions.opening.record import record
from sessions.recording.captions import said
from sessions.shape import rfc3339, to_json
from web.answers.headers import policy_with_worker, security_headers
from web.answers.kept import KeptPages, served
from web.answers.problems import Problem
from web.asking.identity import visitor_of
from web.downloads.papers import Made
from web.downloads.sheet_csv import sheet_csv
from web.media.film import film_of, missing, sources_of
from web.media.whereabouts import paths
from web.pages.agenda import STATUSES, Filters, atom, entry, ics
from web.pages.screen import rows_read
from web.pages.showing import calendar_values, live_page, record_page, script_data
from web.routes import announce, desks
from web.routes.login import local
from web.routes.reader import Reader, newest_facts, reader
from web.services import Services, services_of
from web.wording.i18n import HTML_LANG, Language, sentence

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
router.include_router(desks.router)
router.include_router(announce.router)

MOST_FOUND: Final = 100
"""Facts that a search shows; the page says how many there are in all, up to here."""

_FOR_ALL: Final = {"cache-control": "public, max-age=1", "vary": "cookie, accept-language, accept-encoding"}


@router.get("/")
async def calendar(request: Request) -> Response:
    """Show the calendar of openings."""
    who, services = reader(request), services_of(request)
    filters = _filters(request)
    summaries = await services.sessions.calendar()
    now = services.clock.now()
    values = calendar_values(summaries, now, who.language, filters)
    body = who.pages.render(
        "calendar.html", who.language, theme=who.theme, path=who.path, here="calendar", login=None, **values
    )
    return who.answer(body, headers=_FOR_ALL)


@router.get("/openings.ics")
async def openings_ics(request: Request) -> Response:
    """All openings for a calendar program."""
    services = services_of(request)
    entries = [entry(one, _language(request)) for one in await services.sessions.calendar()]
    return _feed(ics(entries, services.settings.origin, services.clock.now()), "text/calendar; charset=utf-8")


@router.get("/openings.atom")
async def openings_atom(request: Request) -> Response:
    """All openings as a feed."""
    services, language = services_of(request), _language(request)
    entries = [entry(one, language) for one in await services.sessions.calendar()]
    title = sentence("Public bid openings", language)
    body = atom(entries, services.settings.origin, services.clock.now(), title)
    return _feed(body, "application/atom+xml; charset=utf-8")


@router.get("/s/{session}")
async def live(request: Request, session: SessionId) -> Response:
    """Show one opening to the public."""
    return await _live(request, session, "live.html", {})


@router.get("/embed/s/{session}")
async def embed(request: Request, session: SessionId) -> Response:
    """Show one opening inside another site's page: the only page that may be framed."""
    policy = security_headers(services_of(request).settings.origin)["content-security-policy"]
    framed = {
        "content-security-policy": policy.replace("frame-ancestors 'none'", "frame-ancestors *"),
        "cross-origin-resource-policy": "cross-origin",
    }
    return await _live(request, session, "embed.html", framed)


@router.get("/s/{session}/opening.ics")
async def opening_ics(request: Request, session: SessionId) -> Response:
    """One opening for a calendar program."""
    services = services_of(request)
    one = next((one for one in await services.sessions.calendar() if one.session == session), None)
    if one is None:
        raise Problem("unknown_session")
    body = ics([entry(one, _language(request))], services.settings.origin, services.clock.now())
    return _feed(body, "text/calendar; charset=utf-8")


@router.get("/s/{session}/bids.csv")
async def bids_csv(request: Request, session: SessionId) -> Response:
    """The read-out sheet for a spreadsheet, as the public sees it."""
    who = reader(request)
    snapshot = await services_of(request).hub.snapshot(session, PUBLIC)
    named = {"content-disposition": f'attachment; filename="{session}-{snapshot.number}.csv"'}
    return Response(
        sheet_csv(snapshot.view, who.language), media_type="text/csv; charset=utf-8", headers={**_FOR_ALL, **named}
    )


@router.get("/s/{session}/record")
async def record_sheet(request: Request, session: SessionId) -> Response:
    """Show the opening record as a sheet that prints, and the opening again fact by fact."""
    who, services = reader(request), services_of(request)
    snapshot = await services.hub.snapshot(session, PUBLIC)
    document = record(await services.sessions.state(session))
    facts = await newest_facts(services, session, PUBLIC, snapshot)
    origin = services.settings.origin
    splits = await services.notary.since_the_end(session)
    lag = await services.lags.of(session)
    opening = await services.sessions.state(session)
    film = await film_of(services.sessions, session, opening)
    sources = await sources_of(services.sessions, session, opening)
    recorded = opening.status in OVER and bool(opening.plan.recording)
    missed = missing(await services.sessions.recording(session), opening) if recorded else ()
    asked = request.query_params.get("q", "").strip()[:100]
    found = await _found(services, session, asked) if asked else None

    def make() -> bytes:
        return record_page(
            who.pages,
            snapshot.view,
            facts,
            document,
            who.language,
            theme=who.theme,
            path=who.path,
            origin=origin,
            splits=splits,
            lag=lag,
            film=film,
            sources=sources,
            gaps=missed,
            again=[(bid.name, bid.authority) for bid in opening.bids if bid.authority and opening.listed],
            search=found,
            asked=asked,
        )

    if asked:  # what strangers may ask is without end, and is not kept
        return who.remember(Response(make(), media_type="text/html", headers={"cache-control": "no-store"}))
    version = f"{_version(snapshot)}-{len(splits)}-{lag.count}-{film is not None}-{len(sources)}-{len(missed)}"
    return await _served(request, who, ("record", session), version, make, _FOR_ALL)


@router.get("/s/{session}/record.pdf")
async def record_pdf(request: Request, session: SessionId) -> Response:
    """The opening record as a paper, with record.json inside; sealed once the opening is over, if the hall can."""
    language = _language(request)
    made = await services_of(request).papers.record(session, language)
    return _paper(
        request, made, f"{session}-record.{language}.pdf", "public, max-age=3600" if made.sealed else "no-cache"
    )


@router.get("/verify")
async def verify(request: Request) -> Response:
    """Explain how to check everything, and check a receipt or a bundle in the page."""
    who = reader(request)
    services = services_of(request)
    keys = services.hall_keys.public
    hall, halls = keys[-1].document(), [key.document() for key in reversed(keys)]
    page = who.page(
        "verify.html",
        here="verify",
        page=script_data(who.language, ("ui", "verify"), halls=halls),
        hall=hall,
        older=halls[1:],
    )
    page.headers["content-security-policy"] = policy_with_worker(services.settings.origin)
    return page


@router.get("/login")
async def login(request: Request) -> Response:
    """Show the ways to log in; whoever is logged in goes on."""
    target = local(request.query_params.get("next", "/me"))
    if await visitor_of(request) is not None:
        return RedirectResponse(target, status_code=303)
    who = reader(request)
    page = script_data(who.language)
    return who.page("login.html", here="login", page=page, next=target, problem=None, account="")


async def _live(request: Request, session: SessionId, template: str, headers: Mapping[str, str]) -> Response:
    who, services = reader(request), services_of(request)
    snapshot = await services.hub.snapshot(session, PUBLIC)
    facts = await newest_facts(services, session, PUBLIC, snapshot)
    reading = rows_read(snapshot.view, services.clock.now())
    refresh = request.query_params.get("refresh") != "off"
    splits = await services.notary.since_the_end(session)

    def make() -> bytes:
        return live_page(
            who.pages,
            snapshot.view,
            facts,
            who.language,
            theme=who.theme,
            reading=reading,
            path=who.path,
            refresh=refresh,
            template=template,
            splits=splits,
            media=paths(services.settings, session) if template == "live.html" else None,
        )

    version = f"{_version(snapshot)}-{reading}-{len(splits)}"
    return await _served(request, who, (template, session, refresh), version, make, {**_FOR_ALL, **headers})


def _version(snapshot: Snapshot) -> str:
    return f"{snapshot.number}-{snapshot.view['head'][:16]}"


async def _found(services: Services, session: SessionId, asked: str) -> list[Mapping[str, Any]]:
    """Return what was said in public with what was asked for in it: a bidder, a step, a word. In order.

    The facts, and once the opening is over also each row as it was read out.
    """
    wanted = asked.casefold()
    found: list[Mapping[str, Any]] = []
    last = (await services.hub.snapshot(session, PUBLIC)).number
    after = 0
    while after < last and len(found) < MOST_FOUND:
        facts = json.loads(await services.hub.facts(session, PUBLIC, after))["events"]
        if not facts:
            break
        found += [fact for fact in facts if any(wanted in words.casefold() for words in fact["words"].values())]
        after = facts[-1]["n"]
    if (await services.sessions.state(session)).status in OVER:
        log = await services.sessions.events(session)
        rows = [one for one in await asyncio.to_thread(lambda: list(said(log))) if one.row]
        read = [
            {"n": one.number, "at": rfc3339(one.at), "words": to_json(one.words), "row": True}
            for one in rows
            if wanted in one.words.zh.casefold() or wanted in one.words.en.casefold()
        ]
        found = sorted([*found, *read], key=lambda one: str(one["at"]))
    return found[:MOST_FOUND]


async def _served(
    request: Request,
    who: Reader,
    name: tuple[object, ...],
    version: str,
    make: Callable[[], bytes],
    headers: Mapping[str, str],
) -> Response:
    state = request.app.state
    if not hasattr(state, "kept_pages"):
        state.kept_pages = KeptPages()
    key = (*name, who.language, who.theme)
    kept = await state.kept_pages.get(key, f"{version}-{who.language}-{who.theme}", make)
    return who.remember(served(kept, request.headers, {**headers, "content-language": HTML_LANG[who.language]}))


def _paper(request: Request, made: Made, name: str, kept: str) -> Response:
    etag = f'"{sha256_hex(made.content)}"'
    headers = {"cache-control": kept, "vary": "cookie, accept-language", "etag": etag}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    headers["content-disposition"] = f'inline; filename="{name}"'
    return Response(made.content, media_type="application/pdf", headers=headers)


def _filters(request: Request) -> Filters:
    asked = request.query_params
    status = asked.get("status", "")
    month = asked.get("month", "")
    return Filters(
        q=asked.get("q", "")[:100],
        status=status if status in STATUSES else "",
        month=month
        if len(month) == 7 and month[:4].isdecimal() and month[4] == "-" and month[5:].isdecimal()
        else "",
    )


def _language(request: Request) -> Language:
    return reader(request).language


def _feed(body: bytes, media_type: str) -> Response:
    return Response(body, media_type=media_type, headers={"cache-control": "public, max-age=60"})
