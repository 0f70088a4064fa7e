"""What is said, and shown as a caption, of a view and of a fact: in Mandarin and in English. Pure.

A caption of a row has the same words as its speech. A fact's words are those of its message, where figures stay
figures; the speech has them spelled out (hall.media.spelling).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hall.media.scene import Said

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


_QUIET: Final = frozenset({"RecordingNoted", "Anchored"})
"""What the log says of itself is not said to the room (as in the captions of the recording)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing to say. ``names`` in it are read as they were given for it."""

    words: Said
    spoken: bool
    names: tuple[str, ...] = ()


def of_fact(message: Mapping[str, Any], view: View) -> Line | None:
    """Return what to say of a fact; ``view`` is the one after it. None for one without words."""
    words = message.get("words") or {}
    if not words.get("zh") or message["type"] in _QUIET:
        return None
    return Line(
        words=Said(zh=str(words["zh"]), en=str(words["en"])),
        spoken=message["type"] in _SPOKEN,
        names=names_of(view),
    )


def of_row(view: View, place: int) -> Line | None:
    """Return the read-out of the row at ``place``, from 1, of those being read."""
    reading = view.get("reading")
    if not reading or not 1 <= place <= len(reading["rows"]):
        return None
    bid = (view.get("bids") or {}).get(str(reading["rows"][place - 1]))
    if bid is None:
        return None
    fields = sorted((view.get("fields") or {}).items(), key=lambda one: int(one[1]["order"]))
    quote, amount = bid.get("quote") or {}, bid.get("amount")
    chinese, english = [f"第{bid['row']}号，{bid['name']}"], [f"Number {bid['row']}, {bid['name']}"]
    said_amount = False
    for name, field in fields:
        if name not in quote:
            continue
        zh, en = str(quote[name]), str(quote[name])
        if amount and field["kind"] == "money" and not said_amount:
            zh, en, said_amount = str(amount["zh"]), str(amount["en"]), True
        chinese.append(f"{field['label']['zh']}{zh}")
        english.append(f"{field['label']['en'].lower()} {en}")
    if len(chinese) == 1:
        chinese.append("投标文件未能开启" if bid.get("state") == "not_opened" else "没有报价")
        english.append("the bid was not opened" if bid.get("state") == "not_opened" else "no price")
    return Line(
        words=Said(zh="，".join(chinese) + "。", en=", ".join(english) + "."), spoken=True, names=(str(bid["name"]),)
    )


def of_reading(view: View) -> tuple[Line, ...]:
    """Return every read-out that is sure to come, so that a voice can have it ready."""
    reading = view.get("reading")
    places = range(1, len(reading["rows"]) + 1) if reading else ()
    return tuple(line for place in places if (line := of_row(view, place)))


def names_of(view: View) -> tuple[str, ...]:
    """Return the names in a view whose reading somebody may have set: the bidders'."""
    return tuple(str(bid["name"]) for bid in (view.get("bids") or {}).values())
