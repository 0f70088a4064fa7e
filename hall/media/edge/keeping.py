"""Keeps every source of this machine on disk, beside the event loop: a slow disk holds no packet up.

One thread writes for all, in the order in which things came. What waits for it is bounded: a disk that is stuck
costs the recording of the sources, and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

from hall.media.edge.keyframes import Video
from hall.media.edge.sdp import Kind
from hall.media.edge.tape import Tape
from hall.media.mp4.boxes import FragmentSink
from hall.media.mp4.record import Recorder
from hall.media.port.engine import Source
from hall.media.port.places import Places
from sessions.clock import Clock
from sessions.ids import SessionId
from sessions.recording.sources import track_of

WAITING: Final = 32_000_000
"""Bytes that wait for the disk, of all sources."""

ASK_EVERY: Final = 2.0

_log = logging.getLogger(__name__)


class Keeper:
    """Everything that is sent, into files. All methods belong to one event loop."""

    def __init__(self, places: Places, clock: Clock) -> None:
        self._places = places
        self._clock = clock
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="keeping")
        self._tapes: dict[Kept, None] = {}
        self.waiting = 0

    def keep(self, session: SessionId, source: Source, video: Video | None, *, sound: bool) -> Kept:
        """Begin to keep a source; ``end`` what is returned."""
        folder, track = self._places.recordings(session), track_of(source)

        def opened(at: datetime) -> FragmentSink:
            return Recorder(folder, track, at)

        kept = Kept(self, Tape(opened, video, sound=sound))
        self._tapes[kept] = None
        return kept

    def tick(self) -> None:
        """Do what is due, about once a second."""
        for kept in self._tapes:
            kept.tick()

    async def close(self) -> None:
        """End every file."""
        for kept in tuple(self._tapes):
            kept.end()
        await asyncio.get_running_loop().run_in_executor(self._writer, int)  # behind everything that waits
        self._writer.shutdown()

    def now(self) -> datetime:
        """Return the moment on the wall."""
        return self._clock.now()

    def forget(self, kept: Kept) -> None:
        """Have no more to do with it."""
        self._tapes.pop(kept, None)

    def later(self, act: Callable[[], object], size: int = 0) -> None:
        """Have ``act`` done by the thread that writes."""
        loop = asyncio.get_running_loop()
        self.waiting += size

        def done() -> None:
            self.waiting -= size

        def work() -> None:
            try:
                act()
            except Exception:
                _log.exception("a source was not kept")
            finally:
                loop.call_soon_threadsafe(done)

        self._writer.submit(work)


class Kept:
    """One source that is kept."""

    def __init__(self, keeper: Keeper, tape: Tape) -> None:
        self._keeper = keeper
        self._tape = tape
        self._lost = False
        self._ended = False
        self._asked = 0.0

    def take(self, kind: Kind, data: bytes, timestamp: int, sent: float | None = None) -> None:
        """Keep a picture or a piece of sound (see ``Tape.take``); nothing after the end."""
        if self._ended:
            return
        now, at = asyncio.get_running_loop().time(), self._keeper.now()
        if self._keeper.waiting > WAITING:
            if not self._lost:
                self._lost = True
                self._keeper.later(lambda: self._tape.end(now))
                _log.error("the disk is too slow: a source is not kept until it has caught up")
        elif not self._lost or self._keeper.waiting == 0:
            self._lost = False
            self._keeper.later(lambda: self._tape.take(kind, data, timestamp, now, at, sent), len(data))

    def asks(self) -> bool:
        """Return whether the source is to be asked for a keyframe now: no file can begin without."""
        now = asyncio.get_running_loop().time()
        if not self._tape.wants_keyframe or now - self._asked < ASK_EVERY:
            return False
        self._asked = now
        return True

    def tick(self) -> None:
        """Do what is due."""
        now = asyncio.get_running_loop().time()
        self._keeper.later(lambda: self._tape.tick(now))

    def end(self) -> None:
        """End the file. Harmless a second time."""
        if self._ended:
            return
        self._ended = True
        now = asyncio.get_running_loop().time()
        self._keeper.forget(self)
        self._keeper.later(lambda: self._tape.end(now))
