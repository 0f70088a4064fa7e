"""Places at which a rehearsal may kill the hall, to see that nothing acknowledged is lost and nothing happens twice.

``KAIBIAO_FAILPOINT="append.before_commit@KeyReleased:2"``: the process ends with SIGKILL at that place, the second
time that a batch with such an event comes by. Nothing is armed by being imported; a hall arms it at its start, and
only one that holds rehearsals (web.bootstrap).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import get_args

from sessions.events import Event, Recorded

VARIABLE = "KAIBIAO_FAILPOINT"


class Point(StrEnum):
    """Every place. Those of a batch (``append.``) are told apart by the kinds of its events."""

    BEFORE_COMMIT = "append.before_commit"
    """All rows are written, in a transaction that is still open."""
    BEFORE_ANNOUNCE = "append.before_announce"
    """It is durable, and nobody knows."""
    BEFORE_ANSWER = "append.before_answer"
    """The screens are being told; whoever sent it is not."""
    UPLOAD_OPENED = "upload.opened"
    CHUNK_WRITTEN = "upload.chunk_written"
    """Bytes are with the operating system, not on the disk."""
    CHUNK_DURABLE = "upload.chunk_durable"
    UPLOAD_ARRIVED = "upload.arrived"
    """T0 waits for it."""
    UPLOAD_COMPLETE = "upload.complete"
    UPLOAD_RENAMED = "upload.renamed"
    RECEIPT_BEFORE_COMMIT = "receipt.before_commit"
    RECEIPT_KEPT = "receipt.kept"
    """The receipt is in the database, and its bidder does not have it."""


class FailpointRefused(Exception):
    """A failpoint that is not there, or in a hall that is no rehearsal."""

    hint = f"{VARIABLE} is PLACE, PLACE@Event or PLACE@Event:COUNT, and rehearsal_allowed has to be on; or unset it"


@dataclass(slots=True, kw_only=True)
class _Armed:
    point: Point
    step: str | None
    left: int


_armed: _Armed | None = None
_counting = Lock()  # some places are passed in threads


def failpoint(point: Point, records: Iterable[Recorded] = ()) -> None:
    """End this process here if somebody armed that; otherwise do nothing at all."""
    armed = _armed
    if armed is None or armed.point is not point:
        return
    if armed.step is not None and armed.step not in {type(record.event).__name__ for record in records}:
        return
    with _counting:
        armed.left -= 1
        if armed.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def arm(wish: str | None, *, allowed: bool) -> None:
    """Arm what ``wish`` names, and nothing else; disarm without one. Raises FailpointRefused."""
    global _armed  # noqa: PLW0603  # one process, one failpoint
    _armed = None
    if not wish:
        return
    if not allowed:
        raise FailpointRefused(f"{VARIABLE} is set, and this hall holds no rehearsals")
    place, _, rest = wish.partition("@")
    if not rest:
        place, _, count = place.partition(":")
        step = None
    else:
        step, _, count = rest.partition(":")
    if place not in list(Point):
        raise FailpointRefused(f"there is no failpoint {place!r}: {', '.join(Point)}")
    if step is not None and not (place.startswith("append.") and step in {each.__name__ for each in get_args(Event)}):
        raise FailpointRefused(f"{place} never comes by with {step!r}")
    if count and not (count.isascii() and count.isdigit() and int(count)):
        raise FailpointRefused(f"{count!r} is no count")
    _armed = _Armed(point=Point(place), step=step, left=int(count or 1))
