"""One opening on this worker: its state, its facts in every form that somebody reads, its passing signals.

Sans-I/O. Facts come in by number, without gaps; readers take them out by number, from any place, any number of times.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hall.limits import LIMITS, Limits
from hall.rooms.lane import BiddersLane, Joins, Lane, OwnLane, SharedLane, encode
from hall.views.audience import BIDDERS, Audience
from hall.wire.errors import BadCursor
from hall.wire.frames import Form, signal_frame
from sessions.chaining import core
from sessions.errors import UnknownSession
from sessions.events import Recorded
from sessions.ids import SessionId
from sessions.opening import Opening, evolve
from sessions.wording.words import describe

_SNAPSHOTS_KEPT = 64
"""Every bidder has a view of its own; a large one is 300 kB."""

NEW = -1
"""The version of signals that a reader has that never looked for any."""


@dataclass(frozen=True, slots=True)
class Signal:
    """The latest of its kind. ``to``: the audiences that get it, by key; None for everyone."""

    version: int
    message: bytes
    to: frozenset[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A view at the newest fact, as it is and as bytes; ``etag`` changes exactly when the view may."""

    number: int
    etag: str
    view: dict[str, Any]
    body: bytes


class Room:
    """Facts, views and signals of one session. Not for several threads at once."""

    def __init__(self, session: SessionId, limits: Limits = LIMITS) -> None:
        self.session = session
        self.opening: Opening | None = None
        self.number = 0
        self.signalled = 0
        self._limits = limits
        self._log: list[Recorded] = []
        self._begun: Opening | None = None
        self._lanes: dict[Audience, SharedLane] = {}
        self._joins: dict[Audience, Joins] = {}
        self._signals: dict[str, Signal] = {}
        self._snapshots: dict[Audience, Snapshot] = {}

    # -- facts in --------------------------------------------------------------------------------------------

    def add(self, records: Iterable[Recorded]) -> bool:
        """Take what comes next; pass over what is known. Return False, having stopped, where a number is missing."""
        for recorded in records:
            if recorded.number <= self.number:
                continue
            if recorded.number != self.number + 1:
                return False
            self._add(recorded)
        return True

    def _add(self, recorded: Recorded) -> None:
        before, self.opening = self.opening, self._after(self.opening, recorded)
        self._log.append(recorded)
        self.number = recorded.number
        if self._lanes:
            words, chained = describe(recorded, before), core(recorded)
            for lane in self._lanes.values():
                lane.add(recorded, self.opening, words, chained)
        self._snapshots.clear()

    def _after(self, before: Opening | None, recorded: Recorded) -> Opening:
        """Return the opening after a fact; the first is read once: its plan is as dear as a hundred others."""
        if before is not None:
            return evolve(before, recorded)
        if self._begun is None:
            self._begun = evolve(None, recorded)
        return self._begun

    # -- facts out -------------------------------------------------------------------------------------------

    def since(self, audience: Audience, after: int, form: Form) -> tuple[bytes, int]:
        """Return a chunk of what follows fact ``after``, and the number it ends with. Empty at the end."""
        if not 0 <= after <= self.number:
            raise BadCursor
        if after == self.number:
            return b"", after
        lane = self.lane(audience)
        if isinstance(lane, OwnLane):
            chunk, last = self._join(audience.shared).run(self.lane(audience.shared), form, after, self.number)
            if lane.shares(after + 1, last):
                return chunk, last
            # Nobody shares this one, so it is not packed: 300 kB for each of 500 bidders would take seconds.
            plain = Form.WEBSOCKET if form is Form.DEFLATED else form
            return self._fresh_join().run(lane, plain, after, last)
        return self._join(audience).run(lane, form, after, self.number)

    def facts(self, audience: Audience, after: int, limit: int) -> tuple[bytes, ...]:
        """Return the messages after fact ``after``, at most ``limit``."""
        if not 0 <= after <= self.number:
            raise BadCursor
        lane = self.lane(audience)
        return tuple(lane.fact(number) for number in range(after + 1, min(after + limit, self.number) + 1))

    def snapshot(self, audience: Audience) -> Snapshot:
        """Return this audience's view at the newest fact."""
        known = self._snapshots.get(audience)
        if known is None:
            known = self._snapshot(audience)
            if len(self._snapshots) >= _SNAPSHOTS_KEPT:
                self._snapshots.clear()
            self._snapshots[audience] = known
        return known

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
        for recorded in self._log:
            before, opening = opening, self._after(opening, recorded)
            lane.add(recorded, opening, describe(recorded, before), core(recorded))
        return lane

    def _snapshot(self, audience: Audience) -> Snapshot:
        if not self._log:
            raise UnknownSession(self.session)
        view = self.lane(audience).view()
        return Snapshot(
            number=self.number, etag=f'"{self.number}-{self._log[-1].digest}"', view=view, body=encode({"view": view})
        )

    def _join(self, audience: Audience) -> Joins:
        return self._joins.setdefault(audience, self._fresh_join())

    def _fresh_join(self) -> Joins:
        return Joins(self._limits.chunk)

    # -- signals ---------------------------------------------------------------------------------------------

    def signal(self, kind: str, message: dict[str, Any], *, to: frozenset[str] | None = None) -> None:
        """Let ``message`` be the latest of ``kind``; what it replaces is gone, whoever has not read it."""
        self.signalled += 1
        self._signals[kind] = Signal(self.signalled, encode({"signal": kind.partition(":")[0], **message}), to)

    def signals_after(self, audience: Audience, version: int, form: Form) -> bytes:
        """Return the latest signals newer than ``version``, framed and joined. A newcomer gets no old beat."""
        return b"".join(
            signal_frame(form, signal.message)
            for kind, signal in self._signals.items()
            if signal.version > version
            and (signal.to is None or audience.key in signal.to)
            and not (version == NEW and kind == "beat")
        )
