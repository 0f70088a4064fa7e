"""Which row is being read out, and in which words: by the view and the clock alone, so every screen agrees. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sessions.plan import Words
from sessions.wording import readout
from sessions.wording.readout import Figure


def rows_read(view: Mapping[str, Any], now: datetime) -> int:
    """Return how many rows of the read-out have begun at ``now``; one more than there are when all were read."""
    reading = view.get("reading")
    if not reading or view.get("hold"):
        return 0
    pace = timedelta(milliseconds=reading["pace_ms"])
    return readout.begun(datetime.fromisoformat(reading["from"]), pace, len(reading["rows"]), now)


def row_words(view: Mapping[str, Any], place: int) -> Words | None:
    """Return what is said of the row at ``place``, from 1, of those being read; None if there is none."""
    reading = view.get("reading")
    if not reading or not 1 <= place <= len(reading["rows"]):
        return None
    bid = (view.get("bids") or {}).get(str(reading["rows"][place - 1]))
    if bid is None:
        return None
    quote, amount = bid.get("quote") or {}, bid.get("amount")
    fields = sorted((view.get("fields") or {}).items(), key=lambda one: int(one[1]["order"]))
    figures = [
        Figure(label=_words(field["label"]), money=field["kind"] == "money", value=str(quote[name]))
        for name, field in fields
        if name in quote
    ]
    said = _words(amount) if amount else None
    return readout.row_words(bid["row"], str(bid["name"]), figures, said, opened=bid.get("state") != "not_opened")


def _words(form: Mapping[str, Any]) -> Words:
    return Words(zh=str(form["zh"]), en=str(form["en"]))
