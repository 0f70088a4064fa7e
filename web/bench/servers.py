"""The servers that the fan-out bench compares, each in a process of its own: the hall, and what people use instead.

``python -m web.bench.servers NAME FOLDER PORT CORE`` says ``ready AFTER``, publishes a fact for each line it reads,
answers with when the fact was ready to go out (monotonic ns), and ends with its input. A newcomer of any of them gets
the newest fact first. Nothing here serves people: publishing has no login.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from websockets.asyncio.server import ServerConnection, broadcast, serve

from hall.audience import PUBLIC
from sessions.announcement import make_plan
from sessions.commands import Note
from sessions.ids import SessionId
from sessions.roles import Actor, Role
from sessions.store.migrations import migrate
from web.bench import machine
from web.bootstrap import Services, build
from web.demo import cast
from web.settings import Settings, load

SESSION: Final = SessionId(cast.SESSION)
SUPERVISOR: Final = Actor(role=Role.SUPERVISOR, id="supervisor", name=cast.STAFF["supervisor"])
BACKLOG: Final = 4096  # connections that wait to be accepted, as the hall has it
NOTE: Final = Note(text="The bench saw nothing that needs a word. 无异常。")

Publish = Callable[[], Awaitable[int]]
"""Sends one fact on its way to everybody; returns when it was ready to go out."""


async def found(folder: Path) -> bytes:
    """Make a hall in ``folder`` with an opening and one fact; return the fact as the public gets it."""
    services = build(settings(folder, 0))
    await migrate(services.database)
    await create(services, SESSION)
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
async def hall(folder: Path, port: int) -> AsyncIterator[tuple[int, Publish]]:
    """The whole application as ``kaibiao serve`` serves it. Publishing is a real act: decided, chained, committed."""
    from web.cli.serving import HallServer  # here, because the command line imports the benches

    services = build(settings(folder, port))
    async with running(HallServer(services, ws_ping_interval=None)):

        async def publish() -> int:
            await services.sessions.handle(SESSION, NOTE, SUPERVISOR)
            return time.monotonic_ns()

        yield (await services.sessions.events(SESSION))[-1].number - 1, publish


@contextlib.asynccontextmanager
async def naive(folder: Path, port: int) -> AsyncIterator[tuple[int, Publish]]:
    """The broadcast loop of FastAPI's tutorial: a list, and a send to one after the other."""
    fact = (folder / "fact.json").read_text("utf-8")
    everybody: list[WebSocket] = []
    app = FastAPI()

    @app.websocket("/live/{session}")
    async def live(socket: WebSocket) -> None:
        await socket.accept()
        everybody.append(socket)
        try:
            await socket.send_text(fact)
            while True:
                await socket.receive_text()
        except WebSocketDisconnect:
            everybody.remove(socket)

    async def publish() -> int:
        ready = time.monotonic_ns()
        for socket in everybody:
            await socket.send_text(fact)
        return ready

    config = uvicorn.Config(app, port=port, backlog=BACKLOG, log_level="critical", ws_ping_interval=None)
    async with running(uvicorn.Server(config)):
        yield 0, publish


@contextlib.asynccontextmanager
async def library(folder: Path, port: int) -> AsyncIterator[tuple[int, Publish]]:
    """The ``websockets`` library's own server and its ``broadcast``."""
    fact = (folder / "fact.json").read_text("utf-8")
    everybody: set[ServerConnection] = set()

    async def live(connection: ServerConnection) -> None:
        everybody.add(connection)
        try:
            await connection.send(fact)
            await connection.wait_closed()
        finally:
            everybody.remove(connection)

    async def publish() -> int:
        ready = time.monotonic_ns()
        broadcast(everybody, fact)
        return ready

    async with serve(live, "127.0.0.1", port, compression=None, ping_interval=None, backlog=BACKLOG):
        yield 0, publish


SERVERS: Final = {"hall": hall, "naive": naive, "websockets": library}


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
    """Publish when told so, until the input ends."""
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    async with SERVERS[name](folder, port) as (after, publish):
        _say(f"ready {after}")
        while await orders.readline():
            _say(str(await publish()))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with machine.pinned(int(sys.argv[4])), contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_obey(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
