"""What has happened in one opening, and what each audience is told of it, encoded. Sans-I/O."""

from __future__ import annotations

from hall.rooms.lane import BiddersLane, Lane, SharedLane
from hall.views.audience import BIDDERS, Audience
from sessions.chaining import core
from sessions.events import Recorded
from sessions.opening import Opening, evolve
from sessions.wording.words import describe


class Told:
    """Facts one after the other, each in every form that somebody reads. ``number``: of the newest."""

    def __init__(self) -> None:
        self.opening: Opening | None = None
        self.number = 0
        self.log: list[Recorded] = []
        self._begun: Opening | None = None
        self._lanes: dict[Audience, SharedLane] = {}

    def copy(self) -> Told:
        """Return another one that has the same, and goes on by itself."""
        other = Told()
        other.opening, other.number, other.log, other._begun = self.opening, self.number, list(self.log), self._begun
        other._lanes = {audience: lane.copy() for audience, lane in self._lanes.items()}
        return other

    def add(self, recorded: Recorded) -> None:
        """Take the fact that comes next."""
        before, self.opening = self.opening, self._after(self.opening, recorded)
        self.log.append(recorded)
        self.number = recorded.number
        if self._lanes:
            words, chained = describe(recorded, before), core(recorded)
            for lane in self._lanes.values():
                lane.add(recorded, self.opening, words, chained)

    def lane(self, audience: Audience) -> Lane:
        """Return the audience's lane, made from the log when this is the first reader of its kind."""
        shared = self._lanes.get(audience.shared)
        if shared is None:
            shared = self._lanes[audience.shared] = self._made(audience.shared)
        if audience.bidder is not None and isinstance(shared, BiddersLane):
            return shared.own(audience.bidder)
        return shared

    def _made(self, audience: Audience) -> SharedLane:
        lane = BiddersLane() if audience == BIDDERS else SharedLane(audience)
        opening: Opening | None = None
        for recorded in self.log:
            before, opening = opening, self._after(opening, recorded)
            lane.add(recorded, opening, describe(recorded, before), core(recorded))
        return lane

    def _after(self, before: Opening | None, recorded: Recorded) -> Opening:
        """Return the opening after a fact; the first is read once: its plan is as dear as a hundred others."""
        if before is not None:
            return evolve(before, recorded)
        if self._begun is None:
            self._begun = evolve(None, recorded)
        return self._begun
