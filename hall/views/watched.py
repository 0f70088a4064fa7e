"""Who outside holds the log, as a page shows it: one state, and what stands behind it."""

from __future__ import annotations

from typing import Any

from sessions.opening.points import names
from sessions.opening.state import Dispute, Point
from sessions.plan import AnchorKind, Plan, Watch, WitnessMode
from sessions.shape import rfc3339, to_json
from sessions.wording.words import point_words


def watch(plan: Plan, points: tuple[Point, ...], disputes: tuple[Dispute, ...]) -> dict[str, Any] | None:
    """Return what is shown of the witnesses; None where nobody outside was announced.

    ``ready``: whether the rules may go on from the newest point. ``held``: how many witnesses hold it.
    """
    announced, rule = plan.watch, plan.pack.witness
    if announced is None or not announced.witnesses:
        return None
    newest = _state(announced, points[-1]) if points else "announced"
    waits = newest == "missed" and rule is not None and rule.mode is WitnessMode.CLOSED
    dispute = disputes[0] if disputes else None
    return {
        "origin": announced.origin,
        "quorum": announced.quorum,
        "of": len(announced.witnesses),
        "mode": rule.mode if rule else None,
        "state": "disputed" if disputes else newest,
        "held": len(points[-1].by(AnchorKind.WITNESS)) if points else 0,
        "ready": newest in ("announced", "held", "missed") and not waits,
        "points": {point.name: _point(announced, point, order) for order, point in enumerate(points)},
        "witnesses": {
            str(n): _witness(name, points) for n, name in enumerate(names(announced, AnchorKind.WITNESS), start=1)
        },
        "dispute": None
        if dispute is None
        else {"by": dispute.by, "kind": dispute.kind, "size": dispute.size, "held": dispute.held},
    }


def _state(announced: Watch, point: Point) -> str:
    if len(point.by(AnchorKind.WITNESS)) >= announced.quorum:
        return "held"
    return "missed" if point.missed else "waiting"


def _point(announced: Watch, point: Point, order: int) -> dict[str, Any]:
    return {
        "order": order,
        "title": to_json(point_words(point.name)),
        "number": point.number,
        "held": len(point.by(AnchorKind.WITNESS)),
        "stamps": len(point.by(AnchorKind.STAMP)),
        "authorities": len(announced.authorities),
        "state": _state(announced, point),
    }


def _witness(name: str, points: tuple[Point, ...]) -> dict[str, Any]:
    said = [anchor for point in points for anchor in point.anchors if anchor.by == name]
    last = max(said, key=lambda anchor: anchor.size, default=None)
    return {
        "name": name,
        "size": last.size if last else None,
        "at": rfc3339(last.said_at) if last else None,
    }
