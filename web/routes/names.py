"""``/host/{session}/names``: how names are read aloud. The host prepares it, hears it, and may mend it at any time.

Before the bidders are listed nobody in the hall knows who bid, so this page cannot show it: the host types names that
may come. What it typed goes nowhere before; once the list is public, the readings of the names on it are public, and
only those. So neither a name that was prepared for nor one that was not tells anything of who bid.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from crypto.digest import sha256_hex
from hall.media.port.engine import Away, EngineRefused
from hall.views.audience import PUBLIC
from sessions.errors import CommandRefused
from sessions.ids import SessionId
from sessions.opening import OVER
from sessions.roles import Actor, Role
from sessions.wording.readings import LONGEST, MOST, NotPinyin, checked, is_chinese, marked
from web.answers.problems import Problem
from web.asking import bodies
from web.asking.identity import actor_for, visitor_of
from web.routes.desks import login_of, to_login
from web.routes.reader import reader
from web.services import Services, services_of

router = APIRouter()

_LIMIT: Final = 8_192
_HOSTS: Final = frozenset({Role.HOST, Role.DEPUTY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A name with how it is read. ``own``: the host set it; else it is the usual one, if anybody knows it."""

    name: str
    reading: str
    own: bool
    listed: bool

    @property
    def key(self) -> str:
        """What addresses it; a name itself stands in no address and no log."""
        return sha256_hex(self.name.encode())[:16]

    @property
    def shown(self) -> str:
        """The reading for people."""
        return marked(self.reading)


@router.get("/api/v1/sessions/{session}/readings", summary="How names are read aloud")
async def public(request: Request, session: SessionId) -> Response:
    """`{"readings": {name: pinyin with tone numbers}}`: of listed bidders whose name the host set a reading for.

    Empty until the bidders are listed.
    """
    services = services_of(request)
    listed = await _listed(services, session)
    found = await services.readings.of(session) if listed else {}
    told = {name: reading for name, reading in found.items() if name in listed}
    return JSONResponse({"readings": told}, headers={"cache-control": "no-cache"})


@router.get("/host/{session}/names", include_in_schema=False)
async def shown(request: Request, session: SessionId) -> Response:
    """Show the names, to the host and the deputy."""
    return await _page(request, session)


@router.post("/host/{session}/names", include_in_schema=False)
async def kept(request: Request, session: SessionId) -> Response:
    """Set or change the reading of a name, or with an empty reading go back to the usual one."""
    services, actor = services_of(request), await _host(request, session)
    if (await services.sessions.state(session)).status in OVER:
        raise CommandRefused("session_over")
    form = await bodies.read_form(request, limit=_LIMIT, most=3)
    name, reading = form.get("name", "").strip(), form.get("reading", "").strip()
    if not name or len(name) > LONGEST or not bodies.is_plain(name) or not any(map(is_chinese, name)):
        return await _page(request, session, wrong="name", form=form)
    try:
        wanted = checked(name, reading) if reading else None
    except NotPinyin:
        return await _page(request, session, wrong="reading", form=form)
    known = await services.readings.of(session)
    if wanted is not None and name not in known and len(known) >= MOST:
        raise Problem("malformed_request", detail="name")
    await services.readings.put(session, name, wanted, actor.id, services.clock.now())
    return RedirectResponse(f"/host/{session}/names", status_code=303)


@router.get("/host/{session}/names/{key}.wav", include_in_schema=False)
async def heard(request: Request, session: SessionId, key: str) -> Response:
    """Let one of the names on the page be heard, as the programme would say it."""
    services, actor = services_of(request), await _host(request, session)
    services.pace("media", (session, actor.role, actor.id))
    found = next((one for one in await _names(services, session) if one.key == key), None)
    if found is None or services.voice is None:
        raise Problem("not_found")
    try:
        sound = await services.voice.say(found.name, found.reading if found.own else "")
    except (Away, EngineRefused):
        sound = None
    if sound is None:
        raise Problem("media_away", retry_after=5)
    return Response(sound, media_type="audio/wav", headers={"cache-control": "private, no-store"})


async def _page(
    request: Request, session: SessionId, *, wrong: str = "", form: Mapping[str, str] | None = None
) -> Response:
    visitor = await visitor_of(request)
    if visitor is None:
        return to_login(request)
    await _host(request, session)
    services = services_of(request)
    opening = await services.sessions.state(session)
    values: dict[str, Any] = {
        "session": session,
        "title": opening.plan.tender.title,
        "over": opening.status in OVER,
        "listed": bool(await _listed(services, session)),
        "names": await _names(services, session),
        "voice": services.voice is not None,
        "wrong": wrong,
        "form": form or {},
        "longest": LONGEST,
    }
    who = reader(request, login_of(visitor))
    page = who.page("names.html", status=400 if wrong else 200, **values)
    page.headers["cache-control"] = "private, no-store"
    return page


async def _names(services: Services, session: SessionId) -> list[Name]:
    """Return the listed bidders, then whatever else was prepared for."""
    listed, own = await _listed(services, session), await services.readings.of(session)
    every = [*listed, *(name for name in own if name not in listed)]
    every = [name for name in every if any(map(is_chinese, name))]
    usual: Mapping[str, str] = {}
    if services.voice is not None and every:
        with suppress(Away, EngineRefused):
            usual = await services.voice.usual(every)
    return [
        Name(name=name, reading=own.get(name) or usual.get(name, ""), own=name in own, listed=name in listed)
        for name in every
    ]


async def _listed(services: Services, session: SessionId) -> list[str]:
    """Return the names that the public was read, in the order of the rows; none before."""
    view = (await services.hub.snapshot(session, PUBLIC)).view
    bids = sorted((view.get("bids") or {}).values(), key=lambda bid: int(bid["row"]))
    return list(dict.fromkeys(str(bid["name"]) for bid in bids))


async def _host(request: Request, session: SessionId) -> Actor:
    actor = await actor_for(request, session)
    if actor.role not in _HOSTS:
        raise Problem("not_your_role")
    return actor
