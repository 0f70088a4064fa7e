"""Is this process fit to take a new reader or bidder? Everything that speaks against it, in sentences."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final

from sessions.watch.health import State
from web.services import Services

PATIENCE: Final = 2.0  # seconds for the database: a monitor asks every few


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
        _hall(services),
        await _log(services),
        _bus(services),
        _mail(services),
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
    """Openings stop by themselves while the clock is doubted. One that cannot tell is the clock of a test."""
    doubt = services.vigil.clock.doubt() if services.vigil is not None else None
    if doubt is None:
        return Look(about="clock")
    seconds = f"{doubt.by.total_seconds():+.1f} s"
    said = {"offset": f"the time sources are {seconds} away", "stepped": f"somebody set it by {seconds}"}
    return Look(about="clock", reasons=(f"the clock is not safe: {said.get(doubt.reason, doubt.reason)}",))


def _hall(services: Services) -> Look:
    """What the workers' votes come to; one that is poor shows it here before anything stops."""
    judged = services.vigil.judgement if services.vigil is not None else None
    if judged is None or judged.state is State.HEALTHY:
        return Look(about="hall", needed=False)
    reasons = tuple(f"the hall is {judged.state.value}: {reason}" for reason in judged.reasons)
    return Look(about="hall", reasons=reasons or (judged.state.value,), needed=False)


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


def _mail(services: Services) -> Look:
    away = services.mailing.away if services.mailing is not None else None
    if away is None:
        return Look(about="mail", needed=False)
    since, what = away
    reason = f"the mail server takes nothing since {since:%Y-%m-%d %H:%M} UTC ({what}): notices wait"
    return Look(about="mail", reasons=(reason,), needed=False)


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
