"""What is heard: spoken lines one after another, and a live voice under them. Pure: samples in, samples out.

Speech that could not begin in time is left out, because a voice that is behind the picture says what is no longer so;
its caption was shown at once.
"""

from __future__ import annotations

from array import array
from collections import deque
from dataclasses import dataclass
from typing import Final

from hall.media.voice.sound import SAMPLES, silence

STALE: Final = 6 * SAMPLES  # after this long a line that did not begin is not said any more
PAUSE: Final = SAMPLES // 4  # between two lines

UNDER: Final = 0.2
"""What is left of a live voice while a line is read out: -14 dB, so that each word of the line is understood."""

_STEP: Final = SAMPLES // 100
_SLOPE: Final = 0.1  # of loudness in a step: a tenth of a second from one to the other, without a click


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
        self._level = 1.0
        self.now = 0  # number of the next sample

    @property
    def busy(self) -> bool:
        """Whether something is being said, or waits for it."""
        return bool(self._waiting) or self._position < len(self._saying)

    def add(self, clip: Clip) -> None:
        """Say ``clip`` after what is being said."""
        self._waiting.append(clip)

    def take(self, samples: int, under: bytes | None = None) -> bytes:
        """Return the next ``samples`` of the track: always exactly so many.

        ``under``: as many of a live voice, which a line that is read out makes low.
        """
        spoken = self._spoken(samples)
        self.now += samples
        if under is None and self._level == 1.0:
            return spoken or silence(samples)
        return self._mixed(spoken, under or silence(samples), samples)

    def _spoken(self, samples: int) -> bytes | None:
        """Return so many samples of lines; None when nothing is said."""
        if not self.busy:
            return None
        out = bytearray()
        while (missing := 2 * samples - len(out)) > 0:
            if self._position >= len(self._saying) and not self._begin(self.now + len(out) // 2):
                out += silence(missing // 2)
                break
            piece = self._saying[self._position : self._position + missing]
            self._position += len(piece)
            out += piece
        return bytes(out)

    def _mixed(self, spoken: bytes | None, under: bytes, samples: int) -> bytes:
        if spoken is None and self._level == 1.0:
            return under
        live, said, mixed = array("h", under), array("h", spoken or silence(samples)), array("h")
        aim = 1.0 if spoken is None else UNDER
        for at in range(0, samples, _STEP):
            level = self._level = (
                max(aim, self._level - _SLOPE) if aim < self._level else min(aim, self._level + _SLOPE)
            )
            pairs = zip(live[at : at + _STEP], said[at : at + _STEP], strict=True)
            mixed.extend([max(-32768, min(32767, int(low * level) + high)) for low, high in pairs])
        return mixed.tobytes()

    def _begin(self, now: int) -> bool:
        while self._waiting:
            clip = self._waiting.popleft()
            late = now - clip.at
            if (clip.patient and self._waiting) or (not clip.patient and late > STALE):
                continue
            self._saying, self._position = clip.pcm[: len(clip.pcm) & ~1] + silence(PAUSE), 0
            return True
        return False
