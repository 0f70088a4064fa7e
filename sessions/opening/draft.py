"""A decision while it is being made: what has been decided so far, and the opening as it would then stand."""

from __future__ import annotations

from datetime import datetime

from sessions.events import Event, Happening
from sessions.opening.evolve import evolve
from sessions.opening.state import Opening
from sessions.proofs import Act, Proof, accept
from sessions.roles import CLOCK, Actor


class Draft:
    """Happenings in order. ``now`` is one moment for the whole decision, and never before the last event."""

    def __init__(self, opening: Opening, actor: Actor, now: datetime) -> None:
        self.opening = opening
        self.actor = actor
        self.now = max(now, opening.at)
        self.happenings: list[Happening] = []

    def put(self, event: Event, *, by: Actor | None = None) -> None:
        """Decide ``event``, done now by whoever sent the command, or ``by`` another."""
        self._add(Happening(at=self.now, actor=by or self.actor, event=event))

    def fall_due(self, happening: Happening) -> None:
        """Decide what time or completeness brings; it carries the moment it fell due."""
        self._add(happening)

    def accept(self, act: Act, proof: Proof | None) -> None:
        """Raise unless an act of a bidder may stand on what is known of its certificate."""
        plan = self.opening.plan
        accept(plan.pack.revocation, act, proof, wanted=bool(plan.proofs))

    def _add(self, happening: Happening) -> None:
        self.happenings.append(happening)
        self.opening = evolve(self.opening, happening)


def by_clock(at: datetime, event: Event) -> Happening:
    """Return ``event`` as something nobody did: it fell due ``at`` that moment."""
    return Happening(at=at, actor=CLOCK, event=event)
