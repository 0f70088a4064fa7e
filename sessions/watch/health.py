"""Whether the hall works: what each worker sees of itself, and what that comes to. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

FRESH = timedelta(seconds=10)
"""How old a vote may be."""

GAP = timedelta(seconds=30)
"""Without a sign of life of any worker for longer, the hall was out (rule packs may say more, never less)."""

SLOW_DATABASE = (1_000, 5_000)
SLOW_LOOP = (1_000, 15_000)
"""Milliseconds from which a worker is poor, and from which it does not work. A stall of ten seconds is none yet: what
falls due waits for it, and nothing is settled wrongly (Settle before you act)."""

LITTLE_ROOM = (1 << 29, 1 << 26)
"""Bytes free on the disk below which the same holds."""

FEWEST_SEATS = 5
GONE = 0.8
"""Share of those present that vanished within seconds: then it was not they who left."""


class State(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"  # shown to the operator and on the page of incidents; nothing stops
    OUTAGE = "outage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What one worker saw of itself. ``database_ms``: the last round trip. ``present`` of ``before`` are here."""

    worker: str
    at: datetime
    database_ms: int
    loop_ms: int
    free_bytes: int
    present: int = 0
    before: int = 0
    clock_unsafe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the votes come to. ``figures`` are the worst of each kind, without anything that tells who is present."""

    state: State
    reasons: tuple[str, ...]
    figures: Mapping[str, str]


def judge(votes: Sequence[Vote], now: datetime) -> Judgement:
    """Return the state of the hall: out if more than half of the fresh votes say so for one reason."""
    fresh = [vote for vote in votes if now - vote.at <= FRESH]
    figures = {
        "workers": str(len(fresh)),
        "database_ms": str(max((vote.database_ms for vote in fresh), default=0)),
        "loop_ms": str(max((vote.loop_ms for vote in fresh), default=0)),
    }
    if not fresh:
        return Judgement(state=State.OUTAGE, reasons=("gap",), figures=figures)
    findings = [_findings(vote) for vote in fresh]
    reasons = [
        reason
        for reason in ("database", "loop", "disk")
        if 2 * sum(found.get(reason) == 2 for found in findings) > len(fresh)
    ]
    present, before = sum(vote.present for vote in fresh), sum(vote.before for vote in fresh)
    if before >= FEWEST_SEATS and before - present >= GONE * before:
        reasons.append("seats")
    ordered = tuple(reason for reason in ("database", "loop", "seats", "disk") if reason in reasons)
    if ordered:
        return Judgement(state=State.OUTAGE, reasons=ordered, figures=figures)
    poor = any(found.values() for found in map(dict, findings))
    return Judgement(state=State.DEGRADED if poor else State.HEALTHY, reasons=(), figures=figures)


def _findings(vote: Vote) -> dict[str, int]:
    """0: well, 1: poor, 2: does not work."""
    found = {
        "database": sum(vote.database_ms >= limit for limit in SLOW_DATABASE),
        "loop": sum(vote.loop_ms >= limit for limit in SLOW_LOOP),
        "disk": sum(vote.free_bytes < limit for limit in LITTLE_ROOM),
    }
    return {reason: level for reason, level in found.items() if level}
