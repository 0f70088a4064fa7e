"""One opening on this worker: its state, its facts in every form that somebody reads, its passing signals.

Sans-I/O. Facts come in by number, without gaps; readers take them out by number, from any place, any number of times.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hall.limits import LIMITS, Limits
from hall.rooms.lane import Joins, Lane, OwnLane, encode
from hall.rooms.told import Told
from hall.views.audience import Audience
from hall.wire.errors import BadCursor
from hall.wire.frames import Form, signal_frame
from sessions.errors import UnknownSession
from sessions.events import Recorded
from sessions.ids import SessionId
from sessions.opening import Opening

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
        self.signalled = 0
        self._limits = limits
        self._told = Told()
        self._foreseen: tuple[Sequence[Recorded], Told] | None = None
        self._joins: dict[Audience, Joins] = {}
        self._signals: dict[str, Signal] = {}
        self._snapshots: dict[Audience, Snapshot] = {}

    # -- facts in --------------------------------------------------------------------------------------------

    @property
    def opening(self) -> Opening | None:
        """The opening as it stands."""
        return self._told.opening

    @property
    def number(self) -> int:
        """The number of the newest fact."""
        return self._told.number

    def foresee(self, records: Sequence[Recorded]) -> None:
        """Have at hand what is told of ``records`` once they happen; nothing of it comes out before.

        Encoding them takes much longer than all else there is to do at an opening time, which many may share.
        """
        known, begins = self._foreseen, records[0].number if records else 0
        if begins != self.number + 1 or (known is not None and known[0] is records):
            return
        told = self._told.copy()
        for recorded in records:
            told.add(recorded)
        self._foreseen = records, told

    def add(self, records: Iterable[Recorded]) -> bool:
        """Take what comes next; pass over what is known. Return False, having stopped, where a number is missing."""
        new = [recorded for recorded in records if recorded.number > self.number]
        if new:
            self._snapshots.clear()
            new = self._came_true(new)
        for recorded in new:
            if recorded.number != self.number + 1:
                return False
            self._told.add(recorded)
        return True

    def _came_true(self, records: list[Recorded]) -> list[Recorded]:
        """Tell what was foreseen if these begin with those very records; return what is left to be told."""
        foreseen, self._foreseen = self._foreseen, None
        if foreseen is not None:
            expected, told = foreseen
            if len(expected) <= len(records) and all(a is b for a, b in zip(expected, records, strict=False)):
                self._told = told
                return records[len(expected) :]
        return records

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
        return self._told.lane(audience)

    def _snapshot(self, audience: Audience) -> Snapshot:
        log = self._told.log
        if not log:
            raise UnknownSession(self.session)
        view = self.lane(audience).view()
        return Snapshot(
            number=self.number, etag=f'"{self.number}-{log[-1].digest}"', view=view, body=encode({"view": view})
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
