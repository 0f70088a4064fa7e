"""The log of receipts until T0: it grows by the clock, so it tells nobody how many bids there are. Pure.

At every tick as many entries are added as the plan says, receipts first come first served and decoys in the places
left (crypto/FORMAT.md section 7). At T0 a last batch takes whatever still waits, and SetFrozen quotes size and root.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from crypto.receipt import decoy_leaf
from sessions.ids import SessionId
from sessions.plan import IntakeLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Blinding:
    """What hides receipts among decoys. ``secret`` is 32 random bytes of the session, kept in the vault."""

    session: SessionId
    secret: bytes = field(repr=False)

    @property
    def decoy_key(self) -> bytes:
        """Return what tells decoys from receipts. It may be shown when intake is over, and never before."""
        return hmac.digest(self.secret, b"kaibiao/intake-log/decoys", "sha256")

    def batch(self, first: int, size: int, receipts: Sequence[bytes]) -> tuple[bytes, ...]:
        """Return ``size`` entries from index ``first`` on, ``receipts`` in secret places among them.

        A bidder learns the place of its own receipt before T0. In the order of arrival that would tell it how many
        came ahead since the last tick.
        """
        places = sorted(range(first, first + size), key=self._drawn)[: len(receipts)]
        given, key = dict(zip(places, receipts, strict=True)), self.decoy_key
        return tuple(given.get(index) or decoy_leaf(self.session, index, key) for index in range(first, first + size))

    def _drawn(self, index: int) -> bytes:
        return hmac.digest(self.secret, b"kaibiao/intake-log/places" + index.to_bytes(4, "big"), "sha256")


def ticks(log: IntakeLog, announced: datetime, t0: datetime, now: datetime) -> int:
    """Return how many ticks there were by ``now``: one each ``log.every`` after the announcement, before T0."""
    by_now = (now - announced) // log.every
    before_t0 = -((announced - t0) // log.every) - 1
    return max(0, min(by_now, before_t0))


def next_tick(log: IntakeLog, announced: datetime, t0: datetime, now: datetime) -> datetime | None:
    """Return when the next tick after ``now`` comes, None if T0 comes first."""
    coming = announced + (ticks(log, announced, t0, now) + 1) * log.every
    return coming if coming < t0 else None


def due(log: IntakeLog, entries: Sequence[bytes], receipts: Sequence[bytes], count: int, by: Blinding) -> list[bytes]:
    """Return what is to be added to ``entries`` after ``count`` ticks, those included that a stopped hall missed.

    ``receipts`` are the entries of all receipts so far, in the order they were given.
    """
    return _due(log, entries, receipts, count, by)[0]


def last(
    log: IntakeLog, entries: Sequence[bytes], receipts: Sequence[bytes], count: int, by: Blinding
) -> list[bytes]:
    """Return what is to be added at T0: what is due, and a batch more with every receipt that still waits."""
    added, waiting = _due(log, entries, receipts, count, by)
    return added + list(by.batch(len(entries) + len(added), max(log.leaves, len(waiting)), waiting))


def _due(
    log: IntakeLog, entries: Sequence[bytes], receipts: Sequence[bytes], count: int, by: Blinding
) -> tuple[list[bytes], list[bytes]]:
    """Return what is to be added, and the receipts that then still wait."""
    known = set(entries)
    waiting = [receipt for receipt in receipts if receipt not in known]
    added: list[bytes] = []
    while len(entries) + len(added) < count * log.leaves:
        taken, waiting = waiting[: log.leaves], waiting[log.leaves :]
        added += by.batch(len(entries) + len(added), log.leaves, taken)
    return added, waiting
