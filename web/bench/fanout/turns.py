"""One server before one crowd: start it, let everybody in, send, and read what it cost from the kernel."""

from __future__ import annotations

import json
import select
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

from hall.wire.frames import deflated_frame
from web.bench import machine
from web.bench.fanout.contestants import Contestant
from web.bench.fanout.crowd import PATIENCE, Crowd

WARM: Final = 3  # rounds first that are not counted
BURST: Final = 10
MISSED: Final = 50  # facts that everybody who comes back has missed
STALLED: Final = 5  # one in so many readers never reads
STARTING: Final = 120.0  # seconds that a server has until it is ready, on a machine that others use too
DISTURBED: Final = 0.12  # share of the time for which a side waited for its core, from which a turn says little
LARGE: Final = 16_000  # bytes of a fact that fills a stalled reader's buffers within a turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much a turn is."""

    watchers: int
    rounds: int
    seconds: float


@dataclass(slots=True)
class Server:
    """A running contestant. ``known`` is what it said of itself when it was ready."""

    process: subprocess.Popen[bytes]
    port: int
    known: Mapping[str, Any] = field(default_factory=dict)

    def order(self, facts: int = 1) -> None:
        """Have so many facts sent to everybody."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"%d\n" % facts)

    def memory(self) -> int:
        return machine.resident(self.process.pid)


@dataclass(slots=True)
class Watch:
    """What server and crowd took of the processor while the block lasted. Seconds."""

    pid: int
    begun: float = 0.0
    server: float = 0.0
    disturbed: float = 0.0
    _before: tuple[float, float] = (0.0, 0.0)
    _own: tuple[float, float] = (0.0, 0.0)

    def __enter__(self) -> Self:
        self._before, self._own = machine.scheduled(self.pid), machine.scheduled_here()
        self.begun = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        took = max(time.monotonic() - self.begun, 1e-6)
        ran, waited = machine.scheduled(self.pid)
        own = machine.scheduled_here()
        self.server = ran - self._before[0]
        self.disturbed = max(waited - self._before[1], own[1] - self._own[1]) / took


@contextmanager
def serving(contestant: Contestant, folder: Path, core: int) -> Iterator[Server]:
    """Run a contestant on ``core``. It ends with its input."""
    port = machine.free_port()
    filled = [each.format(folder=folder, fact=folder / "fact.json", port=port) for each in contestant.words]
    with (folder / "said").open("wb+") as said, machine.pinned(core):
        process = subprocess.Popen(filled, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, bufsize=0)  # noqa: S603  (our own words)
    with process:
        try:
            known = _answer(process, folder).removeprefix(b"ready ")
            yield Server(process, port, json.loads(known))
            assert process.stdin is not None
            if contestant.keeps:
                process.stdin.close()
                process.wait(PATIENCE)
        finally:
            process.kill()


def _answer(process: subprocess.Popen[bytes], folder: Path) -> bytes:
    assert process.stdout is not None
    if not select.select([process.stdout], [], [], STARTING)[0] or not (line := process.stdout.readline()):
        why = (folder / "said").read_text("utf-8", "replace")[-500:]
        raise RuntimeError(f"the server ended or does not answer: {process.args!r} {why}")
    return line


Turn = dict[str, float]
"""Figures by name, ``disturbed`` among them."""


def delivering(contestant: Contestant, folder: Path, core: int, size: Size) -> Turn:
    """Everybody comes at once; then one fact after the other, and then ten at a time."""
    with serving(contestant, folder, core) as server, closing(Crowd(server.port, contestant.stream)) as crowd:
        memory = server.memory()
        with Watch(server.process.pid) as coming:
            crowd.enter(size.watchers)
            entered = time.monotonic() - coming.begun
        memory = server.memory() - memory
        crowd.follow(server.order, rounds=WARM, seconds=size.seconds)
        with Watch(server.process.pid) as single:
            lasts = crowd.follow(server.order, rounds=size.rounds, seconds=size.seconds)
        late = sorted(crowd.late)
        with Watch(server.process.pid) as burst:
            bursts = crowd.follow(
                lambda: server.order(BURST), rounds=size.rounds // 4 + 1, seconds=size.seconds / 2, facts=BURST
            )
        crowd.close()
    return {
        "cpu_us": 1e6 * single.server / len(lasts) / size.watchers,
        "last_ms": 1e3 * statistics.median(lasts),
        "p99_ms": 1e3 * late[int(len(late) * 0.99)],
        "burst_cpu_us": 1e6 * burst.server / len(bursts) / BURST / size.watchers,
        "accept_cpu_us": 1e6 * coming.server / size.watchers,
        "open_ms": 1e3 * entered,
        "kib": memory / 1024 / size.watchers,
        "disturbed": max(single.disturbed, coming.disturbed),
    }


def coming_back(contestant: Contestant, folder: Path, core: int, size: Size) -> Turn:
    """Everybody comes back at once, and has missed fifty facts."""
    with serving(contestant, folder, core) as server, closing(Crowd(server.port, contestant.stream)) as crowd:
        server.order(MISSED)
        _answer(server.process, folder)
        with Watch(server.process.pid) as storm:
            crowd.enter(size.watchers, facts=MISSED)
            took = time.monotonic() - storm.begun
        crowd.close()
    return {
        "storm_ms": 1e3 * took,
        "storm_cpu_us": 1e6 * storm.server / size.watchers,
        "disturbed": storm.disturbed,
    }


def stalling(contestant: Contestant, folder: Path, core: int, size: Size, *, stalled: bool) -> Turn:
    """Large facts, while one in five never reads, or everybody does."""
    rounds = max(size.rounds, 60)  # a megabyte for each: more than all buffers hold
    large = folder / "large"
    large.mkdir(exist_ok=True)
    fact = (folder / "fact.json").read_bytes()
    (large / "fact.json").write_bytes(fact[:-1] + b',"pad":"' + b"x" * LARGE + b'"}')
    with serving(contestant, large, core) as server, closing(Crowd(server.port, contestant.stream)) as crowd:
        crowd.enter(size.watchers)
        if stalled:
            crowd.stall(size.watchers // STALLED)
        memory = server.memory()
        with Watch(server.process.pid) as watch:
            lasts = crowd.follow(server.order, rounds=rounds, seconds=4 * size.seconds)
            took = time.monotonic() - watch.begun
        memory = server.memory() - memory
        heard = crowd.size * len(lasts)
        crowd.close()
    return {
        "deliveries_per_s": heard / took,
        "cpu_us": 1e6 * watch.server / heard,
        "kib_a_stalled": memory / 1024 / (size.watchers // STALLED) if stalled else 0.0,
        "disturbed": watch.disturbed,
    }


def packing(contestant: Contestant, folder: Path, core: int, size: Size, *, deflate: bool) -> Turn:
    """Ten facts at a time, packed once for all or not at all."""
    facts = 1 if deflate else BURST  # packed they are one message, which is the same each time
    packed = deflated_frame(b"\n".join([(folder / "fact.json").read_bytes()] * BURST))
    stream = replace(contestant.stream, deflate=True, needle=packed[:24]) if deflate else contestant.stream
    with serving(contestant, folder, core) as server, closing(Crowd(server.port, stream)) as crowd:
        crowd.enter(size.watchers)
        crowd.follow(lambda: server.order(BURST), rounds=WARM, seconds=size.seconds, facts=facts)
        with Watch(server.process.pid) as watch:
            lasts = crowd.follow(lambda: server.order(BURST), rounds=size.rounds, seconds=size.seconds, facts=facts)
        crowd.close()
    return {"cpu_us": 1e6 * watch.server / len(lasts) / size.watchers, "disturbed": watch.disturbed}


def keeping_up(
    contestant: Contestant,
    folder: Path,
    core: int,
    size: Size,
    *,
    order_of: Callable[[Server], AbstractContextManager[Callable[[], object]]],
    rate: float,
) -> Turn:
    """Facts at a fixed rate, come what may; the time is from the moment each was due."""
    with serving(contestant, folder, core) as server:
        after = server.known.get("after", 0)
        stream = replace(contestant.stream, target=contestant.stream.target.format(after=after))
        with closing(Crowd(server.port, stream)) as crowd:
            crowd.enter(size.watchers, at_once=200)
            with order_of(server) as order:
                crowd.keep_up(order, rate=rate, rounds=WARM)
                with Watch(server.process.pid) as watch:
                    lasts = sorted(crowd.keep_up(order, rate=rate, rounds=max(5, int(2 * size.seconds * rate))))
            crowd.close()
    return {
        "last_p50_ms": 1e3 * statistics.median(lasts),
        "last_p99_ms": 1e3 * lasts[int(len(lasts) * 0.99)],
        "server_busy": watch.server / (len(lasts) / rate),
        "disturbed": watch.disturbed,
    }


def figures(turns: Sequence[Turn]) -> dict[str, float]:
    """Return the medians of the undisturbed turns, or of all where each was disturbed, and how many there were."""
    quiet = [turn for turn in turns if turn["disturbed"] <= DISTURBED]
    used = quiet or turns
    medians = {name: round(statistics.median(turn[name] for turn in used), 3) for name in turns[0]}
    return medians | {"turns": len(turns), "undisturbed": len(quiet)}
