"""An opening's public page for whoever asks next: handed over before anything else looks at the request.

The page says that anybody may keep it for a second (``cache-control``), so for that second, and until the next fact,
this keeps it too. Routing, reading the address and looking whether the kept page is the right one take more than half
of the processor time of a page that need not be made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hall.hub import Hub
from sessions.ids import SessionId

PAGES: Final = "/s/"
BRIEF: Final = b"public, max-age=1"
_FOR: Final = timedelta(seconds=1)
_MOST: Final = 64
_TOLD_APART: Final = frozenset({b"accept-language", b"accept-encoding", b"if-none-match"})

Key = tuple[str, tuple[tuple[bytes, bytes], ...]]


@dataclass(slots=True, kw_only=True)
class _Answer:
    """What was answered to somebody without a cookie, while the opening had ``number`` facts."""

    number: int
    made: datetime
    start: Message = field(default_factory=dict)
    body: Message = field(default_factory=dict)


class Porch:
    """ASGI middleware, the outermost. Add it with the hub and the hall's clock."""

    def __init__(self, app: ASGIApp, *, hub: Hub, now: Callable[[], datetime]) -> None:
        self.app = app
        self._hub = hub
        self._now = now
        self._answers: dict[Key, _Answer] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = _key(scope)
        number = None if key is None else self._hub.number(SessionId(key[0][len(PAGES) :]))
        if key is None or number is None:
            await self.app(scope, receive, send)
            return
        now = self._now()
        known = self._answers.get(key)
        if known is not None and known.number == number and timedelta() <= now - known.made < _FOR:
            await send(known.start)
            await send(known.body)
            return
        answer = _Answer(number=number, made=now)

        async def seen(message: Message) -> None:
            # Copies, because whoever is further out may change what it is given.
            if message["type"] == "http.response.start" and _may_be_kept(message):
                answer.start = dict(message, headers=list(message["headers"]))
            elif message["type"] == "http.response.body" and answer.start and not message.get("more_body"):
                answer.body = dict(message)
                if len(self._answers) >= _MOST:
                    self._answers.clear()
                self._answers[key] = answer
            await send(message)

        await self.app(scope, receive, seen)


def _key(scope: Scope) -> Key | None:
    """Return what the answer depends on, or None if it is not a public page or may depend on who asks."""
    if scope["type"] != "http" or scope["method"] != "GET" or scope["query_string"]:
        return None
    path: str = scope["path"]
    if not path.startswith(PAGES) or "/" in path[len(PAGES) :]:
        return None
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    told_apart: list[Any] = []
    for pair in headers:
        if pair[0] == b"cookie":
            return None
        if pair[0] in _TOLD_APART:
            told_apart.append(pair)
    return path, tuple(told_apart)


def _may_be_kept(start: Message) -> bool:
    headers = dict(start["headers"])
    return headers.get(b"cache-control") == BRIEF and b"set-cookie" not in headers
