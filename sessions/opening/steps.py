"""The walk through the rule pack: what comes next, when it falls due, and what stands in its way.

``coming`` is the one place that knows. A Tick records it once its moment is over; ``next_due`` reads its moment.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from sessions.events import (
    BarrierPassed,
    BiddersListed,
    CeilingAnnounced,
    Event,
    Happening,
    OpeningFailed,
    RecordDrawn,
    SessionEnded,
    StepCompleted,
    StepEntered,
)
from sessions.opening import drawing, floor, points, stopping
from sessions.opening.draft import by_clock
from sessions.opening.locked import not_ready
from sessions.opening.record import record_digest
from sessions.opening.state import OVER, Bid, BidState, Opening, StepRun
from sessions.plan import Plan, Starts, Step, StepKind
from sessions.roles import Role


def coming(o: Opening, *, by: datetime | None = None) -> Happening | None:
    """Return the next event that time or completeness brings, with the moment it falls due, never before ``o.at``.

    None while only a command can change something: a person's, or the result of slow work (opening.work). Whoever
    asks what is due ``by`` a moment may get None for what comes later: what it would say is then not worked out.
    """
    walk, missed = _walk(o, by), points.missing(o)
    if walk is None or (missed is not None and missed.at <= walk.at):
        return missed
    return walk


def _walk(o: Opening, by: datetime | None) -> Happening | None:
    """The next event of the walk itself."""
    if o.status in OVER:
        return None
    if o.stopped:
        return stopping.resumption(o)
    if o.run is None:
        # A pause holds the room shut, but T0 comes in spite of it.
        opens = o.t0 if o.hold else o.t0 - o.plan.windows[StepKind.CHECKIN]
        return _at(o, opens, StepEntered(step=o.plan.pack.steps[0].id, due=o.t0))
    if (silenced := floor.ending(o)) is not None:
        return _at(o, o.at, silenced)
    if o.run.completed_at is None:
        return _ending(o, o.run, by)
    if o.frozen is None or o.hold:
        return None
    if not o.listed and o.frozen.received < o.plan.pack.minimum_bidders:
        return _at(o, o.at, OpeningFailed(received=o.frozen.received, minimum=o.plan.pack.minimum_bidders))
    step = following(o)
    if step is None:
        if o.drawn is not None and not points.witnessed(o, points.RECORD):
            return None
        digest = record_digest(o)
        return _at(o, o.at, SessionEnded(record_sha256=digest, unsigned=o.run.missing))
    if step.starts is Starts.CLOCK and hindrance(o, step) is None:
        return _at(o, o.at, entering(o, step, o.at))
    return None


def following(o: Opening) -> Step | None:
    """Return the step after the current one; what the tender has no use for is passed over."""
    steps = o.plan.pack.steps
    return next((step for step in steps[len(_entered(o)) :] if wanted(o.plan, step)), None)


def wanted(plan: Plan, step: Step) -> bool:
    """Return whether a step of the pack is held for this tender: no ceiling and no draw without something to draw."""
    match step.kind:
        case StepKind.CEILING:
            return plan.tender.ceiling is not None
        case StepKind.DRAW:
            return bool(plan.tender.draws)
        case _:
            return True


def _entered(o: Opening) -> tuple[Step, ...]:
    return o.plan.pack.steps[: o.plan.pack.steps.index(o.runs[-1].step) + 1] if o.runs else ()


def hindrance(o: Opening, step: Step) -> str | None:
    """Return the refusal code of what keeps ``step`` from beginning, if anything does."""
    match step.kind:
        case StepKind.DECRYPT if empty_chairs(o):
            return "chair_empty"
        case StepKind.DECRYPT if not_ready(o):
            return "lock_not_ready"
        case StepKind.DECRYPT if not points.witnessed(o, points.CLOSE):
            return "not_witnessed"
        case StepKind.SIGN if pending_causes(o):
            return "cause_pending"
        case StepKind.SIGN if open_objections(o):
            return "objection_open"
        case _:
            return None


def entering(o: Opening, step: Step, at: datetime) -> StepEntered:
    """Return the event with which ``step`` begins at ``at``, with its deadline if the kind has one."""
    match step.kind:
        case StepKind.CHECKIN:
            due: datetime | None = o.t0
        case StepKind.LIST | StepKind.CHECK | StepKind.CEILING:
            due = None
        case StepKind.READOUT:
            due = at + o.plan.reading_pace * len(opened_bids(o))
        case StepKind.DRAW | StepKind.DECRYPT | StepKind.CONFIRM | StepKind.OBJECTION | StepKind.SIGN:
            due = at + o.plan.windows[step.kind]
        case _:
            assert_never(step.kind)
    return StepEntered(step=step.id, due=due)


def _ending(o: Opening, run: StepRun, by: datetime | None) -> Happening | None:
    """What completes the running step, or brings it forward."""
    if run.step.kind is StepKind.CHECKIN:
        return _at(o, o.t0, StepCompleted(step=run.step.id, missing=()))  # names nobody: who bids is secret
    if o.hold:
        return None
    match run.step.kind:
        case StepKind.LIST if not o.listed:
            return _at(o, o.at, BiddersListed(bids=o.frozen.sealed if o.frozen else ()))
        case StepKind.CEILING if not o.ceiling_announced:
            tender = o.plan.tender
            return _at(o, o.at, CeilingAnnounced(amount=tender.ceiling or "", currency=tender.currency))
        case StepKind.LIST | StepKind.CEILING:
            return _complete(o, run, o.at)
        case StepKind.CHECK:
            return _complete(o, run, o.at) if all(bid.seal for bid in o.bids) else None
        case StepKind.DRAW if o.draw is not None and o.draw.drawn is not None:
            return _complete(o, run, o.at, missing=o.draw.out)
        case StepKind.DRAW:
            return drawing.coming(o, run)
        case StepKind.DECRYPT:
            return _decrypting(o, run, by)
        case StepKind.READOUT:
            return _complete(o, run, run.due)
        case StepKind.CONFIRM:
            silent = (bid.bidder for bid in opened_bids(o) if not bid.confirmed_at and not bid.disputed)
            return _everyone_or_due(o, run, tuple(silent))
        case StepKind.OBJECTION:
            if open_objections(o):
                return None
            return _everyone_or_due(o, run, tuple(bid.bidder for bid in o.bids if not bid.none_declared))
        case StepKind.SIGN:
            if o.drawn is None:
                return _at(o, o.at, RecordDrawn(record_sha256=record_digest(o)))
            signed = {signature.signer for signature in o.signatures}
            return _everyone_or_due(o, run, tuple(signer for signer in o.drawn.asked if signer not in signed))
        case _:
            assert_never(run.step.kind)


def _decrypting(o: Opening, run: StepRun, by: datetime | None) -> Happening | None:
    if o.barrier is not None:
        return _complete(o, run, o.at, missing=o.barrier.missing) if o.opened else None
    if by is not None and run.due is not None and by < run.due and _waited_for(o):
        return None  # asked ahead of every command in the window, and hundreds of names need not be gathered for it
    released = tuple(bid.bidder for bid in o.bids if bid.state is BidState.RELEASED)
    missing = tuple(bid.bidder for bid in o.bids if bid.state is BidState.WAITING)
    reason, at = ("window", run.due) if missing else ("all", o.at)
    return _at(o, at, BarrierPassed(reason=reason, released=released, missing=missing))


def _waited_for(o: Opening) -> bool:
    return any(bid.state is BidState.WAITING for bid in o.bids)


def _everyone_or_due(o: Opening, run: StepRun, missing: tuple[str, ...]) -> Happening:
    return _complete(o, run, run.due, missing=missing) if missing else _complete(o, run, o.at)


def _complete(o: Opening, run: StepRun, at: datetime | None, *, missing: tuple[str, ...] = ()) -> Happening:
    return _at(o, at, StepCompleted(step=run.step.id, missing=missing))


def _at(o: Opening, moment: datetime | None, event: Event) -> Happening:
    return by_clock(max(moment or o.at, o.at), event)


def opened_bids(o: Opening) -> tuple[Bid, ...]:
    return tuple(bid for bid in o.bids if bid.state is BidState.OPENED)


def open_objections(o: Opening) -> tuple[int, ...]:
    return tuple(item.number for item in o.objections if item.open)


def pending_causes(o: Opening) -> tuple[str, ...]:
    return tuple(bid.bidder for bid in o.bids if bid.consequence == "pending")


def empty_chairs(o: Opening) -> tuple[Role, ...]:
    """Return the parts the pack wants in the room that nobody has taken yet. A deputy in charge counts as host."""
    taken = {chair.role for chair in o.chairs} | ({Role.HOST} if o.acting else set())
    return tuple(role for role in o.plan.pack.chairs if role not in taken)
