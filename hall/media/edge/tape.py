"""What one source sends, kept as it came in: whole files, however strangely it sends. Without a clock of its own.

A file begins with a picture that stands by itself and ends when anything changes that its head had said: size,
parameter sets, the run of its times. So every file can be played from its first byte to its last. What does not fit
is left out, and no source can make more files or bytes than a camera needs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hall.media.boxes import FragmentSink
from hall.media.coded import H264, Look, Picture, Unreadable, Vp8, opus_samples
from hall.media.edge.keyframes import Video
from hall.media.edge.sdp import Kind
from hall.media.muxing import PICTURE_RATE, SOUND_RATE, Muxer

DRIFT: Final = 3.0
"""Seconds that a source's times may run apart from the clock on the wall before another file begins."""

PATIENCE: Final = 3.0
"""Seconds of sound that wait for the first picture; then a file of sound alone begins."""

QUIET: Final = 1.0
"""Seconds after which a fragment is let go although its end did not come: the camera stands still."""

REST: Final = 1.0
"""Seconds between the beginnings of two files."""

AFTER_FAILURE: Final = 10.0
"""Seconds until a disk that took nothing is tried again."""

FILES: Final = 500
FRAGMENTS: Final = 50_000  # of one file: its index counts keyframes in 16 bits
LARGEST: Final = 1 << 20  # of a picture
RATE: Final = 1_500_000  # bytes a second that a source may fill
BURST: Final = 12_000_000

SOUND_DELAY: Final = 0.08
"""Seconds that aiortc holds sound back: four packets (its jitter buffer's ``prefetch``)."""

_TICKS: Final = {Kind.VIDEO: PICTURE_RATE, Kind.AUDIO: SOUND_RATE}

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class _Run:
    """The times of one stream within a file: where it began, and where it has come to, in ticks."""

    first: int  # of the source's own
    shift: int
    last: int = -1

    def at(self, timestamp: int) -> int:
        return timestamp - self.first + self.shift


@dataclass(slots=True, kw_only=True)
class _File:
    muxer: Muxer
    look: Look | None
    began: float
    opened: float  # the first fragment that is not out yet has waited since
    fragments: int = 0


