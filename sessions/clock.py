"""The only file that asks what time it is."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Return the current time in UTC, whole milliseconds, never earlier than a time it returned before."""


class SystemClock:
    """The machine's clock, anchored once and then advanced by the monotonic clock.

    A step of the wall clock while the hall runs therefore moves no deadline; ``drift`` tells how far the two are
    apart, so that an operator learns of a step.
    """

    def __init__(self) -> None:
        self._wall = datetime.now(UTC)
        self._mono = time.monotonic_ns()

    def now(self) -> datetime:
        elapsed = timedelta(microseconds=(time.monotonic_ns() - self._mono) // 1_000)
        return _whole_ms(self._wall + elapsed)

    def drift(self) -> timedelta:
        """Return wall clock minus this clock: beyond a second, somebody set the machine's clock."""
        return datetime.now(UTC) - self.now()


def _whole_ms(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
