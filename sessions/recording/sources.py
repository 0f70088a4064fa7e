"""Who is behind a track of the recording: the programme, somebody of the staff, or a bidder who had the floor."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sessions.opening.state import Opening
from sessions.recording.rules import TRACK
from sessions.recording.state import PROGRAMME, Part, Recording
from sessions.roles import Role

BIDDER = "bidder"
_STAFF = (Role.HOST, Role.DEPUTY, Role.SUPERVISOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One file of a source. ``name`` is a bidder's; empty for the staff, where the role says who it was."""

    part: Part
    role: str
    name: str


def track_of(source: str) -> str:
    """Return the track of a source (``host``, ``bidder:ID``): its name in small letters, or a digest of it."""
    kind, _, name = source.partition(":")
    track = f"{kind}-{name.lower()}" if name else kind
    if TRACK.fullmatch(track) and name == name.upper() and source != PROGRAMME:
        return track
    return f"source-{hashlib.sha256(source.encode()).hexdigest()[:16]}"


def sent(recording: Recording, opening: Opening) -> tuple[Sent, ...]:
    """Return every file of a source that has something in it, in the order in which they began."""
    bidders = {track_of(f"{BIDDER}:{bid.bidder}"): bid.name for bid in opening.bids} if opening.listed else {}
    return tuple(
        Sent(part=part, role=part.track if part.track in _STAFF else BIDDER, name=bidders.get(part.track, ""))
        for part in sorted(recording.parts, key=lambda part: part.begins)
        if part.track != PROGRAMME and part.fragments
    )
