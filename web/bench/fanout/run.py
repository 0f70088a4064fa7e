"""The whole comparison: every contestant in turns on the same machine, then what the hall promises beside it.

A server has one core and the crowd another. The list is gone through forwards and backwards, so that whatever slows
the machine down slows everybody down. Loopback: the sender pays for the receiver's TCP too.
"""

from __future__ import annotations

import asyncio
import json as json_module
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from web.bench import machine
from web.bench.fanout import servers
from web.bench.fanout.asking import Supervisor, showing
from web.bench.fanout.contestants import (
    FLOOR,
    HUB,
    NAIVE,
    Contestant,
    cache_folder,
    contestants,
    python,
)
from web.bench.fanout.crowd import Stream
from web.bench.fanout.goals import goals, measured_goals
from web.bench.fanout.turns import (
    DISTURBED,
    Server,
    Size,
    Turn,
    coming_back,
    delivering,
    figures,
    keeping_up,
    packing,
    stalling,
)

WATCHERS: Final = 2000
ROUNDS: Final = 3
EVENTS: Final = 60
SECONDS: Final = 2.0  # of one measurement, at most
RATE: Final = 10.0  # acts a second; the hall takes no more from one person

HALL: Final = Contestant(
    name="kaibiao, the whole act",
    words=python("hall"),
    stream=Stream(target=f"/live/{servers.SESSION}?after={{after}}"),
    keeps=True,
)
_PAGE: Final = Stream(target=f"/s/{servers.SESSION}")
PAGES: Final = (
    Contestant(name="kept", words=python("hall"), stream=_PAGE, keeps=True),
    # With a question mark, so that nothing answers before the application is asked (web.door.porch).
    Contestant(
        name="made each time", words=python("rendered"), stream=Stream(target=f"{_PAGE.target}?again"), keeps=True
    ),
)
COLUMNS: Final = {
    "cpu_us": "CPU µs a delivery",
    "last_ms": "last reader ms",
    "p99_ms": "p99 ms",
    "kib": "KiB a reader",
    "accept_cpu_us": "CPU µs an accept",
    "open_ms": "all in, ms",
}


def run(json: bool, watchers: int = WATCHERS, events: int = EVENTS, rounds: int = ROUNDS) -> None:
    """Measure, and print the medians with their ratios to the floor: tables, or JSON with everything."""
    with tempfile.TemporaryDirectory(prefix="kaibiao-bench-") as name:
        size = Size(watchers=watchers, rounds=events, seconds=SECONDS)
        report = measure(Path(name), contestants(cache_folder()), size, rounds)
    if json:
        sys.stdout.write(json_module.dumps(report, ensure_ascii=False, indent=1) + "\n")
        return
    sys.stdout.write(machine.heading(report))
    for table in report["tables"]:
        sys.stdout.write(_aligned([table["columns"], *table["rows"]]) + "\n")
    sys.stdout.write("\n".join(report["notes"]) + "\n")


def measure(folder: Path, everybody: Sequence[Contestant], size: Size, rounds: int) -> dict[str, Any]:
    """Return the report; the data of the hall that takes part goes to ``folder``."""
    report = machine.describe()
    machine.allow_descriptors(size.watchers + 200)
    (folder / "fact.json").write_bytes(asyncio.run(servers.found(folder)))
    present = {each.name: each for each in everybody if not each.absent}
    core, own = machine.cores()
    with machine.pinned(own):
        at = partial(_at, folder=folder, core=core, size=size)
        cases = interleaved({name: at(delivering, each) for name, each in present.items()}, rounds)
        hub, naive, floor = present[HUB], present[NAIVE], present[FLOOR]
        beside = {
            "storm": {HUB: at(coming_back, hub), NAIVE: at(coming_back, naive)},
            "stalled": {
                "one in five never reads": at(partial(stalling, stalled=True), hub),
                "everybody reads": at(partial(stalling, stalled=False), hub),
            },
            "packed": {
                "packed once": at(partial(packing, deflate=True), hub),
                "not packed": at(partial(packing, deflate=False), hub),
            },
            "act": {
                HALL.name: at(partial(keeping_up, order_of=_supervisor, rate=RATE), HALL),
                FLOOR: at(partial(keeping_up, order_of=_ordered, rate=RATE), floor),
            },
            "page": {each.name: at(showing, each) for each in PAGES},
        }
        others = {what: interleaved(each, max(1, rounds - 1)) for what, each in beside.items()}
    medians = {name: figures(turns) for name, turns in cases.items()}
    result = {what: {name: figures(turns) for name, turns in each.items()} for what, each in others.items()}
    judged = goals(medians, result)
    return report | {
        "title": f"A crowd of {size.watchers:,} readers",
        "what": f"{size.watchers} readers, facts of {(folder / 'fact.json').stat().st_size} bytes, {rounds} rounds",
        "peers": {each.name: each.absent or each.of for each in everybody if each.absent or each.of},
        "tables": [_table(medians, everybody), measured_goals(judged)],
        "goals": judged,
        "notes": _notes(
            everybody, [*cases.values(), *(turns for each in others.values() for turns in each.values())]
        ),
        "cases": medians,
        "beside": result,
        "turns": {"cases": cases, "beside": others},
    }


