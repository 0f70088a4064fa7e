"""Openings as data, and every act in them (hall/PROTOCOL.md). Who may do what is asked anew at each request."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from crypto.digest import sha256_hex
from crypto.encoding import b64u, canonical
from hall.rooms.lane import encode
from hall.views.audience import PUBLIC
from sessions import commands
from sessions.announcing.lock_terms import lock_members
from sessions.codec import Command, command_from_json
from sessions.commands import AskFloor, SignRecord
from sessions.errors import CommandRefused
from sessions.events import Recorded, Stream
from sessions.ids import Jws, SessionId
from sessions.ports import Summary
from sessions.roles import STAFF, Actor, Role
from sessions.shape import Misshapen, rfc3339
from sessions.store.accounts import LoginRefused
from web.answers.problems import KeyRefused, Problem
from web.asking import bodies
from web.asking.identity import actor_for, audience_for, bidder_acting, visitor_required
from web.asking.statements import check_act, sign_for_staff
from web.forms.tender_file import read_tender, tender_file
from web.routes.docs import command_schema
from web.routes.streams import kept_for
from web.services import Services, services_of

router = APIRouter(prefix="/api/v1")

_BODY: Final = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}
_COMMAND: Final = {
    "parameters": [{"name": "Idempotency-Key", "in": "header", "required": True, "schema": {"format": "uuid"}}],
    "requestBody": {"required": True, "content": {"application/json": {"schema": command_schema()}}},
}


@router.get("/time", summary="The hall's clock")
async def time(request: Request) -> Response:
    """`{"now": moment}`. Probe five times and keep the quickest: half its round trip is the uncertainty."""
    return JSONResponse({"now": rfc3339(services_of(request).clock.now())})


@router.get("/hall-key", summary="The hall's newest public key")
async def hall_key(request: Request) -> Response:
    """What openings announced from now on are signed with (crypto/FORMAT.md section 7). Keep a copy."""
    body = canonical(services_of(request).hall_keys.newest.public.document())
    return _cached(request, body, f'"{sha256_hex(body)}"', {"cache-control": "public, max-age=3600"})


@router.get("/hall-keys", summary="Every public key of the hall")
async def hall_keys(request: Request) -> Response:
    """Oldest first, each endorsed by the one before. Receipts, slips and signatures name theirs by its `kid`."""
    body = canonical(services_of(request).hall_keys.document())
    return _cached(request, body, f'"{sha256_hex(body)}"', {"cache-control": "public, max-age=3600"})


@router.get("/sessions", summary="All openings")
async def sessions(request: Request) -> Response:
    """The calendar, the latest opening time first. It says nothing about bids."""
    calendar = await services_of(request).sessions.calendar()
    body = canonical({"sessions": [_line(summary) for summary in calendar]})
    return _cached(request, body, f'"{sha256_hex(body)}"', kept_for(PUBLIC))


@router.post("/sessions", summary="Announce an opening", status_code=201, openapi_extra=_BODY)
async def announce(request: Request) -> Response:
    """By staff with the role of host. The body is a tender file, with `session` and `rehearsal` if wanted."""
    services = services_of(request)
    who = await visitor_required(request)
    if Role.HOST not in who.roles:
        raise Problem("not_your_role")
    form = await bodies.read_object(request)
    plan = read_tender(form, rehearsal_allowed=services.settings.rehearsal_allowed, quorum=services.quorum)
    try:
        await services.sessions.create(plan)
    except CommandRefused as refused:
        raise Problem("exists") if refused.code == "already_scheduled" else refused from None
    services.timekeeper.stir()
    place = f"/api/v1/sessions/{plan.session}"
    return JSONResponse({"session": plan.session}, status_code=201, headers={"Location": place})


@router.get("/sessions/{session}", summary="One opening as it stands")
async def session_view(request: Request, session: SessionId) -> Response:
    """The view of this reader at the newest fact; `ETag` is its number and digest."""
    audience = await audience_for(request, session)
    snapshot = await services_of(request).hub.snapshot(session, audience)
    return _cached(request, snapshot.body, snapshot.etag, kept_for(audience))


@router.get("/sessions/{session}/tender.json", summary="What bidders seal for")
async def tender(request: Request, session: SessionId) -> Response:
    """The tender file, with the opening time as it stands now."""
    opening = await services_of(request).sessions.state(session)
    body = encode(tender_file(opening.plan, opening.t0))
    return _cached(request, body, f'"{sha256_hex(body)}"', {"cache-control": "public, max-age=1"})


@router.get("/sessions/{session}/bundle.zip", summary="The archive of a finished opening")
async def bundle(request: Request, session: SessionId) -> Response:
    """The public part of the record, which `kaibiao verify` checks offline. 409 `not_over` before the end."""
    bundles = services_of(request).bundles
    made = await bundles.bundle(session)
    return StreamingResponse(
        bundles.pieces(made),
        media_type="application/zip",
        headers={
            "content-disposition": f'attachment; filename="{session}.zip"',
            "cache-control": "public, max-age=3600",
            "content-length": str(made.size),
            "etag": f'"{made.sha256}"',
        },
    )


@router.post("/sessions/{session}/commands", summary="Act", openapi_extra=_COMMAND)
async def command(request: Request, session: SessionId) -> Response:
    """One command; answers the numbers of the facts it caused. The same `Idempotency-Key` gets the same answer."""
    services = services_of(request)
    actor = await actor_for(request, session)
    services.pace("command", (actor.role, actor.id))
    key = _key(request)
    form = await bodies.read_object(request)
    code = form.pop("code", None) if form.get("command") == "SignRecord" else None
    asked = await _asked(services, session, form, actor)
    if isinstance(asked, AskFloor):
        services.pace("floor", (session, actor.id))
    if actor.role is Role.BIDDER:
        who = await visitor_required(request)
        now = services.clock.now()
        asked = await check_act(services.sessions, session, asked, who.certificates, services.certifying, now)
    elif isinstance(asked, SignRecord):
        await _confirm(services, session, actor, code)
    records = await services.sessions.handle(session, asked, actor, key)
    services.timekeeper.stir()
    return JSONResponse({"events": _numbers(records)})


@router.get("/sessions/{session}/challenge", summary="What a bidder answers with its key")
async def challenge(request: Request, session: SessionId, group: str = "A") -> Response:
    """During the decrypt window, for a bidder of the frozen set."""
    services = services_of(request)
    actor = await bidder_acting(request)
    asked = await services.releasing.challenge(session, actor, group)
    return JSONResponse(
        {
            "session": asked.session,
            "group": asked.group,
            "header_sha256": asked.header_sha256,
            "header": b64u(asked.header),
            "slots": [{"cert": slot.certificate, "data": b64u(slot.data)} for slot in asked.slots],
            "nonce": asked.nonce,
            "session_key": asked.session_key,
            "locks": lock_members(asked.locks, None, None).get("locks", []),
            "headers": list(asked.headers),
            "root": asked.root,
            "receipt": asked.receipt,
            "due": None if asked.due is None else rfc3339(asked.due),
        }
    )


@router.post("/sessions/{session}/releases", summary="Hand over a key", openapi_extra=_BODY)
async def release(request: Request, session: SessionId) -> Response:
    """`{"release": jws}`. A key that is not the sealed one is refused with its code; a retry is free."""
    services = services_of(request)
    actor = await bidder_acting(request)
    services.pace("release", (session, actor.id))
    form = await bodies.read_object(request, limit=2 * bodies.COMMAND_LIMIT)
    token = form.get("release")
    if form.keys() != {"release"} or not isinstance(token, str):
        raise Problem("malformed_request", detail="release")
    who = await visitor_required(request)
    verdict = await services.releasing.release(session, actor, Jws(token), who.certificates)
    services.timekeeper.stir()
    if verdict.code is not None:
        raise KeyRefused(verdict.code, events=_numbers(verdict.records))
    return JSONResponse({"events": _numbers(verdict.records), "accepted": True})


def _line(summary: Summary) -> dict[str, Any]:
    plan: Any = summary.plan
    tender = plan["tender"]
    return {
        "id": summary.session,
        "tender": tender["id"],
        "lot": tender["lot"],
        "title": tender["title"],
        "tenderer": tender["tenderer"],
        "place": tender["place"],
        "t0": rfc3339(summary.t0),
        "status": summary.status,
        "step": summary.step,
        "ended_at": None if summary.ended_at is None else rfc3339(summary.ended_at),
        "rehearsal": plan["rehearsal"],
        "recorded": plan.get("recording") is True,
    }


def _cached(request: Request, body: bytes, etag: str, headers: Mapping[str, str]) -> Response:
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={**headers, "etag": etag})
    return Response(body, media_type="application/json", headers={**headers, "etag": etag})


def _key(request: Request) -> str:
    try:
        return str(uuid.UUID(request.headers.get("idempotency-key", "")))
    except ValueError:
        raise Problem("no_key") from None


_ABOUT: Final = {"RuleCause", "GrantEscrow", "GrantFloor", "EndFloor"}
"""Commands of staff about a bidder; any other concerns whoever sends it."""


async def _asked(services: Services, session: SessionId, form: dict[str, Any], actor: Actor) -> Command:
    """Return the command in ``form``; whose it is follows from the login, and what says otherwise is refused."""
    name = form.pop("command", None)
    if not isinstance(name, str):
        raise Problem("malformed_command", detail="command")
    members = getattr(getattr(commands, name, None), "__dataclass_fields__", {})
    own = {"bidder", "signer"} & members.keys() if actor.role is Role.BIDDER or name not in _ABOUT else set()
    if any(form.setdefault(member, actor.id) != actor.id for member in own):
        raise Problem("not_yours")
    if name == "SignRecord" and actor.role in STAFF:
        if "statement" in form:
            raise Problem("malformed_command", detail="statement")
        form["statement"] = await sign_for_staff(services.sessions, session, actor, services.hall_keys)
    try:
        return command_from_json(name, form)
    except Misshapen as error:
        raise Problem("malformed_command", detail=str(error)) from None


async def _confirm(services: Services, session: SessionId, actor: Actor, code: object) -> None:
    """Ask for the second factor before the hall signs in somebody's name. A rehearsal does without."""
    opening = await services.sessions.state(session)
    signed_already = any(given.signer == actor.id for given in opening.signatures)
    if opening.plan.rehearsal or signed_already:  # a retry has nothing to confirm: its code was used up
        return
    try:
        await services.accounts.confirm(actor.id, code if isinstance(code, str) else "")
    except LoginRefused:
        raise Problem("wrong_code") from None


def _numbers(records: tuple[Recorded, ...]) -> list[int]:
    """Return the numbers that go on the wire: those of intake would betray how many bids there are."""
    return [record.number for record in records if record.stream is Stream.OPENING]
