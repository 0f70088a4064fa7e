"""Whether the hall may believe its own clock: what the time sources say, and whether somebody set the machine's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Protocol

from sessions.commands import CheckClock
from sessions.plan import ClockTerms

LIMIT = timedelta(seconds=1)
"""How far a hall's clock may be off; an opening's own rules may say otherwise (rule packs, ``outage.clock_s``)."""

SLACK = timedelta(milliseconds=50)
"""A leap second is a step of one second, and no fault."""

_MS = timedelta(milliseconds=1)


class Watched(Protocol):
    """A clock that can tell that the machine's was set (sessions.clock.SystemClock)."""

    def now(self) -> datetime: ...

    def drift(self) -> timedelta:
        """Return the machine's clock minus this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one source said: ``offset`` is to be added to the hall's clock, wrong by ``uncertainty`` at most."""

    source: str
    offset: timedelta
    uncertainty: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What the sources said together, at ``at`` by the hall's clock."""

    sources: tuple[str, ...]
    offset: timedelta
    uncertainty: timedelta
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Why the clock is unsafe (ClockUnsafe), and when it was last known not to be."""

    reason: str
    by: timedelta
    since: datetime


def compare(samples: Sequence[Sample], at: datetime) -> Comparison | None:
    """Return the median of the sources; None if there is none.

    The uncertainty covers a majority of the sources, so that a minority of liars moves neither, and two sources that
    disagree prove nothing.
    """
    if not samples:
        return None
    middle = median(sample.offset / _MS for sample in samples)
    reach = sorted(abs(sample.offset / _MS - middle) + sample.uncertainty / _MS for sample in samples)
    return Comparison(
        sources=tuple(sample.source for sample in samples),
        offset=round(middle) * _MS,
        uncertainty=round(reach[len(samples) // 2] + 0.5) * _MS,
        at=at,
    )


class ClockGuard:
    """Judges one process's clock. Cheap: ask it before every decision."""

    def __init__(self, clock: Watched, limit: timedelta = LIMIT) -> None:
        self._clock = clock
        self._limit = limit
        self._vouched = timedelta()  # the drift at which the sources found the hall's own clock right
        self._began = clock.now()
        self._safe_at: dict[timedelta, datetime] = {}  # by limit: within it at that moment
        self.last: Comparison | None = None

    def measured(self, found: Comparison | None) -> None:
        """Take in what the sources said; None if none answered, which changes nothing."""
        if found is None:
            return
        self.last = found
        if abs(found.offset) + found.uncertainty <= self._limit:
            self._vouched = self._clock.drift()

    def doubt(self, limit: timedelta | None = None) -> Doubt | None:
        """Return why the clock cannot be believed now, if it cannot: by an opening's ``limit``, or by the hall's."""
        limit = self._limit if limit is None else limit
        tighter = (at for other, at in self._safe_at.items() if other < limit)
        self._safe_at.setdefault(limit, max(tighter, default=self._began))
        found, now = {each: self._beyond(each, since) for each, since in self._safe_at.items()}, self._clock.now()
        self._safe_at |= {each: now for each, doubt in found.items() if doubt is None}
        return found[limit]

    def _beyond(self, limit: timedelta, since: datetime) -> Doubt | None:
        last, drift = self.last, self._clock.drift()
        if last is not None and abs(last.offset) - last.uncertainty > limit:
            return Doubt(reason="offset", by=last.offset, since=since)
        if abs(drift - self._vouched) > limit + SLACK and abs(drift) > limit + SLACK:
            return Doubt(reason="stepped", by=drift, since=since)
        return None

    def behind(self, latest: datetime | None, limit: timedelta | None = None) -> Doubt | None:
        """Return a doubt if what is on record is later than now."""
        now, limit = self._clock.now(), self._limit if limit is None else limit
        if latest is None or latest - now <= limit + SLACK:
            return None
        return Doubt(reason="behind", by=latest - now, since=now)

    def compared(self, terms: ClockTerms | None, limit: timedelta | None = None) -> CheckClock | None:
        """Return what is recorded at T0 of an opening that names sources."""
        if terms is None:
            return None
        known = tuple(source for source in terms.sources if self.last and source in self.last.sources)
        steady = abs(self._clock.drift() - self._vouched) <= (self._limit if limit is None else limit) + SLACK
        if self.last is None or not known:
            return CheckClock(sources=(), offset_ms=None, uncertainty_ms=None, measured_at=None, steady=steady)
        return CheckClock(
            sources=known,
            offset_ms=milliseconds(self.last.offset),
            uncertainty_ms=milliseconds(self.last.uncertainty),
            measured_at=self.last.at,
            steady=steady,
        )


def milliseconds(length: timedelta) -> int:
    """Return a length in whole milliseconds."""
    return round(length / _MS)
