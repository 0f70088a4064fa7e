"""``/me``: the openings where whoever asks has a part, and where a bidder is told that a certificate ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from cryptography import x509
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from crypto.certificates import Usage, check_pair, parse_certificate
from crypto.errors import CertificateRefused
from crypto.words import WORDS
from sessions.notices.addresses import LONGEST, NotAnAddress, address_of
from sessions.notices.due import Contact, held, holding
from sessions.roles import Role
from sessions.store.vault import SecretDamaged
from web.answers.problems import Problem
from web.asking import bodies
from web.asking.identity import Visitor, visitor_of, visitor_required
from web.pages.agenda import entry
from web.pages.binding import day
from web.routes.desks import login_of, part_of, place_of, to_login
from web.routes.reader import reader
from web.services import Services, services_of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_LIMIT: Final = 65_536  # a certificate of 16 KiB as PEM, twice encoded


@router.get("/me")
async def me(request: Request) -> Response:
    """Show both; a contact to bidders alone, who have certificates."""
    visitor = await visitor_of(request)
    return to_login(request) if visitor is None else await _page(request, visitor)


@router.post("/me/contact")
async def contact(request: Request) -> Response:
    """Keep an address, with the certificate of this login and one for encryption that is named; or forget all of it.

    What is kept is what the form holds: it does not follow from any bid (sessions.notices.due).
    """
    services, visitor = services_of(request), await visitor_required(request)
    if visitor.bidder is None:
        raise Problem("not_your_role")
    services.pace("receipt", visitor.id)
    form = await bodies.read_form(request, limit=_LIMIT, most=4)
    if form.get("do") == "erase":
        await services.contacts.erase(visitor.id)
        return RedirectResponse("/me?contact=erased#contact", status_code=303)
    if services.mailing is None:
        raise Problem("not_found")
    wrong: dict[str, str] = {}
    try:
        address = address_of(form.get("address", ""))
    except NotAnAddress:
        wrong["address"] = "address"
    encrypt, leaf = None, visitor.certificates[0]
    if pasted := form.get("certificate", "").strip():
        try:
            encrypt = parse_certificate(pasted.encode())
            check_pair(leaf, encrypt)
        except CertificateRefused as error:
            wrong["certificate"] = error.code
    if wrong:
        return await _page(request, visitor, wrong=wrong, form=form)
    await services.contacts.keep(await _contact(services, visitor, address, encrypt))
    return RedirectResponse("/me?contact=kept#contact", status_code=303)


async def _contact(services: Services, visitor: Visitor, address: str, encrypt: x509.Certificate | None) -> Contact:
    """Return what to keep: certificates that were named before stay until another takes their place."""
    before = await _kept(services, visitor)
    made = Contact(account=visitor.id, address=address, held=before.held if before else ())
    signs = held(visitor.certificates[0], Usage.SIGN)
    if not any(one.usage is Usage.SIGN and one.ends >= signs.ends for one in made.held):
        made = holding(made, signs)
    return made if encrypt is None else holding(made, held(encrypt, Usage.ENCRYPT))


async def _kept(services: Services, visitor: Visitor) -> Contact | None:
    """Return the contact; one that does not open counts as none, and is written anew."""
    try:
        return await services.contacts.get(visitor.id)
    except SecretDamaged:
        return None


async def _page(
    request: Request,
    visitor: Visitor,
    *,
    wrong: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
) -> Response:
    services, who = services_of(request), reader(request, login_of(visitor))
    openings = []
    for summary in await services.sessions.calendar():
        role = part_of(visitor, summary)
        if role is not None:
            one = entry(summary, who.language)
            line = {**asdict(one), "day": day(one.when, who.language)}
            openings.append((line, f"/{place_of(role)}/{one.id}", role))
    mail: dict[str, Any] | None = None
    kept = await _kept(services, visitor) if visitor.bidder else None
    if visitor.bidder and (kept or services.mailing):
        words = {name: WORDS.get(code) for name, code in (wrong or {}).items()}
        mail = {
            "contact": kept,
            "newest": await services.outbox.newest(visitor.id),
            "sent": services.mailing is not None,
            "wrong": {name: said and (said.zh if who.language == "zh" else said.en) for name, said in words.items()},
            "typed": form or {},
            "done": request.query_params.get("contact", ""),
            "longest": LONGEST,
        }
    page = who.page(
        "me.html",
        status=400 if wrong else 200,
        name=visitor.name,
        id=visitor.id,
        openings=openings,
        may_announce=Role.HOST in visitor.roles,
        mail=mail,
    )
    page.headers["cache-control"] = "private, no-store"
    return page
