"""How dear a fact is to a crowd: the hall's streams against the loops people write, in turns, on the same machine.

Every server runs alone in a process of its own on one core, the crowd (web.bench.crowd) on another. The others send
one of the hall's own facts again and again, so all send as many bytes. The next is published when everybody has the
last and a tick of the hall (hall.limits) is over. Loopback: the sender pays for the receiver's TCP too.
"""

from __future__ import annotations

import asyncio
import json as json_module
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from hall.limits import LIMITS
from web.bench import machine, servers
from web.bench.crowd import PATIENCE, Crowd

WATCHERS: Final = 1000
EVENTS: Final = 40
ROUNDS: Final = 3
WARM: Final = 10  # facts to a single watcher first, uncounted: they also tell what an act costs without a crowd
PACE: Final = LIMITS.tick.total_seconds() + 0.01  # seconds from one fact to the next, at least
LIVE: Final = f"/live/{servers.SESSION}?after={{after}}"
DATABASE_FILES: Final = 16  # that a hall may open while the crowd is there: connections of SQLite's pool
NAIVE: Final = "FastAPI, for ws: await ws.send_text"
CONTESTANTS: Final = {
    "kaibiao, WebSocket": ("hall", LIVE),
    "kaibiao, SSE": ("hall", f"/api/v1/sessions/{servers.SESSION}/stream?after={{after}}"),
    NAIVE: ("naive", LIVE),
    "websockets, broadcast()": ("websockets", LIVE),
}
FIGURES: Final = {
    "cpu_s_per_million": "CPU s/million",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "kib_per_connection": "KiB/conn",
    "accepts_per_s": "accepts/s",
}


@dataclass(kw_only=True)
class Turn:
    """One server's run before one crowd. Seconds, bytes."""

    watchers: int
    events: int
    cpu: float = 0.0
    crowd_cpu: float = 0.0
    act_cpu: float = 0.0
    entering: float = 0.0
    memory: int = 0
    heard: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)


def run(json: bool, watchers: int = WATCHERS, events: int = EVENTS) -> None:
    """Measure, and print the medians with their ratios to the naive loop: a table, or JSON with everything."""
    with tempfile.TemporaryDirectory(prefix="kaibiao-bench-") as name:
        report = measure(Path(name), watchers=watchers, events=events, rounds=ROUNDS)
    if json:
        sys.stdout.write(json_module.dumps(report, ensure_ascii=False, indent=1) + "\n")
        return
    sys.stdout.write(machine.heading(report))
    sys.stdout.write(f"{'':38}" + "".join(f"{words:>20}" for words in FIGURES.values()) + "\n")
    for case, figures in report["cases"].items():
        cells = (f"{figures[each]:.4g} ({figures['ratio_to_naive'].get(each, '-')})" for each in FIGURES)
        sys.stdout.write(f"{case:38}" + "".join(f"{cell:>20}" for cell in cells) + "\n")
    sys.stdout.write("\n" + "\n".join(report["notes"]) + "\n")


def measure(folder: Path, *, watchers: int, events: int, rounds: int) -> dict[str, Any]:
    """Return the report of ``rounds`` in which every contestant has one turn; the hall's data goes to ``folder``."""
    report = machine.describe()
    machine.allow_descriptors(watchers + 200)
    fact = asyncio.run(servers.found(folder))
    (folder / "fact.json").write_bytes(fact)
    turns: dict[str, list[Turn]] = {name: [] for name in CONTESTANTS}
    measured, measuring = machine.cores()
    with machine.pinned(measuring):
        for turn in range(rounds):
            order = list(CONTESTANTS)
            for name in order[turn % len(order) :] + order[: turn % len(order)]:
                turns[name].append(_turn(name, folder, measured, watchers, events))
    cases = {name: _figures(each) for name, each in turns.items()}
    naive = cases[NAIVE]
    for figures in cases.values():
        figures["ratio_to_naive"] = {each: round(figures[each] / naive[each], 2) for each in FIGURES if naive[each]}
    hall = cases["kaibiao, WebSocket"]
    return report | {
        "what": f"{watchers} watchers, {rounds} x {events} facts of {len(fact)} bytes, in turns",
        "peers": {name: version(name) for name in ("fastapi", "uvicorn", "websockets")},
        "cases": cases,
        "notes": [
            "In brackets the ratio to the naive loop: of accepts more is better, of everything else less.",
            "CPU is the server's whole process with its kernel time, per million facts delivered. Times are from the",
            "order to publish until the last watcher has the bytes. The hall's include what the others do not do:",
            "deciding, chaining and committing the fact (SQLite, synchronous=FULL).",
            f"That took {hall['ready_ms']:.1f} ms, and with one watcher {hall['act_cpu_ms']:.1f} ms of CPU a fact.",
            "Not included anywhere: the HTTP POST that carries an act.",
        ],
    }


