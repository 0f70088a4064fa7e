"""Who is in a room on the other workers, as they last said: nothing that has to be right for more than a moment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

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

    def told(self, worker: str) -> bytes:
        """Return it as ``worker`` tells the others."""
        what = {"w": worker, "s": self.spectators, "d": dict(self.devices), "c": dict(self.chairs)}
        return json.dumps(what, separators=(",", ":")).encode()


def heard(what: bytes) -> tuple[str, Here]:
    """Return who said what; raise ValueError for nonsense."""
    said: Any = json.loads(what)
    try:
        chairs = {Role(role): int(count) for role, count in said["c"].items()}
        devices = {BidderId(bidder): int(count) for bidder, count in said["d"].items()}
        return str(said["w"]), Here(spectators=int(said["s"]), devices=devices, chairs=chairs)
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
