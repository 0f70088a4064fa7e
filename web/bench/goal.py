"""What a bench of pictures and sound promises: one ratio, and the most or the least that it may be."""

from __future__ import annotations

from dataclasses import dataclass


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
