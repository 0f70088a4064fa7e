"""Picture and sound by WHIP (RFC 9725) and WHEP: an offer is posted, the answer says where the connection is ended.

By token or by nothing, never by cookie: a page elsewhere gains nothing from asking, so programs need no header
of ours. There is no trickling and no restart: PATCH is 405 (section 4.3), and whoever moved posts a new offer.
A relay, where the hall has one, is told beside the answer (section 4.6): offer first, gather then.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final, NoReturn, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from hall.media.port.engine import Answer, Away, EngineRefused, MediaEngine, MediaId, Show, Source
from hall.media.port.floor import speaking
from sessions.ids import SessionId
from sessions.opening.state import Opening
from sessions.shape import rfc3339
from web.answers.problems import Problem
from web.asking import bodies
from web.asking.identity import actor_for
from web.media.tokens import NOTICE, Act, Grant, hindrance, source_of
from web.services import Services, services_of

router = APIRouter()

SDP: Final = "application/sdp"
LONGEST: Final = 65_536
WAYS: Final = frozenset({"whip", "whep", "check"})
_BODY: Any = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}
_OFFER: Any = {"requestBody": {"required": True, "content": {SDP: {"schema": {"type": "string"}}}}}
_T = TypeVar("_T")


@router.post("/api/v1/sessions/{session}/media/tokens", summary="Ask to send or to watch", openapi_extra=_BODY)
async def token(request: Request, session: SessionId) -> Response:
    """`{"act": "publish", "consent": 1}` by staff of the session and by the bidder who has the floor;
    `{"act": "watch", "show": "floor"}` by who takes part; `{"act": "check"}` tries a line.

    `consent` is the number of the notice that was accepted. Answers `{"token", "until", "url"}`: a Bearer token for
    one POST to `url`; who sends is told as which `source`, and whether it is `sending` already, elsewhere.
    """
    services = services_of(request)
    engine = _engine(services)
    actor = await actor_for(request, session)
    services.pace("media", (session, actor.role, actor.id))
    form = await bodies.read_object(request)
    more: dict[str, object] = {}
    match form:
        case {"act": "publish", **rest} if rest.keys() <= {"consent"}:
            source = source_of(actor)
            if source is None:
                raise Problem("not_your_role")
            _may_send(await services.sessions.state(session), source)
            if rest.get("consent") != NOTICE:
                raise Problem("no_consent")
            more = {"source": str(source), "sending": await _sending(engine, session, source)}
            act, of, url = Act.PUBLISH, str(source), f"/media/{session}/whip"
        case {"act": "check", **rest} if not rest:
            act, of, url = Act.CHECK, "", f"/media/{session}/check"
        case {"act": "watch", "show": "floor" | "programme" as show, **rest} if not rest:
            act, of, url = Act.WATCH, show, f"/media/{session}/whep"
        case _:
            raise Problem("malformed_request", detail="act")
    given, until = await services.media_tokens.give(Grant(session=session, act=act, of=of, who=actor.id))
    told = {"token": given, "until": rfc3339(until), "url": url, **more}
    return JSONResponse(told, status_code=201, headers={"cache-control": "no-store"})


@router.post("/media/{session}/whip", summary="Send picture and sound (WHIP)", openapi_extra=_OFFER)
async def whip(request: Request, session: SessionId) -> Response:
    """With a Bearer token; an SDP offer for an answer, `Location` ends it by DELETE. A second one ends the first."""
    services = services_of(request)
    engine = _engine(services)
    _pace(services, request)
    offer = await _offer(request)
    grant = await _granted(request, services, session, Act.PUBLISH)
    source = Source(grant.of)
    opening = await services.sessions.state(session)
    _may_send(opening, source)
    answer = await _asked(engine.publish(session, source, offer, keep=bool(opening.plan.recording)))
    opening = await services.sessions.state(session)
    if hindrance(opening, source) is not None:  # it ended while the engine answered, and may have been told too soon
        await _asked(engine.close(answer.id))
        _may_send(opening, source)
    if source == speaking(opening):
        await _asked(engine.select(session, source))  # an engine that was started again knows of no floor
    return _created(request, services, answer)


@router.post("/media/{session}/whep", summary="Watch picture and sound (WHEP)", openapi_extra=_OFFER)
async def whep(request: Request, session: SessionId) -> Response:
    """The programme for everybody; with a Bearer token what that allows. Answers as WHIP does."""
    services = services_of(request)
    engine = _engine(services)
    _pace(services, request)
    offer = await _offer(request)
    await services.sessions.state(session)  # there is such an opening
    show = Show.PROGRAMME
    if "authorization" in request.headers:
        show = Show((await _granted(request, services, session, Act.WATCH)).of)
    return _created(request, services, await _asked(engine.watch(session, offer, show)))


@router.post("/media/{session}/check", summary="Try a line for some seconds", openapi_extra=_OFFER)
async def check(request: Request, session: SessionId) -> Response:
    """Takes what is sent as WHIP does, shows it to nobody and keeps nothing: the sender's statistics tell."""
    services = services_of(request)
    engine = _engine(services)
    _pace(services, request)
    offer = await _offer(request)
    await _granted(request, services, session, Act.CHECK)
    return _created(request, services, await _asked(engine.check(offer)))


