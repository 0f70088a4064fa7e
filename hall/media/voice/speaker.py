"""Say a line: in words that a voice reads rightly, by an engine in a process of its own. A dead one is silence.

What was once said is kept by the digest of voice and text, so a name or a rule is made once. Nobody waits long: a
line that takes more than ``WITHIN`` stays unsaid, and its caption was shown at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import math
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from hall.media.port.link import Method
from hall.media.port.processes import killed
from hall.media.voice.pinyin import latin, reading_of, suggested
from hall.media.voice.spelling import chinese, english

WITHIN: Final = 8.0  # seconds for one line; it takes a hundredth of the time that it lasts
REST: Final = 5.0  # after a failure the engine is left alone for so long
LONGEST: Final = 600  # characters of one line
VOICE: Final = "espeak-ng 1.52 cmn-latn-pinyin 165, English (Great Britain) 160"
ENGINE: Final = (sys.executable, "-m", "hall.media.voice.speaking")

_log = logging.getLogger(__name__)


class Speaker:
    """One engine for all sessions of this machine, and what it said before."""

    def __init__(self, folder: Path, engine: Sequence[str] = ENGINE) -> None:
        """``folder`` keeps what was said; it may be emptied at any time."""
        self._folder = folder
        self._engine = engine
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._again_at = 0.0

    async def say(self, text: str, language: str, readings: Mapping[str, str] | None = None) -> bytes:
        """Return ``text`` spoken (48 kHz mono s16), or nothing if no engine does so in time. Never raises.

        ``language`` is ``zh`` or ``en``; ``readings`` has the pinyin of names (sessions.wording.readings.checked).
        """
        words = spoken(text[:LONGEST], language, readings)
        place = self._place(words, language)
        with contextlib.suppress(OSError):
            return place.read_bytes()
        try:
            async with self._turn, asyncio.timeout(WITHIN):
                pcm = await self._ask(words, language)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            self._again_at = max(self._again_at, asyncio.get_running_loop().time() + REST)
            _log.warning("the voice did not answer; captions go on", extra={"error": repr(error)})
            return b""
        if pcm:
            self._keep(place, pcm)
        return pcm

    async def kept(self, text: str, language: str, readings: Mapping[str, str] | None = None) -> str | None:
        """Say it, and return the name of the file in ``folder`` that keeps it; None if it is not there."""
        place = self._place(spoken(text[:LONGEST], language, readings), language)
        await self.say(text, language, readings)
        return place.name if place.exists() else None

    async def prepare(self, texts: Sequence[tuple[str, str]], readings: Mapping[str, str] | None = None) -> None:
        """Say lines that are sure to come to nobody, so that they are there when they are needed."""
        for text, language in texts:
            await self.say(text, language, readings)

    async def close(self) -> None:
        """Let the engine go. What is said after this is silence."""
        self._again_at = math.inf
        if self._process is not None:  # whoever waits for its answer waits no longer
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        async with self._turn:
            await self._drop()

    async def _drop(self) -> None:
        """End the engine; the next line starts another. For whoever has the turn."""
        process, self._process = self._process, None
        if process is not None:
            await killed(process)

    async def _ask(self, words: str, language: str) -> bytes:
        if asyncio.get_running_loop().time() < self._again_at:
            return b""
        if self._process is None or self._process.returncode is not None:
            await self._drop()
            self._process = await asyncio.create_subprocess_exec(
                *self._engine, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
            )
        asked, answered = self._process.stdin, self._process.stdout
        if asked is None or answered is None:
            raise BrokenPipeError
        try:
            asked.write(json.dumps({"text": words, "language": language}).encode() + b"\n")
            await asked.drain()
            length = int.from_bytes(await answered.readexactly(4), "big")
            return await answered.readexactly(length)
        except BaseException:  # an answer that nobody waited for would be taken for the next one's
            await self._drop()
            raise

    def _place(self, words: str, language: str) -> Path:
        digest = hashlib.sha256(f"{VOICE}\n{language}\n{words}".encode()).hexdigest()
        return self._folder / f"{digest}.pcm"

    def _keep(self, place: Path, pcm: bytes) -> None:
        with contextlib.suppress(OSError):  # a full disk only means that it is made again
            self._folder.mkdir(parents=True, exist_ok=True)
            new = place.with_suffix(".new")
            new.write_bytes(pcm)
            new.replace(place)


def methods(speaker: Speaker) -> dict[str, Method]:
    """Return what the hall may ask of the voice, by name (hall.media.voice.sample)."""

    async def usual(names: Sequence[str]) -> list[str]:
        return [suggested(name) for name in names]

    async def say(name: str, reading: str, language: str) -> str | None:
        return await speaker.kept(name, language, {name: reading} if reading else None)

    return {"usual": usual, "say": say}


def spoken(text: str, language: str, readings: Mapping[str, str] | None = None) -> str:
    """Return what the engine is given: pinyin for Mandarin, words for English, figures in neither."""
    return reading_of(chinese(text), readings) if language == "zh" else latin(english(text), readings)
