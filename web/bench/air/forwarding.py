"""How many can watch one camera: the edge, and aiortc's MediaRelay of pictures and of packets, in turns.

Counted is the processor of the serving process alone, as the slope between few and many who watch: neighbours and
whatever is there without viewers do not distort it. Each serves from one core and is watched from another.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hall.media.port.engine import Show, Source
from hall.media.port.link import LinkedEngine
from hall.media.port.places import Places
from sessions.ids import SessionId
from web.bench import machine
from web.bench.air.film import FPS
from web.bench.air.seat import Camera, Looking, Seat
from web.bench.goal import Goal

ROUNDS: Final = 3
SECONDS: Final = 3.0
SETTLED: Final = 20  # packets that everybody has before anything is counted
COMING: Final = 8  # who shake hands at the same time
CHURN: Final = 100
PATIENCE: Final = 60.0
SESSION: Final = SessionId("bench")
HOST: Final = Source("host")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A server, and how many watch it: few, then many."""

    words: tuple[str, ...]
    few: int
    many: int


WAYS: Final = {
    "relay": Way(words=("web.bench.air.peers", "frames", "{folder}"), few=1, many=3),
    "edge": Way(
        words=("web.cli", "media", "edge", "--port", "0", "--data-dir", "{folder}"),
        few=5,
        many=45,
    ),
    "packets": Way(words=("web.bench.air.peers", "packets", "{folder}"), few=2, many=14),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Cores for one viewer, and the lateness of pictures with many, in seconds: half and 95 % were sooner."""

    cores: float
    p50: float
    p95: float


def goals() -> Iterator[Goal]:
    """Yield viewers a core, lateness, and what coming and going leaves behind."""
    turns: dict[str, list[Turn]] = {name: [] for name in WAYS}
    ours, theirs = machine.cores()
    with machine.pinned(ours):
        for _ in range(ROUNDS):
            for name, way in WAYS.items():
                turns[name].append(asyncio.run(_turn(way, theirs)))
        grown = asyncio.run(_churn(theirs))
    cores = {name: statistics.median(turn.cores for turn in each) for name, each in turns.items()}
    late = {name: statistics.median(turn.p95 for turn in each) for name, each in turns.items()}
    half = {name: statistics.median(turn.p50 for turn in each) for name, each in turns.items()}
    for name, said, least in (("relay", "MediaRelay", 40.0), ("packets", "MediaRelay of packets", 2.5)):
        yield Goal(
            name=f"viewers a core, edge : {said}",
            measured=cores[name] / cores["edge"],
            limit=least,
            above=False,
            one=f"{1 / cores['edge']:.0f}",
            other=f"{1 / cores[name]:.1f}",
        )
    yield Goal(
        name="p95 lateness, edge : MediaRelay",
        measured=late["edge"] / late["relay"],
        limit=0.7,
        above=True,
        one=f"{1e3 * late['edge']:.1f} ms (half {1e3 * half['edge']:.1f}), {WAYS['edge'].many} watching",
        other=f"{1e3 * late['relay']:.1f} ms (half {1e3 * half['relay']:.1f}), {WAYS['relay'].many} watching",
    )
    yield Goal(
        name="MB kept, after 100 came and went",
        measured=grown / 1e6,
        limit=5.0,
        above=True,
        one=f"{grown / 1e6:.2f} MB",
        other=f"{CHURN} connections",
    )


async def _turn(way: Way, core: int) -> Turn:
    async with carried(way, core) as (engine, pid), on_air(engine) as camera:
        looking = Looking(camera)
        seats = [looking, *(Seat() for _ in range(way.few - 1))]
        await come(engine, seats)
        before = await _spent(pid, camera)
        more = [Seat() for _ in range(way.many - way.few)]
        await come(engine, more)
        looking.late.clear()
        after = await _spent(pid, camera)
        late = sorted(looking.late)
        for seat in (*seats, *more):
            await seat.leave()
    return Turn(
        cores=(after - before) / (way.many - way.few),
        p50=late[len(late) // 2],
        p95=late[int(len(late) * 0.95)],
    )


async def _churn(core: int) -> float:
    """Return by how many bytes the edge has grown when a hundred have come and gone, after as many before them."""
    async with carried(WAYS["edge"], core) as (engine, pid), on_air(engine):
        grown = [0.0]
        for _ in range(2):
            for _ in range(CHURN // COMING + 1):
                seats = [Seat() for _ in range(COMING)]
                await come(engine, seats)
                for seat in seats:
                    await seat.leave()
            grown.append(machine.resident(pid))
    return (grown[2] - grown[1]) * CHURN / (CHURN // COMING + 1) / COMING


@asynccontextmanager
async def carried(way: Way, core: int, video: str = "vp8") -> AsyncIterator[tuple[LinkedEngine, int]]:
    """Run a server on ``core``, and ask it by the port."""
    with TemporaryDirectory(prefix="kaibiao-bench-") as folder:
        places = Places(Path(folder))
        places.make()
        words = [sys.executable, "-m", *(word.format(folder=folder) for word in way.words)]
        env = os.environ | {"KAIBIAO_MEDIA_VIDEO": video}
        with (Path(folder) / "said").open("wb") as said, machine.pinned(core):
            process = subprocess.Popen(words, env=env, stderr=said)  # noqa: ASYNC220, S603  (our own words)
        engine = LinkedEngine(places)
        try:
            engine.link.follow()
            async with asyncio.timeout(PATIENCE):
                while not engine.link.connected:
                    if process.poll() is not None:
                        raise RuntimeError((Path(folder) / "said").read_text("utf-8", "replace")[-500:])
                    await asyncio.sleep(0.05)
            yield engine, process.pid
        finally:
            await engine.hang_up()
            process.kill()
            process.wait()


@asynccontextmanager
async def on_air(engine: LinkedEngine) -> AsyncIterator[Camera]:
    """Have a camera send while the block lasts."""
    camera = Camera()
    await camera.connect((await engine.publish(SESSION, HOST, camera.offer())).sdp)
    running = asyncio.create_task(camera.run())
    try:
        yield camera
    finally:
        running.cancel()
        await asyncio.wait({running})
        await camera.leave()


async def come(engine: LinkedEngine, seats: list[Seat]) -> None:
    """Have everybody watch, and return once everybody sees something."""

    async def comes(seat: Seat) -> None:
        await seat.connect((await engine.watch(SESSION, seat.offer(), Show.FLOOR)).sdp)

    async with asyncio.timeout(PATIENCE):
        for begin in range(0, len(seats), COMING):
            await asyncio.gather(*map(comes, seats[begin : begin + COMING]))
        while any(seat.packets < SETTLED for seat in seats):  # noqa: ASYNC110  # packets
            await asyncio.sleep(0.05)


async def _spent(pid: int, camera: Camera) -> float:
    """Return how much of a core a process uses, by the film's own time: a machine that is late shows less of it."""
    pictures, before = camera.pictures, machine.cpu_seconds(pid)
    await asyncio.sleep(SECONDS)
    return (machine.cpu_seconds(pid) - before) * FPS / max(1, camera.pictures - pictures)
