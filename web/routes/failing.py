"""The failure certificate as a page that prints: to its bidder, and to nobody else."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from sessions.archive.failure import failures
from sessions.ids import SessionId
from web.answers.problems import Problem
from web.asking.identity import bidder_required, visitor_of
from web.pages.evidence import figures
from web.routes.desks import login_of, to_login
from web.routes.reader import reader
from web.services import services_of
from web.wording.words import word

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/seat/{session}/failure/{event}")
async def failure(request: Request, session: SessionId, event: int) -> Response:
    """Show why this bidder's bid was not opened, as fact ``event`` has it, in words and with its evidence."""
    visitor = await visitor_of(request)
    if visitor is None:
        return to_login(request)
    services = services_of(request)
    actor = await bidder_required(request)
    given = failures(await services.sessions.events(session))
    mine = next((one for one in given if one.event == event and one.bidder == actor.id), None)
    if mine is None:
        raise Problem("not_found")
    plan = (await services.sessions.state(session)).plan
    who = reader(request, login_of(visitor))
    said = mine.payload
    return who.page(
        "failure.html",
        f=said,
        title=getattr(plan.tender.title, who.language),
        cause=word("cause", said["cause"], who.language),
        consequence=word("consequence", said["consequence"], who.language),
        article=plan.pack.articles.get(said["article"] or ""),
        figures=figures(said["evidence"], who.language),
        statement=mine.signed(services.hall_keys.of(plan)),
        kid=services.hall_keys.of(plan).public.kid,
    )
