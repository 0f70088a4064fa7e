"""The Python servers of the fan-out bench, each in a process of its own: the hall, and what people use instead.

``python -m web.bench.fanout.servers NAME FOLDER PORT`` says ``ready {...}``, sends the fact in ``FOLDER/fact.json``
to everybody N times for each line N that it reads, answers when it began (monotonic ns), and ends with its input.
Nothing here serves people: publishing has no login.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from websockets.asyncio.server import ServerConnection, broadcast, serve

from hall.views.audience import PUBLIC
from sessions.announcing.announcement import make_plan
from sessions.commands import Note
from sessions.ids import SessionId
from sessions.roles import Actor, Role
from sessions.store.migrations import migrate
from web.answers.kept import Kept, KeptPages
from web.bench import alone
from web.bootstrap import build
from web.demo import cast
from web.services import Services
from web.serving.server import SWITCH, HallServer, settle
from web.settings import Settings, load

SESSION: Final = SessionId(cast.SESSION)
SUPERVISOR: Final = Actor(role=Role.SUPERVISOR, id="supervisor", name=cast.STAFF["supervisor"])
BACKLOG: Final = 4096  # connections that wait to be accepted, as the hall has it
NOTE: Final = Note(text="The bench saw nothing that needs a word. 无异常。")

Send = Callable[[], Awaitable[object]]
"""Sends the fact to everybody, once."""


async def found(folder: Path) -> bytes:
    """Make a hall in ``folder`` with an opening and one fact; return the fact as the public gets it."""
    services = build(settings(folder, 0))
    await migrate(services.database)
    await create(services, SESSION)
    await services.accounts.create(
        "supervisor", cast.STAFF["supervisor"], "nobody logs in with it", {Role.SUPERVISOR}
    )
    [noted] = await services.sessions.handle(SESSION, NOTE, SUPERVISOR)
    answer = await services.hub.facts(SESSION, PUBLIC, noted.number - 1)
    await services.sessions.close()
    await services.database.close()
    return answer[answer.index(b"[") + 1 : -2]


async def create(services: Services, session: SessionId) -> None:
    """Announce an opening in which the supervisor may take notes."""
    t0 = services.clock.now().replace(microsecond=0) + timedelta(hours=8)
    tender = cast.tender(t0)
    await services.sessions.create(make_plan(tender, session=session, rehearsal=True))


def settings(folder: Path, port: int) -> Settings:
    """Return the defaults of a hall, but for where it is."""
    return load(data_dir=folder / "hall", port=port, rehearsal_allowed=True, log_level="error")


@contextlib.asynccontextmanager
async def hall(folder: Path, port: int) -> AsyncIterator[tuple[dict[str, Any], Send]]:
    """The whole application as ``kaibiao serve`` serves it. Its supervisor acts: nothing can be ordered."""
    services = build(settings(folder, port))
    async with running(HallServer(services, ws_ping_interval=None)):
        after = (await services.sessions.events(SESSION))[-1].number
        ticket = await services.identity.create_ticket(account="supervisor")
        yield {"after": after, "ticket": ticket}, nothing


class Forgetful(KeptPages):
    """Pages are made again for everyone who asks."""

    async def get(self, key: object, version: str, make: Callable[[], bytes]) -> Kept:
        return await KeptPages().get(key, version, make)


@contextlib.asynccontextmanager
async def rendered(folder: Path, port: int) -> AsyncIterator[tuple[dict[str, Any], Send]]:
    """The same application, if it kept no page."""
    server = HallServer(build(settings(folder, port)), ws_ping_interval=None)
    server.config.app.state.kept_pages = Forgetful()  # type: ignore[union-attr]
    async with running(server):
        yield {}, nothing


async def nothing() -> None:
    """Refuse an order."""
    raise RuntimeError("this server is asked over HTTP")


@contextlib.asynccontextmanager
async def hub(folder: Path, port: int) -> AsyncIterator[tuple[dict[str, Any], Send]]:
    """The hall's hub and doors, with facts that need not be decided."""
    fact = (folder / "fact.json").read_bytes()
    server = alone.server("127.0.0.1", port)
    async with running(server):
        yield {}, lambda: server.hub.publish(fact, 1)


@contextlib.asynccontextmanager
async def naive(folder: Path, port: int) -> AsyncIterator[tuple[dict[str, Any], Send]]:
    """The broadcast loop of FastAPI's tutorial: a list, and a send to one after the other."""
    fact = (folder / "fact.json").read_text("utf-8")
    everybody: list[WebSocket] = []
    sent = 0
    app = FastAPI()

    @app.websocket("/live/{session}")
    async def live(websocket: WebSocket, after: int = 0) -> None:
        await websocket.accept()
        try:
            for _ in range(after, sent):
                await websocket.send_text(fact)
            everybody.append(websocket)
            while True:
                await websocket.receive_text()
        except WebSocketDisconnect:
            if websocket in everybody:
                everybody.remove(websocket)

    async def send() -> None:
        nonlocal sent
        sent += 1
        for websocket in everybody:
            await websocket.send_text(fact)

    async with running(uvicorn.Server(plain(app, port))):
        yield {}, send