def interleaved(cases: dict[str, Callable[[], Turn]], rounds: int) -> dict[str, list[Turn]]:
    """Give each a turn in every round, forwards and backwards by turns."""
    turns: dict[str, list[Turn]] = {name: [] for name in cases}
    for turn in range(rounds):
        for name in list(cases) if turn % 2 == 0 else reversed(cases):
            turns[name].append({key: round(value, 4) for key, value in cases[name]().items()})
    return turns


def _at(
    turn: Callable[[Contestant, Path, int, Size], Turn], who: Contestant, *, folder: Path, core: int, size: Size
) -> Callable[[], Turn]:
    return lambda: turn(who, folder, core, size)


@contextmanager
def _supervisor(server: Server) -> Iterator[Callable[[], object]]:
    with closing(Supervisor(server)) as supervisor:
        yield supervisor.act


@contextmanager
def _ordered(server: Server) -> Iterator[Callable[[], object]]:
    yield server.order


def _table(medians: dict[str, dict[str, float]], everybody: Sequence[Contestant]) -> dict[str, Any]:
    floor = medians[FLOOR]
    rows = []
    for each in everybody:
        if each.absent:
            rows.append([each.name, f"absent: {each.absent}", *[""] * len(COLUMNS)])
            continue
        found = medians[each.name]
        cells = [_cell(found[name], floor[name]) for name in COLUMNS]
        rows.append([each.name, *cells, f"{found['undisturbed']:g}/{found['turns']:g}"])
    columns = ["server, on one core", *COLUMNS.values(), "undisturbed turns"]
    return {
        "title": "The hall's doors beside others (in brackets: times the floor)",
        "columns": columns,
        "rows": rows,
    }


def _cell(value: float, floor: float) -> str:
    shown = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{shown} ({value / floor:.2f})" if floor >= 0.5 else shown


def _notes(everybody: Sequence[Contestant], turns: Sequence[Sequence[Turn]]) -> list[str]:
    disturbed = sum(turn["disturbed"] > DISTURBED for each in turns for turn in each)
    notes = [f"{each.name}: {each.of}." for each in everybody if each.of and not each.absent]
    notes += [f"{each.name} is absent: {each.absent}." for each in everybody if each.absent]
    notes += [
        "CPU is of the server's threads, with their kernel time (schedstat). Times are from the order until the last",
        "reader has the bytes; all come in at once. Medians, of undisturbed turns where there are any: a turn is",
        f"disturbed when a side waited for its core for more than {DISTURBED:.0%} of the time,"
        f" and {disturbed} of {sum(map(len, turns))} were.",
        "One machine, loopback, no TLS: ratios carry over, milliseconds do not.",
    ]
    return notes


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[n]) for row in rows if n < len(row)) for n in range(max(map(len, rows)))]
    widths = [min(width, 44) for width in widths]
    lines = []
    for row in rows:
        first, *rest = (
            cell.ljust(width) if not n else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=False))
        )
        lines.append("  ".join([first, *rest]).rstrip())
    return "\n".join(lines) + "\n"
