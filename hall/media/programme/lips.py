"""Voice and picture of who is on air, taken out together as they were sent. Pure.

The voice leads. It waits a fifth of a second, for what a network and a tick shake it, and then runs evenly; a picture
is shown when its voice is heard, and a voice whose pictures come later than that waits for them. When something was
sent the reports of the source say (hall.media.edge.moments); until they do, each is taken as it comes.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from PIL import Image

from hall.media.voice.sound import SAMPLES, silence

APART: Final = 0.06
"""Seconds between sound and picture that nobody minds (ITU-R BT.1359 has 0.045 as the first that is noticed)."""

BELIEVED: Final = 2.0
"""Seconds that one may wait for the other: more than any network that can be used is late."""

SURE: Final = 10
"""Pictures in a row, a second of them, that came too late for their voice, before it waits for them."""

SELDOM: Final = 0.3
"""Seconds between two pictures that show no lips: of a page that is shared no voice waits for the next."""

WAITING: Final = 32  # pictures: more than there are in BELIEVED
_TICK: Final = 0.1  # the voice of a tick is heard while one picture is shown, of the middle of it
_AHEAD: Final = SAMPLES // 5  # samples that wait before they are heard
_ROOM: Final = SAMPLES * 2 // 5  # and so many more may


class Line:
    """Sound as it comes in, taken out evenly. A line that ran dry begins again a fifth of a second later."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._on = False
        self._ahead = _AHEAD
        self._until: float | None = None  # the end of what is held, by the source's clock

    def add(self, pcm: bytes, sent: float | None = None) -> None:
        """Take sound, ``sent`` then; the oldest is left out when too much waits. What never came is silence."""
        gap = 0.0 if sent is None or self._until is None else sent - self._until
        if abs(gap) > BELIEVED:
            self._held.clear()
            self._on = False
        elif gap > APART:
            self._held += silence(round(gap * SAMPLES))
        self._held += pcm
        self._until = None if sent is None else sent + len(pcm) / 2 / SAMPLES
        if len(self._held) > 2 * (self._ahead + _ROOM):
            del self._held[: len(self._held) - 2 * self._ahead]

    def take(self, samples: int) -> bytes | None:
        """Return the next samples; None for silence."""
        self._on = self._on or len(self._held) >= 2 * max(self._ahead, samples)
        if not self._on:
            return None
        out = bytes(self._held[: 2 * samples])
        del self._held[: 2 * samples]
        if len(out) < 2 * samples:
            self._on = False
            out += silence(samples - len(out) // 2)
        return out

    @property
    def heard(self) -> float | None:
        """Up to which moment of the source's clock it was taken; None in silence, or while nobody can say."""
        return self._until - len(self._held) / 2 / SAMPLES if self._on and self._until is not None else None

    def wait(self, seconds: float) -> None:
        """Be silent for so long, and go on from here."""
        most = _AHEAD + round(BELIEVED * SAMPLES)
        self._ahead = min(most, len(self._held) // 2 + round(seconds * SAMPLES))
        self._on = False


class Lips:
    """One source's. Take the sound of a tick first, then the picture that is shown with it."""

    def __init__(self) -> None:
        self._line = Line()
        self._waiting: deque[tuple[float | None, Image.Image]] = deque(maxlen=WAITING)
        self._shown: Image.Image | None = None
        self._late: list[float] = []
        self._sent: float | None = None

    def hear(self, pcm: bytes, sent: float | None) -> None:
        """Take sound that came, and when it was sent, in seconds of the source's clock."""
        self._line.add(pcm, sent)

    def see(self, picture: Image.Image, sent: float | None) -> None:
        """Take a picture that came."""
        self._waiting.append((sent, picture))
        heard, before, self._sent = self._line.heard, self._sent, sent
        if heard is None or sent is None or before is None or heard - sent > BELIEVED:
            return
        self._late.append(heard - sent)
        if self._late[-1] <= APART or sent - before > SELDOM:
            self._late.clear()
        elif len(self._late) == SURE:
            self._line.wait(max(self._late))
            self._late.clear()

    def take(self, samples: int) -> bytes | None:
        """Return the next samples of what is heard; None for silence."""
        return self._line.take(samples)

    @property
    def picture(self) -> Image.Image | None:
        """Return the picture that belongs to what is heard, the same object as long as it is the same."""
        heard = self._line.heard
        while self._waiting and _due(self._waiting[0][0], heard):
            self._shown = self._waiting.popleft()[1]
        return self._shown


def _due(sent: float | None, heard: float | None) -> bool:
    if sent is None or heard is None:
        return True
    return sent <= heard - _TICK / 2 or sent - heard > BELIEVED
