"""More time for a running window, by the amount that the rule pack allows."""

from __future__ import annotations

from sessions.errors import CommandRefused
from sessions.events import WindowExtended
from sessions.opening.draft import Draft
from sessions.opening.state import StepRun
from sessions.plan import StepKind, WindowRule
from sessions.roles import Actor


def extendable(draft: Draft) -> tuple[StepRun, WindowRule]:
    """Return the running step and the rule of its window; refuse if it has none, or none that can be longer."""
    run = draft.opening.run
    rule = draft.opening.plan.pack.windows.get(run.step.kind) if run else None
    running = draft.opening.due is not None and draft.opening.due > draft.now
    if run is not None and run.step.kind is StepKind.DECRYPT and draft.opening.barrier is not None:
        running = False  # the keys are in: what the opening waits for now is the locks
    # Check-in lasts until T0, and T0 is moved by a postponement only.
    if run is None or rule is None or not running or run.step.kind is StepKind.CHECKIN:
        raise CommandRefused("no_window")
    if not rule.extension:
        raise CommandRefused("no_extension", step=run.step.id)
    return run, rule


def extend(draft: Draft, reason: str, *, by: Actor | None = None, approved_by: str | None = None) -> None:
    """Move the deadline of the running window by one extension."""
    run, rule = extendable(draft)
    if run.due is not None:
        event = WindowExtended(
            step=run.step.id, old=run.due, new=run.due + rule.extension, reason=reason, approved_by=approved_by
        )
        draft.put(event, by=by)
