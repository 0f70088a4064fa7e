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
from hall.media.programme.lips import Lips

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

_log = logging.getLogger(__name__)


class Camera:
    """One session's. With the event loop running; ``close`` it."""

    def __init__(self, ask_keyframe: Callable[[], object], engine: Sequence[str] = ENGINE) -> None:
        self._ask = ask_keyframe
        self._engine = engine
        self._process: Process | None = None
        self._running: asyncio.Task[None] | None = None
        self._lips = Lips()
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
        awaited = self._lips.picture is None and now - self._moved < WATCHED
        at = self._seen if awaited else max(self._seen, self._heard)
        return self._source if now - at < WATCHED else None

    @property
    def picture(self) -> Image.Image | None:
        """Return the picture that belongs to the sound that was taken last; None for the stage alone.

        It is the same object as long as it is the same.
        """
        return self._lips.picture if _now() - self._seen < WATCHED else None

    def sound(self, samples: int) -> bytes | None:
        """Return the next samples of what is heard; None for silence."""
        return self._lips.take(samples)

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
        if isinstance(made, Asked):
            self._want_keyframe(now)
            return
        if made.source != self._source:
            self._source, self._lips = made.source, Lips()
        match made:
            case Shown():
                self._lips.see(Image.frombytes("RGB", (made.width, made.height), made.data), made.sent)
                self._seen = now
            case Heard():
                self._lips.hear(made.pcm, made.sent)
                self._heard = now

    def _want_keyframe(self, now: float) -> None:
        if now - self._asked >= ASK_EVERY:
            self._asked = now
            self._ask()

    def _over(self) -> None:
        self._wanted = self._source = None
        self._seen = self._heard = self._moved = float("-inf")
        self._lips = Lips()

    def _end(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()


def _now() -> float:
    return asyncio.get_running_loop().time()
