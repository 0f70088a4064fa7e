"""Play both streams again through the rules: every event must be the one that the rules make of what came before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sessions import commands as c
from sessions import events as e
from sessions import intake as intakes
from sessions.codec import event_to_json
from sessions.errors import CommandRefused
from sessions.intake import Intake
from sessions.opening import FreezeSet, Opening, Status, decide, evolve, work_due
from sessions.opening.decide import act, settled_until
from sessions.opening.sealing import quotes_clock
from sessions.opening.steps import coming
from sessions.plan import Plan
from sessions.roles import CLOCK
from sessions.sealed_set import set_root
from sessions.verify.commands import asked_for
from sessions.verify.events import Log
from sessions.verify.report import Failed, Found, require


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """The opening at its end, and as it stood when the barrier had passed and nothing was opened yet."""

    log: Log
    opening: Opening
    shut: Opening | None


_TOGETHER = (e.BidOpened, e.BidNotOpened, e.SheetRescued, e.EvidenceGathered)
"""Events of which one command makes several, at most one a bidder."""


def replay_opening(log: Log) -> Found:
    """Return the opening that the events add up to, having asked the rules about each of them."""
    opening, shut, number = None, None, 0
    while number < len(log.records):
        beside = len(opening.bids) if opening and isinstance(log.records[number].event, _TOGETHER) else 0
        rest = log.records[number : number + 1 + beside]
        taken, after = (_first(rest[0]), None) if opening is None else _explained(opening, rest, log.hidden)
        require(
            taken > 0, f"event {number + 1} ({type(rest[0].event).__name__}) is not what the rules make of the log"
        )
        if isinstance(rest[0].event, e.BidOpened | e.BidNotOpened | e.SheetRescued):
            shut = opening
        if after is None:
            for record in rest[:taken]:
                opening = evolve(opening, record)
        opening, number = after or opening, number + taken
    if opening is None:
        raise Failed("there are no events")
    replayed = Replayed(log=log, opening=opening, shut=shut)
    return Found(replayed, f"{number} events, status {opening.status}")


def _first(record: e.Recorded) -> int:
    event = record.event
    if not isinstance(event, e.SessionScheduled):
        return 0
    made = decide(None, c.Schedule(plan=event.plan), CLOCK, record.at)
    return _agree(made[:1], (record,), frozenset())


def _explained(o: Opening, rest: Sequence[e.Recorded], hidden: frozenset[int]) -> tuple[int, Opening | None]:
    """Return how many of the next events are explained, by time or by something that was asked for; 0 if none is.

    With them the opening after them, where that was worked out on the way.
    """
    record = rest[0]
    due = coming(o, by=record.at)
    if due is not None and _agree((due,), (record,), hidden):
        return 1, None
    if isinstance(record.event, e.SetFrozen) and record.number in hidden:
        return _frozen_unseen(o, record.event, record), None
    for command, actor in asked_for(o, record, rest):
        if due is not None and due.at <= settled_until(command, record.at):
            continue  # that would have come first
        try:
            draft = act(o, command, actor, record.at)
        except CommandRefused:
            continue
        made, size = draft.happenings, _size(o, command)
        if len(made) >= size and _agree(made[:size], rest[:size], hidden):
            return size, draft.opening if len(made) == size and record.number not in hidden else None
    return 0, None


def _size(o: Opening, command: c.OpeningCommand) -> int:
    """How many events the command makes that come together or not at all."""
    match command:
        case c.RecordOpenings():
            return len(o.bids)
        case c.RecordEvidence(gathered=gathered):
            return len(gathered)
        case _:
            return 1


def _frozen_unseen(o: Opening, event: e.SetFrozen, record: e.Recorded) -> int:
    """The set of an opening that failed: who bid stays hidden, so only what it commits to can be checked."""
    fits = len(event.headers) == len(set(event.headers)) == event.received and event.root == set_root(event.headers)
    logged = {event.intake_log_size is None, event.intake_log_root is None} == {o.plan.intake_log is None}
    logged &= bool(event.session_key) != bool(o.plan.locks)
    due = o.status is Status.LIVE and isinstance(work_due(o), FreezeSet) and record.at == max(o.t0, o.at)
    clocked = quotes_clock(o, event.clock_offset_ms)
    return int(fits and logged and due and clocked and record.actor.role is CLOCK.role)


def _agree(made: Sequence[e.Happening], told: Sequence[e.Recorded], hidden: frozenset[int]) -> int:
    """Return how many there are if each happening is the event recorded, else 0."""
    if len(made) != len(told):
        return 0
    for happening, record in zip(made, told, strict=True):
        if type(happening.event) is not type(record.event) or happening.at != record.at:
            return 0
        who = (happening.actor.role, happening.actor.id) == (record.actor.role, record.actor.id)
        same = happening.event == record.event or _spelt_alike(happening, record, hidden)
        if not (same and who):
            return 0
    return len(told)


def _spelt_alike(happening: e.Happening, record: e.Recorded, hidden: frozenset[int]) -> bool:
    """Whether two events that differ as values are the same on paper, or but for what the bundle does not show."""
    ours, theirs = event_to_json(happening.event), event_to_json(record.event)
    return ours[:2] == theirs[:2] and (record.number in hidden or ours[2] == theirs[2])


def replay_intake(log: Log, plan: Plan) -> Found:
    """Return the intake that the events add up to, having asked the rules about each of them."""
    state: Intake | None = None
    for record in log.records:
        require(
            _accepted(state, record, plan), f"event {record.number} ({type(record.event).__name__}) breaks the rules"
        )
        state = intakes.evolve(state, record)
    if state is None:
        raise Failed("there are no events")
    require(state.closed, "intake was never closed")
    received = sum(isinstance(record.event, e.BidReceived) for record in log.records)
    return Found(state, f"{received} bids received, {len(state.bids)} standing at the deadline")


def _accepted(state: Intake | None, record: e.Recorded, plan: Plan) -> bool:
    for command in _sent(record, plan, state):
        try:
            made = intakes.decide(state, command, record.actor, record.at)
        except CommandRefused:
            continue
        if _agree(made[:1], (record,), frozenset()):
            return True
    return False


def _sent(record: e.Recorded, plan: Plan, state: Intake | None) -> Iterator[c.IntakeCommand]:
    event = record.event
    match event:
        case e.IntakeOpened(plan=announced):
            yield c.Schedule(plan=announced)  # plan.announced compares it with the opening's
        case e.BidReceived():
            yield _submitted(event, plan, state)
        case e.BidRefused(bidder=bidder, name=name, code=code, header_sha256=header):
            yield c.RefuseBid(bidder=bidder, name=name, code=code, header_sha256=header)
        case e.BidWithdrawn(bidder=bidder, statement=statement, proof=proof):
            yield c.WithdrawBid(bidder=bidder, statement=statement, proof=proof)
        case e.BidderCheckedIn(bidder=bidder, statement=statement, proof=proof):
            yield c.CheckIn(bidder=bidder, statement=statement, proof=proof)
        case e.T0Moved(new=new, reason=reason):
            yield c.Postpone(t0=new, reason=reason)
        case e.IntakeHeld(reason=reason):
            yield c.HoldIntake(reason=reason)
        case e.IntakeFreed(t0=t0):
            yield c.FreeIntake(t0=t0)
        case e.IntakeClosed():
            yield c.Tick()
            yield c.Abort(reason="")
        case _:
            pass


def _submitted(event: e.BidReceived, plan: Plan, state: Intake | None) -> c.SubmitBid:
    """What a bid was sealed for is checked on its header, where there is one (set.complete, bids.declarations)."""
    return c.SubmitBid(
        bidder=event.bidder,
        name=event.name,
        header_sha256=event.header_sha256,
        declaration_sha256=event.declaration_sha256,
        root=event.root,
        length=event.length,
        deadline=state.t0 if state else plan.t0,
        sealed_tender=plan.tender.id,
        sealed_lot=plan.tender.lot,
        sealed_bidder=event.bidder,
        signing_certificate=event.signing_certificate,
        first_byte_at=event.first_byte_at,
        leaf_salt=event.leaf_salt,
        proof=event.proof,
    )
