"""``kaibiao bench media``: what picture and sound cost, as ratios that any machine can check."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any

from web.bench import machine
from web.bench.goal import Goal


def run(json: bool) -> None:
    """Measure, and print a table or JSON. Exits with 1 when a goal is missed."""
    report = machine.describe()
    report |= {
        "title": "Picture and sound",
        "what": "Medians of rounds in turns; seconds of the processor unless it says otherwise",
    }
    goals = list(measured())
    if json:
        members: dict[str, Any] = {goal.name: asdict(goal) | {"met": goal.met} for goal in goals}
        report |= {"goals": members, "tables": [_table(goals)]}
        sys.stdout.write(json_module.dumps(report, ensure_ascii=False, indent=1) + "\n")
    else:
        sys.stdout.write(machine.heading(report))
        sys.stdout.write(f"{'ratio':44}{'measured':>10}{'limit':>10}   \n")
        for goal in goals:
            said = "met" if goal.met else "MISSED"
            sys.stdout.write(
                f"{goal.name:44}{goal.measured:10.3f}{_limit(goal):>10}   {said}; {goal.one} : {goal.other}\n"
            )
    if not all(goal.met for goal in goals):
        raise SystemExit(1)


def measured() -> Iterator[Goal]:
    """Yield every ratio as it is measured; what is seen in Chromium is left out where there is none."""
    from web.bench import killed, programme  # here, because they load codecs
    from web.bench.air import crowds, forwarding
    from web.bench.verifying import CHROMIUM

    yield from forwarding.goals()
    yield crowds.goal()
    yield from programme.goals()
    if find_spec("playwright") is not None and CHROMIUM is not None:
        from web.bench.air import cameras

        yield from cameras.goals()
    yield killed.goal()


def _limit(goal: Goal) -> str:
    return f"{'<=' if goal.above else '>='} {goal.limit:g}"


def _table(goals: Sequence[Goal]) -> dict[str, Any]:
    """Return the goals as docs/limits.md shows them."""
    rows = [[goal.name, f"{goal.measured:.3g}", _limit(goal), goal.one, goal.other] for goal in goals]
    return {"columns": ["ratio", "measured", "must be", "one", "other"], "rows": rows}
