"""What one source sends, kept as it came in: whole files, however strangely it sends. Without a clock of its own.

A file begins with a picture that stands by itself and ends when anything changes that its head had said: size,
parameter sets, the run of its times. So every file can be played from its first byte to its last. What does not fit
is left out, and no source can make more files or bytes than a camera needs.

Sound and picture lie together as the source's sender reports have them, however much later the network brought one
of them; before there are reports of both, as they came. When the reports tell otherwise, the first time or because
the source's clocks drift, the next picture that stands by itself begins another file: nothing in a file is moved.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hall.media.edge.keyframes import Video
from hall.media.edge.sdp import Kind
from hall.media.mp4.boxes import FragmentSink
from hall.media.mp4.muxing import PICTURE_RATE, SOUND_RATE, Muxer
from hall.media.packets.coded import H264, Look, Picture, Unreadable, Vp8, opus_samples

FILES: Final = 500

DRIFT: Final = 3.0
"""Seconds that a source's times may run apart from the clock on the wall before another file begins."""

PATIENCE: Final = 3.0
"""Seconds of sound that wait for the first picture; then a file of sound alone begins."""

QUIET: Final = 1.0
"""Seconds after which a fragment is let go although its end did not come: the camera stands still."""

REST: Final = 1.0
"""Seconds between the beginnings of two files."""

APART: Final = 0.06
"""Seconds between sound and picture that nobody minds (ITU-R BT.1359 has 0.045 as the first that is noticed)."""

BELIEVED: Final = 2.0
"""Seconds that reports may move sound or picture from when it came: less than DRIFT, and more than any network that
can be used is late."""

ALIGN_EVERY: Final = 60.0
"""Seconds between two files that begin because the ones before were apart; and no more than ALIGNED of them."""

ALIGNED: Final = FILES // 2

AFTER_FAILURE: Final = 10.0
"""Seconds until a disk that took nothing is tried again."""

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
    slip: float | None = None  # seconds from the source's clock, as its reports have it, to the file's

    def at(self, timestamp: int) -> int:
        return timestamp - self.first + self.shift


