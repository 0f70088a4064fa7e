"""The one edge where an exception becomes an answer: a problem document (RFC 9457) for programs, a page for people.

A refusal says which rule and what to do next. A fault says an incident number and nothing else: what went wrong is in
the log, by place in the code and without values, because a value may be what a bid says.
"""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crypto.errors import CryptoRefused
from crypto.words import WORDS as CRYPTO_WORDS
from hall.wire.errors import FullHouse, HallRefused
from sessions.acts.submission import NoSuchUpload, Refused
from sessions.errors import CommandRefused, Fenced, Overloaded, Stale, Unanswered, UnknownSession
from sessions.plan import Article, RulePack, Words
from sessions.ports import WrongOffset
from sessions.shape import Misshapen
from sessions.wording.refusals import REFUSALS, refusal
from web.answers.problems import SAYINGS, KeyRefused, Problem

Document = dict[str, Any]
ProblemPage = Callable[[Request, Document], Response]
PackOf = Callable[[Request], Awaitable[RulePack | None]]

KIND = "https://kaibiao.invalid/refusals/"

BREATH = 5
"""Seconds after which to come again to a hall that was refused memory."""

_log = structlog.get_logger("kaibiao.incident")
_BY_STATUS = {
    400: "malformed_request",
    404: "not_found",
    405: "wrong_method",
    413: "too_large",
    415: "wrong_media_type",
}


def document(
    code: str,
    status: int,
    title: Words,
    next_step: Words,
    *,
    article: Article | None = None,
    incident: str | None = None,
    retry_after: int | None = None,
) -> Document:
    """Return the problem document as PROTOCOL.md has it."""
    return {
        "type": KIND + code,
        "title": _both(title),
        "status": status,
        "code": code,
        "article": article and {"id": article.id, "cite": _both(article.cite), "gist": _both(article.gist)},
        "next_step": _both(next_step),
        "incident": incident,
        "retry_after": retry_after,
    }


def said(problem: Problem, *, incident: str | None = None) -> Document:
    """Return the document of one of the edge's own problems."""
    saying = SAYINGS[problem.code]
    plain = document(
        problem.code,
        saying.status,
        saying.title,
        saying.next_step,
        incident=incident,
        retry_after=problem.retry_after,
    )
    return plain | problem.members


def answer(request: Request, problem: Document, page: ProblemPage | None = None) -> Response:
    """Return the document in the form this reader wants: a page where a browser asked for one."""
    path = request.url.path
    wants_page = not path.startswith("/api/") and "text/html" in request.headers.get("accept", "")
    if wants_page and page is not None:
        response = page(request, problem)
        response.status_code = problem["status"]
    elif wants_page:
        lines = (
            problem["title"]["zh"],
            problem["title"]["en"],
            problem["next_step"]["zh"],
            problem["next_step"]["en"],
        )
        response = PlainTextResponse("\n".join((*lines, problem["incident"] or "")), problem["status"])
    else:
        response = JSONResponse(problem, problem["status"], media_type="application/problem+json")
    if problem["retry_after"] is not None:
        response.headers["retry-after"] = str(problem["retry_after"])
    if problem["status"] == 401:
        response.headers["www-authenticate"] = 'Kaibiao realm="hall"'  # RFC 9110 section 15.5.2 asks for one
    return response


def to_problem(error: Exception) -> Document | None:
    """Return the document of an expected exception that needs no look at the session; None for a fault."""
    match error:
        case Problem():
            return said(error)
        case CryptoRefused():
            return _crypto(error)
        case UnknownSession():
            return said(Problem("unknown_session"))
        case NoSuchUpload():
            return said(Problem("unknown_upload"))
        case Stale():
            return said(Problem("out_of_step", retry_after=1))
        case Fenced():
            return said(Problem("worker_moved", retry_after=1))
        case Overloaded():
            return said(Problem("overloaded", retry_after=error.retry_after))
        case Unanswered():
            return said(Problem("unanswered", retry_after=error.retry_after))
        case WrongOffset():
            return said(Problem("wrong_offset", offset=error.size))
        case Misshapen():
            return said(Problem("malformed_request", detail=str(error)))
        case HallRefused():
            return said(Problem(error.code, retry_after=getattr(error, "retry_after", None)))
        case RequestValidationError():
            where = [".".join(str(part) for part in each["loc"]) for each in error.errors()]
            return said(Problem("malformed_request", detail=", ".join(where)))
        case HTTPException():
            return said(Problem(_BY_STATUS.get(error.status_code, "malformed_request")))
    return None


