"""Who may see what when: the rule pack's matrix, read in one place for the live hall and for the archive."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache

from sessions.events import (
    AttemptFailed,
    DrawRevealed,
    Event,
    ObjectionAnswered,
    ObjectionRaised,
    SetFrozen,
    SupervisorNoted,
)
from sessions.opening.state import Opening
from sessions.roles import Role


class Datum(StrEnum):
    """What the matrix decides about; packs may name more, for what is neither a view nor an event."""

    COUNT = "count"
    NAMES = "names"
    RECEIPTS = "receipts"
    ATTENDANCE = "attendance"
    DECRYPT_STATUS = "decrypt_status"
    CAUSE = "cause"  # why a try failed, and what follows from it
    QUOTE = "quote"
    OBJECTION_TITLE = "objection_title"
    OBJECTION_TEXT = "objection_text"
    NOTES = "notes"
    PROPOSALS = "proposals"


def sees(opening: Opening, role: Role) -> frozenset[str]:
    """Return the data that ``role`` may see as the opening stands; for the same answer the same object."""
    visibility = opening.plan.pack.visibility
    return _interned(
        frozenset(datum for datum, phases in visibility.items() if role in phases.get(opening.phase, ()))
    )


@lru_cache(maxsize=256)
def _interned(data: frozenset[str]) -> frozenset[str]:
    return data


PRIVATE: Mapping[type[Event], Datum] = {
    AttemptFailed: Datum.CAUSE,
    ObjectionRaised: Datum.OBJECTION_TEXT,
    ObjectionAnswered: Datum.OBJECTION_TEXT,
    SupervisorNoted: Datum.NOTES,
}
"""The datum in the private part of an event. SetFrozen's is not here: BiddersListed publishes it, or nobody does; nor
is DrawRevealed's: DrawMade publishes all seeds at once."""


def public_afterwards(opening: Opening, kind: type[Event]) -> bool:
    """Return whether the private part of an event of this kind may be published now that the opening is over."""
    if kind is SetFrozen:
        return opening.listed
    if kind is DrawRevealed:
        return True  # a seed is worth nothing once nothing more can be drawn with it
    datum = PRIVATE.get(kind)
    return datum is not None and datum in sees(opening, Role.PUBLIC)
