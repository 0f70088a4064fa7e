"""What is said, and shown as a caption, of a view and of a fact: in Mandarin and in English. Pure.

The words are those of every page and of the captions of the recording (sessions.wording.readout); only the voice has
figures spelled out for it (hall.media.voice.spelling).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hall.media.picture.scene import Said
from hall.views.readout import row_words
from sessions.wording.readout import QUIET

View = Mapping[str, Any]

_SPOKEN: Final = frozenset(
    {
        *(
            "T0Moved",
            "SetFrozen",
            "BiddersListed",
            "OpeningFailed",
            "StepEntered",
            "CeilingAnnounced",
            "WindowExtended",
        ),
        *("BarrierPassed", "BidNotOpened", "CauseRuled", "LateBidRefused", "DrawClosed", "DrawRepeated", "DrawMade"),
        *(
            "ObjectionRaised",
            "ObjectionAnswered",
            "FloorGranted",
            "RecordDrawn",
            "SessionPaused",
            "SessionResumed",
            "ClockUnsafe",
        ),
        *("ClockSafe", "OutageBegan", "OutageEnded", "SessionAborted", "SessionEnded", "LogDisputed"),
    }
)
"""Facts that are read out. The others are captions only: while keys come in nobody could follow a voice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing to say. ``names`` in it are read as they were given for it."""

    words: Said
    spoken: bool
    names: tuple[str, ...] = ()


def of_fact(message: Mapping[str, Any], view: View) -> Line | None:
    """Return what to say of a fact; ``view`` is the one after it. None for one without words."""
    words = message.get("words") or {}
    if not words.get("zh") or message["type"] in QUIET:
        return None
    return Line(
        words=Said(zh=str(words["zh"]), en=str(words["en"])),
        spoken=message["type"] in _SPOKEN,
        names=names_of(view),
    )


def of_row(view: View, place: int) -> Line | None:
    """Return the read-out of the row at ``place``, from 1, of those being read."""
    words = row_words(view, place)
    if words is None:
        return None
    name = str(view["bids"][str(view["reading"]["rows"][place - 1])]["name"])
    return Line(words=Said(zh=words.zh, en=words.en), spoken=True, names=(name,))


def of_reading(view: View) -> tuple[Line, ...]:
    """Return every read-out that is sure to come, so that a voice can have it ready."""
    reading = view.get("reading")
    places = range(1, len(reading["rows"]) + 1) if reading else ()
    return tuple(line for place in places if (line := of_row(view, place)))


def names_of(view: View) -> tuple[str, ...]:
    """Return the names in a view whose reading somebody may have set: the bidders'."""
    return tuple(str(bid["name"]) for bid in (view.get("bids") or {}).values())
