"""A warm room and who is in it: counted, and told apart by what they may know of each other."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from hall.rooms.lag import ALIKE, Rounds, Told
from hall.rooms.presence import Elsewhere, Here
from hall.rooms.room import Room
from hall.rooms.seat import Seats, Tally
from hall.views.audience import PUBLIC, Audience
from hall.wire.frames import Form
from sessions.ids import BidderId
from sessions.roles import STAFF, Role
from sessions.shape import rfc3339


@dataclass(slots=True)
class Live:
    """One session on this worker, with its readers. ``last_word``: when they last heard something."""

    room: Room
    last_word: datetime
    tally: Tally = field(default_factory=Tally)
    seats: Seats = field(init=False)
    readers: int = 0
    spectators: int = 0
    devices: Counter[BidderId] = field(default_factory=Counter)
    chairs: Counter[Role] = field(default_factory=Counter)
    doors: Counter[tuple[Form, Role]] = field(default_factory=Counter)
    empty_since: datetime | None = None
    flush: asyncio.TimerHandle | None = None
    next_flush: float = float("-inf")  # not before
    catching_up: asyncio.Task[None] | None = None
    heard_of: int = 0  # the highest number that the bus told of
    elsewhere: Elsewhere = field(default_factory=Elsewhere)
    rounds: Rounds = field(default_factory=Rounds)
    _told_lag: Told | None = None
    as_of: datetime | None = None
    _told_spectators: int = 0
    _told_devices: dict[BidderId, int] = field(default_factory=dict)
    _told_chairs: dict[Role, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.seats = Seats(self.room, self.tally)

    def count(self, audience: Audience, form: Form, by: int) -> None:
        """Count a reader in (1) or out (-1)."""
        self.readers += by
        self.doors[form, audience.role] += by
        self.empty_since = None
        if audience == PUBLIC:
            self.spectators += by
            if by < 0:
                self.rounds.leave()
        if audience.bidder is not None:
            self.devices[audience.bidder] += by
            if not self.devices[audience.bidder]:
                del self.devices[audience.bidder]
        if audience.staff:
            self.chairs[audience.role] += by

    def presence(self) -> bool:
        """Renew the signals about who is here; return whether one changed."""
        before = self.room.signalled
        self._spectators()
        self._staff()
        self._devices()
        self._lag()
        return self.room.signalled > before

    def here(self) -> Here:
        """Return who is here on this worker, as far as others may know it."""
        opening = self.room.opening
        listed = opening is not None and opening.listed
        chairs = {role: count for role, count in self.chairs.items() if count}
        return Here(
            spectators=self.spectators,
            devices=dict(self.devices) if listed else {},
            chairs=chairs,
            round=self.rounds.last,
        )

    def has_news(self, now: float) -> bool:
        """Return whether other workers need to hear of this one: of its readers, or of what theirs reported here."""
        last = self.rounds.last
        return self.readers > 0 or (last is not None and now - last.closed <= ALIKE)

    def report(self, within_ms: int) -> None:
        """Count how late the newest facts came to a spectator."""
        self.rounds.take(within_ms, self.spectators, asyncio.get_running_loop().time())

    def beat(self, now: datetime, as_of: datetime | None) -> None:
        """Show a quiet stream that it is alive, what time it is here, and of when what it shows is, if not of now."""
        self.as_of = as_of
        behind = {} if as_of is None else {"as_of": rfc3339(as_of)}
        self.room.signal("beat", {"now": rfc3339(now), **behind})

    def _spectators(self) -> None:
        # Only readers without a login: before T0 the number of bidders in the room is a secret.
        spectators = self.spectators + self.elsewhere.spectators
        if spectators != self._told_spectators:
            self._told_spectators = spectators
            self.room.signal("watching", {"count": spectators})

    def _lag(self) -> None:
        """Tell everyone how late the newest facts came; what was told stands until there is something new to say."""
        self.rounds.settle(self.spectators, asyncio.get_running_loop().time())
        lag = self.elsewhere.lag(self.spectators, self.rounds)
        if lag is not None and lag != self._told_lag:
            self._told_lag = lag
            self.room.signal("lag", lag.members())

    def _staff(self) -> None:
        """Tell each member of staff on how many devices its chair is taken."""
        taken = self.chairs + Counter(self.elsewhere.chairs())
        for role in sorted({*self.chairs, *taken, *self._told_chairs}):
            devices = taken[role]
            if devices != self._told_chairs.get(role, 1):
                self._told_chairs[role] = devices
                to = frozenset({Audience(role).key})
                self.room.signal(f"seats:{role}", {"role": role, "devices": devices}, to=to)

    def _devices(self) -> None:
        """Tell each bidder and the staff on how many devices it is here, once it is public that it bid."""
        opening = self.room.opening
        if opening is None or not opening.listed:
            return
        for bid in opening.bids:
            devices = self.devices[bid.bidder] + self.elsewhere.devices(bid.bidder)
            if devices != self._told_devices.get(bid.bidder, 0):
                self._told_devices[bid.bidder] = devices
                to = frozenset({Audience(Role.BIDDER, bid.bidder).key, *STAFF})
                self.room.signal(f"seats:{bid.bidder}", {"bidder": bid.bidder, "devices": devices}, to=to)
