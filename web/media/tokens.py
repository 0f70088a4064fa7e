"""Who may send and watch: a token for one connection, bound to session, act and person, good once and for minutes.

Tokens are in the database, by their digest, so every worker knows them and no backup can use them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from crypto.digest import sha256_hex
from crypto.encoding import canonical
from hall.media.port.engine import Away, EngineRefused, MediaEngine, Source
from hall.media.port.floor import BIDDER, bidder_source, speaking
from hall.media.port.link import LinkedEngine
from hall.media.port.places import Places
from sessions.clock import Clock
from sessions.ids import BidderId, SessionId
from sessions.opening import OVER, Opening, Status
from sessions.roles import Actor, Role
from sessions.store.once import SqlOnce
from web.media.whereabouts import on_air
from web.settings import Settings

LIFE: Final = timedelta(minutes=5)
NOTICE: Final = 1
"""Number of the notice that whoever is seen or heard accepts first (templates/air.html): what becomes of it."""

OPEN: Final = frozenset({Status.CHECKIN, Status.LIVE})


class Act(StrEnum):
    """What a token is for."""

    PUBLISH = "publish"
    WATCH = "watch"
    CHECK = "check"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a token allows: ``of`` is a ``Source`` to publish as, or a ``Show`` to watch; nothing for a check."""

    session: SessionId
    act: Act
    of: str
    who: str


class Tokens:
    """Gives tokens out and takes them back, once."""

    def __init__(self, once: SqlOnce, clock: Clock) -> None:
        self._once = once
        self._clock = clock

    async def give(self, grant: Grant) -> tuple[str, datetime]:
        """Return a token and until when it is good."""
        token, now = secrets.token_urlsafe(24), self._clock.now()
        kept = canonical([grant.session, grant.act, grant.of, grant.who])
        await self._once.put(_name(token), kept, now + LIFE, now)
        return token, now + LIFE

    async def take(self, token: str, session: SessionId, act: Act) -> Grant | None:
        """Use a token up and return what it allows; None if it is none, or for something else."""
        kept = await self._once.take(_name(token), self._clock.now()) if token else None
        if kept is None:
            return None
        grant = Grant(**dict(zip(("session", "act", "of", "who"), json.loads(kept), strict=True)))
        return grant if (grant.session, grant.act) == (session, act) else None


def source_of(actor: Actor) -> Source | None:
    """Return as whom somebody is seen; None for whoever has no part on the stage."""
    match actor.role:
        case Role.HOST | Role.DEPUTY | Role.SUPERVISOR:
            return Source(actor.role)
        case Role.BIDDER:
            return bidder_source(BidderId(actor.id))
        case _:
            return None


def hindrance(opening: Opening, source: Source) -> str | None:
    """Return the code of what keeps ``source`` off the air, if anything does: the time, or a missing floor."""
    if opening.status not in OPEN:
        return "media_closed"
    if source.startswith(BIDDER) and source != speaking(opening):
        return "no_floor"
    return None


class Ending:
    """Lets no camera go on after the end: whoever leads the session tells the engine, and does not wait for it."""

    def __init__(self, engine: MediaEngine) -> None:
        self._engine = engine
        self._tasks: set[asyncio.Task[None]] = set()

    def look(self, session: SessionId, opening: Opening) -> None:
        """Look at an opening that just changed."""
        if opening.status in OVER:
            task = asyncio.create_task(self._end(session))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _end(self, session: SessionId) -> None:
        with contextlib.suppress(Away, EngineRefused):  # nothing is sent by an edge that is not there
            await self._engine.end(session)


def engine_for(settings: Settings) -> MediaEngine | None:
    """Return what carries this hall's media; None where there is none."""
    return LinkedEngine(Places(settings.data_dir)) if on_air(settings) else None


def _name(token: str) -> str:
    return f"media/{sha256_hex(token.encode())}"
