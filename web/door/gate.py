"""One port: uvicorn's HTTP/1.1 serves the pages, and hands the sockets of ``/live/`` to the hall's own door.

A WebSocket route of FastAPI costs 30 KiB and 0.85 ms of processor time a reader, and stops for everybody when one
does not read. What is touched of uvicorn's insides is pinned by
tests/web/test_door.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, unquote

from starlette.requests import HTTPConnection
from uvicorn import Config
from uvicorn.server import ServerState

from hall.door import Arrival, Door, bound
from hall.hub import Hub
from hall.media.port.places import Places
from hall.media.programme.viewers import FULL, VARIANTS, Handover, NobodyHome, hand_over
from hall.views.audience import PUBLIC, Audience
from hall.wire.errors import BadCursor, FullHouse, HallRefused, TooManyWatchers
from hall.wire.handshake import NoHandshake, accept
from sessions.ids import SessionId
from web.answers.errors import head_of, said
from web.answers.problems import Problem
from web.asking.addresses import client_address
from web.asking.identity import audience_for
from web.asking.sameorigin import own_origin
from web.door.doorstep import Doorstep, Head, Silent
from web.door.line import LINE, Line
from web.door.patience import PatientProtocol
from web.process.descriptors import SPARE
from web.services import Services

LIVE: Final = b"/live/"
MEDIA: Final = b"/media/"
_EXTENSIONS: Final = b"sec-websocket-extensions"  # pictures are packed already
_MAKE_ROOM: Final = 32  # spectators sent to the segments at a time when the rest runs out

RawHeaders = Sequence[tuple[bytes, bytes]]


class Gate(Protocol):
    """What the door asks about a request before anyone is let in."""

    @property
    def hub(self) -> Hub:
        """Whose seats there are."""

    @property
    def descriptors(self) -> int:
        """How many connections this process can have."""

    @property
    def places(self) -> Places:
        """Where viewers of the programme are handed over."""

    def is_own_page(self, headers: Mapping[str, str]) -> bool:
        """Whether a page of this hall asks, or a program, and no other site's page."""

    def address(self, peer: str | None, headers: Mapping[str, str]) -> str:
        """Where it comes from, as limits count it."""

    def cursor(self, query: Mapping[str, list[str]]) -> int:
        """The number the reader has; raise ``BadCursor``."""

    def spectator(self, headers: Mapping[str, str]) -> bool:
        """Whether it is plain that nobody is logged in."""

    async def audience(self, session: SessionId, headers: RawHeaders) -> Audience:
        """Who is looking; raise UnknownSession or HallRefused."""


class HallGate:
    """The gate of a real hall."""

    def __init__(self, services: Services, *, descriptors: int) -> None:
        self.hub = services.hub
        self.descriptors = descriptors
        self.places = Places(services.settings.data_dir)
        self._services = services

    def is_own_page(self, headers: Mapping[str, str]) -> bool:
        return own_origin(headers, self._services.settings.origin)

    def address(self, peer: str | None, headers: Mapping[str, str]) -> str:
        return client_address(peer, headers, self._services.settings.trusted_proxies)

    def cursor(self, query: Mapping[str, list[str]]) -> int:
        return cursor(query.get("after", [None])[-1])

    def spectator(self, headers: Mapping[str, str]) -> bool:
        return f"{self._services.identity.cookie}=" not in headers.get("cookie", "")

    async def audience(self, session: SessionId, headers: RawHeaders) -> Audience:
        scope = {"type": "websocket", "app": _Serving(self._services), "headers": list(headers), "state": {}}
        try:
            audience = await audience_for(HTTPConnection(scope), session)
            self._services.pace_reader(audience)
        except Problem as problem:
            raise (TooManyWatchers(problem.retry_after or 1) if problem.code == "too_many" else HallRefused) from None
        return audience


class _Serving:
    """What ``services_of`` looks into, for a request that no application saw."""

    def __init__(self, services: Services) -> None:
        self.state = self
        self.services = services


