"""The application: routes, errors, headers. Nothing is decided here; ``web.bootstrap`` chose the real things."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from fastapi import Depends, FastAPI
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sessions.errors import UnknownSession
from sessions.ids import SessionId
from sessions.plan import RulePack
from web.answers import errors
from web.answers.headers import SecurityHeaders
from web.answers.problems import Problem
from web.asking.sameorigin import same_origin
from web.door.porch import Porch
from web.pages.templates import Pages
from web.routes import (
    api,
    docs,
    evidence,
    failing,
    gallery,
    health,
    incidents,
    lag,
    locks,
    log,
    login,
    media,
    mine,
    names,
    pages,
    postponing,
    programme,
    proofs,
    readiness,
    receipts,
    recording,
    streams,
    uploads,
)
from web.routes.reader import reader
from web.services import Services, services_of


def create_app(services: Services) -> FastAPI:
    """Return the application. Its lifespan starts the services and stops them; serve it on one event loop."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await services.start()
        try:
            yield
        finally:
            await services.stop()

    app = FastAPI(
        title="Kaibiao 开标",
        version=_version(),
        openapi_url="/api/openapi.json",
        docs_url=None,  # web.routes.docs: FastAPI's own page loads scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        dependencies=[Depends(_only_from_here)],
        routes=services.statics.routes(),
    )
    app.state.services = services
    app.state.pages = Pages(services.statics.url, services.statics.needs)
    for part in (
        api,
        lag,
        locks,
        log,
        receipts,
        proofs,
        evidence,
        failing,
        readiness,
        streams,
        uploads,
        login,
        media,
        mine,
        names,
        health,
        incidents,
        postponing,
        docs,
        programme,
        recording,
        pages,
    ):
        app.include_router(part.router)
    if services.settings.rehearsal_allowed:
        app.include_router(gallery.router)
    errors.install(app, pack_of=_pack_of, page=_problem_page)
    # The last one added is the outermost: nothing answers past the headers, not even a fault; the porch repeats what
    # was answered with them.
    app.add_middleware(HeadIsGet)
    app.add_middleware(errors.Incidents, page=_problem_page)
    app.add_middleware(SecurityHeaders, origin=services.settings.origin)
    app.add_middleware(Porch, hub=services.hub, now=services.clock.now)
    return app


def _version() -> str:
    try:
        return version("kaibiao")
    except PackageNotFoundError:  # a checkout that was not installed
        return "0"


class HeadIsGet:
    """Answer HEAD as GET without the body, which the server leaves out (RFC 9110 section 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # An upload's HEAD is an act of its own (tus), and a stream's GET never ends.
        own = "/uploads/" in scope.get("path", "") or scope.get("path", "").endswith("/stream")
        if scope["type"] == "http" and scope["method"] == "HEAD" and not own:
            scope = {**scope, "method": "GET"}
        await self.app(scope, receive, send)


async def _only_from_here(connection: HTTPConnection) -> None:
    """Refuse what another site's page asks for behind its reader's back. WebSockets look for themselves."""
    if connection.scope["type"] != "http" or connection.scope["path"].startswith("/media/"):
        return  # media goes by token: no cookie of the reader counts there
    origin = services_of(connection).settings.origin
    if not same_origin(connection.scope["method"], connection.headers, origin):
        raise Problem("not_same_origin")


async def _pack_of(request: Request) -> RulePack | None:
    session = request.path_params.get("session")
    if session is None:
        return None
    try:
        return (await services_of(request).sessions.state(SessionId(session))).plan.pack
    except UnknownSession:
        return None


def _problem_page(request: Request, problem: errors.Document) -> Response:
    return reader(request).page("errors/problem.html", problem=problem)
