"""Coming in and going out: bidders by a signed challenge, staff by password and code, rehearsals by ticket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from sessions.shape import rfc3339
from sessions.store.accounts import LoginRefused
from web.answers.errors import said
from web.answers.problems import Problem
from web.asking import bodies
from web.asking.identity import described, visitor_of, visitor_required
from web.pages.showing import script_data
from web.routes.reader import reader
from web.services import services_of

router = APIRouter()

_FORM_LIMIT: Final = 8_192
_CERTIFICATES_LIMIT: Final = 524_288  # a statement and a chain of certificates of 16 KiB each


@router.post("/api/v1/login/challenge", summary="What a bidder signs to log in")
async def challenge(request: Request) -> Response:
    """`{"nonce", "origin", "at"}`, to be signed as a statement of kind `login` within two minutes."""
    services = services_of(request)
    await services.pace_login("login_address", ("challenge", services.address(request)))
    return JSONResponse(await services.identity.challenge())


@router.post("/api/v1/login/certificate", summary="Log in as a bidder")
async def certificate(request: Request) -> Response:
    """`{"statement": jws, "certificate": b64u DER, "chain": [b64u DER, ..]}`; answers a cookie and whose it is."""
    services = services_of(request)
    await services.pace_login("login_address", ("certificate", services.address(request)))
    form = await bodies.read_object(request, limit=_CERTIFICATES_LIMIT)
    chain = form.get("chain", [])
    texts = [form.get("statement"), form.get("certificate"), *(chain if isinstance(chain, list) else [None])]
    if not form.keys() <= {"statement", "certificate", "chain"} or not all(isinstance(text, str) for text in texts):
        raise Problem("malformed_request", detail="statement, certificate, chain")
    token, who = await services.identity.login_certificate(texts[0], texts[1], texts[2:])
    response = JSONResponse(dict(described(who)))
    services.identity.remember(response, token)
    return response


@router.post("/login", summary="Log in as staff")
async def password(request: Request) -> Response:
    """`account`, `password`, `code`; as JSON, or as the form of the login page with `next`."""
    services = services_of(request)
    is_form = bodies.is_form(request)
    form: Mapping[str, Any] = (
        await bodies.read_form(request, limit=_FORM_LIMIT, most=8) if is_form else await bodies.read_object(request)
    )
    wanted = {name: form.get(name, "") for name in ("account", "password", "code")}
    if not all(isinstance(value, str) for value in wanted.values()):
        raise Problem("malformed_request", detail="account, password, code")
    try:
        await services.pace_login("login_address", ("password", services.address(request)))
        await services.pace_login("login", wanted["account"])
        token, who = await services.identity.login_password(**wanted)
    except LoginRefused:
        return _again(request, Problem("login_failed"), form, is_form=is_form)
    except Problem as problem:
        return _again(request, problem, form, is_form=is_form)
    response: Response = JSONResponse(dict(described(who)))
    if is_form:
        response = RedirectResponse(local(form.get("next")), status_code=303)
    services.identity.remember(response, token)
    return response


@router.get("/login/ticket/{ticket}", include_in_schema=False)
async def ticket(request: Request, ticket: str) -> Response:
    """Take a chair in a rehearsal: works once."""
    identity = services_of(request).identity
    token, _ = await identity.login_ticket(ticket)
    response = RedirectResponse(local(request.query_params.get("next")), status_code=303)
    identity.remember(response, token)
    return response


@router.post("/logout", summary="Log out", status_code=303)
async def logout(request: Request) -> Response:
    """Ends the login behind the cookie, here and in the database."""
    identity = services_of(request).identity
    await identity.end(request)
    response = RedirectResponse("/", status_code=303)
    identity.forget(response)
    return response


@router.get("/api/v1/me", summary="Who am I")
async def me(request: Request) -> Response:
    """`{"role": "public"}` without a login; else the bidder, or the account and what it may be."""
    who = await visitor_of(request)
    return JSONResponse({"role": "public"} if who is None else dict(described(who)))


@router.get("/api/v1/me/logins", summary="Where am I logged in")
async def logins(request: Request) -> Response:
    """All logins of whoever asks, oldest first."""
    services = services_of(request)
    who = await visitor_required(request)
    now = services.clock.now()
    found = [login for login in await services.identity.logins.of(who.kind, who.id) if login.expires_at > now]
    return JSONResponse(
        {"logins": [{"since": rfc3339(one.created_at), "until": rfc3339(one.expires_at)} for one in found]}
    )


@router.delete("/api/v1/me/logins", summary="Log out everywhere", status_code=204)
async def end_logins(request: Request) -> Response:
    """Ends every login of whoever asks, this one too."""
    identity = services_of(request).identity
    await identity.end_everywhere(await visitor_required(request))
    response = Response(status_code=204)
    identity.forget(response)
    return response


def local(target: object) -> str:
    """Return ``target`` if it is a path of this hall, else the front page: a login leads nowhere else."""
    if not isinstance(target, str) or not target.startswith("/") or target.startswith(("//", "/\\")):
        return "/"
    parts = urlsplit(target)
    plain = target.isascii() and target.isprintable() and "\\" not in target and " " not in target
    return target if plain and not parts.scheme and not parts.netloc else "/"


def _again(request: Request, problem: Problem, form: Mapping[str, Any], *, is_form: bool) -> Response:
    """Show the form again with what was wrong, and nothing of what was typed but the account."""
    if not is_form:
        raise problem
    who = reader(request)
    about = said(problem)
    return who.page(
        "login.html",
        status=about["status"],
        here="login",
        page=script_data(who.language),
        next=local(form.get("next")),
        problem=about,
        account=str(form.get("account", ""))[:128],
    )
