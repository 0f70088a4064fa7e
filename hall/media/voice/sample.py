"""The voice, asked by the hall: how a name would be read, and how that sounds. Answered by the programme's process.

Before T0 nobody in the hall knows who bid, and this process never does: it is given what a host typed.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Mapping, Sequence

from hall.media.port.link import Link
from hall.media.port.places import Places
from hall.media.voice.sound import SAMPLES


class LinkedVoice:
    """The voice of this machine."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._link = Link(places.programme)

    async def usual(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return the usual readings. Raises Away and EngineRefused."""
        return dict(zip(names, await self._link.ask("usual", names=list(names)), strict=True))

    async def say(self, name: str, reading: str, language: str = "zh") -> bytes | None:
        """Return a name spoken, as a WAV file; None if no engine does so. Raises Away and EngineRefused."""
        told = await self._link.ask("say", name=name, reading=reading, language=language)
        if told is None:
            return None
        try:
            return _file((self._places.speech / str(told)).read_bytes())
        except OSError:
            return None

    async def hang_up(self) -> None:
        """Close the line."""
        await self._link.close()


def _file(pcm: bytes) -> bytes:
    """Return what a Speaker says as every browser plays it."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SAMPLES)
        sound.writeframes(pcm)
    return file.getvalue()
