"""The doorbell between workers: it says that a session has something new, and how far.

The log is the truth and the bus is a hint, so a ring may be lost, doubled or late without harm: a hub that hears
number ``n`` reads from the log whatever it misses up to there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from sessions.ids import SessionId

Listener = Callable[[SessionId, int], None]
Hearer = Callable[[SessionId, bytes], None]

_log = logging.getLogger(__name__)


class Bus(Protocol):
    """What a hub needs of a bus."""

    @property
    def lossy(self) -> bool:
        """Whether rings can get lost, so that the hub has to look at the log now and then."""

    @property
    def away(self) -> bool:
        """Whether nothing gets through at the moment: the log is looked at instead, a second later at most."""

    def ring(self, session: SessionId, number: int) -> None:
        """Tell every listener, everywhere, that ``session`` reached ``number``. Returns at once, never raises."""

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` for every ring from now on."""

    def tell(self, session: SessionId, what: bytes) -> None:
        """Tell the other workers something passing: at once, or never. Returns at once, never raises."""

    def hear(self, hearer: Hearer) -> None:
        """Call ``hearer`` for everything told from now on; what this worker told may come back."""

    async def close(self) -> None:
        """Stop listening and let go of connections."""


class LocalBus:
    """The bus of a single process."""

    lossy = False
    away = False

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def ring(self, session: SessionId, number: int) -> None:
        for listener in self._listeners:
            try:
                listener(session, number)
            except Exception:  # the append is done and acknowledged; one listener's failure is not the ringer's
                _log.exception("a listener failed", extra={"session": session, "number": number})

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def tell(self, session: SessionId, what: bytes) -> None:
        """See Bus. There is nobody else."""

    def hear(self, hearer: Hearer) -> None:
        """See Bus."""

    async def close(self) -> None:
        self._listeners.clear()