class Tape:
    """One source. ``now`` is in seconds of any clock that goes on; ``at`` the same moment on the wall."""

    def __init__(self, opened: Callable[[datetime], FragmentSink], video: Video | None, *, sound: bool) -> None:
        """``opened`` is called with the moment of time 0 of a file and returns who takes its fragments.

        ``video``: the codec of its picture, None for a microphone alone.
        """
        self._opened = opened
        self._reader: H264 | Vp8 | None = None
        if video is not None:
            self._reader = H264() if video is Video.H264 else Vp8()
        self._hears = sound
        self._file: _File | None = None
        self._runs: dict[Kind, _Run] = {}
        self._waiting: list[tuple[int, bytes, int, float]] = []
        self._alone_since: float | None = None  # sound comes, and no picture that a file can begin with
        self._came: float | None = None  # when the newest picture had come, by which the one before it was whole
        self._not_before = 0.0
        self._room = float(BURST)
        self._room_at: float | None = None
        self.files = 0

    @property
    def wants_keyframe(self) -> bool:
        """Whether a picture that stands by itself would help."""
        return self._reader is not None and (self._file is None or self._file.look is None)

    def take(self, kind: Kind, data: bytes, timestamp: int, now: float, at: datetime) -> None:
        """Take a picture or a piece of sound whose time is ``timestamp``, in ticks of its kind, without wrap."""
        try:
            if self._fits(len(data), now):
                if kind is Kind.VIDEO:
                    self._picture(data, timestamp, now, at)
                else:
                    self._sound(data, timestamp, now, at)
        except Unreadable:
            return
        except OSError:
            _log.exception("a source cannot be kept; it is tried again")
            self._file, self._not_before = None, now + AFTER_FAILURE

    def tick(self, now: float) -> None:
        """Let go what has waited long."""
        file = self._file
        if file is not None and now - file.opened >= QUIET:
            file.opened = now
            self._guarded(file.muxer.flush, now)

    def end(self, now: float) -> None:
        """Nothing more comes, or what comes is another run of it."""
        file, self._file = self._file, None
        self._runs.clear()
        if file is not None:
            self._guarded(file.muxer.end, now)

    def _picture(self, data: bytes, timestamp: int, now: float, at: datetime) -> None:
        came, self._came = (now if self._came is None else self._came), now
        if self._reader is None:
            return
        picture = self._reader.read(data)
        file = self._file
        anew = file is not None and (picture.look != file.look or file.muxer.fragments > FRAGMENTS)
        if picture.look is not None and anew:
            self.end(now)
        if self._file is None and picture.look is not None and self._may_begin(now):
            waiting, self._waiting = [one for one in self._waiting if came - one[3] <= PATIENCE], []
            self._begin(picture.look, min([came, *(one[3] for one in waiting)]), now, at)
            self._put_picture(picture, timestamp, came)
            for sound in waiting:
                self._put_sound(*sound)
        elif self._file is not None and self._file.look is not None:
            self._put_picture(picture, timestamp, came)

    def _sound(self, data: bytes, timestamp: int, now: float, at: datetime) -> None:
        lasts, came = opus_samples(data), now - SOUND_DELAY
        if not self._hears:
            return
        if self._file is not None:
            self._put_sound(timestamp, data, lasts, came)
            return
        self._alone_since = came if self._alone_since is None else self._alone_since
        self._waiting = [one for one in self._waiting if came - one[3] <= PATIENCE]
        self._waiting.append((timestamp, data, lasts, came))
        if (self._reader is None or came - self._alone_since >= PATIENCE) and self._may_begin(now):
            waiting, self._waiting = self._waiting, []
            self._begin(None, waiting[0][3], now, at)
            for sound in waiting:
                self._put_sound(*sound)

    def _put_picture(self, picture: Picture, timestamp: int, came: float) -> None:
        place = self._place(Kind.VIDEO, timestamp, came)
        if place is not None and self._file is not None:
            self._file.muxer.picture(place, picture.data, stands=picture.look is not None)
            self._went_on(self._file, came)

    def _put_sound(self, timestamp: int, data: bytes, lasts: int, came: float) -> None:
        place = self._place(Kind.AUDIO, timestamp, came)
        if place is not None and self._file is not None:
            self._file.muxer.sound(place, data, lasts)
            self._went_on(self._file, came)

    def _went_on(self, file: _File, came: float) -> None:
        if file.muxer.fragments != file.fragments:
            file.fragments, file.opened = file.muxer.fragments, came

    def _place(self, kind: Kind, timestamp: int, came: float) -> int | None:
        """Return where in the file something belongs; None if nowhere. May end the file."""
        file = self._file
        if file is None:
            return None
        run = self._runs.get(kind)
        if run is None:
            run = _Run(first=timestamp, shift=round(max(0.0, came - file.began) * _TICKS[kind]))
            self._runs[kind] = run
        place = run.at(timestamp)
        if abs(place / _TICKS[kind] - (came - file.began)) > DRIFT:
            self.end(came)
            return None
        if place <= run.last:
            return None
        run.last = place
        return place

    def _may_begin(self, now: float) -> bool:
        return now >= self._not_before and self.files < FILES

    def _begin(self, look: Look | None, began: float, now: float, at: datetime) -> None:
        """Begin a file whose time 0 is the moment ``began``."""
        zero = at - timedelta(milliseconds=round((now - began) * 1000))
        sink = self._opened(zero.replace(microsecond=zero.microsecond // 1000 * 1000))
        self._not_before, self._alone_since, self.files = now + REST, None, self.files + 1
        self._runs.clear()
        self._file = _File(muxer=Muxer(sink, look, sound=self._hears), look=look, began=began, opened=now)

    def _fits(self, length: int, now: float) -> bool:
        """Return whether a source stays within what it may fill; one that does not loses its file until it does."""
        since = 0.0 if self._room_at is None else now - self._room_at
        self._room, self._room_at = min(BURST, self._room + since * RATE), now
        if length > LARGEST or length > self._room:
            self.end(now)
            self._not_before = max(self._not_before, now + REST)
            return False
        self._room -= length
        return True

    def _guarded(self, act: Callable[[], object], now: float) -> None:
        try:
            act()
        except OSError:
            _log.exception("a source cannot be kept; it is tried again")
            self._file, self._not_before = None, now + AFTER_FAILURE