def head_of(session: str) -> str:
    """Return the ``Link`` (RFC 8288) to where a session can be followed without a stream."""
    return f'</api/v1/sessions/{quote(session)}/log/head.json>; rel="alternate"'


def refusal_of(error: CommandRefused, pack: RulePack | None) -> Document:
    """Return the document of a refusal by the rules, with the article that the session's pack puts behind it."""
    title, next_step = words_of(error.code, error.facts)
    article = pack.articles.get(pack.refusals.get(error.code, "")) if pack is not None else None
    status = 507 if error.code == "storage_full" else 409  # RFC 4918 section 11.5
    plain = document(error.code, status, title, next_step, article=article)
    match error:
        case Refused():
            return plain | {"slip": error.slip}
        case KeyRefused():
            return plain | {"events": error.events}
        case _:
            return plain


def words_of(code: str, facts: Mapping[str, str | int]) -> tuple[Words, Words]:
    """Return sentence and next step of a code of the rules or of the cryptography behind them."""
    if code in REFUSALS:
        return refusal(code, facts)
    words = CRYPTO_WORDS[code]
    return Words(zh=words.zh, en=words.en), Words(zh=words.hint_zh, en=words.hint_en)


def install(app: FastAPI, *, pack_of: PackOf, page: ProblemPage | None = None) -> None:
    """Answer every exception of ``app``'s routes. ``pack_of`` finds the rule pack of the session in a request."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, CommandRefused)
        return answer(request, refusal_of(error, await pack_of(request)), page)

    async def expected(request: Request, error: Exception) -> Response:
        problem = to_problem(error)
        assert problem is not None
        response = answer(request, problem, page)
        if isinstance(error, HTTPException) and error.headers:
            response.headers.update(error.headers)  # Allow, with 405
        if isinstance(error, FullHouse):
            response.headers["link"] = head_of(request.path_params["session"])
        return response

    app.add_exception_handler(CommandRefused, refused)
    for kind in (
        Problem,
        CryptoRefused,
        UnknownSession,
        NoSuchUpload,
        Stale,
        Fenced,
        Overloaded,
        Unanswered,
        WrongOffset,
        Misshapen,
        HallRefused,
        RequestValidationError,
        HTTPException,
    ):
        app.add_exception_handler(kind, expected)


class Incidents:
    """Turn whatever nobody expected into an incident: a number for the reader, its place in the code for the log.

    Pure ASGI. When the answer had begun already, the connection is cut instead, so that nothing looks complete.
    A hall that was refused memory asks to be asked again: by its key an act that was kept all the same is found.
    """

    def __init__(self, app: ASGIApp, *, page: ProblemPage | None = None) -> None:
        self.app = app
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            incident = log_incident(error, path=scope["path"])
            if not begun:
                starved = isinstance(error, MemoryError)
                problem = Problem("overloaded", retry_after=BREATH) if starved else Problem("fault")
                response = answer(Request(scope), said(problem, incident=incident), self._page)
                await response(scope, receive, send)


def log_incident(error: BaseException, **about: str) -> str:
    """Log a fault by its kind and place, without its message or any value, and return its number."""
    incident = f"{secrets.token_hex(4)}-{secrets.token_hex(2)}"
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    _log.error("incident", incident=incident, kind=type(error).__qualname__, frames=frames, **about)
    return incident


def _crypto(error: CryptoRefused) -> Document:
    status = 413 if error.code == "too_large" else 400 if error.code.startswith("malformed") else 409
    return document(error.code, status, *words_of(error.code, {}))


def _both(words: Words) -> Mapping[str, str]:
    return {"zh": words.zh, "en": words.en}
