"""One outgoing stream out of many incoming ones: numbers and times that go on over every change. Pure.

All viewers of a channel get the same numbers, so that a packet is written once for all of them; each has its own key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hall.media.edge.rtp import ahead

ROOM: Final = 512
"""How many packets can be asked for again. About four seconds of picture: what comes later than that helps nobody."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A packet as it was sent, but for payload type and key."""

    sequence: int
    marker: bool
    timestamp: int
    payload: bytes


class Continuity:
    """Renumbers what one source after another sends. Times are ticks of ``rate`` a second; ``now`` is in seconds."""

    def __init__(self, *, rate: int, sequence: int, timestamp: int) -> None:
        """Go on from ``sequence`` and ``timestamp``, as if they had been sent last."""
        self._rate = rate
        self._last = (sequence, timestamp)
        self._last_at: float | None = None
        self._floor: int | None = None
        self._shift = (0, 0)
        self._history: dict[int, Kept] = {}

    @property
    def next_sequence(self) -> int:
        """The number that a packet right after the newest one has."""
        return self._last[0] + 1 & 0xFFFF

    def begin(self, sequence: int, timestamp: int, now: float) -> None:
        """Take up a source whose first packet has these numbers."""
        elapsed = self._rate // 50 if self._last_at is None else max(1, round((now - self._last_at) * self._rate))
        self._floor = sequence
        self._shift = (self._last[0] + 1 - sequence, self._last[1] + elapsed - timestamp)

    def put(self, sequence: int, timestamp: int, marker: bool, payload: bytes, now: float) -> Kept | None:
        """Return the packet as it is sent; None for one from before the source was taken up, or one sent already."""
        if self._floor is None or ahead(sequence, self._floor) < 0:
            return None
        out = sequence + self._shift[0] & 0xFFFF
        if self.again(out) is not None:
            return None
        kept = Kept(out, marker, self.timestamp(timestamp), payload)
        self._history[out % ROOM] = kept
        if ahead(out, self._last[0]) > 0:
            self._last = (out, kept.timestamp)
            self._last_at = now
            if ahead(sequence, self._floor) >= ROOM:  # a source runs for hours, and its numbers wrap
                self._floor = sequence - ROOM + 1 & 0xFFFF
        return kept

    def timestamp(self, timestamp: int) -> int:
        """Return what a time of the source is in the stream: its sender reports need the same shift."""
        return timestamp + self._shift[1] & 0xFFFFFFFF

    def again(self, sequence: int) -> Kept | None:
        """Return a packet that was sent and is still kept."""
        kept = self._history.get(sequence % ROOM)
        return kept if kept is not None and kept.sequence == sequence else None
