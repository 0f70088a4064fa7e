"""``/postpone``: many openings put off at once, by two persons, without a script (sessions.acts.postponing)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from sessions.acts import postponing
from sessions.ids import SessionId
from sessions.roles import STAFF, Actor, Role
from sessions.wording.moments import BEIJING
from sessions.wording.refusals import refusal
from web.answers.problems import Problem
from web.asking import bodies
from web.asking.identity import Visitor, visitor_of, visitor_required
from web.routes.desks import login_of, to_login
from web.routes.reader import reader
from web.services import services_of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_LIMIT: Final = 65_536
_LONGEST: Final = 30 * 24 * 60
"""Minutes by which openings are put off in one go."""


@router.get("/postpone")
async def postpone(request: Request) -> Response:
    """Show the openings to come, to staff."""
    visitor = await visitor_of(request)
    if visitor is None:
        return to_login(request)
    return await _shown(request, _staff(visitor))


@router.post("/postpone")
async def act(request: Request) -> Response:
    """Propose to put the chosen openings off, or agree to what somebody else proposed."""
    visitor = _staff(await visitor_required(request))
    form = await bodies.read_form(request, limit=_LIMIT, most=postponing.MOST + 4)
    chosen = {SessionId(name.removeprefix("s.")) for name in form if name.startswith("s.")}
    sessions, who = services_of(request).sessions, Actor(role=Role.HOST, id=visitor.id, name=visitor.name)
    if form.get("do") == "agree":
        return await _shown(request, visitor, await postponing.agree(sessions, chosen, who, visitor.roles))
    minutes, reason = form.get("minutes", ""), form.get("reason", "").strip()
    if not minutes.isdecimal() or not 1 <= int(minutes) <= _LONGEST or not reason or not bodies.is_plain(reason):
        raise Problem("malformed_request", detail="minutes, reason")
    by = timedelta(minutes=int(minutes))
    return await _shown(request, visitor, await postponing.propose(sessions, chosen, who, by, reason, visitor.roles))


def _staff(visitor: Visitor) -> Visitor:
    if not visitor.roles & STAFF:
        raise Problem("not_your_role")
    return visitor


async def _shown(request: Request, visitor: Visitor, done: Sequence[postponing.Done] | None = None) -> Response:
    who = reader(request, login_of(visitor))
    zh = who.language == "zh"

    def row(one: postponing.Waiting) -> dict[str, Any]:
        return {
            "session": one.session,
            "title": one.title.zh if zh else one.title.en,
            "t0": _moment(one.t0),
            "proposed": None if one.proposed is None else _moment(one.proposed),
            "mine": one.mine,
            "may_propose": one.may_propose,
            "waits": one.proposal is not None,
        }

    rows = [row(one) for one in await postponing.waiting(services_of(request).sessions, visitor.id, visitor.roles)]
    bad = postponing.refused(done or ())
    refused = [
        {
            "title": one.title.zh if zh else one.title.en,
            "why": (said.zh if zh else said.en) if (said := refusal(one.refused or "", {})[0]) else "",
        }
        for one in bad
    ]
    return who.page(
        "postpone.html",
        rows=rows,
        acted=None if done is None else len(done) - len(bad),
        refused=refused,
        agreeing=any(one["waits"] for one in rows),
        proposing=any(one["may_propose"] for one in rows),
    )


def _moment(at: datetime) -> str:
    return f"{at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"
