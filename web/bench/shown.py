"""What each bench measured, in words and with its aims beside the figures: the parts of docs/limits.md. Pure.

Made when the page is printed, from what ``kaibiao bench NAME --json`` said: better words need no new measurement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from web.bench import log, opening

Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under their columns; the first column is words, the others figures."""

    title: str = ""
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One bench on one machine. ``what`` is a paragraph."""

    title: str
    what: str = ""
    tables: Sequence[Table] = field(default=())


def part(report: Report) -> Part:
    """Return what a report says. Raises KeyError for a bench that has no words here."""
    return _TOLD[bench_of(report)](report)


def bench_of(report: Report) -> str:
    """Return which of ``kaibiao bench`` it was."""
    return str(report["command"]).removeprefix("kaibiao bench ").partition(" ")[0]


# -- bench log -----------------------------------------------------------------------------------------------------

_AT_ONCE_AIM: Final = 0.2
"""The most that acts at once may take of the time that one by one take, on a disk as fast as this machine's."""

_VERIFYING_AIMS: Final = {"Python": 5.0, "V8, by way of Node": 2.0, "Chromium, on the page": 2.0}  # seconds
_APPENDING: Final = {
    log.TOGETHER: "all at once: one commit for as many as wait",
    log.SINGLY: "one after the other: a commit for each",
    log.SYNC: "for comparison: as many bare writes, each put on disk (fdatasync)",
}
_CHECKING: Final = {
    log.CHAIN: "the hash chain of events in memory",
    log.READ: "the same, read from SQLite first",
    log.HASH: "for comparison: SHA-256 of the same bytes, and nothing else",
}


def _log(report: Report) -> Part:
    what = (
        "What it costs to put acts into the log so that a power cut takes none away, to check the log's hash chain,"
        f" and to verify a whole record. {_sentence(report['what'])}"
    )
    tables = [_appending("SQLite", report, report.get("together_to_singly"))]
    if there := report.get("postgresql"):
        tables.append(_appending(f"PostgreSQL {there['version'].split()[0]}", there, there["together_to_singly"]))
    columns = ["way", "events a second", "ms", "times the comparison"]
    tables.append(Table(title="Checking the chain", columns=columns, rows=list(_ways(_CHECKING, report["checking"]))))
    if verifying := report.get("verifying"):
        tables.append(_verifying(verifying))
    return Part(title="The log: acts made durable, the chain checked, a record verified", what=what, tables=tables)


def _appending(where: str, report: Report, share: float | None) -> Table:
    rows = list(_ways(_APPENDING, report["appending"]))
    if share is not None:
        aim = f"at most {_AT_ONCE_AIM:g}: {_met(share <= _AT_ONCE_AIM)}"
        rows.append(["time of all at once, as a share of one after the other", "", number(share), aim])
    columns = ["acts made durable", "acts a second", "ms for all", "times the comparison"]
    return Table(title=f"Acts into {where}", columns=columns, rows=rows)


