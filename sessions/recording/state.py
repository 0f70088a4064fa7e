"""The recording as it stands after an event, and what is missing of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import assert_never, cast

from sessions import events as e
from sessions.commands import Gap
from sessions.ids import Digest

PROGRAMME = "programme"
"""The track that always exists: what the public was shown."""

SEEN = timedelta(seconds=1)
"""A hole that is told: shorter ones are how clocks and frames fall."""

MOST_NOTED = 500
"""Gaps in one note; a picture that breaks off more often is not worth more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file of a track: what one life of the recorder wrote. ``size`` and ``end_ms`` are where it has come to."""

    track: str
    part: int
    codec: str
    init_length: int
    init_sha256: Digest
    utc: datetime
    size: int
    fragments: int = 0
    start_ms: int = 0
    end_ms: int = 0
    broken: bool = False
    holes: tuple[tuple[int, int], ...] = ()  # decode times between fragments that do not touch

    @property
    def name(self) -> str:
        """The file's name, without what it ends in."""
        return f"{self.track}-{self.part}"

    @property
    def begins(self) -> datetime:
        """When its picture begins."""
        return self.utc + timedelta(milliseconds=self.start_ms)

    @property
    def ends(self) -> datetime:
        """When its picture ends."""
        return self.utc + timedelta(milliseconds=self.end_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Every part in the order in which they began. ``closed``: nothing comes any more."""

    parts: tuple[Part, ...] = ()
    at: datetime | None = None
    length: int = 0  # events so far
    closed: bool = False
    whole: bool = False

    def part(self, track: str, part: int) -> Part | None:
        """Return one part, if it began."""
        return next((one for one in self.parts if (one.track, one.part) == (track, part)), None)

    def track(self, track: str) -> tuple[Part, ...]:
        """Return the parts of a track, in order."""
        return tuple(one for one in self.parts if one.track == track)

    @property
    def fragments(self) -> int:
        return sum(part.fragments for part in self.parts)


def evolve(recording: Recording, fact: e.Happening | e.Recorded) -> Recording:
    """Return the recording after ``fact``. Total."""
    event = cast(e.RecordingEvent, fact.event)
    r = replace(recording, at=fact.at, length=recording.length + 1)
    match event:
        case e.TrackBegan():
            part = Part(
                track=event.track,
                part=event.part,
                codec=event.codec,
                init_length=event.init_length,
                init_sha256=event.init_sha256,
                utc=event.utc,
                size=event.init_length,
            )
            return replace(r, parts=(*r.parts, part))
        case e.FragmentsKept():
            return _changed(r, event.track, event.part, lambda part: _longer(part, event))
        case e.TrackBroken():
            return _changed(r, event.track, event.part, lambda part: replace(part, broken=True))
        case e.RecordingClosed(whole=whole):
            return replace(r, closed=True, whole=whole)
        case _:
            assert_never(event)


def gaps(recording: Recording, since: datetime, until: datetime) -> Iterator[Gap]:
    """Yield the stretches of the time from ``since`` to ``until`` of which the programme has nothing.

    By the moments at which the parts' decode time was 0: nothing else ties a file to the clock on the wall.
    """
    reached = since
    for begin, end in _covered(recording.track(PROGRAMME)):
        if begin - reached > SEEN:
            yield Gap(since=reached, until=min(begin, until))
        reached = max(reached, end)
        if reached >= until:
            return
    if until - reached > SEEN:
        yield Gap(since=reached, until=until)


def noted(recording: Recording, since: datetime) -> tuple[datetime | None, tuple[Gap, ...]]:
    """Return where the picture of the programme has come to, None where there is none, and what is missing before."""
    ends = [part.ends for part in recording.track(PROGRAMME) if part.fragments]
    until = max(ends, default=None)
    return until, () if until is None else tuple(islice(gaps(recording, since, until), MOST_NOTED))


def _covered(parts: tuple[Part, ...]) -> Iterator[tuple[datetime, datetime]]:
    """The stretches that the parts hold, by the clock on the wall."""
    for part in parts:
        if not part.fragments:
            continue
        at = part.start_ms
        for begin, end in part.holes:
            yield _at(part, at), _at(part, begin)
            at = end
        yield _at(part, at), part.ends


def _at(part: Part, ms: int) -> datetime:
    return part.utc + timedelta(milliseconds=ms)


def _longer(part: Part, event: e.FragmentsKept) -> Part:
    start, end, holes = part.start_ms, part.end_ms, list(part.holes)
    for number, fragment in enumerate(event.fragments, start=part.fragments):
        if number == 0:
            start = fragment.time_ms
        elif fragment.time_ms - end > SEEN / timedelta(milliseconds=1):
            holes.append((end, fragment.time_ms))
        end = max(end, fragment.time_ms + fragment.duration_ms)
    return replace(
        part,
        size=part.size + sum(fragment.length for fragment in event.fragments),
        fragments=part.fragments + len(event.fragments),
        start_ms=start,
        end_ms=end,
        holes=tuple(holes),
    )


def _changed(r: Recording, track: str, number: int, change: Callable[[Part], Part]) -> Recording:
    return replace(
        r, parts=tuple(change(part) if (part.track, part.part) == (track, number) else part for part in r.parts)
    )
