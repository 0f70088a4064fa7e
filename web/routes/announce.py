"""``/new``: announcing an opening, by a form or by a tender file, without a script. Looked at first, then announced.

What is announced cannot be changed afterwards, so it takes two steps (WCAG 2.2, 3.3.4): the form is checked and told
back, and only what was told back is sent on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from sessions.errors import CommandRefused, PlanRefused
from sessions.plan import Plan
from sessions.roles import Role
from web.answers.errors import said
from web.answers.problems import Problem
from web.asking import bodies
from web.asking.identity import visitor_of, visitor_required
from web.forms.tender import Fault, blank, changed, fault_of, faults_of, form_of, tender_of, values
from web.forms.tender_file import plan_of
from web.routes.desks import login_of, to_login
from web.routes.reader import Reader, reader
from web.services import services_of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_LIMIT: Final = 262_144
"""Bytes of the form: a Chinese character takes nine of them there."""

_MOST: Final = 400


@router.get("/new")
async def new(request: Request) -> Response:
    """Show the form, to staff who may be host."""
    visitor = await visitor_of(request)
    if visitor is None:
        return to_login(request)
    if Role.HOST not in visitor.roles:
        raise Problem("not_your_role")
    return await _shown(request, reader(request, login_of(visitor)), blank())


@router.post("/new")
async def act(request: Request) -> Response:
    """Add or drop a row, check the form or a file, or announce what was checked."""
    visitor = await visitor_required(request)
    if Role.HOST not in visitor.roles:
        raise Problem("not_your_role")
    who = reader(request, login_of(visitor))
    form = await bodies.read_form(request, limit=_LIMIT, most=_MOST)
    do, file = form.pop("do", "check"), form.pop("tender", None)
    if file is not None:
        return await _from_file(request, who, file, announce=do == "announce")
    if do.startswith(("add ", "drop ")):
        return await _shown(request, who, changed(form, do))
    odd = [name for name, text in form.items() if not bodies.is_plain(text)]
    services = services_of(request)
    reads = partial(plan_of, rehearsal_allowed=services.settings.rehearsal_allowed, quorum=services.quorum)
    accounts = await services.accounts.every()
    faults = tuple(Fault(input=name, text=_problem(who, "malformed_text")) for name in odd)
    faults = faults or faults_of(form, reads, accounts, services.clock.now(), who.language)
    if faults:
        return await _shown(request, who, form, faults=faults)
    tender = tender_of(form, {account.id: account.name for account in accounts})
    return await _shown(request, who, form, tender=tender, plan=reads(tender))


async def _from_file(request: Request, who: Reader, text: str, *, announce: bool) -> Response:
    """Check or announce a tender file, as it is; the form shows what is in it."""
    services = services_of(request)
    form: dict[str, str] = {}
    try:
        tender = bodies.parse_object(text.encode())
        form = form_of(tender)
        reads = partial(plan_of, rehearsal_allowed=services.settings.rehearsal_allowed, quorum=services.quorum)
        plan = reads(tender)
        if not announce:
            return await _shown(request, who, form, tender=tender, plan=plan)
        await services.sessions.create(plan)
    except PlanRefused as refused:
        return await _shown(request, who, form, faults=(fault_of(refused, form, who.language),), file=text)
    except Problem as problem:
        fault = Fault(input="tender", text=_problem(who, problem.code))
        return await _shown(request, who, form or blank(), faults=(fault,), file=text)
    except CommandRefused as refused:
        if refused.code != "already_scheduled":
            raise
        return await _shown(request, who, form, faults=(Fault(input="session", text=_problem(who, "exists")),))
    services.timekeeper.stir()
    return RedirectResponse(f"/s/{plan.session}", status_code=303)


def _problem(who: Reader, code: str) -> str:
    about = said(Problem(code))
    return f"{about['title'][who.language]} {about['next_step'][who.language]}"


async def _shown(
    request: Request,
    who: Reader,
    form: Mapping[str, str],
    *,
    faults: tuple[Fault, ...] = (),
    tender: Mapping[str, Any] | None = None,
    plan: Plan | None = None,
    file: str = "",
) -> Response:
    services = services_of(request)
    given = values(
        form,
        who.language,
        faults=faults,
        accounts=await services.accounts.every(),
        checked=json.dumps(tender, ensure_ascii=False) if tender else "",
        plan=plan,
        rehearsals=services.settings.rehearsal_allowed,
        file=file,
    )
    return who.page("new.html", status=400 if faults else 200, **given)
