"""Which certificates end before they have done their work: told to whoever holds them, while there is time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from crypto.certificates import Usage

MARGIN = timedelta(days=30)
"""Where a pack says nothing: openings are postponed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A certificate that ends before the opening and the margin after it are over."""

    usage: Usage
    ends: datetime
    before_opening: bool


def expiring(
    certificates: Iterable[tuple[x509.Certificate, Usage]], *, t0: datetime, margin: timedelta | None
) -> tuple[Ending, ...]:
    """Return those that end before ``t0`` plus ``margin``, the soonest first, each usage and day once."""
    found = {
        Ending(usage=usage, ends=each.not_valid_after_utc, before_opening=each.not_valid_after_utc < t0)
        for each, usage in certificates
        if each.not_valid_after_utc < t0 + (MARGIN if margin is None else margin)
    }
    return tuple(sorted(found, key=lambda ending: (ending.ends, ending.usage)))
