"""The challenge a release answers: bound to one window of one log, and unpredictable before it (hall/PROTOCOL.md)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from crypto.digest import sha256_hex
from crypto.encoding import lv
from sessions.errors import CommandRefused
from sessions.events import Recorded, StepEntered
from sessions.ids import BidderId, Digest, SessionId
from sessions.opening import Opening
from sessions.plan import StepKind

LABEL = "KAIBIAO/nonce"

KEPT = 256
"""Windows in memory."""


def window_digest(opening: Opening, records: Sequence[Recorded]) -> Digest | None:
    """Return the digest of the event with which the decrypt window began, if it has."""
    steps = {step.id for step in opening.plan.pack.steps if step.kind is StepKind.DECRYPT}
    for record in records:
        if isinstance(record.event, StepEntered) and record.event.step in steps:
            return record.digest
    return None


def nonce(window: Digest, bidder: BidderId) -> str:
    """Return the challenge of this bidder in this window, hex of 32 bytes."""
    return sha256_hex(lv(LABEL) + bytes.fromhex(window) + lv(bidder))


class Nonces:
    """The challenges of a hall's openings. A log is looked through once for each: for each bidder is the square."""

    def __init__(self, events: Callable[[SessionId], Awaitable[Sequence[Recorded]]]) -> None:
        self._events = events
        self._windows: dict[SessionId, Digest] = {}

    async def of(self, opening: Opening, bidder: str) -> str:
        """Return the challenge of this bidder; raise CommandRefused ``window_closed`` before the window began."""
        session = opening.plan.session
        window = self._windows.get(session) or window_digest(opening, await self._events(session))
        if window is None:
            raise CommandRefused("window_closed", step=opening.step or "")
        if len(self._windows) >= KEPT:
            del self._windows[next(iter(self._windows))]
        self._windows[session] = window  # an event never changes
        return nonce(window, BidderId(bidder))
