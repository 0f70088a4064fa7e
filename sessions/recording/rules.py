"""What the recorder wrote becomes fact: begun, kept, broken off, closed when the opening is over.

No command stops a recording. The one that closes it is the clock's, and is refused while the opening goes on.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import assert_never

from sessions import commands as c
from sessions import events as e
from sessions.errors import CommandRefused
from sessions.opening.state import OVER, Opening
from sessions.recording.state import Part, Recording
from sessions.roles import Actor, Role

MOST = 400
"""Fragments in one event; a batch of ten seconds has twenty."""

TRACK = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def decide(
    recording: Recording, command: c.RecordingCommand, actor: Actor, now: datetime, *, of: Opening
) -> tuple[e.Happening, ...]:
    """Return what happens if ``command`` arrives at ``now``; nothing when it says what is known.

    ``of`` is the opening that is recorded. Raises CommandRefused.
    """
    if actor.role is not Role.CLOCK:
        raise CommandRefused("not_your_role", role=actor.role.value)
    if not of.plan.recording:
        raise CommandRefused("not_recorded")
    event = _event(recording, command, of)
    if event is None:
        return ()
    if recording.closed:
        raise CommandRefused("recording_closed")
    return (e.Happening(at=max(now, recording.at or now), actor=actor, event=event),)


def _event(r: Recording, command: c.RecordingCommand, of: Opening) -> e.RecordingEvent | None:
    match command:
        case c.BeginTrack():
            return _began(r, command)
        case c.KeepFragments():
            return _kept(_part(r, command.track, command.part), command)
        case c.BreakTrack(track=track, part=number):
            return None if _part(r, track, number).broken else e.TrackBroken(track=track, part=number)
        case c.CloseRecording(whole=whole):
            if of.status not in OVER:
                raise CommandRefused("not_over", status=of.status.value)
            return None if r.closed else e.RecordingClosed(fragments=r.fragments, whole=whole)
        case _:
            assert_never(command)


def _began(r: Recording, command: c.BeginTrack) -> e.TrackBegan | None:
    if r.part(command.track, command.part) is not None:
        return None
    before = r.track(command.track)
    if (
        not TRACK.fullmatch(command.track)
        or command.part != len(before) + 1
        or command.init_length < 1
        or not _DIGEST.fullmatch(command.init_sha256)
    ):
        raise CommandRefused("recording_gap")
    return e.TrackBegan(
        track=command.track,
        part=command.part,
        codec=command.codec,
        init_length=command.init_length,
        init_sha256=command.init_sha256,
        utc=command.utc,
    )


def _kept(part: Part, command: c.KeepFragments) -> e.FragmentsKept | None:
    new = tuple(one for one in command.fragments if one.offset >= part.size)[:MOST]
    at, time = part.size, part.end_ms if part.fragments else 0
    for one in new:
        follows = one.offset == at and one.length > 0 and one.duration_ms >= 0 and bool(_DIGEST.fullmatch(one.sha256))
        if part.broken or not follows or one.time_ms < time - 1:  # a millisecond: times are rounded down
            raise CommandRefused("recording_gap")
        at, time = at + one.length, one.time_ms + one.duration_ms
    return e.FragmentsKept(track=part.track, part=part.part, fragments=new) if new else None


def _part(r: Recording, track: str, number: int) -> Part:
    part = r.part(track, number)
    if part is None:
        raise CommandRefused("recording_gap")
    return part
