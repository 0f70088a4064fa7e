"""Who is on the air by what the log says, and the engine made to follow it.

The ceremony never waits for this: a fact stands when it is written, and an engine that is away hears of it when it is
there again. One that has forgotten everything lets no bidder on the air by itself.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from hall.media.port.engine import Away, EngineRefused, MediaEngine, Source
from sessions.ids import BidderId, SessionId
from sessions.opening.state import OVER, Opening
from sessions.roles import Role

BIDDER: Final = "bidder:"
HOST: Final = Source("host")
AGAIN: Final = 1.0
"""Seconds between two tries to tell an engine that does not answer."""

TRIES: Final = 60

_log = logging.getLogger(__name__)


def bidder_source(bidder: BidderId) -> Source:
    """Return as whom a bidder is seen."""
    return Source(f"{BIDDER}{bidder}")


def speaking(opening: Opening) -> Source | None:
    """Return the bidder who has the floor, as a source."""
    return None if opening.speaker is None else bidder_source(opening.speaker.bidder)


def on_air(opening: Opening) -> Source:
    """Return who is to be seen and heard: the bidder who has the floor, else whoever acts as host."""
    acting = next((chair.role for chair in opening.chairs if chair.account == opening.acting), Role.HOST)
    return speaking(opening) or Source(acting)


class FollowFloor:
    """Tells the engine who is on the air, and ends what a bidder sends who no longer has the floor."""

    def __init__(self, engine: MediaEngine) -> None:
        self._engine = engine
        self._newest: dict[SessionId, Opening] = {}
        self._tasks: dict[SessionId, asyncio.Task[None]] = {}

    def look(self, session: SessionId, opening: Opening) -> None:
        """Look at an opening that just changed. Returns at once; what is told, is told one after the other."""
        before = self._newest.get(session)
        if opening.status in OVER:
            self._newest.pop(session, None)  # everything ends then (web.media.tokens.Ending)
            return
        unchanged = on_air(before) if before is not None else HOST if not opening.turns else None
        self._newest[session] = opening
        if on_air(opening) != unchanged and session not in self._tasks:
            self._tasks[session] = asyncio.create_task(self._follow(session))

    async def _follow(self, session: SessionId) -> None:
        told: Source | None = None
        try:
            for _ in range(TRIES):
                opening = self._newest.get(session)
                if opening is None or on_air(opening) == told:
                    return
                try:
                    await put_on_air(self._engine, session, opening)
                except (Away, EngineRefused):
                    await asyncio.sleep(AGAIN)
                else:
                    told = on_air(opening)
            self._newest.pop(session, None)  # the next fact is a reason to try again
            _log.warning("the engine could not be told who has the floor", extra={"session": session})
        finally:
            del self._tasks[session]  # in the step that found nothing more to tell, so that no change is missed


async def put_on_air(engine: MediaEngine, session: SessionId, opening: Opening) -> None:
    """Select who is on the air, and end what other bidders send. Raises ``Away`` and ``EngineRefused``."""
    chosen = on_air(opening)
    await engine.select(session, chosen)
    spoke = {bidder_source(turn.bidder) for turn in opening.turns if turn.granted_at is not None}
    for source in sorted(spoke - {chosen}):
        await engine.end(session, source)
