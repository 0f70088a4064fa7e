"""What is read out of a bid, and when: one form of words for the voice, captions, screen readers and search. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sessions.amounts import grouped, in_chinese, in_english
from sessions.opening.state import Bid, BidState, Opening
from sessions.plan import Words
from sessions.quote import price
from sessions.roles import Role
from sessions.visibility import Datum, sees

QUIET: Final = frozenset({"RecordingNoted", "Anchored"})
"""Events by which the log speaks of itself: they are not said to the room."""

_LEAST: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One column of the read-out sheet as a bidder filled it in."""

    label: Words
    money: bool
    value: str


def row_words(row: int, name: str, figures: Sequence[Figure], amount: Words | None, *, opened: bool = True) -> Words:
    """Return what is said of one row. ``amount`` is the first sum of money among ``figures``, in words."""
    zh, en = [f"第{row}号，{name}"], [f"Number {row}, {name}"]
    for figure in figures:
        value = Words(zh=figure.value, en=figure.value)
        if figure.money and amount is not None:
            value, amount = amount, None
        zh.append(f"{figure.label.zh}{value.zh}")
        en.append(f"{figure.label.en.lower()} {value.en}")
    if not figures:
        zh.append("没有报价" if opened else "投标文件未能开启")
        en.append("no price" if opened else "the bid was not opened")
    return Words(zh="，".join(zh) + "。", en=", ".join(en) + ".")


def amount_words(figures: str, currency: str) -> Words:
    """Return an amount in words. Chinese capitals are for yuan; another currency has none."""
    zh = in_chinese(figures) if currency == "CNY" else f"{two_decimals(figures)} {currency}"
    return Words(zh=zh, en=in_english(figures, currency))


def two_decimals(figures: str) -> str:
    """Return an amount with separators and two decimals always, so that a column lines up."""
    whole, _, part = figures.partition(".")
    return grouped(f"{whole}.{part:0<2}")


def begun(since: datetime, pace: timedelta, rows: int, now: datetime) -> int:
    """Return how many rows have begun at ``now``; one more than there are when all were read."""
    return max(0, min(int((now - since) / max(pace, _LEAST)) + 1, rows + 1))


def bid_words(opening: Opening, bid: Bid) -> Words:
    """Return what is said of a bid to the public, as the opening stands."""
    tender = opening.plan.tender
    quote = (bid.quote or {}) if Datum.QUOTE in sees(opening, Role.PUBLIC) else {}
    figures = [
        Figure(label=field.label, money=field.kind == "money", value=quote[field.id])
        for field in tender.quote
        if field.id in quote
    ]
    figure = price(tender, quote)
    amount = None if figure is None else amount_words(figure, tender.currency)
    return row_words(bid.row, bid.name, figures, amount, opened=bid.state is not BidState.NOT_OPENED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A row that is read out from ``at`` on."""

    at: datetime
    words: Words


def rows_read(opening: Opening, until: datetime, read: int) -> tuple[list[Read], int]:
    """Return the rows whose reading begins while the opening stands as it does, and how many have begun by then.

    From its newest event to before ``until``; ``read`` is what came of this before that event. After a pause the row
    that was interrupted is read again.
    """
    reading, since = opening.reading(), opening.at
    if until <= since:
        return [], read
    if reading is None or opening.hold is not None:
        return [], 0
    begins, pace, rows = reading
    pace = max(pace, _LEAST)
    there = begun(begins, pace, len(rows), since)
    said = [(there, since)] if there > read else []
    said += [(place, at) for place in range(there + 1, len(rows) + 2) if (at := begins + (place - 1) * pace) < until]
    told = [Read(at=at, words=bid_words(opening, rows[place - 1])) for place, at in said if place <= len(rows)]
    return told, said[-1][0] if said else there
