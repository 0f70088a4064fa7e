"""Print docs/limits.md from what the benches measured: ``python -m web.bench.limits docs/limits/*.json``.

A file is what ``kaibiao bench NAME --json`` printed. A report has a ``title``, else its command is one; ``tables``
(title, columns, rows), ``figures`` (name, value, unit) or ``cases`` (figures by name); ``notes`` for people. Whatever
else it holds is for machines. Rows of one command on one machine at one commit stand together.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hall.limits import LIMITS, RATES
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
_PLAIN: Final = (int, float, str)


def document(reports: Iterable[Mapping[str, Any]]) -> str:
    """Return the whole page."""
    return HEAD + "".join(_row(row) for row in designed()) + "".join(map(part, reports))


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
    command = str(report.get("command", "kaibiao bench"))
    lines = [f"\n## {report.get('title') or command}\n"]
    lines += [f"{report['what']}.\n"] if "what" in report else []
    where = [("machine", report.get("machine")), ("commit", report.get("commit")), ("date", report.get("date"))]
    lines += ["| | |\n| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in where if value]
    lines += [f"| command | `{command}` |"]
    lines += [f"| load before | {report['load_average']} |"] if "load_average" in report else []
    tables = [_table(each) for each in report.get("tables", ())] or [*_figures(report), *_cases(report)]
    return "\n".join(lines) + "\n" + "".join(tables) + _notes(report)


def _table(table: Mapping[str, Any]) -> str:
    columns = [str(each) for each in table["columns"]]
    title = f"\n**{table['title']}**\n" if table.get("title") else ""
    ruler = ["---", *["---:"] * (len(columns) - 1)]
    rows = [[*map(str, row), *[""] * (len(columns) - len(row))] for row in table["rows"]]
    return f"{title}\n" + "".join(map(_row, (columns, ruler, *rows)))


def _figures(report: Mapping[str, Any]) -> Iterator[str]:
    if "figures" in report:
        rows = [[each["name"], _shown(each["value"]), each.get("unit", "")] for each in report["figures"]]
        yield _table({"columns": ["figure", "value", "unit"], "rows": rows})


def _cases(report: Mapping[str, Any], within: str = "") -> Iterator[str]:
    """Yield every member that holds figures by name, one to a line, however deep it lies."""
    for name, cases in report.items():
        if not isinstance(cases, Mapping) or not cases or name in ("turns", "peers"):
            continue
        title = within + name.replace("_", " ")
        rows = {case: each for case, each in cases.items() if isinstance(each, Mapping)}
        columns = list(dict.fromkeys(key for each in rows.values() for key in each if _is_plain(each[key])))
        if rows and not columns:
            yield f"\n{cases['what']}.\n" if "what" in cases else ""
            yield from _cases(cases, f"{title}, ")
        elif rows:
            cells = [[case, *(_shown(each.get(key, "")) for key in columns)] for case, each in rows.items()]
            yield _table({"title": title, "columns": ["", *columns], "rows": cells})
        elif all(map(_is_plain, cases.values())):
            yield _table({"columns": ["", title], "rows": [[k, _shown(v)] for k, v in cases.items()]})


def _notes(report: Mapping[str, Any]) -> str:
    notes = [note for note in (report.get("note"), " ".join(report.get("notes", ()))) if note]
    return "".join(f"\n{note}\n" for note in notes)


def _is_plain(value: object) -> bool:
    return isinstance(value, _PLAIN) and not isinstance(value, bool)


def _shown(value: object) -> str:
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,.0f}" if isinstance(value, (int, float)) else str(value)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    sys.stdout.write(document(json.loads(Path(name).read_text("utf-8")) for name in sorted(sys.argv[1:])))
