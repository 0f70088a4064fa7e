"""Points at which somebody outside must hold the log: reached, missed, or still waited for (LIFECYCLE.md, Witnesses).

A point is a moment that nobody may rewrite afterwards: the frozen set, the draw, the record. At a point the shell
asks the witnesses of the plan; what they say comes back as RecordAnchor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from sessions.events import Anchored, AnchorMissed, Happening, LogDisputed
from sessions.opening.state import OVER, Anchor, Dispute, Opening, Point
from sessions.plan import AnchorKind, Watch, WitnessMode
from sessions.roles import CLOCK

CLOSE = "close"
RECORD = "record"
DRAW = "draw-1"


def pointed(o: Opening, name: str, at: datetime) -> Opening:
    """Return the opening with a point at its newest event. Without a watch there are no points."""
    if o.plan.watch is None or o.point(name) is not None:
        return o
    return replace(o, points=(*o.points, Point(name=name, at=at, number=o.length)))


def witnessed(o: Opening, name: str) -> bool:
    """Whether the ceremony may go on from this point: enough witnesses hold it, or the pack lets it go on without."""
    if o.plan.watch is None:
        return True
    point = o.point(name)
    return point is not None and (reached(o, point) or (_mode(o) is WitnessMode.OPEN and point.missed))


def reached(o: Opening, point: Point) -> bool:
    """Whether as many witnesses as the plan asks for hold the log at this point."""
    return o.plan.watch is None or len(point.by(AnchorKind.WITNESS)) >= o.plan.watch.quorum


def missing(o: Opening) -> Happening | None:
    """Return the public word that a point was missed, with the moment its grace period is over."""
    rule = o.plan.pack.witness
    if rule is None or o.hold or o.status in OVER or o.plan.watch is None:
        return None
    waiting = next((point for point in o.points if not point.missed and not reached(o, point)), None)
    if waiting is None:
        return None
    told = AnchorMissed(point=waiting.name, have=waiting.by(AnchorKind.WITNESS), quorum=o.plan.watch.quorum)
    due = waiting.at + rule.grace + _frozen_since(o, waiting.at)
    return Happening(at=max(due, o.at), actor=CLOCK, event=told)


def anchored(o: Opening, event: Anchored) -> Opening:
    """Return the opening after an answer from outside."""
    anchor = Anchor(kind=event.kind, by=event.by, size=event.size, said_at=event.said_at)
    return _point(o, event.point, lambda point: replace(point, anchors=(*point.anchors, anchor)))


def missed(o: Opening, event: AnchorMissed) -> Opening:
    """Return the opening after it was made public that a point is not held."""
    return _point(o, event.point, lambda point: replace(point, missed=True))


def disputed(o: Opening, at: datetime, event: LogDisputed) -> Opening:
    """Return the opening after a witness convicted the hall."""
    dispute = Dispute(at=at, by=event.by, kind=event.kind, size=event.size, held=event.held, sha256=event.sha256)
    return replace(o, disputes=(*o.disputes, dispute))


def named(o: Opening, kind: AnchorKind) -> tuple[str, ...]:
    """Return the names of the witnesses, or of the timestamp authorities, in the plan's order."""
    return () if o.plan.watch is None else names(o.plan.watch, kind)


def names(watch: Watch, kind: AnchorKind) -> tuple[str, ...]:
    """Return the same of an announcement."""
    if kind is AnchorKind.STAMP:
        return watch.authorities
    return tuple(vkey.partition("+")[0] for vkey in watch.witnesses)


def _point(o: Opening, name: str, change: Callable[[Point], Point]) -> Opening:
    return replace(o, points=tuple(change(point) if point.name == name else point for point in o.points))


def _mode(o: Opening) -> WitnessMode:
    return o.plan.pack.witness.mode if o.plan.pack.witness else WitnessMode.OPEN


def _frozen_since(o: Opening, moment: datetime) -> timedelta:
    """How long the clocks stood still since then: a pause stops this one too."""
    return sum((max(timedelta(), pause.until - max(pause.hold.since, moment)) for pause in o.pauses), timedelta())
