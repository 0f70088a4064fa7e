"""A fragment to many over WebSockets, against low-latency HLS from a process of the same kind.

The WebSocket side is the hall's own (``Reception``, ``Crowd``). The other is as little as a server can do who holds
its parts in memory: for every fragment and viewer a playlist and a part (draft-pantos-hls-rfc8216bis), by uvicorn,
with nothing routed, logged or looked up. Both send a fifth of a second of the programme at a time.
"""

from __future__ import annotations

import asyncio
import random
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, cast

import uvicorn
from starlette.types import Receive, Scope, Send

from hall.media.mp4.boxes import Fragment
from hall.media.port.places import Places
from hall.media.programme.package import Crowd
from hall.media.programme.viewers import FULL, Handover, NobodyHome, Reception, hand_over
from sessions.ids import SessionId
from web.bench import machine
from web.bench.goal import Goal

ROUNDS: Final = 3
VIEWERS: Final = 200
FRAGMENTS: Final = 15  # that each of them is sent
A_SECOND: Final = 5
PART: Final = random.Random(2).randbytes(11_000)  # noqa: S311  # 450 kbit/s of no secret
LIST: Final = b"#EXT-X-PART:DURATION=0.200,URI=part\n" * 40
CONNECTIONS: Final = 20
REQUESTS: Final = 100  # on each
HERE: Final = "127.0.0.1"


def goal() -> Goal:
    """Measure both in turns."""
    ours, theirs = machine.cores()
    lines, files = [], []
    with machine.pinned(ours):
        for _ in range(ROUNDS):
            lines.append(_lines(theirs))
            files.append(_files(theirs))
    line, file = statistics.median(lines), statistics.median(files)
    return Goal(
        name="CPU a viewer, WebSocket : low-latency HLS",
        measured=line / file,
        limit=0.15,
        above=True,
        one=f"{1e5 * line:.1f} % of a core for 1000",
        other=f"{1e5 * file:.0f} %",
    )


def _lines(core: int) -> float:
    """Return what one viewer of the WebSocket costs, in cores."""
    with _served("lines", core) as (process, folder), selectors.DefaultSelector() as ends:
        asked = Handover(session=SessionId("bench"), variant=FULL, answer=b"")
        for _ in range(VIEWERS):
            with socket.create_server((HERE, 0)) as server:
                ends.register(socket.create_connection(server.getsockname()), selectors.EVENT_READ)
                connection, _ = server.accept()
            with connection:
                _given(Places(folder), asked, connection)
        _hear(ends, VIEWERS)
        before = machine.cpu_seconds(process.pid)
        heard = _hear(ends, VIEWERS * FRAGMENTS * len(PART))
        cost = machine.cpu_seconds(process.pid) - before
        for key in tuple(ends.get_map().values()):
            cast(socket.socket, key.fileobj).close()
    return cost / heard * len(PART) * A_SECOND


def _given(places: Places, asked: Handover, connection: socket.socket) -> None:
    """Hand it over as soon as there is room before the door."""
    while True:
        try:
            return hand_over(places, asked, connection.fileno())
        except NobodyHome:
            time.sleep(0.01)


def _hear(ends: selectors.BaseSelector, least: int) -> int:
    """Read until at least so many bytes have come, and return how many."""
    heard = 0
    while heard < least:
        for key, _ in ends.select():
            heard += len(cast(socket.socket, key.fileobj).recv(1 << 18))
    return heard


def _files(core: int) -> float:
    """Return what one viewer of low-latency HLS costs: two requests for every fragment."""
    with _served("files", core) as (process, folder):
        port = int((folder / "port").read_text("ascii"))
        connections = [HTTPConnection(HERE, port) for _ in range(CONNECTIONS)]
        before = 0.0
        for number in range(REQUESTS + 10):
            if number == 10:
                before = machine.cpu_seconds(process.pid)
            for connection in connections:
                connection.request("GET", "/part" if number % 2 else "/list")
            for connection in connections:
                connection.getresponse().read()
        cost = machine.cpu_seconds(process.pid) - before
        for connection in connections:
            connection.close()
    return cost / (REQUESTS * CONNECTIONS) * 2 * A_SECOND


@contextmanager
def _served(name: str, core: int) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    with TemporaryDirectory(prefix="kaibiao-bench-") as folder:
        words = [sys.executable, "-m", "web.bench.air.crowds", name, folder]
        with machine.pinned(core):
            process = subprocess.Popen(words, stdout=subprocess.PIPE)  # noqa: S603  (our own words)
        with process:
            try:
                if process.stdout is None or not process.stdout.readline():
                    raise RuntimeError("the server did not start")
                yield process, Path(folder)
            finally:
                process.kill()


async def _serve_lines(folder: Path) -> None:
    """Send everybody who is handed over a fragment every fifth of a second."""
    Places(folder).make()
    crowd = Crowd(FULL)
    reception = Reception(Places(folder), lambda *_: crowd)
    reception.open()
    _ready()
    at = 0
    while True:
        crowd.take(Fragment(data=PART, keyframe=not at % 2000, decode_ms=at, duration_ms=200))
        at += 200
        await asyncio.sleep(1 / A_SECOND)


async def _serve_files(folder: Path) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = PART if scope["path"] == "/part" else LIST
        length = [(b"content-length", b"%d" % len(body)), (b"content-type", b"video/mp4")]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": body})

    with socket.create_server((HERE, 0), backlog=CONNECTIONS) as listening:
        (folder / "port").write_text(str(listening.getsockname()[1]), "ascii")
        config = uvicorn.Config(app, lifespan="off", log_level="critical", access_log=False)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listening]))
        while not server.started:  # noqa: ASYNC110 - it has no other way to say so
            await asyncio.sleep(0.01)
        _ready()
        await serving


def _ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run({"lines": _serve_lines, "files": _serve_files}[sys.argv[1]](Path(sys.argv[2])))