def _ways(words: Mapping[str, str], cases: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, figures in cases.items():
        yield [words.get(name, name), number(figures["per_s"]), number(figures["ms"]), number(figures["ratio"])]


def _verifying(verifying: Report) -> Table:
    rows = []
    for name, figures in verifying["cases"].items():
        aim, took = _VERIFYING_AIMS.get(name), figures["ms"] / 1000
        said = "every check holds" if figures["ok"] else "A CHECK FAILED"
        beside = ["-", ""] if aim is None else [f"at most {aim:g}", _met(took <= aim and figures["ok"])]
        rows.append([name, f"{took:.2f}", *beside, said])
    return Table(
        title=f"Verifying {_parted(verifying['what'])}", columns=["by", "seconds", "aim", "", "outcome"], rows=rows
    )


# -- bench opening -------------------------------------------------------------------------------------------------

_LATE: Final = ((5_000, 1_000), (15_000, 2_000))
"""Up to so many spectators, milliseconds from a fact's decision within which 99 of 100 deliveries have come."""


def _opening(report: Report) -> Part:
    words = dict(zip((pairs := report["command"].split()[3:])[::2], pairs[1::2], strict=False))
    sessions, bidders, spectators = (int(words[f"--{each}"]) for each in ("sessions", "bidders", "spectators"))
    held = f"An opening with {bidders:,} bidders" if sessions == 1 else f"{sessions} openings of {bidders} bidders"
    same = "" if sessions == 1 else " at the same second"
    team = words.get("--mode") == "team"
    title = f"{held}{same} before {spectators:,} spectators, {'Team' if team else 'Solo'}"
    what = (
        "From T0, the moment at which bids close, to the last price on the last spectator's screen. Bidders and"
        f" spectators are real clients on the same machine. {_sentence(report['what'])}"
    )
    figures = {each["name"]: float(each["value"]) for each in report["figures"]}
    tables = [
        _milestones(report, sessions),
        *_waiting(figures, sessions),
        _spectators(figures, spectators),
        _machine(figures),
        _before(figures),
    ]
    return Part(title=title, what=what, tables=tables)


def _milestones(report: Report, sessions: int) -> Table:
    rows, before = [], 0.0
    for kind, words in opening.MILESTONES.items():
        at = report["seconds_after_t0"][kind]
        rows.append([words, number(at), number(round(at - before, 3))])
        before = at
    title = "From T0 to the last price" + (", of the slowest opening at each step" if sessions > 1 else "")
    return Table(title=title, columns=["step done", "seconds after T0", "this step"], rows=rows)


def _waiting(figures: Mapping[str, float], sessions: int) -> Iterator[Table]:
    rows = []
    for words in ("T0 to set frozen", "last key sent to barrier"):
        if (longest := figures.get(f"{words}, waited for others, longest")) is None:
            continue
        alone, middle = figures[f"{words}, best of those alone"], figures[f"{words}, waited for others, median"]
        fair = figures[f"{words}, waited at most {opening.FAIR} ms, of {sessions}"]
        rows.append(
            [words, number(alone), number(middle), number(longest), f"{fair:g} of {sessions}", _met(fair == sessions)]
        )
    if rows:
        within = f"waited at most {opening.FAIR} ms (aim: all)"
        columns = ["step", "alone, ms", "waited, median ms", "waited, longest ms", within, ""]
        yield Table(title="How long an opening waited for the others", columns=columns, rows=rows)


def _spectators(figures: Mapping[str, float], spectators: int) -> Table:
    late = "a fact from its decision to a spectator"
    rows = [["facts delivered", number(figures["facts delivered to spectators"]), "", ""]]
    lost = figures["facts that did not come to a spectator, or twice"]
    rows += [["facts that did not come, or twice", number(lost), "0", _met(lost == 0)]]
    rows += [["a fact on its way, ms, median", number(figures[f"{late}, median"]), "", ""]]
    worst, aim = figures[f"{late}, p99"], next(ms for most, ms in _LATE if spectators <= most)
    rows += [["a fact on its way, ms, 99 of 100", number(worst), f"at most {aim:,}", _met(worst <= aim)]]
    rows += [["a fact on its way, ms, latest", number(figures[f"{late}, latest"]), "", ""]]
    rows += [["received by all, MB", number(figures["received by spectators"]), "", ""]]
    return Table(title="What the spectators got", columns=["what", "measured", "aim", ""], rows=rows)


def _machine(figures: Mapping[str, float]) -> Table:
    everybody = [name.removeprefix("processor, ") for name in figures if name.startswith("processor, ")]
    kinds = ("processor", "waited for a core", "memory at T0", "memory at the end")
    rows = [[who, *(number(figures[f"{kind}, {who}"]) for kind in kinds)] for who in everybody]
    columns = ["who", "seconds of the processor", "seconds in line for one", "MiB at T0", "MiB at the end"]
    return Table(title="What the machine gave, from T0 on", columns=columns, rows=rows)


def _before(figures: Mapping[str, float]) -> Table:
    begins = "before T0: "
    rows = [[name.removeprefix(begins), number(at)] for name, at in figures.items() if name.startswith(begins)]
    rows += [["a bidder from the challenge to its answer, median", number(figures[_ANSWER])]]
    return Table(title="What the clients took", columns=["what", "seconds"], rows=rows)


_ANSWER: Final = "a bidder from the challenge to the answer, median"


# -- the others ----------------------------------------------------------------------------------------------------


def _fanout(report: Report) -> Part:
    what = (
        "One server has one core, and all readers share the other: what a fact to everybody costs, and what it costs"
        f" to let everybody in. {_sentence(report['what'])}"
    )
    return Part(title=report["title"], what=what, tables=[Table(**each) for each in report["tables"]])


def _media(report: Report) -> Part:
    rows = []
    for each in report["goals"].values():
        aim = f"{'at most' if each['above'] else 'at least'} {each['limit']:g}"
        rows.append([each["name"], number(each["measured"]), aim, _met(each["met"]), each["one"], each["other"]])
    columns = ["one : other", "ratio", "aim", "", "one", "other"]
    return Part(
        title="Picture and sound: viewers, fragments, painting, losses",
        what="What the live picture costs, beside what people use instead. " + _sentence(report["what"]),
        tables=[Table(columns=columns, rows=rows)],
    )


def _unseal(report: Report) -> Part:
    rows = [
        [name, number(each["mb_per_s"]), number(each["ratio_to_openssl"])] for name, each in report["cases"].items()
    ]
    columns = ["way", "MB a second", "times openssl enc"]
    return Part(
        title="Sealed bids opened: how fast",
        what=_sentence(report["what"]),
        tables=[Table(columns=columns, rows=rows)],
    )


_TOLD: Final[Mapping[str, Callable[[Report], Part]]] = {
    "fanout": _fanout,
    "log": _log,
    "media": _media,
    "opening": _opening,
    "unseal": _unseal,
}


def number(value: float) -> str:
    """Return a figure as people read it: three or four digits that mean something."""
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def lines(table: Table) -> Iterable[str]:
    """Return a table in Markdown."""
    if table.title:
        yield f"\n**{table.title}**\n"
    yield "\n"
    yield row(table.columns)
    yield row(["---", *["---:"] * (len(table.columns) - 1)])
    for each in table.rows:
        yield row([*each, *[""] * (len(table.columns) - len(each))])


def row(cells: Iterable[str]) -> str:
    """Return one line of a table in Markdown."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _met(met: bool) -> str:
    return "met" if met else "missed"


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{_parted(words)[1:]}."


def _parted(words: str) -> str:
    """Return the words with their large numbers as people read them."""
    return re.sub(r"\d{4,}", lambda found: f"{int(found[0]):,}", words)
