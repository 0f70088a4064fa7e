"""A clock that is moved, on a machine whose own clock can be set; and the vigil over it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sessions.ids import SessionId
from sessions.store.database import Database
from sessions.store.pulses import SqlPulses
from sessions.watch.steady import ClockGuard
from sessions.watch.vigil import Local, Vigil
from tests.support.ceremony import T0
from tests.support.fake_clock import FakeClock

HERE = SessionId("here")


class SetClock(FakeClock):
    """``step`` sets the machine's clock, which this one does not follow."""

    def __init__(self, now: datetime = T0 - timedelta(days=1)) -> None:
        super().__init__(now)
        self._drift = timedelta()

    def drift(self) -> timedelta:
        return self._drift

    def step(self, by: timedelta) -> None:
        self._drift += by


class Room:
    """What a process sees of itself, as a test says."""

    def __init__(self) -> None:
        self.present = 0
        self.over = False
        self.free_bytes = 1 << 40

    def look(self) -> Local:
        dismissed = frozenset({HERE} if self.over else ())
        present = {} if self.over else {HERE: self.present}
        return Local(present=present, dismissed=dismissed, free_bytes=self.free_bytes)


def over(
    clock: SetClock, kept: list[Vigil], room: Room | None = None, name: str = "w1"
) -> Callable[[Database], Vigil]:
    """Return what makes a vigil over a hall's database; each that is made is put into ``kept``."""

    def made(database: Database) -> Vigil:
        seen = room or Room()
        vigil = Vigil(SqlPulses(database), ClockGuard(clock), now=clock.now, worker=name, look=seen.look)
        kept.append(vigil)
        return vigil

    return made
