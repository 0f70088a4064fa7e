"""``kaibiao bench media``: what picture and sound cost, as ratios that any machine can check."""

from __future__ import annotations

import json as json_module
import sys
from dataclasses import asdict, dataclass
from typing import Any

from web.bench import machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One ratio: what was measured of both sides, and the most (or least) that it may be."""

    name: str
    measured: float
    limit: float
    above: bool  # the limit is the most; else the least
    one: str
    other: str

    @property
    def met(self) -> bool:
        return self.measured <= self.limit if self.above else self.measured >= self.limit


def run(json: bool) -> None:
    """Measure, and print a table or JSON. Exits with 1 when a goal is missed."""
    from web.bench import killed, programme  # here, because they load codecs

    report = machine.describe()
    report |= {"what": "medians of rounds in turns; seconds of the processor unless it says otherwise"}
    goals = [*programme.goals(), killed.goal()]
    if json:
        members: dict[str, Any] = {goal.name: asdict(goal) | {"met": goal.met} for goal in goals}
        sys.stdout.write(json_module.dumps(report | {"goals": members}, ensure_ascii=False, indent=1) + "\n")
    else:
        sys.stdout.write(machine.heading(report))
        sys.stdout.write(f"{'ratio':44}{'measured':>10}{'limit':>10}   \n")
        for goal in goals:
            limit = f"{'<=' if goal.above else '>='} {goal.limit:g}"
            said = "met" if goal.met else "MISSED"
            sys.stdout.write(f"{goal.name:44}{goal.measured:10.3f}{limit:>10}   {said}; {goal.one} : {goal.other}\n")
    if not all(goal.met for goal in goals):
        raise SystemExit(1)