def _turn(name: str, folder: Path, core: int, watchers: int, events: int) -> Turn:
    server, path = CONTESTANTS[name]
    turn = Turn(watchers=watchers, events=events)
    with _serving(server, folder, core) as (process, port, after), closing(Crowd(port)) as crowd:
        crowd.enter(1, path.format(after=after))
        before = machine.cpu_seconds(process.pid)
        for _ in range(WARM):
            _publish(process, crowd)
        turn.act_cpu = (machine.cpu_seconds(process.pid) - before) / WARM
        files, memory, begun = machine.open_files(process.pid), machine.resident(process.pid), time.monotonic()
        crowd.enter(watchers - 1, path.format(after=after + WARM))  # so that newcomers get the newest fact only
        turn.entering = time.monotonic() - begun
        turn.memory = machine.resident(process.pid) - memory
        before, own = machine.cpu_seconds(process.pid), time.process_time()
        for _ in range(events):
            heard, ready = _publish(process, crowd)
            turn.heard.append(heard)
            turn.ready.append(ready)
        turn.cpu, turn.crowd_cpu = machine.cpu_seconds(process.pid) - before, time.process_time() - own
        crowd.close()
        deadline = time.monotonic() + PATIENCE
        # A server that is told to stop while a thousand leave complains of each. The hall's database opens files too.
        while machine.open_files(process.pid) > files + DATABASE_FILES and time.monotonic() < deadline:
            time.sleep(0.01)
    return turn


def _publish(process: subprocess.Popen[bytes], crowd: Crowd) -> tuple[float, float]:
    """Have one fact published; return when everyone had it and when it was ready to go out, in seconds from now."""
    assert process.stdin is not None
    begun = time.monotonic()
    process.stdin.write(b"publish\n")
    crowd.hear()
    heard = time.monotonic() - begun
    ready = int(_answer(process)) / 1e9 - begun
    time.sleep(max(PACE - heard, 0))
    return heard, ready


@contextmanager
def _serving(server: str, folder: Path, core: int) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    """Run a server; give its process, its port and the number before its newest fact. It ends with its input."""
    port = machine.free_port()
    words = (sys.executable, "-m", "web.bench.servers", server, str(folder), str(port), str(core))
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:  # noqa: S603  (our own words)
        try:
            yield process, port, int(_answer(process).removeprefix(b"ready "))
            assert process.stdin is not None
            process.stdin.close()
            process.wait(PATIENCE)
        finally:
            process.kill()


def _answer(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    if not select.select([process.stdout], [], [], PATIENCE)[0] or not (line := process.stdout.readline()):
        raise RuntimeError(f"the server ended or does not answer: {process.args!r}")
    return line


def _figures(turns: list[Turn]) -> dict[str, Any]:
    """Return the medians of a contestant's turns; of the latencies, the percentiles of all of them together."""
    heard = sorted(1000 * each for turn in turns for each in turn.heard)
    middle = statistics.median
    figures = {
        "cpu_s_per_million": middle(1e6 * turn.cpu / turn.events / turn.watchers for turn in turns),
        "p50_ms": middle(heard),
        "p99_ms": heard[int(len(heard) * 0.99)],
        "kib_per_connection": middle(turn.memory / 1024 / (turn.watchers - 1) for turn in turns),
        "accepts_per_s": middle((turn.watchers - 1) / turn.entering for turn in turns),
        "crowd_cpu_s_per_million": middle(1e6 * turn.crowd_cpu / turn.events / turn.watchers for turn in turns),
        "ready_ms": middle(1000 * each for turn in turns for each in turn.ready),
        "act_cpu_ms": middle(1000 * turn.act_cpu for turn in turns),
    }
    return {name: round(figure, 3) for name, figure in figures.items()} | {"turns": [asdict(turn) for turn in turns]}