class HallProtocol(PatientProtocol):
    """uvicorn's HTTP/1.1, patient, with our own door for ``/live/``. Made by ``through``."""

    gate: Gate

    _line: Line | None = None
    _upgrades: bool | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Let a stream end with its connection."""
        super().connection_lost(exc)
        if self._line is not None:
            self._line.lost()

    def pause_writing(self) -> None:
        """Let a stream wait for its reader."""
        super().pause_writing()
        if self._line is not None:
            self._line.pause()

    def resume_writing(self) -> None:
        """Let a stream go on."""
        super().resume_writing()
        if self._line is not None:
            self._line.resume()

    def on_message_begin(self) -> None:
        """Know nothing of the request before."""
        super().on_message_begin()
        self._upgrades = None

    def on_headers_complete(self) -> None:
        """Let a stream of events write for itself, and bound what the kernel keeps of it when nobody reads."""
        if self.url.partition(b"?")[0].endswith(b"/stream"):
            bound(self.transport, self.gate.hub.limits)
            if self.cycle is None or self.cycle.response_complete:  # else another response is under way
                self._line = Line(self.transport, self.flow.resume_reading)
                self.scope["extensions"] = {LINE: self._line}  # type: ignore[dict-item]  # ASGI leaves it to us
        super().on_headers_complete()

    def _should_upgrade(self) -> bool:
        """Look once through the headers: uvicorn asks three times, which is 8 us of the 160 of a reader who comes."""
        if self._upgrades is None:
            self._upgrades = super()._should_upgrade()
        return self._upgrades

    def handle_websocket_upgrade(self) -> None:
        """Shake hands and let the door have the connection; other sockets are FastAPI's."""
        if self.url.startswith(MEDIA):
            self._hand_over()
            return
        if not self.url.startswith(LIVE):
            super().handle_websocket_upgrade()
            return
        self.connections.discard(self)
        let_in(self.gate, self.connections, self.transport, self.scope["method"], Head(self.url, self.headers))
        self.parser = None  # type: ignore[assignment]  # as uvicorn does: it and we hold each other, 2 KiB a reader

    def _hand_over(self) -> None:
        """Give a viewer of the programme, socket and all, to the process that makes it, and forget the viewer."""
        path, _, query = self.url.decode("latin-1").partition("?")
        session, _, rest = path[len(MEDIA) :].partition("/")
        variant = parse_qs(query).get("variant", [FULL])[-1]
        if rest != "ws" or variant not in VARIANTS:
            self._answer(404, "not_found")
            return
        try:
            accepted = accept(self.scope["method"], [one for one in self.headers if one[0] != _EXTENSIONS])
            if not self.gate.is_own_page(firsts(self.headers)):
                self._answer(403, "not_same_origin")
                return
            line = self.transport.get_extra_info("socket")
            if line is None or self.transport.get_extra_info("ssl_object") is not None:
                raise NobodyHome  # what TLS has ciphered cannot be handed over: let a proxy end it
            handover = Handover(session=SessionId(unquote(session)), variant=variant, answer=accepted.answer)
            hand_over(self.gate.places, handover, line.fileno())
        except NoHandshake as no:
            self._answer(no.status, "malformed_request", {"sec-websocket-version": "13"}, detail=str(no))
            return
        except NobodyHome:
            self._answer(503, "overloaded", {"retry-after": "2"})
            return
        self.transport.abort()  # our copy of the descriptor; the line stays open in the other process

    def _answer(self, status: int, code: str, more: Mapping[str, str] | None = None, **members: str) -> None:
        refuse(self.transport, status, code, more, **members)


def let_in(gate: Gate, connections: set[Any], transport: asyncio.Transport, method: str, head: Head) -> None:
    """Shake hands and let the hall's door have the connection, or refuse and close."""
    path, _, query = head.target.decode("latin-1").partition("?")
    session = SessionId(unquote(path[len(LIVE) :]))
    headers = firsts(head.headers)
    try:
        accepted = accept(method, head.headers)
        if not gate.is_own_page(headers):
            refuse(transport, 403, "not_same_origin")
            return
        peer = transport.get_extra_info("peername")
        address = gate.address(peer[0] if isinstance(peer, tuple) else None, headers)
        public = gate.spectator(headers)
        if public:
            gate.hub.refuse_crowd(PUBLIC, None)
    except NoHandshake as no:
        refuse(transport, no.status, "malformed_request", {"sec-websocket-version": "13"}, detail=str(no))
        return
    except FullHouse as full:
        refuse(transport, 503, full.code, {"retry-after": str(full.retry_after), "link": head_of(session)})
        return
    except HallRefused as refused:
        refuse(transport, refused.status, refused.code, {"retry-after": "1"})
        return
    try:
        after = gate.cursor(asked(query))
    except BadCursor:
        after = -1  # the hub refuses it as it does any other
    audience = PUBLIC if public else gate.audience(session, head.headers)
    arrival = Arrival(session=session, after=after, address=address, deflated=accepted.deflated, audience=audience)
    door = Door(gate.hub, connections)
    transport.set_protocol(door)
    door.open(transport, accepted.answer, arrival)


def firsts(headers: RawHeaders) -> dict[str, str]:
    """The first of each name, as everywhere else; looked up in a dictionary, because five are asked for."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(headers)}


def refuse(
    transport: asyncio.Transport, status: int, code: str, more: Mapping[str, str] | None = None, **members: str
) -> None:
    """Answer with a problem and close."""
    retry_after = int(more["retry-after"]) if more and "retry-after" in more else None
    problem = said(Problem(code, retry_after=retry_after, **members)) | {"status": status}
    body = json.dumps(problem, ensure_ascii=False).encode()
    headers = {
        "content-type": "application/problem+json",
        "content-length": str(len(body)),
        "connection": "close",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    } | dict(more or {})
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    transport.write(f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{head}\r\n".encode() + body)
    transport.close()


def through(gate: Gate) -> type[asyncio.Protocol]:
    """Return the protocol whose live sockets go through ``gate``: give it as ``http`` to ``uvicorn.Config``."""
    silent = Silent()

    class Uvicorns(HallProtocol):
        def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
            self.gate = gate
            super().__init__(config, server_state, app_state)

    class Entrance(Doorstep):
        __slots__ = ("_made_of", "gate")

        def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: Any = None):
            super().__init__(server_state.connections, silent)
            self.gate = gate
            self._made_of = config, server_state, app_state

        def enter(self, head: Head) -> None:
            let_in(gate, self._connections, self._transport, "GET", head)

        def uvicorns(self) -> HallProtocol:
            return Uvicorns(*self._made_of)

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            """Take the connection, unless there is no descriptor for what it will ask for."""
            super().connection_made(transport)
            left = gate.descriptors - SPARE - len(self._connections)
            if left < 0:
                refuse(transport, 503, "overloaded", {"retry-after": "5"})
            elif left < SPARE:
                gate.hub.shed(_MAKE_ROOM)

    return Entrance


def asked(query: str) -> Mapping[str, list[str]]:
    """Return what ``parse_qs`` does, which takes 6 us for the one number that a reader gives."""
    name, _, value = query.partition("=")
    if name.isalnum() and value.isalnum() and query.isascii():
        return {name: [value]}
    return parse_qs(query)


def cursor(text: str | None) -> int:
    """Return the number a reader stands at; nothing given is the beginning. Raise ``BadCursor`` for anything else."""
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise BadCursor
    return int(text)
