"""The witness on the network: ``add-checkpoint``, the checkpoints it holds, and the faults it saw."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from crypto.errors import NoteRefused
from crypto.tlog import VerifierKey
from crypto.tlog.requests import MAX_REQUEST
from sessions.clock import Clock
from web.witness.judging import Verdict, judge, origin_of
from web.witness.keeping import Keeping

_log = logging.getLogger(__name__)


class Witness:
    """One witness at work: one request after the other, and what it keeps is on the disk before it answers."""

    def __init__(self, keeping: Keeping, logs: Sequence[VerifierKey], clock: Clock) -> None:
        self._keeping = keeping
        self._secret = keeping.secret
        self._logs = tuple(logs)
        self._clock = clock
        self._turn = asyncio.Lock()

    @property
    def vkey(self) -> str:
        """The public key, to be put into halls' lists of witnesses."""
        return str(self._secret.public)

    async def add_checkpoint(self, body: str) -> Verdict:
        """Judge a request, keep what follows from it, and return the answer."""
        try:
            origin = origin_of(body)
        except NoteRefused as refused:
            return Verdict(status=400, body=f"{refused}\n")
        async with self._turn:  # compare and replace as one act
            return await run_in_threadpool(self._judge, body, origin)

    def _judge(self, body: str, origin: str) -> Verdict:
        last = self._keeping.last(origin)
        verdict = judge(body, last, self._logs, self._secret, int(self._clock.now().timestamp()))
        if verdict.fault is not None and last is not None:
            fault, given = verdict.fault
            self._keeping.convict(fault, last, given)
            _log.critical(
                "a log signed two checkpoints that do not go together", extra={"log": origin, "kind": fault.value}
            )
        if verdict.state is not None:
            self._keeping.keep(verdict.state)
        return verdict

    def app(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(
            routes=[
                Route("/", self._about),
                Route("/add-checkpoint", self._add, methods=["POST"]),
                Route("/faults", self._faults),
                Route("/{origin_hash:str}/checkpoint", self._checkpoint),
            ]
        )

    async def _about(self, _: Request) -> Response:
        return PlainTextResponse(f"{self.vkey}\n")

    async def _add(self, request: Request) -> Response:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_REQUEST:
                return PlainTextResponse("the request is too large\n", status_code=413)
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return PlainTextResponse("the request is not UTF-8\n", status_code=400)
        verdict = await self.add_checkpoint(text)
        return Response(
            verdict.body.encode(), status_code=verdict.status, headers={"content-type": verdict.media_type}
        )

    async def _checkpoint(self, request: Request) -> Response:
        name = str(request.path_params["origin_hash"])
        plain = len(name) == 64 and set(name) <= set("0123456789abcdef")
        note = await run_in_threadpool(self._keeping.by_hash, name) if plain else None
        if note is None:
            return PlainTextResponse("this log was never cosigned here\n", status_code=404)
        return PlainTextResponse(note, headers={"cache-control": "no-cache"})

    async def _faults(self, _: Request) -> Response:
        found = await run_in_threadpool(self._keeping.faults)
        return JSONResponse({"v": 1, "witness": self.vkey, "faults": found})


def server(witness: Witness, host: str, port: int, **more: Any) -> uvicorn.Server:
    """Return a server for the witness, as quiet and as small as it is."""
    about = {"access_log": False, "log_config": None, "server_header": False, "lifespan": "off", "host": host}
    return uvicorn.Server(uvicorn.Config(witness.app(), port=port, **(about | more)))
