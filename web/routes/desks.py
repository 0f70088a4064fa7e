"""The pages of people with a part: bidder's seat, host's console, supervisor's desk, and the way to them.

Rendered for one login and never kept. Whose part it is follows from the plan of the opening, at each request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from crypto.certificates import Usage
from crypto.receipt import tracker
from crypto.signing import peek
from hall.views.audience import Audience
from sessions.ids import BidderId, SessionId
from sessions.intake import Intake
from sessions.notices.expiring import Ending, expiring
from sessions.plan import Plan
from sessions.ports import Summary
from sessions.roles import Role
from web.answers.headers import devices_on_air
from web.answers.problems import Problem
from web.asking.identity import Visitor, actor_for, bidder_required, visitor_of
from web.media.tokens import NOTICE
from web.pages.agenda import Entry, entry
from web.pages.screen import rows_read
from web.pages.showing import air_page, host_page, seat_page, supervise_page
from web.routes.reader import newest_facts, reader
from web.services import Services, services_of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_DESKS: Mapping[str, str] = {Role.HOST: "host", Role.DEPUTY: "host", Role.SUPERVISOR: "supervise"}


@router.get("/seat/{session}")
async def seat(request: Request, session: SessionId) -> Response:
    """Show a bidder's seat, whether it has bid here or not."""
    return await _desk(request, session, {Role.BIDDER})


@router.get("/seat/{session}/receipt.pdf")
async def receipt_pdf(request: Request, session: SessionId) -> Response:
    """A bidder's own receipt as a paper, with the receipt file inside: that of its bid as it stands."""
    actor = await bidder_required(request)
    services = services_of(request)
    services.pace("receipt", actor.id)
    bid = (await services.sessions.intake(session)).bids.get(BidderId(actor.id))
    answers = await services.submissions.mine(session, actor)
    given = (one for one in answers if one.code is None and bid and tracker(peek(one.statement)[1]) == bid.tracker)
    answer = next(given, None)
    if answer is None:
        raise Problem("no_receipt")
    file = await services.receipt_proofs.file(session, answer.statement)
    opening = await services.sessions.state(session)
    made = await services.papers.receipt(file, opening, actor.name, reader(request).language)
    name = f"{session}-receipt.pdf"
    headers = {"cache-control": "private, no-store", "content-disposition": f'inline; filename="{name}"'}
    return Response(made.content, media_type="application/pdf", headers=headers)


@router.get("/host/{session}")
async def host(request: Request, session: SessionId) -> Response:
    """Show the console of the host, or of the deputy."""
    return await _desk(request, session, {Role.HOST, Role.DEPUTY})


@router.get("/supervise/{session}")
async def supervise(request: Request, session: SessionId) -> Response:
    """Show a supervisor's desk."""
    return await _desk(request, session, {Role.SUPERVISOR})


@router.get("/air/{session}")
async def air(request: Request, session: SessionId) -> Response:
    """Show whoever has a part how he will be seen and heard, and let him go on air where he may."""
    visitor = await visitor_of(request)
    if visitor is None:
        return to_login(request)
    services = services_of(request)
    actor = await actor_for(request, session)
    audience = Audience(actor.role, BidderId(actor.id) if actor.role is Role.BIDDER else None)
    snapshot = await services.hub.snapshot(session, audience)
    who = reader(request, login_of(visitor))
    there = {"video": services.settings.media_video, "notice": NOTICE}
    body = air_page(
        who.pages,
        snapshot.view,
        who.language,
        media=there if services.media is not None else None,
        place=place_of(actor.role),
        theme=who.theme,
        path=who.path,
        login=who.login,
        role=actor.role,
    )
    return who.answer(body, headers={"permissions-policy": devices_on_air()})


async def _desk(request: Request, session: SessionId, roles: set[Role]) -> Response:
    visitor = await visitor_of(request)
    if visitor is None:
        return to_login(request)
    services = services_of(request)
    actor = await actor_for(request, session)
    if actor.role not in roles:
        raise Problem("not_your_role")
    audience = Audience(actor.role, BidderId(actor.id) if actor.role is Role.BIDDER else None)
    snapshot = await services.hub.snapshot(session, audience)
    facts = await newest_facts(services, session, audience, snapshot)
    who = reader(request, login_of(visitor))
    shown: dict[str, Any] = {
        "theme": who.theme,
        "reading": rows_read(snapshot.view, services.clock.now()),
        "path": who.path,
        "login": who.login,
        "role": actor.role,
    }
    view = snapshot.view
    if actor.role is Role.BIDDER:
        intake = await services.sessions.intake(session)
        known = {"sent": actor.id in intake.bids, "checked_in": actor.id in intake.checked_in}
        view = {**view, "own": {**view["own"], **known}}
    told = {"account": actor.id}
    common = (who.pages, view, facts, who.language)
    match actor.role:
        case Role.BIDDER:
            plan = (await services.sessions.state(session)).plan
            hall = services.hall_keys.of(plan).public.document()
            body = seat_page(
                *common,
                envelopes=plan.tender.envelopes,
                origin=services.settings.origin,
                bidder=actor.id,
                hall=hall,
                endings=await _endings(services, visitor, intake, plan),
                on_air=services.media is not None,
                **shown,
            )
        case Role.SUPERVISOR:
            body = supervise_page(*common, tiles=await _tiles(request, visitor, session), extra=told, **shown)
        case _:
            body = host_page(*common, extra=told, on_air=services.media is not None, **shown)
    return who.answer(body)


async def _endings(services: Services, visitor: Visitor, intake: Intake, plan: Plan) -> tuple[Ending, ...]:
    """Return which of the bidder's own certificates end too soon: that of its login, and those of its bid."""
    bid = intake.bids.get(BidderId(visitor.id))
    held = [*await services.certifying.held(bid.proof if bid else None)]
    held += [(each, Usage.SIGN) for each in visitor.certificates[:1]]
    return expiring(held, t0=intake.t0, margin=plan.pack.renewal_margin)


async def _tiles(request: Request, visitor: Visitor, session: SessionId) -> tuple[Entry, ...]:
    """Return the other openings under this supervision that are not over, when there are any."""
    language = reader(request).language
    mine = [
        entry(summary, language)
        for summary in await services_of(request).sessions.calendar()
        if part_of(visitor, summary) is Role.SUPERVISOR and summary.ended_at is None
    ]
    return tuple(mine) if any(one.id != session for one in mine) else ()


def part_of(visitor: Visitor, summary: Summary) -> Role | None:
    """Return the part of ``visitor`` in an opening; a bidder may take part in any that is not over."""
    if visitor.bidder is not None:
        return Role.BIDDER if summary.ended_at is None else None
    plan: Any = summary.plan
    seats = (Role(seat["role"]) for seat in plan["seats"] if seat["account"] == visitor.id)
    return next((role for role in seats if role in visitor.roles), None)


def place_of(role: Role) -> str:
    """Return the name of the page where a part is played."""
    return "seat" if role is Role.BIDDER else _DESKS[role]


def login_of(visitor: Visitor) -> dict[str, str]:
    """Return what a page says of whoever is logged in."""
    return {"name": visitor.name or visitor.id, "home": "/me"}


def to_login(request: Request) -> Response:
    """Send whoever is not logged in to the login, and from there back."""
    return RedirectResponse(f"/login?next={quote(request.url.path)}", status_code=303)