@contextlib.asynccontextmanager
async def queued(folder: Path, port: int) -> AsyncIterator[tuple[dict[str, Any], Send]]:
    """A queue for each reader, and a task that empties it: the usual cure for the loop's stalls."""
    fact = (folder / "fact.json").read_text("utf-8")
    everybody: set[asyncio.Queue[str]] = set()
    app = FastAPI()

    @app.websocket("/live/{session}")
    async def live(websocket: WebSocket) -> None:
        await websocket.accept()
        queue: asyncio.Queue[str] = asyncio.Queue(1000)
        everybody.add(queue)

        async def empty() -> None:
            while True:
                await websocket.send_text(await queue.get())

        emptying = asyncio.create_task(empty())
        try:
            while True:
                await websocket.receive_text()
        except WebSocketDisconnect:
            everybody.discard(queue)
            emptying.cancel()

    async def send() -> None:
        for queue in everybody:
            queue.put_nowait(fact)

    async with running(uvicorn.Server(plain(app, port))):
        yield {}, send


def plain(app: FastAPI, port: int) -> uvicorn.Config:
    """Return uvicorn's defaults, but for pings, and for deflate, which triples what a loop costs."""
    return uvicorn.Config(
        app,
        port=port,
        backlog=BACKLOG,
        log_level="critical",
        ws_ping_interval=None,
        ws_per_message_deflate=False,
    )


@contextlib.asynccontextmanager
async def library(folder: Path, port: int) -> AsyncIterator[tuple[dict[str, Any], Send]]:
    """The ``websockets`` library's own server and its ``broadcast``."""
    fact = (folder / "fact.json").read_text("utf-8")
    everybody: set[ServerConnection] = set()

    async def live(connection: ServerConnection) -> None:
        everybody.add(connection)
        try:
            await connection.wait_closed()
        finally:
            everybody.remove(connection)

    async def send() -> None:
        broadcast(everybody, fact)

    # It sends away whose handshake takes longer than 10 s, which is what 10,000 at once may take it.
    unhurried: dict[str, Any] = {"open_timeout": None, "ping_interval": None, "compression": None}
    async with serve(live, "127.0.0.1", port, backlog=BACKLOG, **unhurried):
        yield {}, send


@contextlib.asynccontextmanager
async def bare(folder: Path, port: int) -> AsyncIterator[tuple[dict[str, Any], Send]]:
    """The floor where no C compiler is: sockets written to in a loop. Whoever does not read stops it."""
    fact = (folder / "fact.json").read_bytes()
    frame = b"\x81\x7e" + len(fact).to_bytes(2, "big") + fact
    lines: dict[asyncio.Protocol, socket.socket] = {}

    class Bare(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            assert isinstance(self.transport, asyncio.Transport)
            if self not in lines:
                self.transport.write(SHAKEN)
                lines[self] = self.transport.get_extra_info("socket")._sock  # the one that may be sent to

        def connection_lost(self, exc: Exception | None) -> None:
            lines.pop(self, None)

    async def send() -> None:
        for line in lines.values():
            line.send(frame)

    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", port, backlog=BACKLOG)
    async with server:
        yield {}, send


SHAKEN: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
"""The answer to the key of RFC 6455 section 1.3, which every watcher of the bench sends."""

SERVERS: Final = {
    "hall": hall,
    "rendered": rendered,
    "hub": hub,
    "naive": naive,
    "queued": queued,
    "websockets": library,
    "bare": bare,
}


OURS: Final = frozenset({"hall", "rendered", "hub"})


def as_served() -> None:
    """Set the process up as ``kaibiao serve`` does; what the others' guides do not say is not done for them."""
    sys.setswitchinterval(SWITCH)
    settle()


@contextlib.asynccontextmanager
async def running(server: uvicorn.Server) -> AsyncIterator[None]:
    """Serve while the block lasts."""
    running = asyncio.create_task(server.serve())
    while not server.started:
        if running.done():
            raise RuntimeError("the server did not start")
        await asyncio.sleep(0.01)
    yield
    server.should_exit = True
    await running


async def _obey(name: str, folder: Path, port: int) -> None:
    """Send when told so, until the input ends."""
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    async with SERVERS[name](folder, port) as (known, send):
        if name in OURS:
            as_served()
        _say(f"ready {json.dumps(known)}")
        while line := await orders.readline():
            begun = time.monotonic_ns()
            for _ in range(int(line)):
                await send()
            _say(str(begun))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_obey(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
