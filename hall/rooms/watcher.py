"""One reader: a cursor into a room, and nothing else. Sans-I/O: a door asks for bytes and writes them when it can.

There is no queue. A reader that cannot keep up merely stays behind and takes a larger piece next time; what it costs
is the number it stands at.
"""

from __future__ import annotations

from hall.rooms.room import NEW, Room
from hall.views.audience import Audience
from hall.wire.frames import Form


class Watcher:
    """A reader that has everything up to ``cursor``.

    Signals are told apart: only the latest of each kind is ever due, and beats from before it came are not.
    """

    __slots__ = ("audience", "cursor", "form", "signals")

    def __init__(self, audience: Audience, form: Form = Form.LINES, *, after: int = 0) -> None:
        self.audience = audience
        self.form = form
        self.cursor = after
        self.signals = NEW

    def copy(self) -> Watcher:
        """Return another reader that has the same."""
        other = Watcher(self.audience, self.form, after=self.cursor)
        other.signals = self.signals
        return other

    def take(self, room: Room) -> bytes:
        """Return the next bytes for this reader, framed and joined; empty when it is up to date.

        At most about one chunk (hall.limits) at a time: call again until it is empty. What was returned counts as
        delivered; a reader that lost it comes back with the number it really has.
        """
        chunk, self.cursor = room.since(self.audience, self.cursor, self.form)
        if self.signals < room.signalled and self.cursor == room.number:
            chunk += room.signals_after(self.audience, self.signals, self.form)
            self.signals = room.signalled
        return chunk
