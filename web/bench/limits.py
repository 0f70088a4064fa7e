"""Print docs/limits.md from what the benches measured: ``python -m web.bench.limits docs/limits/*.json``.

A file is what ``kaibiao bench NAME --json`` printed; web.bench.shown has the words for it. Figures of one command on
one machine at one commit stand together.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hall.limits import LIMITS, RATES
from web.bench import shown
from web.process.descriptors import SPARE
from web.serving.server import BACKLOG

HEAD: Final = """# What one machine carries, and where it ends

Printed by `python -m web.bench.limits docs/limits/*.json` from what `kaibiao bench ... --json` measured. Each part
says on which machine, at which commit, when and by which command: run it on yours. Everything shares the machine
there: clients, database and hall on the same cores, over loopback, without TLS. Ratios carry over to other machines;
seconds and bytes a second do not.

## Where it ends by design

| what | limit | then |
| --- | --- | --- |
"""


def document(reports: Iterable[Mapping[str, Any]]) -> str:
    """Return the whole page."""
    return HEAD + "".join(shown.row(row) for row in designed()) + "".join(map(part, reports))


def designed() -> Iterator[Sequence[str]]:
    """Yield what the hall itself limits, from the limits as they are in force."""
    yield (
        "readers of one process",
        f"{LIMITS.watchers:,}",
        "503 and the address of the numbered segments, for the public",
    )
    yield "beyond that, bidders", f"{LIMITS.for_bidders:,}", "503, come again"
    yield "beyond that, staff", f"{LIMITS.for_staff:,}", "503, come again"
    yield "readers from one address", f"{LIMITS.watchers_per_address:,}", "503, come again"
    yield "streams of one bidder", f"{LIMITS.watchers_per_bidder:,}", "503, come again"
    yield (
        "open files of the process (`ulimit -n`)",
        f"what the machine allows, less {SPARE}",
        "the newest spectators are sent to the segments, then 503",
    )
    yield "connections that wait to be accepted", f"{BACKLOG:,}", "the network tries again"
    yield (
        "bytes kept for a reader that does not read",
        f"{(LIMITS.send_buffer + LIMITS.write_buffer) // 1024} KiB",
        f"it is caught up when it reads, and cut after {LIMITS.stall.total_seconds():g} s",
    )
    yield (
        "acts of one person",
        f"{RATES['command'].count} a second, {RATES['command'].burst} at once",
        "429, come again",
    )
    tick = LIMITS.tick.total_seconds() * 1000
    yield (
        "writes to one reader",
        f"one each {tick:g} ms on average, two at once",
        "facts closer together travel together",
    )


def part(report: Mapping[str, Any]) -> str:
    """Return the part of one report."""
    told = shown.part(report)
    where = [(name, report.get(name)) for name in ("machine", "commit", "date")]
    where += [("command", f"`{report['command']}`"), ("load before", report.get("load_average"))]
    lines = [f"\n## {told.title}\n", *([f"{told.what}\n"] if told.what else []), "| | |\n| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in where if value is not None]
    tables = "".join(line for table in told.tables for line in shown.lines(table))
    return "\n".join(lines) + "\n" + tables + _notes(report)


def _notes(report: Mapping[str, Any]) -> str:
    notes = [report.get("note"), " ".join(report.get("notes", ()))]
    return "".join(f"\n{note[:1].upper()}{note[1:].removesuffix('.')}.\n" for note in notes if note)


def read(files: Iterable[Path]) -> list[Mapping[str, Any]]:
    """Return the reports in files, smaller crowds before larger ones."""
    by_number = sorted(files, key=lambda file: [part.zfill(9) for part in re.split(r"(\d+)", file.name)])
    return [json.loads(file.read_text("utf-8")) for file in by_number]


if __name__ == "__main__":
    sys.stdout.write(document(read(map(Path, sys.argv[1:]))))
