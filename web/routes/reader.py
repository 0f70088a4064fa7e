"""Who reads a page: language, paper, login; and how a page is answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request
from fastapi.responses import Response

from hall.rooms.room import Snapshot
from hall.views.audience import Audience
from sessions.ids import SessionId
from web.pages.showing import SHOWN_FACTS
from web.pages.templates import Pages, Theme
from web.services import Services
from web.wording.i18n import HTML_LANG, LANGUAGES, Language, choose

_YEAR: Final = 365 * 24 * 3600
_THEMES: Final[tuple[Theme, ...]] = ("light", "dark")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One reader of one page. ``chosen`` are the cookies to set because the address asked for them."""

    pages: Pages
    language: Language
    theme: Theme
    path: str
    login: Mapping[str, str] | None
    chosen: Mapping[str, str]
    secure: bool

    def page(self, template: str, *, status: int = 200, here: str = "", **values: Any) -> Response:
        """Return a page that is not kept: it may depend on the login."""
        body = self.pages.render(
            template, self.language, theme=self.theme, path=self.path, here=here, login=self.login, **values
        )
        return self.answer(body, status=status)

    def answer(self, body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """Return ``body`` as the page, with the reader's choice of language and paper remembered."""
        response = Response(
            body, status_code=status, media_type="text/html; charset=utf-8", headers=dict(headers or {})
        )
        response.headers["content-language"] = HTML_LANG[self.language]
        return self.remember(response)

    def remember(self, response: Response) -> Response:
        """Return ``response`` with the cookies of what the address asked for."""
        for name, value in self.chosen.items():
            response.set_cookie(name, value, max_age=_YEAR, samesite="lax", httponly=True, secure=self.secure)
        if self.chosen:
            response.headers["cache-control"] = "no-store"  # a cookie is for one reader
        return response


async def newest_facts(
    services: Services, session: SessionId, audience: Audience, snapshot: Snapshot
) -> list[Mapping[str, Any]]:
    """Return the newest facts of the audience up to the snapshot's number, oldest first."""
    body = await services.hub.facts(session, audience, max(0, snapshot.number - SHOWN_FACTS))
    facts: list[Mapping[str, Any]] = json.loads(body)["events"]
    return [fact for fact in facts if fact["n"] <= snapshot.number]


def reader(request: Request, login: Mapping[str, str] | None = None) -> Reader:
    """Return the reader behind ``request``: what the address asks for counts most, then what it asked for before."""
    language = choose(
        request.query_params.get("lang"), request.cookies.get("lang"), request.headers.get("accept-language")
    )
    theme: Theme = "auto"
    for wanted in (request.cookies.get("theme"), request.query_params.get("theme")):
        theme = next((one for one in _THEMES if one == wanted), theme)
    chosen = {}
    if request.query_params.get("lang") in LANGUAGES:
        chosen["lang"] = str(language)
    if request.query_params.get("theme") in _THEMES:
        chosen["theme"] = theme
    return Reader(
        pages=request.app.state.pages,
        language=language,
        theme=theme,
        path=request.url.path,
        login=login,
        chosen=chosen,
        secure=request.url.scheme == "https",
    )
