"""The source that is on air, decoded for the programme by a process of its own. It never stops the programme.

Nothing here waits: frames go into the decoder's pipe, pictures and sound are there or are not. Without a picture for
two seconds the stage is shown alone; a decoder that is stuck or too slow is ended, and begins again after a rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from typing import Final

from PIL import Image

from hall.media.packets.datagrams import Payload
from hall.media.packets.onair import OnAir, pack
from hall.media.port.engine import Source
from hall.media.port.processes import killed
from hall.media.programme.decoder import Asked, Heard, Shown, read
from hall.media.voice.sound import SAMPLES, silence

ENGINE: Final = (sys.executable, "-m", "hall.media.programme.decoder")
WATCHED: Final = 2.0
"""Seconds without a picture after which the stage is alone."""

STUCK: Final = 8.0
"""Seconds without any answer, while frames go in, after which the decoder is ended."""

IDLE: Final = 10.0
"""Seconds without a frame after which the decoder is let go."""

REST: Final = 3.0
ASK_EVERY: Final = 1.0
BEHIND: Final = 1 << 20  # bytes in its pipe from which on it is too slow
LARGEST: Final = 4 << 20
_AHEAD: Final = SAMPLES // 5  # samples of sound that wait before it is heard: what a network and a tick shake it
_MOST: Final = SAMPLES * 3 // 5

_log = logging.getLogger(__name__)


class Line:
    """Sound as it comes in, taken out evenly. A line that ran dry begins again a fifth of a second later."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._on = False

    def add(self, pcm: bytes) -> None:
        """Take sound; the oldest is left out when too much waits."""
        self._held += pcm
        if len(self._held) > 2 * _MOST:
            del self._held[: len(self._held) - 2 * _AHEAD]

    def take(self, samples: int) -> bytes | None:
        """Return the next samples; None for silence."""
        self._on = self._on or len(self._held) >= 2 * max(_AHEAD, samples)
        if not self._on:
            return None
        out = bytes(self._held[: 2 * samples])
        del self._held[: 2 * samples]
        if len(out) < 2 * samples:
            self._on = False
            out += silence(samples - len(out) // 2)
        return out


class Camera:
    """One session's. With the event loop running; ``close`` it."""

    def __init__(self, ask_keyframe: Callable[[], object], engine: Sequence[str] = ENGINE) -> None:
        self._ask = ask_keyframe
        self._engine = engine
        self._process: Process | None = None
        self._running: asyncio.Task[None] | None = None
        self._line = Line()
        self._picture: Image.Image | None = None
        self._source: Source | None = None
        self._wanted: Source | None = None
        self._seen = self._heard = self._moved = self._given = self._answered = self._asked = self._again = float(
            "-inf"
        )

    def take(self, frame: OnAir) -> None:
        """Take a frame of who is on air, or that nobody is."""
        now = _now()
        if frame.payload is None:
            self._over()
            return
        self._given = now
        if frame.payload is not Payload.OPUS:
            self._moved = now
        self._wanted = frame.source
        if self._running is None and now >= self._again:
            self._answered = now
            self._running = asyncio.get_running_loop().create_task(self._run())
        pipe = self._process.stdin if self._process is not None else None
        if pipe is None or pipe.is_closing():
            return
        if pipe.transport.get_write_buffer_size() > BEHIND:  # what follows a hole is no picture: begin anew
            self._end()
            return
        pipe.write(pack(frame))

    @property
    def source(self) -> Source | None:
        """Who is seen now, or heard and not expected to be seen; None for nobody."""
        now = _now()
        awaited = self._picture is None and now - self._moved < WATCHED
        at = self._seen if awaited else max(self._seen, self._heard)
        return self._source if now - at < WATCHED else None

    @property
    def picture(self) -> Image.Image | None:
        """Return the newest picture, the same object as long as it is the same; None for the stage alone."""
        return self._picture if _now() - self._seen < WATCHED else None

    def sound(self, samples: int) -> bytes | None:
        """Return the next samples of what is heard; None for silence."""
        return self._line.take(samples)

    def tick(self) -> None:
        """Watch the decoder."""
        now = _now()
        if self._running is None:
            return
        stuck = now - self._given < WATCHED and now - self._answered > STUCK
        if stuck or now - self._given > IDLE:
            self._end()
        elif now - self._given < WATCHED < now - self._seen:
            self._want_keyframe(now)

    async def close(self) -> None:
        """Let the decoder go."""
        running = self._running
        if running is not None:
            if self._process is None:  # it is being started
                running.cancel()
            self._end()
            await asyncio.wait({running})

    async def _run(self) -> None:
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._engine, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
            )
            self._want_keyframe(_now())
            if (answered := self._process.stdout) is not None:
                while True:
                    length = int.from_bytes(await answered.readexactly(4), "big")
                    if length > LARGEST:
                        raise ValueError(length)
                    self._made(await answered.readexactly(length))
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            if _now() - self._given < IDLE:
                _log.warning("the camera could not be decoded; the stage goes on alone", extra={"error": repr(error)})
        finally:
            try:
                if self._process is not None:
                    await killed(self._process)
            finally:
                self._process = self._running = None
                self._again = _now() + REST

    def _made(self, message: bytes) -> None:
        made, now = read(message), _now()
        self._answered = now
        if made.source != self._wanted:
            return
        match made:
            case Shown():
                self._picture = Image.frombytes("RGB", (made.width, made.height), made.data)
                self._source, self._seen = made.source, now
            case Heard():
                self._line.add(made.pcm)
                self._source, self._heard = made.source, now
            case Asked():
                self._want_keyframe(now)

    def _want_keyframe(self, now: float) -> None:
        if now - self._asked >= ASK_EVERY:
            self._asked = now
            self._ask()

    def _over(self) -> None:
        self._wanted = self._source = self._picture = None
        self._seen = self._heard = self._moved = float("-inf")
        self._line = Line()

    def _end(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()


def _now() -> float:
    return asyncio.get_running_loop().time()
