"""Who is in a room on the other workers, as they last said: nothing that has to be right for more than a moment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hall.rooms.lag import Histogram, Round, Rounds, Told, told
from sessions.ids import BidderId
from sessions.roles import Role

SILENT: Final = 3.5
"""Seconds after which a worker that says nothing has nobody in the room: it says it every second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """Readers of one room on one worker. ``devices`` only once it is public who bid: others can read the bus."""

    spectators: int = 0
    devices: Mapping[BidderId, int] = field(default_factory=dict)
    chairs: Mapping[Role, int] = field(default_factory=dict)
    round: Round | None = None  # closed by the clock of whoever holds this; it is told by its age

    def told(self, worker: str, now: float) -> bytes:
        """Return it as ``worker`` tells the others; ``now`` in seconds of any clock that only goes forward."""
        what: dict[str, Any] = {"w": worker, "s": self.spectators, "d": dict(self.devices), "c": dict(self.chairs)}
        if self.round is not None:
            what["l"] = [round(now - self.round.closed, 1), self.round.of, *self.round.reports.counts]
        return json.dumps(what, separators=(",", ":")).encode()


def heard(what: bytes, now: float) -> tuple[str, Here]:
    """Return who said what; raise ValueError for nonsense."""
    said: Any = json.loads(what)
    try:
        chairs = {Role(role): int(count) for role, count in said["c"].items()}
        devices = {BidderId(bidder): int(count) for bidder, count in said["d"].items()}
        closed = None
        if "l" in said:
            age, of, *counts = said["l"]
            closed = Round(reports=Histogram(tuple(map(int, counts))), of=int(of), closed=now - float(age))
        return str(said["w"]), Here(spectators=int(said["s"]), devices=devices, chairs=chairs, round=closed)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not a count of readers") from error


@dataclass(slots=True)
class Elsewhere:
    """One room on every other worker."""

    _said: dict[str, tuple[float, Here]] = field(default_factory=dict)

    def hear(self, worker: str, here: Here, now: float) -> None:
        """Keep what a worker said; ``now`` in seconds of any clock that only goes forward."""
        self._said[worker] = (now, here)

    def forget(self, now: float) -> None:
        """Forget workers that fell silent."""
        self._said = {who: (at, here) for who, (at, here) in self._said.items() if now - at <= SILENT}

    @property
    def spectators(self) -> int:
        return sum(here.spectators for _, here in self._said.values())

    def lag(self, spectators: int, rounds: Rounds) -> Told | None:
        """Return what can be said of lag here and there; the arguments are this worker's."""
        others = ((here.spectators, here.round) for _, here in self._said.values())
        return told([(spectators, rounds.last), *others])

    def devices(self, bidder: BidderId) -> int:
        """Return on how many devices a bidder is here."""
        return sum(here.devices.get(bidder, 0) for _, here in self._said.values())

    def chairs(self) -> Mapping[Role, int]:
        """Return how often each chair is taken."""
        taken: dict[Role, int] = {}
        for _, here in self._said.values():
            for role, count in here.chairs.items():
                taken[role] = taken.get(role, 0) + count
        return taken
