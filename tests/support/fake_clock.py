"""A clock that stands still until it is moved."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.support.ceremony import T0


class FakeClock:
    """Starts a day before T0."""

    def __init__(self, now: datetime = T0 - timedelta(days=1)) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by

    def set(self, now: datetime) -> None:
        assert now >= self._now, "a clock does not go back"
        self._now = now
