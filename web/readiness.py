"""Is this process fit to take a new reader or bidder? Everything that speaks against it, in sentences."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sessions.clock import SystemClock
from web.bootstrap import Services

PATIENCE: Final = 2.0  # seconds for the database: a monitor asks every few
DRIFT: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was looked at, and what speaks against it; for what is not ``needed`` nobody is sent away."""

    about: str
    reasons: tuple[str, ...] = ()
    needed: bool = True

    @property
    def well(self) -> bool:
        """Whether nothing does."""
        return not self.reasons


async def look(services: Services) -> tuple[Look, ...]:
    """Look at everything this process stands on; never raises, and takes seconds at most."""
    looked = (
        await _database(services),
        await _disk(services),
        _clock(services),
        await _log(services),
        _bus(services),
        _worker(services),
        _serving(services),
    )
    services.metrics.ready((each.about, each.well) for each in looked)
    return looked


async def _database(services: Services) -> Look:
    return Look(about="database", reasons=await _answers(services.sessions.next_due(), "the database"))


async def _disk(services: Services) -> Look:
    """A disk at its reserve refuses uploads (507); what runs goes on, and a new hall is not opened on it."""
    room = services.stores.blobs.room()
    try:
        async with asyncio.timeout(PATIENCE):
            left = await room
    except Exception as error:
        return Look(about="disk", reasons=(f"the store of bids does not answer ({type(error).__name__})",))
    return Look(about="disk", reasons=() if left else ("no room for bids: only the reserve is left",))


def _clock(services: Services) -> Look:
    """A clock that cannot tell whether somebody set it is one of a test."""
    clock = services.clock
    drift = clock.drift() if isinstance(clock, SystemClock) else timedelta()
    off = f"somebody set the machine's clock by {drift.total_seconds():+.1f} s since the start"
    return Look(about="clock", reasons=(off,) if abs(drift) >= DRIFT else ())


async def _log(services: Services) -> Look:
    """What witnesses hold against this database: a restored backup, or a second hall under one key."""
    try:
        async with asyncio.timeout(PATIENCE):
            return Look(about="log", reasons=await services.notary.doubts())
    except Exception:  # a database that does not answer says nothing; ``database`` tells that
        return Look(about="log")


def _bus(services: Services) -> Look:
    away = ("the bus is away: readers hear of what happens on other workers a second later",) * services.bus.away
    return Look(about="bus", reasons=away, needed=False)


def _worker(services: Services) -> Look:
    """A worker that the others take for dead writes nothing until it has joined again."""
    fenced = services.membership.number is None
    return Look(about="worker", reasons=("this process is not, or no longer, one of the hall's workers",) * fenced)


def _serving(services: Services) -> Look:
    return Look(about="serving", reasons=("this process is sending its readers elsewhere",) * services.hub.closing)


async def _answers(asked: Awaitable[object], who: str) -> tuple[str, ...]:
    try:
        async with asyncio.timeout(PATIENCE):
            await asked
    except TimeoutError:
        return (f"{who} did not answer within {PATIENCE:g} s",)
    except Exception as error:  # whatever it is that fails, it cannot be used
        return (f"{who} failed ({type(error).__name__})",)
    return ()
