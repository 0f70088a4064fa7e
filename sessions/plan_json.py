"""A plan as the canonical JSON that the first event of a session carries, and back.

The whole rule pack is inside, so an archive needs no other file to say which rules an opening followed.
"""

from __future__ import annotations

from collections.abc import Mapping

from sessions.plan import Plan
from sessions.shape import from_json, to_json


def plan_to_json(plan: Plan) -> dict[str, object]:
    """Return ``plan`` as crypto.encoding.canonical takes it: durations in milliseconds, moments in RFC 3339."""
    form: dict[str, object] = to_json(plan)
    return form


def plan_from_json(form: Mapping[str, object]) -> Plan:
    """Return the plan that ``plan_to_json`` wrote; raise ``sessions.shape.Misshapen`` for anything else."""
    return from_json(Plan, form, "plan")
