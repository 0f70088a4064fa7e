"""The opening after the hall stopped it by itself, and after it was well again (opening.stopping decides)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from sessions.events import ClockChecked, ClockSafe, ClockUnsafe, OutageBegan, OutageEnded
from sessions.opening.state import ClockState, Hold, Interruption, Opening
from sessions.roles import CLOCK

CLOCK_STOP = "clock"
OUTAGE_STOP = "outage"


def checked(o: Opening, event: ClockChecked) -> Opening:
    """Return the opening after its clock was compared for T0."""
    state = ClockState(
        sources=event.sources,
        offset_ms=event.offset_ms,
        uncertainty_ms=event.uncertainty_ms,
        measured_at=event.measured_at,
        steady=event.steady,
    )
    return replace(o, clock=state)


def stopped(o: Opening, at: datetime, event: ClockUnsafe | OutageBegan) -> Opening:
    """Return the opening after the hall stopped it; a pause that is in force becomes a stop."""
    kind = CLOCK_STOP if isinstance(event, ClockUnsafe) else OUTAGE_STOP
    hold = o.hold or Hold(reason="", incident=True, by=CLOCK, since=at)
    hall = replace(o.hall, lifted=None)
    if isinstance(event, ClockUnsafe):
        hall = replace(hall, clock_unsafe=True)
    else:
        hall = replace(hall, outage=at, heard=max(event.noticed_at, hall.heard or at))
    return replace(o, hold=replace(hold, stops=hold.stops | {kind}), hall=hall)


def lifted(o: Opening, at: datetime, event: ClockSafe | OutageEnded) -> Opening:
    """Return the opening after the hall is well again; the hold stays."""
    if isinstance(event, ClockSafe):
        hall = replace(o.hall, clock_unsafe=False)
    else:
        hall = replace(o.hall, outage=None, heard=max(o.hall.heard or at, at))
    return replace(o, hall=replace(hall, lifted=at) if hall.well else hall)


def made_up(pauses: Iterable[Interruption], began: datetime, ended: datetime) -> timedelta:
    """Return how much of a stretch the hall had stopped for, so that it was given back to everybody."""
    stops = ((past.hold.since, past.until) for past in pauses if past.hold.stops)
    return sum((max(timedelta(), min(ended, until) - max(began, since)) for since, until in stops), timedelta())
