"""What is heard: spoken lines one after another, and silence between them. Pure: samples in, samples out.

Speech that could not begin in time is left out, because a voice that is behind the picture says what is no longer so;
its caption was shown at once.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from hall.media.sound import SAMPLES, silence

STALE: Final = 6 * SAMPLES  # after this long a line that did not begin is not said any more
PAUSE: Final = SAMPLES // 4  # between two lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """Speech, 48 kHz mono s16, of which it was known at sample ``at`` that it should be said.

    ``patient``: it may also be left out when something else waits (the second language of a line).
    """

    pcm: bytes
    at: int
    patient: bool = False


class Mixer:
    """The one audio track of a programme."""

    def __init__(self) -> None:
        self._waiting: deque[Clip] = deque()
        self._saying = b""
        self._position = 0
        self.now = 0  # number of the next sample

    @property
    def busy(self) -> bool:
        """Whether something is being said, or waits for it."""
        return bool(self._waiting) or self._position < len(self._saying)

    def add(self, clip: Clip) -> None:
        """Say ``clip`` after what is being said."""
        self._waiting.append(clip)

    def take(self, samples: int) -> bytes:
        """Return the next ``samples`` of the track: always exactly so many."""
        out = bytearray()
        while (missing := 2 * samples - len(out)) > 0:
            if self._position >= len(self._saying) and not self._begin(self.now + len(out) // 2):
                out += silence(missing // 2)
                break
            piece = self._saying[self._position : self._position + missing]
            self._position += len(piece)
            out += piece
        self.now += samples
        return bytes(out)

    def _begin(self, now: int) -> bool:
        while self._waiting:
            clip = self._waiting.popleft()
            late = now - clip.at
            if (clip.patient and self._waiting) or (not clip.patient and late > STALE):
                continue
            self._saying, self._position = clip.pcm[: len(clip.pcm) & ~1] + silence(PAUSE), 0
            return True
        return False
