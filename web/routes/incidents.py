"""``/incidents``: how the hall is, and when it was not. Public, and without a word about who bids where."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from sessions.opening.stops import CLOCK_STOP
from sessions.plan import Words
from sessions.shape import rfc3339
from sessions.watch.health import State
from sessions.watch.steady import milliseconds
from sessions.watch.vigil import Incident, Vigil
from sessions.wording.moments import BEIJING
from sessions.wording.terms import DOUBTS, OUTAGES
from sessions.wording.words import length_words
from web.routes.reader import reader
from web.services import services_of
from web.wording.i18n import Language
from web.wording.words import word

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_SHOWN: Final = 100
_log = logging.getLogger(__name__)


@router.get("/incidents")
async def incidents(request: Request) -> Response:
    """Show the state of the hall and of its clock, and its incidents, newest first. Works without the database."""
    services, who = services_of(request), reader(request)
    vigil = services.vigil
    found: tuple[Incident, ...] = ()
    if vigil is not None:
        try:
            found = await vigil.incidents()
        except Exception:
            _log.exception("the incidents could not be read")
            found = vigil.recent
    return who.page(
        "incidents.html",
        here="incidents",
        state=_state(vigil, found),
        clock=_clock(vigil, services.time_sources.names),
        now=_moment(services.clock.now())["text"],
        incidents=[_row(incident, who.language) for incident in reversed(found[-_SHOWN:])],
    )


def _state(vigil: Vigil | None, found: tuple[Incident, ...]) -> str:
    if vigil is not None and vigil.clock.doubt() is not None:
        return CLOCK_STOP
    if any(incident.kind == CLOCK_STOP and incident.ended is None for incident in found):
        return CLOCK_STOP
    return State.HEALTHY if vigil is None else vigil.judgement.state


def _clock(vigil: Vigil | None, names: tuple[str, ...]) -> dict[str, Any] | None:
    if not names:
        return None
    last = None if vigil is None else vigil.clock.last
    if last is None:
        return {"names": names, "answered": 0}
    return {
        "names": names,
        "answered": len(last.sources),
        "offset_ms": milliseconds(last.offset),
        "uncertainty_ms": milliseconds(last.uncertainty),
        "at": rfc3339(last.at),
    }


def _row(incident: Incident, language: Language) -> dict[str, Any]:
    reasons = DOUBTS if incident.kind == CLOCK_STOP else OUTAGES
    lasted = None if incident.ended is None else length_words(incident.ended - incident.began)
    return {
        "number": incident.id,
        "kind": incident.kind,
        "what": word("stop", incident.kind, language),
        "why": [_said(reasons[reason], language) for reason in incident.reasons if reason in reasons],
        "began": _moment(incident.began),
        "ended": None if incident.ended is None else _moment(incident.ended),
        "lasted": None if lasted is None else _said(lasted, language),
    }


def _moment(at: datetime) -> dict[str, str]:
    return {"iso": rfc3339(at), "text": f"{at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"}


def _said(words: Words, language: Language) -> str:
    return words.zh if language == "zh" else words.en
