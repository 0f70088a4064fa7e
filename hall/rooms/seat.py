"""Readers that the hub writes to by itself: thousands at the newest fact share one loop, the rest catch up alone.

Nobody has a queue or a task. A seat is either *level*, in a group with all who have the same, or *behind* and merely
a cursor (hall.rooms.watcher): paused by its transport, or on its way from the number it came with.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hall.rooms.room import Room
from hall.rooms.watcher import Watcher
from hall.views.audience import Audience
from hall.wire.frames import FRAMED, Form

_log = logging.getLogger(__name__)

Write = Callable[[bytes], object]


class Seat:
    """One reader. ``write`` must not block: a transport's will do. ``closed`` is called with a close code.

    A new seat is paused: call ``resume`` when its transport can take the first bytes, ``pause`` when its buffer is
    full, ``leave`` when the connection is gone. All three are harmless when they are not needed.
    """

    __slots__ = ("_gone", "_group", "_left", "_seats", "closed", "paused", "rounds", "watcher", "write")

    def __init__(
        self,
        seats: Seats,
        watcher: Watcher,
        write: Write,
        closed: Callable[[int], object],
        gone: Callable[[], object],
    ) -> None:
        self.watcher = watcher
        self.write = write
        self.closed = closed
        self.paused = True
        self.rounds = 0  # of housekeeping, that it has been paused for
        self._group: Group | None = None
        self._seats = seats
        self._gone = gone
        self._left = False

    def pause(self) -> None:
        """Write no more for now; what is missed is caught up with."""
        self.paused = True
        if self._group is not None:
            self.watcher = self._group.dismiss(self)
            self._group = None
            self._seats.behind[self] = None

    def resume(self) -> None:
        """Go on writing."""
        if self.paused and not self._left:
            self.paused, self.rounds = False, 0
            self._seats.catch_up(self)

    def leave(self) -> None:
        """Be written to no more."""
        if not self._left:
            self.pause()
            self._left = True
            self._seats.behind.pop(self, None)
            self._gone()

    def join(self, group: Group) -> None:
        """Be level with ``group`` from now on."""
        self._group = group
        group.level[self] = self.write


@dataclass(slots=True)
class Tally:
    """What a worker wrote to its readers, in bytes, and how many it sent away because they took nothing.

    Bidders count once their opening has listed who bid (``Seats.counts``): before, the figures would tell of them.
    """

    sent: int = 0
    cut: int = 0


class Group:
    """Seats of one audience and form that have the same: one ``watcher`` for all."""

    __slots__ = ("level", "watcher")

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self.level: dict[Seat, Write] = {}

    def dismiss(self, seat: Seat) -> Watcher:
        """Let a seat go on alone from where the group stands."""
        self.level.pop(seat, None)
        return self.watcher.copy()

    def tell(self, room: Room) -> int:
        """Write what is new to everyone here, and return how many bytes that were.

        Who says stop in the middle is dismissed with what it has by then.
        """
        sent = 0
        while self.level and (chunk := self.watcher.take(room)):
            sent += len(chunk) * len(self.level)
            # A copy, because a seat that pauses is dismissed at once. 10,000 take 0.4 ms of the 80 their writes take.
            writes = iter(tuple(self.level.items()))
            while (broken := _write_all(writes, chunk)) is not None:
                broken.leave()
        return sent


def _write_all(writes: Iterator[tuple[Seat, Write]], chunk: bytes) -> Seat | None:
    """Write to each, up to and with the first whose connection is broken: return it."""
    seat = None
    try:
        for seat, write in writes:  # noqa: B007  # the hot loop of the whole hall
            write(chunk)
    except Exception:  # one broken connection is no reason for the others to hear nothing
        _log.exception("a seat could not be written to")
        return seat
    return None


class Seats:
    """Everyone whom one room is written to."""

    def __init__(self, room: Room, tally: Tally | None = None) -> None:
        self.behind: dict[Seat, None] = {}  # in the order they fell behind
        self._room = room
        self._tally = tally or Tally()
        self._groups: dict[tuple[Audience, Form], Group] = {}
        # What the groups have, which may be less than what the room has: a seat that joined in between would get it
        # again (36 repeats in 12 s before this line was there).
        self._told = room.number, room.signalled

    def __iter__(self) -> Iterator[Seat]:
        for group in tuple(self._groups.values()):
            yield from tuple(group.level)
        yield from tuple(self.behind)

    def catch_up(self, seat: Seat) -> None:
        """Write what a seat lacks, until it is level or its transport says stop."""
        room, watcher = self._room, seat.watcher
        while not seat.paused:
            if chunk := watcher.take(room):
                seat.write(chunk)
                if self.counts(watcher.audience):
                    self._tally.sent += len(chunk)
            elif (watcher.cursor, watcher.signals) == self._told:
                self.behind.pop(seat, None)
                seat.join(self._group(watcher))
                return
            else:
                return  # the next tell, which is under way, takes it along

    def tell(self) -> None:
        """Write everything that is new to everyone who can take it."""
        for key, group in tuple(self._groups.items()):
            sent = group.tell(self._room)
            if self.counts(key[0]):
                self._tally.sent += sent
            if not group.level:
                del self._groups[key]
        self._told = self._room.number, self._room.signalled
        for seat in tuple(self.behind):
            try:
                self.catch_up(seat)
            except Exception:  # as above
                _log.exception("a seat could not be written to", extra={"session": self._room.session})
                seat.leave()

    def ping(self, frame: bytes) -> None:
        """Write ``frame`` to every WebSocket that takes anything."""
        for (_, form), group in self._groups.items():
            if form in FRAMED:
                writes = iter(tuple(group.level.items()))
                while (broken := _write_all(writes, frame)) is not None:
                    broken.leave()

    def stalled(self, rounds: int) -> list[Seat]:
        """Count a round of housekeeping; return the seats that took nothing for ``rounds`` of them."""
        paused = [seat for seat in self.behind if seat.paused]
        for seat in paused:
            seat.rounds += 1
        return [seat for seat in paused if seat.rounds >= rounds]

    def cut(self, seat: Seat, code: int) -> None:
        """Send a seat away that takes nothing."""
        if self.counts(seat.watcher.audience):
            self._tally.cut += 1
        seat.closed(code)

    def counts(self, audience: Audience) -> bool:
        """Return whether a reader like this may show in figures now."""
        return audience.bidder is None or (self._room.opening is not None and self._room.opening.listed)

    def _group(self, watcher: Watcher) -> Group:
        key = watcher.audience, watcher.form
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(watcher.copy())
        return group
