"""What the hall promises about a crowd, as data: each a ratio of two figures of the same run, or a plain limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from web.bench.fanout.contestants import FLOOR, HUB, HUB_SSE, NAIVE, NODE_WS, SOCKET_IO

Figures = Mapping[str, Mapping[str, float]]
"""By case, then by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """``aim`` is the most that ``ratio`` may be; where ``least`` is set, the least."""

    what: str
    against: str
    aim: float
    ratio: Callable[[Figures, Mapping[str, Figures]], float]
    unit: str = "x"
    least: bool = False


def _of(figure: str, ours: str, theirs: str) -> Callable[[Figures, Mapping[str, Figures]], float]:
    return lambda cases, _: cases[ours][figure] / cases[theirs][figure]


def _beside(what: str, figure: str, ours: str, theirs: str) -> Callable[[Figures, Mapping[str, Figures]], float]:
    return lambda _, beside: beside[what][ours][figure] / beside[what][theirs][figure]


_ACT: Final = "kaibiao, the whole act"
_STALLED, _READING = "one in five never reads", "everybody reads"

GOALS: Final = (
    Goal(what="CPU a delivery, WebSocket", against="floor", aim=1.6, ratio=_of("cpu_us", HUB, FLOOR)),
    Goal(what="CPU a delivery, SSE", against="floor", aim=2.1, ratio=_of("cpu_us", HUB_SSE, FLOOR)),
    Goal(what="CPU a delivery", against="Node ws", aim=0.85, ratio=_of("cpu_us", HUB, NODE_WS)),
    Goal(what="CPU a delivery", against="socket.io", aim=0.5, ratio=_of("cpu_us", HUB, SOCKET_IO)),
    Goal(what="CPU a delivery", against="FastAPI loop", aim=0.6, ratio=_of("cpu_us", HUB, NAIVE)),
    Goal(what="fact to the last reader", against="floor", aim=1.6, ratio=_of("last_ms", HUB, FLOOR)),
    Goal(what="fact to the last reader", against="Node ws", aim=0.85, ratio=_of("last_ms", HUB, NODE_WS)),
    Goal(what="fact to the last reader", against="FastAPI loop", aim=0.6, ratio=_of("last_ms", HUB, NAIVE)),
    Goal(what="memory a reader", against="KiB", aim=6, unit="KiB", ratio=lambda cases, _: cases[HUB]["kib"]),
    Goal(what="memory a reader", against="FastAPI loop", aim=0.25, ratio=_of("kib", HUB, NAIVE)),
    Goal(what="everybody comes at once", against="FastAPI loop", aim=0.35, ratio=_of("open_ms", HUB, NAIVE)),
    Goal(what="CPU an accept", against="FastAPI loop", aim=0.2, ratio=_of("accept_cpu_us", HUB, NAIVE)),
    Goal(
        what="everybody comes back, 50 facts missed",
        against="FastAPI loop of sends",
        aim=0.3,
        ratio=_beside("storm", "storm_ms", HUB, NAIVE),
    ),
    Goal(
        what="deliveries a second while one in five never reads",
        against="everybody reads",
        aim=0.85,
        least=True,
        ratio=_beside("stalled", "deliveries_per_s", _STALLED, _READING),
    ),
    Goal(
        what="memory a reader that never reads",
        against="KiB",
        aim=100,
        unit="KiB",
        ratio=lambda _, beside: beside["stalled"][_STALLED]["kib_a_stalled"],
    ),
    Goal(
        what="CPU a fact, ten at a time",
        against="one by one",
        aim=0.2,
        ratio=lambda cases, _: cases[HUB]["burst_cpu_us"] / cases[HUB]["cpu_us"],
    ),
    Goal(
        what="POST to the last reader, p99, 10 acts/s, decided and on disk",
        against="floor, sending only",
        aim=2.0,
        ratio=_beside("act", "last_p99_ms", _ACT, FLOOR),
    ),
    Goal(
        what="CPU a delivery, packed once for all",
        against="not packed",
        aim=1.15,
        ratio=_beside("packed", "cpu_us", "packed once", "not packed"),
    ),
    Goal(
        what="CPU of a session's page made each time",
        against="kept page",
        aim=15,
        least=True,
        ratio=_beside("page", "cpu_us", "made each time", "kept"),
    ),
)


def goals(cases: Figures, beside: Mapping[str, Figures]) -> list[dict[str, Any]]:
    """Return what was reached; ``reached`` is None where an absent peer leaves nothing to compare with."""
    judged = []
    for goal in GOALS:
        try:
            reached = round(goal.ratio(cases, beside), 3)
        except KeyError:
            reached = None
        met = None if reached is None else (reached >= goal.aim if goal.least else reached <= goal.aim)
        judged.append(
            {
                "what": goal.what,
                "against": goal.against,
                "aim": goal.aim,
                "least": goal.least,
                "unit": goal.unit,
                "reached": reached,
                "met": met,
            }
        )
    return judged


def measured_goals(judged: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the same as a table for people."""
    rows = []
    for each in judged:
        unit = "" if each["unit"] == "x" else f" {each['unit']}"
        aim = f"{'at least' if each['least'] else 'at most'} {each['aim']:g}{unit}"
        reached = "-" if each["reached"] is None else f"{each['reached']:.2f}{unit}"
        met = {True: "met", False: "missed", None: "not compared"}[each["met"]]
        rows.append([each["what"], each["against"], aim, reached, met])
    return {
        "title": "What was aimed at, and reached in this run",
        "columns": ["what", "against", "aim", "reached", ""],
        "rows": rows,
    }
