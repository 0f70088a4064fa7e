"""A tender as a file: what founds an opening (``POST /api/v1/sessions``) and what bidders seal for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sessions.announcing.announcement import make_plan
from sessions.announcing.lock_terms import lock_members
from sessions.errors import PlanRefused
from sessions.plan import Plan, WitnessMode
from sessions.shape import to_json
from web.answers.problems import Problem

_SECOND = timedelta(seconds=1)


def read_tender(form: Mapping[str, Any], *, rehearsal_allowed: bool, quorum: int) -> Plan:
    """Return the plan of one opening.

    ``form`` is a tender file (sessions.announcing.announcement) with up to two members more: ``session``, the name of
    the opening in every address (without one: id and lot), and ``rehearsal``.
    """
    try:
        return plan_of(form, rehearsal_allowed=rehearsal_allowed, quorum=quorum)
    except PlanRefused as refused:
        raise Problem("malformed_tender", field=refused.field, rule=refused.code, facts=refused.facts) from None


def plan_of(form: Mapping[str, Any], *, rehearsal_allowed: bool, quorum: int) -> Plan:
    """Return the plan as `read_tender` does, but leave what the rules refuse as their PlanRefused.

    ``quorum`` is how many witnesses outside this hall asks for: a pack that waits for them wants one at least.
    """
    tender = dict(form)
    session = tender.pop("session", None)
    rehearsal = tender.pop("rehearsal", False)
    if not isinstance(rehearsal, bool):
        raise PlanRefused("malformed", "rehearsal")
    if rehearsal and not rehearsal_allowed:
        raise Problem("no_rehearsals")
    plan = make_plan(tender, session=_name(session, tender), rehearsal=rehearsal)
    rule = plan.pack.witness
    if rule is not None and rule.mode is WitnessMode.CLOSED and not quorum and not rehearsal:
        raise PlanRefused("witnesses_missing", "pack")
    return plan


def _name(session: object, tender: Mapping[str, Any]) -> str:
    if isinstance(session, str):
        return session
    plain = re.sub(r"[^A-Za-z0-9]+", "-", f"{tender.get('id', '')}-{tender.get('lot', '')}")
    return plain.strip("-").lower()[:63].rstrip("-")


def tender_file(plan: Plan, t0: datetime) -> dict[str, Any]:
    """Return the tender file of an announced opening; ``t0`` is the deadline as it stands now.

    Durations are whole seconds, rounded up where a rehearsal has finer ones.
    """
    tender = plan.tender
    return {
        "session": plan.session,
        "id": tender.id,
        "lot": tender.lot,
        "title": to_json(tender.title),
        "tenderer": to_json(tender.tenderer),
        "agent": to_json(tender.agent),
        "place": to_json(tender.place),
        "deadline": t0.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "currency": tender.currency,
        "ceiling": tender.ceiling,
        "envelopes": tender.envelopes,
        "pack": plan.pack.id,
        "windows": {name: -(-length // _SECOND) for name, length in plan.windows.items()},
        "reading_pace_s": max(1, -(-plan.reading_pace // _SECOND)),
        "quote": {
            "fields": [
                {"id": field.id, "kind": field.kind, "label": to_json(field.label), "required": field.required}
                | ({"currency": field.currency} if field.currency else {})
                for field in tender.quote
            ]
        },
        "seats": [to_json(seat) for seat in plan.seats],
        "draws": [
            {"id": draw.id, "title": to_json(draw.title)}
            | ({"values": list(draw.values)} if draw.values else {})
            | ({"pick": draw.pick} if draw.pick is not None else {})
            for draw in tender.draws
        ],
        "rehearsal": plan.rehearsal,
        **lock_members(plan.locks, plan.tenderer_share, plan.escrow),
    }