@dataclass(frozen=True, slots=True)
class _Sound:
    """A piece of sound; ``sent`` is when, by the source's clock."""

    timestamp: int
    data: bytes
    lasts: int
    came: float
    sent: float | None


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
        self._waiting: list[_Sound] = []
        self._heard: _Sound | None = None
        self._apart = False  # sound and picture lie otherwise in the file than the reports tell
        self._align_from = 0.0
        self._aligned = 0
        self._alone_since: float | None = None  # sound comes, and no picture that a file can begin with
        self._came: float | None = None  # when the newest picture had come, by which the one before it was whole
        self._not_before = 0.0
        self._room = float(BURST)
        self._room_at: float | None = None
        self.files = 0

    @property
    def wants_keyframe(self) -> bool:
        """Whether a picture that stands by itself would help."""
        return self._reader is not None and (self._file is None or self._file.look is None or self._apart)

    def take(
        self, kind: Kind, data: bytes, timestamp: int, now: float, at: datetime, sent: float | None = None
    ) -> None:
        """Take a picture or a piece of sound whose time is ``timestamp``, in ticks of its kind, without wrap.

        ``sent`` is the same time in seconds of the source's own clock, where its reports have told (see Moments).
        """
        try:
            if self._fits(len(data), now):
                if kind is Kind.VIDEO:
                    self._picture(data, timestamp, now, at, sent)
                else:
                    self._sound(data, timestamp, now, at, sent)
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
        self._apart = False
        if file is not None:
            self._guarded(file.muxer.end, now)

    def _picture(self, data: bytes, timestamp: int, now: float, at: datetime, sent: float | None) -> None:
        came, self._came = (now if self._came is None else self._came), now
        if self._reader is None:
            return
        picture = self._reader.read(data)
        file = self._file
        apart = self._apart and self._may_begin(now)
        anew = file is not None and (picture.look != file.look or file.muxer.fragments > FRAGMENTS or apart)
        if picture.look is not None and anew:
            if apart:
                self._aligned, self._align_from = self._aligned + 1, now + ALIGN_EVERY
            self.end(now)
        if self._file is None and picture.look is not None and self._may_begin(now):
            waiting, self._waiting = [one for one in self._waiting if came - one.came <= PATIENCE], []
            beside = list(waiting)
            if (heard := self._heard) is not None and None not in (heard.sent, sent) and came - heard.came <= QUIET:
                beside.append(heard)  # in the file before: what follows it may belong ahead of this picture too
            self._begin(picture.look, min([came, *(_moved(one, came, sent) for one in beside)]), now, at)
            self._put_picture(picture, timestamp, came, sent)
            for sound in waiting:
                self._put_sound(sound)
        elif self._file is not None and self._file.look is not None:
            self._put_picture(picture, timestamp, came, sent)

    def _sound(self, data: bytes, timestamp: int, now: float, at: datetime, sent: float | None) -> None:
        came = now - SOUND_DELAY
        sound = self._heard = _Sound(timestamp, data, opus_samples(data), came, sent)
        if not self._hears:
            return
        if self._file is not None:
            self._put_sound(sound)
            return
        self._alone_since = came if self._alone_since is None else self._alone_since
        self._waiting = [one for one in self._waiting if came - one.came <= PATIENCE]
        self._waiting.append(sound)
        if (self._reader is None or came - self._alone_since >= PATIENCE) and self._may_begin(now):
            waiting, self._waiting = self._waiting, []
            self._begin(None, waiting[0].came, now, at)
            for sound in waiting:
                self._put_sound(sound)

    def _put_picture(self, picture: Picture, timestamp: int, came: float, sent: float | None) -> None:
        place = self._place(Kind.VIDEO, timestamp, came, sent)
        if place is not None and self._file is not None:
            self._file.muxer.picture(place, picture.data, stands=picture.look is not None)
            self._went_on(self._file, came)

    def _put_sound(self, sound: _Sound) -> None:
        place = self._place(Kind.AUDIO, sound.timestamp, sound.came, sound.sent)
        if place is not None and self._file is not None:
            self._file.muxer.sound(place, sound.data, sound.lasts)
            self._went_on(self._file, sound.came)

    def _went_on(self, file: _File, came: float) -> None:
        if file.muxer.fragments != file.fragments:
            file.fragments, file.opened = file.muxer.fragments, came

    def _place(self, kind: Kind, timestamp: int, came: float, sent: float | None) -> int | None:
        """Return where in the file something belongs; None if nowhere. May end the file."""
        file = self._file
        if file is None:
            return None
        run = self._runs.get(kind)
        if run is None:
            arrived = max(0.0, came - file.began)
            told = self._told(sent)
            begins = told if told is not None and abs(told - arrived) <= BELIEVED else arrived
            run = self._runs[kind] = _Run(first=timestamp, shift=round(begins * _TICKS[kind]))
        place = run.at(timestamp)
        run.slip = None if sent is None else place / _TICKS[kind] - sent
        self._apart = came >= self._align_from and self._are_apart()
        if abs(place / _TICKS[kind] - (came - file.began)) > DRIFT:
            self.end(came)
            return None
        if place <= run.last:
            return None
        run.last = place
        return place

    def _told(self, sent: float | None) -> float | None:
        """Return where in the file a time of the source's clock is, by the stream that lies in it already."""
        other = next(iter(self._runs.values()), None)
        return None if sent is None or other is None or other.slip is None else sent + other.slip

    def _are_apart(self) -> bool:
        slips = [run.slip for run in self._runs.values() if run.slip is not None]
        return len(slips) == 2 and APART < abs(slips[0] - slips[1]) <= BELIEVED and self._aligned < ALIGNED

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


def _moved(sound: _Sound, came: float, sent: float | None) -> float:
    """Return when a piece of sound would have come with a picture that was sent and came then."""
    if sound.sent is None or sent is None:
        return sound.came
    moved = came + sound.sent - sent
    return moved if abs(moved - sound.came) <= BELIEVED else sound.came
