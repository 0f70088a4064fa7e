"""How late facts reach those who watch, as their pages report it: counts in fixed classes, and of nobody. Pure.

A report is an upper bound: what the page measured plus what its clock may be wrong by. Reports are gathered in rounds
shorter than the rest every page takes between two of them, so that no page is in a round twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

SHOWN: Final = (
    50,
    100,
    150,
    200,
    300,
    400,
    500,
    700,
    1_000,
    1_500,
    2_000,
    3_000,
    5_000,
    10_000,
    20_000,
    30_000,
    60_000,
)
LONGEST: Final = 86_400_000
"""Milliseconds; nobody watches a page that is a day behind. What is over the last class shown is only called late."""

BOUNDS: Final = (*SHOWN, LONGEST)
"""Upper bounds of the classes, in milliseconds. They are in the database: a new one may be added, none moved."""

FEWEST: Final = 3
"""Reports that a figure needs: fewer are about somebody."""

ROUND: Final = 14.0
"""Seconds. A page reports every 16 s at most (``web/client/src/lag.ts``)."""

ALIKE: Final = 2 * ROUND
"""Seconds that rounds of several workers may be apart to be told as one."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many reports are in each class of ``BOUNDS``."""

    counts: tuple[int, ...] = (0,) * len(BOUNDS)

    def __post_init__(self) -> None:
        if len(self.counts) != len(BOUNDS) or min(self.counts) < 0:
            raise ValueError("not a count for each class")

    @property
    def count(self) -> int:
        return sum(self.counts)

    def plus(self, within_ms: int) -> Histogram:
        """Return it with one report more, at most ``LONGEST``."""
        place = next(place for place, bound in enumerate(BOUNDS) if within_ms <= bound)
        return Histogram((*self.counts[:place], self.counts[place] + 1, *self.counts[place + 1 :]))

    def merged(self, other: Histogram) -> Histogram:
        """Return both together."""
        return Histogram(tuple(mine + its for mine, its in zip(self.counts, other.counts, strict=True)))

    def within(self, percent: int) -> int | None:
        """Return the bound this share of the reports kept (nearest rank); None beyond ``SHOWN`` or without any."""
        rank, seen = -(-self.count * percent // 100), 0
        for bound, count in zip(SHOWN, self.counts, strict=False):
            seen += count
            if seen >= rank > 0:
                return bound
        return None

    def rows(self) -> Sequence[tuple[int | None, int, int]]:
        """Return for each class with reports: its bound (None: beyond ``SHOWN``), how many, the percent up to it."""
        found: list[tuple[int | None, int, int]] = []
        seen = 0
        for bound, count in self.classes().items():
            seen += count
            found.append((bound if bound in SHOWN else None, count, seen * 100 // self.count))
        return found

    def classes(self) -> Mapping[int, int]:
        """Return the counts that are not zero, by the bound of their class."""
        return {bound: count for bound, count in zip(BOUNDS, self.counts, strict=True) if count}


def histogram(classes: Mapping[int, int]) -> Histogram:
    """Return what ``Histogram.classes`` gave."""
    return Histogram(tuple(classes.get(bound, 0) for bound in BOUNDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A round that is over: its reports, and how many were there to report. ``closed``: seconds of a steady clock."""

    reports: Histogram
    of: int
    closed: float


@dataclass(slots=True, kw_only=True)
class Rounds:
    """The rounds of one room on one worker. ``alone``: nobody reports to another worker."""

    alone: bool = True
    last: Round | None = None
    _open: Histogram | None = field(default=None, init=False)
    _began: float = field(default=0.0, init=False)
    _left: int = field(default=0, init=False)

    def take(self, within_ms: int, spectators: int, now: float) -> None:
        """Count one report."""
        self.settle(spectators, now)
        if self._open is None:
            self._open, self._began, self._left = Histogram(), now, 0
        self._open = self._open.plus(within_ms)

    def leave(self) -> None:
        """A spectator leaves: it belongs to the round all the same, and may have reported."""
        self._left += 1

    def settle(self, spectators: int, now: float) -> None:
        """Close the round that is due: after its time, or as soon as everyone has reported."""
        if self._open is None:
            return
        of = spectators + self._left
        everyone = self.alone and FEWEST <= of <= self._open.count
        if everyone or now >= self._began + ROUND:
            self.last, self._open = Round(reports=self._open, of=of, closed=now), None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What everybody is told of the newest rounds of all workers."""

    count: int
    of: int
    p50_ms: int | None
    p99_ms: int | None
    max_ms: int | None

    def members(self) -> dict[str, Any]:
        return {
            "count": self.count,
            "of": self.of,
            "p50_ms": self.p50_ms,
            "p99_ms": self.p99_ms,
            "max_ms": self.max_ms,
        }


def told(workers: Iterable[tuple[int, Round | None]]) -> Told | None:
    """Return what can be said of all workers' newest rounds; each comes with the spectators that it has now.

    None before there are ``FEWEST`` reports, and whenever there are more of them than viewers: then somebody makes
    them up, or a worker has not said yet who is there.
    """
    known = tuple(workers)
    newest = max((each.closed for _, each in known if each is not None), default=0.0)
    reports, of = Histogram(), 0
    for spectators, each in known:
        if each is None or newest - each.closed > ALIKE:
            of += spectators
        else:
            reports, of = reports.merged(each.reports), of + each.of
    if not FEWEST <= reports.count <= of:
        return None
    return Told(
        count=reports.count,
        of=of,
        p50_ms=reports.within(50),
        p99_ms=reports.within(99),
        max_ms=reports.within(100),
    )