@router.delete("/media/{session}/{way}/{media}", summary="End a connection of picture and sound")
async def end(request: Request, session: SessionId, way: str, media: str) -> Response:
    """By whoever knows its address, which nobody can guess."""
    services = services_of(request)
    _pace(services, request)
    if way not in WAYS or not media.isascii():
        raise Problem("not_found")
    await _asked(_engine(services).close(MediaId(media)))
    return Response(status_code=200)


@router.options("/media/{session}/{way}", include_in_schema=False)
async def abilities(session: SessionId, way: str) -> Response:
    """Say what is posted here (RFC 9725 section 4.2)."""
    if way not in WAYS:
        raise Problem("not_found")
    return Response(status_code=204, headers={"accept-post": SDP, "allow": "POST, OPTIONS"})


async def _sending(engine: MediaEngine, session: SessionId, source: Source) -> bool:
    try:
        return source in await engine.sources(session)
    except (Away, EngineRefused):
        return False


def _engine(services: Services) -> MediaEngine:
    if services.media is None:
        raise Problem("no_media")
    return services.media


def _may_send(opening: Opening, source: Source) -> None:
    if (code := hindrance(opening, source)) is not None:
        raise Problem(code)


def _pace(services: Services, request: Request) -> None:
    services.pace("media_address", services.address(request))
    services.pace("media_house", "all")


async def _offer(request: Request) -> str:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != SDP:
        raise Problem("wrong_media_type")
    data = await bodies.read_bytes(request, limit=LONGEST)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Problem("malformed_sdp") from None


async def _granted(request: Request, services: Services, session: SessionId, act: Act) -> Grant:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    grant = await services.media_tokens.take(token.strip(), session, act) if kind.lower() == "bearer" else None
    if grant is None:
        raise Problem("no_token")
    return grant


def _created(request: Request, services: Services, answer: Answer) -> Response:
    place = f"{request.url.path}/{answer.id}"
    relays = services.relay.headers(services.clock.now()) if services.relay is not None else {}
    headers = {"location": place, "cache-control": "no-store", **relays}
    return Response(answer.sdp, status_code=201, media_type=SDP, headers=headers)


async def _asked(answer: Awaitable[_T]) -> _T:
    try:
        return await answer
    except Away:
        raise Problem("media_away", retry_after=2) from None
    except EngineRefused as error:
        _refuse(error.code)


def _refuse(code: str) -> NoReturn:
    match code:
        case "malformed_sdp" | "no_codec" | "unknown_media":
            raise Problem(code)
        case "too_many":
            raise Problem("media_full", retry_after=10)
        case _:
            raise Problem("media_away", retry_after=5)
