"""The hall stops by itself: it failed, or does not know what time it is. Nothing falls due until people go on.

A stop is a hold that T0 obeys too. It is dated when the hall was last known to be well, so that nothing is settled
for the time in which nobody could act; what comes after is moved by as much (LIFECYCLE.md, Stops).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sessions.commands import CheckClock, DoubtClock, RecordOutage, TrustClock
from sessions.errors import CommandRefused
from sessions.events import (
    ClockChecked,
    ClockSafe,
    ClockUnsafe,
    Happening,
    OutageBegan,
    OutageEnded,
    SessionResumed,
)
from sessions.opening.draft import Draft, by_clock
from sessions.opening.state import Opening, Status
from sessions.opening.stops import OUTAGE_STOP
from sessions.opening.work import FreezeSet, work_due
from sessions.plan import OutageRule, Resumes, StepKind
from sessions.roles import Actor, Role

REASONS = frozenset({"stepped", "offset", "behind"})
"""Why a clock is unsafe (ClockUnsafe)."""

CAUSES = ("gap", "database", "loop", "seats", "disk")
"""What an outage showed in (sessions.watch.health)."""

_MS = timedelta(milliseconds=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """The measures of one opening: those of the rule pack, shorter where the windows are short."""

    healthy: timedelta
    notice: timedelta
    postpone: timedelta


def measures(o: Opening, rule: OutageRule) -> Measures:
    """Return the measures: at most a third of the decrypt window, and for T0 twice the check-in window."""
    third = o.plan.windows[StepKind.DECRYPT] // _MS // 3 * _MS
    return Measures(
        healthy=min(rule.healthy, third),
        notice=min(rule.notice, third),
        postpone=min(rule.postpone, 2 * o.plan.windows[StepKind.CHECKIN]),
    )


# -- what the hall says ---------------------------------------------------------------------------------------------


def check_clock(draft: Draft, command: CheckClock) -> None:
    """Record what the time sources said by T0, in the transaction that freezes the set. Once."""
    o = draft.opening
    if o.clock is not None:
        return
    if o.plan.clock is None:
        raise CommandRefused("no_clock_sources")
    if not isinstance(work_due(o), FreezeSet):
        raise CommandRefused("not_due")
    known = tuple(source for source in o.plan.clock.sources if source in command.sources)
    figures = (command.offset_ms, command.uncertainty_ms, command.measured_at)
    if command.sources != known or {figure is None for figure in figures} != {not known}:
        raise CommandRefused("wrong_clock_check")
    if command.uncertainty_ms is not None and command.uncertainty_ms < 0:
        raise CommandRefused("wrong_clock_check")
    checked = ClockChecked(
        sources=command.sources,
        offset_ms=command.offset_ms,
        uncertainty_ms=command.uncertainty_ms,
        measured_at=command.measured_at,
        steady=command.steady,
    )
    draft.fall_due(by_clock(max(o.t0, o.at), checked))


def doubt_clock(draft: Draft, command: DoubtClock) -> None:
    """Stop because the clock is unsafe; said once until it is safe again."""
    _ruled(draft.opening)
    if draft.opening.hall.clock_unsafe:
        return
    _set_fixed(draft.opening)
    if command.reason not in REASONS or command.since > max(command.noticed_at, draft.opening.at):
        raise CommandRefused("no_such_reason", reason=command.reason)
    event = ClockUnsafe(reason=command.reason, by_ms=command.by_ms, noticed_at=command.noticed_at)
    draft.fall_due(by_clock(max(min(command.since, draft.now), draft.opening.at), event))


def trust_clock(draft: Draft, command: TrustClock) -> None:
    """Say that the clock is right again."""
    if draft.opening.hall.clock_unsafe:
        draft.put(ClockSafe(by_ms=command.by_ms))


def begin_outage(draft: Draft, command: RecordOutage) -> None:
    """Stop because the hall failed; said once until it works again."""
    _ruled(draft.opening)
    if draft.opening.hall.outage is not None:
        return
    _set_fixed(draft.opening)
    known = tuple(cause for cause in CAUSES if cause in command.reasons)
    if not known or command.reasons != known or command.began > max(command.noticed_at, draft.opening.at):
        raise CommandRefused("no_such_reason", reason=" ".join(command.reasons))
    event = OutageBegan(noticed_at=command.noticed_at, reasons=command.reasons, votes=dict(command.votes))
    draft.fall_due(by_clock(max(min(command.began, draft.now), draft.opening.at), event))


def end_outage(draft: Draft) -> None:
    """Say that the hall works again."""
    began = draft.opening.hall.outage
    if began is not None:
        draft.put(OutageEnded(lasted_ms=(draft.now - began) // _MS))


def _set_fixed(o: Opening) -> None:
    """Refuse to stop between T0 and the frozen set: T0 has come, and no stop that is dated later moves it."""
    if isinstance(work_due(o), FreezeSet):
        raise CommandRefused("not_due")


def _ruled(o: Opening) -> OutageRule:
    if o.plan.pack.outage is None:
        raise CommandRefused("no_outage_rule")
    return o.plan.pack.outage


# -- going on -------------------------------------------------------------------------------------------------------


def resumable(o: Opening) -> None:
    """Refuse to go on while what the hall stopped for is still there."""
    if o.hold is None:
        raise CommandRefused("not_held")
    if o.hall.clock_unsafe:
        raise CommandRefused("clock_unsafe")
    if o.hall.outage is not None:
        raise CommandRefused("hall_down")


def second_person(o: Opening, approver: Actor) -> None:
    """Refuse anybody but a supervisor as the second person, where the announcement names one."""
    if any(seat.role is Role.SUPERVISOR for seat in o.plan.seats) and approver.role is not Role.SUPERVISOR:
        raise CommandRefused("supervisor_wanted")


def resumed(o: Opening, now: datetime, *, approved_by: str | None = None) -> SessionResumed:
    """Return the event with which a hold ends ``now``: deadlines move by the time frozen, and T0 after a stop."""
    if o.hold is None:
        raise CommandRefused("not_held")
    frozen = now - o.hold.since
    running = o.due is not None and o.due > o.hold.since and o.kind is not StepKind.CHECKIN
    due = o.due + frozen if running and o.due else o.due
    rule, t0 = o.plan.pack.outage, None
    if o.hold.stops and rule is not None:
        limits = measures(o, rule)
        if running and due is not None:
            due = max(due, now + limits.notice)
        if o.frozen is None and o.t0 < now + limits.notice:
            t0 = _whole(now + limits.postpone)
            due = t0 if o.kind is StepKind.CHECKIN else due
    return SessionResumed(frozen_ms=frozen // _MS, due=due, t0=t0, approved_by=approved_by)


def resumption(o: Opening) -> Happening | None:
    """Return the event with which a stop ends by itself, if it may: nothing is under way yet, or the pack says so."""
    rule, hold = o.plan.pack.outage, o.hold
    if rule is None or hold is None or not o.hall.well or o.hall.lifted is None:
        return None
    ours = hold.by.role is Role.CLOCK
    unattended = o.status is Status.SCHEDULED  # nobody has come yet who could decide, and nothing waits for them
    if not ours or not (unattended or (rule.resume is Resumes.AUTO and hold.stops == {OUTAGE_STOP})):
        return None
    at = max(o.hall.lifted + measures(o, rule).healthy, o.at)
    return by_clock(at, resumed(o, at))


def _whole(moment: datetime) -> datetime:
    return moment if not moment.microsecond else moment.replace(microsecond=0) + _SECOND
