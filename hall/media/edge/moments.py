"""Which moment the times of a source stand for: its sound and its picture on one clock, by its sender reports. Pure.

A source counts the times of sound and of picture apart, each from anywhere. Its reports say which time of its one
clock (NTP) a time of each belongs to (RFC 3550 section 6.4.1). That clock may be years off: nothing but differences
is taken from it.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from hall.media.edge.sdp import Kind

RATES: Final = {Kind.AUDIO: 48_000, Kind.VIDEO: 90_000}

SET: Final = 0.5
"""Seconds that two reports on one stream may disagree; a clock that was set in between disagrees by more."""

REPORTS: Final = 32
"""Of so many the quickest says how far the clocks are apart: what was late says nothing, and clocks drift."""


class Moments:
    """One source. ``now`` is in seconds of a clock here that goes on; times may be of 32 bits or without wrap."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._lines: dict[Kind, tuple[float, int]] = {}
        self._apart: deque[float] = deque(maxlen=REPORTS)

    def reported(self, kind: Kind, ntp: int, timestamp: int, now: float) -> None:
        """Take a report: ``timestamp`` belongs to ``ntp``. One without a clock (0) says nothing."""
        if ntp == 0:
            return
        self._first = ntp if self._first is None else self._first
        sent = _signed(ntp - self._first, 64) / 2**32
        before = self.sent(kind, timestamp)
        if before is not None and abs(before - sent) > SET:  # what is known of the other stream is of another clock
            self._lines.clear()
            self._apart.clear()
        self._lines[kind] = (sent, timestamp)
        self._apart.append(now - sent)

    def sent(self, kind: Kind, timestamp: int) -> float | None:
        """Return when a time was, in seconds of the source's clock since its first report; None before a report."""
        if (line := self._lines.get(kind)) is None:
            return None
        return line[0] + since(timestamp, line[1]) / RATES[kind]

    def timestamp(self, kind: Kind, now: float) -> int | None:
        """Return the time, of 32 bits, that belongs to ``now`` on the quickest way from the source to here."""
        if (line := self._lines.get(kind)) is None:
            return None
        return line[1] + round((now - min(self._apart) - line[0]) * RATES[kind]) & 0xFFFF_FFFF


def since(later: int, earlier: int) -> int:
    """Return how many ticks lie between two times, however often they wrapped: fewer than 2**31, either way."""
    return _signed(later - earlier, 32)


def _signed(number: int, bits: int) -> int:
    """Return the number nearest to 0 that is the same in so many bits."""
    half = 1 << bits - 1
    return (number + half) % (1 << bits) - half
