"""The opening after an event. Total: an event happened, so there is nothing to refuse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, assert_never, cast

from crypto.digest import sha256_hex
from sessions import events as e
from sessions.commands import SealedBid
from sessions.frozen import changed, filled
from sessions.ids import BidderId, Digest
from sessions.opening import draws, floor, points, record, stops
from sessions.opening.state import (
    Attempt,
    Barrier,
    Bid,
    BidState,
    Chair,
    Draw,
    DrawnRecord,
    Extension,
    Fault,
    Filmed,
    FrozenSet,
    Hold,
    Interruption,
    LateBid,
    Missed,
    Move,
    Objection,
    Opening,
    Proposal,
    ProposalState,
    Readiness,
    Removal,
    Signature,
    Spare,
    Status,
    StepRun,
    SupervisorNote,
)
from sessions.plan import Phase, StepKind
from sessions.plan_json import plan_from_json
from sessions.quote import read_sheet
from sessions.roles import Actor
from sessions.shape import from_json, rfc3339


def evolve(opening: Opening | None, fact: e.Happening | e.Recorded) -> Opening:
    """Return the opening after ``fact``; the first is SessionScheduled, and only that may meet None."""
    at, actor, event = fact.at, fact.actor, cast(e.OpeningEvent, fact.event)
    if isinstance(event, e.SessionScheduled):
        plan = plan_from_json(event.plan)
        return Opening(plan=plan, at=at, t0=plan.t0, length=1)
    if opening is None:
        raise TypeError("an opening begins with SessionScheduled")
    return _after(changed(opening, at=at, length=opening.length + 1), at, actor, event)


def _after(o: Opening, at: datetime, actor: Actor, event: e.OpeningEvent) -> Opening:
    match event:
        case e.SessionScheduled():
            return o
        case e.ChairTaken():
            chair = Chair(role=event.role, account=event.account, name=event.name, at=at)
            first_host = o.acting is None and event.role == "host"
            return replace(o, chairs=(*o.chairs, chair), acting=event.account if first_host else o.acting)
        case e.HostHandedOver():
            return replace(o, acting=event.account)
        case e.T0Moved():
            return _t0_moved(o, at, actor, event)
        case e.SetFrozen():
            return points.pointed(_frozen(o, at, event), points.CLOSE, at)
        case e.BiddersListed():
            return replace(o, listed=True)
        case e.OpeningFailed():
            return replace(o, status=Status.FAILED)
        case e.BidderCheckedIn():
            return _row(o, event.bidder, checked_in_at=at)
        case e.StepEntered():
            return _entered(o, at, event)
        case e.StepCompleted():
            return _completed(o, at, event)
        case e.SealsChecked():
            said = {bidder: proof.state for bidder, proof in (event.proofs or {}).items()}
            return replace(
                o,
                bids=tuple(
                    replace(bid, seal=event.results.get(bid.bidder), authority=said.get(bid.bidder)) for bid in o.bids
                ),
            )
        case e.CeilingAnnounced():
            return replace(o, ceiling_announced=True)
        case e.KeyReleased() | e.AttemptFailed():
            return _attempted(o, at, event)
        case e.WindowExtended():
            return _extended(o, at, actor, event)
        case e.BarrierPassed():
            barrier = Barrier(at=at, reason=event.reason, released=event.released, missing=event.missing)
            return replace(o, barrier=barrier, phase=Phase.OPENED)
        case e.OfficerReady():
            tried = Readiness(lock=event.lock, account=event.officer, at=at, passed=event.passed)
            others = (one for one in o.locks.readiness if (one.lock, one.account) != (tried.lock, tried.account))
            return replace(o, locks=replace(o.locks, readiness=(*others, tried)))
        case e.LockOpened():
            removal = Removal(lock=event.lock, account=event.officer, at=at, opened=event.opened, failed=event.failed)
            return replace(o, locks=replace(o.locks, removals=(*o.locks.removals, removal)))
        case e.LockMissed():
            missed = Missed(lock=event.lock, at=at, reason=event.reason, by=actor, approved_by=event.approved_by)
            went_on = replace(o, locks=replace(o.locks, missed=(*o.locks.missed, missed)))
            return _done(went_on, "MissLock", {"lock": event.lock})
        case e.EscrowRequested():
            return _row(o, event.bidder, escrow_asked_at=at)
        case e.EscrowGranted():
            granted = _row(o, event.bidder, escrowed=True, state=BidState.RELEASED, groups=o.groups)
            return _done(granted, "GrantEscrow", {"bidder": event.bidder})
        case e.BidOpened():
            opened = _row(
                o,
                event.bidder,
                state=BidState.OPENED,
                quote=event.quote,
                quote_sha256=event.quote_sha256,
                quote_key=event.quote_key,
                flags=event.flags,
            )
            return replace(opened, opened=True)
        case e.BidNotOpened():
            shut = _row(
                o,
                event.bidder,
                state=BidState.NOT_OPENED,
                cause=event.cause,
                consequence=event.consequence,
                evidence=event.evidence,
            )
            return replace(shut, opened=True)
        case e.CauseRuled():
            ruled = _row(o, event.bidder, cause=event.cause, consequence=event.consequence)
            return _done(ruled, "RuleCause", {"bidder": event.bidder, "cause": event.cause})
        case e.BidRescued():
            return _rescued(o, actor, event)
        case e.SheetRescued():
            quote = read_sheet(event.sheet.encode())
            digest = Digest(sha256_hex(event.sheet.encode()))
            read = _row(
                o,
                event.bidder,
                state=BidState.OPENED,
                quote=quote,
                quote_sha256=digest,
                flags=event.flags,
                rescued="plain",
            )
            return replace(read, opened=True)
        case e.EvidenceGathered():
            digests = {name: getattr(event, name) for name in ("sha256", "reach_sha256", "probes_sha256")}
            return _row(o, event.bidder, gathered={**event.facts, **digests})
        case e.FaultMeasured():
            fault = Fault(began=event.began, ended=event.ended, made_up=event.new - event.old)
            return _run(replace(o, faults=(*o.faults, fault)), due=event.new)
        case e.LateBidRefused():
            late = LateBid(
                bidder=event.bidder, name=event.name, slip_sha256=event.slip_sha256, code=event.code, at=at
            )
            return replace(o, late=(*o.late, late))
        case e.DrawCommitted() | e.DrawClosed() | e.DrawRevealed() | e.DrawRepeated() | e.DrawMade():
            return _drawing(draws.after(o, event), at, event)
        case e.RowConfirmed():
            return _row(o, event.bidder, confirmed_at=at)
        case e.ObjectionRaised():
            return _objected(o, at, event)
        case e.ObjectionAnswered():
            answer = event.private.get("text", "")
            return replace(
                o,
                objections=tuple(
                    replace(item, answer=answer, answered_at=at, answered_by=actor)
                    if item.number == event.number
                    else item
                    for item in o.objections
                ),
            )
        case e.NoneDeclared():
            return _row(o, event.bidder, none_declared=True)
        case e.FloorAsked() | e.FloorGranted() | e.FloorEnded():
            return floor.after(o, at, actor, event)
        case e.RecordDrawn():
            drawn = DrawnRecord(at=at, sha256=event.record_sha256, content=record.project(o), asked=record.asked(o))
            return points.pointed(replace(o, drawn=drawn), points.RECORD, at)
        case e.RecordSigned():
            signature = Signature(
                signer=event.signer, role=event.role, name=actor.name, statement=event.statement, at=at
            )
            return replace(o, signatures=(*o.signatures, signature))
        case e.SupervisorNoted():
            note = SupervisorNote(by=actor, at=at, text=event.private.get("text", ""))
            return replace(o, notes=(*o.notes, note))
        case e.SessionPaused():
            return replace(o, hold=Hold(reason=event.reason, incident=event.incident, by=actor, since=at))
        case e.SessionResumed():
            return _resumed(o, at, actor, event)
        case e.ActProposed():
            proposal = Proposal(
                number=event.proposal, act=event.act, fields=event.fields, reason=event.reason, by=actor, at=at
            )
            return replace(o, proposals=(*o.proposals, proposal))
        case e.ActDeclined():
            return replace(
                o,
                proposals=tuple(
                    replace(item, state=ProposalState.DECLINED) if item.number == event.proposal else item
                    for item in o.proposals
                ),
            )
        case e.SessionAborted():
            aborted = replace(o, status=Status.ABORTED, abort_reason=event.reason, ended_at=at)
            return floor.closed(_done(aborted, "Abort", {}), at)
        case e.SessionEnded():
            ended = replace(o, status=Status.ENDED, phase=Phase.ENDED, unsigned=event.unsigned, ended_at=at)
            return floor.closed(ended, at)
        case e.Anchored():
            return points.anchored(o, event)
        case e.AnchorMissed():
            return points.missed(o, event)
        case e.LogDisputed():
            return points.disputed(o, at, event)
        case e.ClockChecked():
            return stops.checked(o, event)
        case e.ClockUnsafe() | e.OutageBegan():
            return stops.stopped(o, at, event)
        case e.ClockSafe() | e.OutageEnded():
            return stops.lifted(o, at, event)
        case e.RecordingNoted():
            return _noted(o, at, event)
        case _:
            assert_never(event)


def _noted(o: Opening, at: datetime, event: e.RecordingNoted) -> Opening:
    if event.gaps is None:  # by an earlier version, whose records say nothing of it
        return replace(o, recorded=event.size)
    filmed = Filmed(noted_at=at, size=event.size, root=event.root, until=event.until, gaps=event.gaps)
    return replace(o, recorded=event.size, filmed=filmed)


def _row(o: Opening, bidder: BidderId, **changes: Any) -> Opening:
    """Return the opening with one bid changed: ``o`` itself, a copy that ``evolve`` has just made."""
    bid = o.bid(bidder)
    if bid is None:
        return o
    bids = list(o.bids)
    bids[bid.row - 1] = changed(bid, **changes)  # they stand in row order
    return filled(o, bids=tuple(bids))


def _run(o: Opening, **changes: Any) -> Opening:
    return replace(o, runs=(*o.runs[:-1], replace(o.runs[-1], **changes))) if o.runs else o


def _done(o: Opening, act: str, fields: Mapping[str, str]) -> Opening:
    return replace(
        o,
        proposals=tuple(
            replace(item, state=ProposalState.DONE)
            if item.state is ProposalState.OPEN and item.act == act and item.fields == fields
            else item
            for item in o.proposals
        ),
    )


def _t0_moved(o: Opening, at: datetime, actor: Actor, event: e.T0Moved) -> Opening:
    move = Move(at=at, old=event.old, new=event.new, reason=event.reason, by=actor, approved_by=event.approved_by)
    moved = _run(replace(o, t0=event.new, moves=(*o.moves, move)), due=event.new)  # check-in lasts until T0
    return _done(moved, "Postpone", {"t0": rfc3339(event.new)})


def _frozen(o: Opening, at: datetime, event: e.SetFrozen) -> Opening:
    sealed = from_json(tuple[SealedBid, ...], event.private.get("bids", ()))
    frozen = FrozenSet(
        at=at,
        received=event.received,
        headers=event.headers,
        root=event.root,
        intake_head=event.intake_head,
        intake_length=event.intake_length,
        session_key=event.session_key,
        clock_offset_ms=event.clock_offset_ms,
        sealed=sealed,
        intake_log_size=event.intake_log_size,
        intake_log_root=event.intake_log_root,
    )
    bids = tuple(
        Bid(
            row=row,
            bidder=bid.bidder,
            name=bid.name,
            header_sha256=bid.header_sha256,
            received_at=bid.received_at,
            tracker=bid.tracker,
            versions=bid.versions,
            checked_in_at=bid.checked_in_at,
        )
        for row, bid in enumerate(sealed, start=1)
    )
    # Too few bids: no name is published, so the phase stays what it was.
    enough = event.received >= o.plan.pack.minimum_bidders
    rows = {str(bid.bidder): bid.row for bid in bids}
    return replace(o, frozen=frozen, bids=bids, rows=rows, phase=Phase.LISTED if enough else o.phase)


def _entered(o: Opening, at: datetime, event: e.StepEntered) -> Opening:
    step = next(step for step in o.plan.pack.steps if step.id == event.step)
    status, phase = o.status, o.phase
    if step.kind is StepKind.CHECKIN:
        status = Status.CHECKIN
    if step.kind is StepKind.DECRYPT:
        phase = Phase.DECRYPT
    lapsed = tuple(
        replace(item, state=ProposalState.LAPSED) if item.state is ProposalState.OPEN else item
        for item in o.proposals
    )
    runs = (*o.runs, StepRun(step=step, entered_at=at, due=event.due))
    draw = Draw() if step.kind is StepKind.DRAW else o.draw
    entered = floor.lapsed(replace(o, status=status, phase=phase, runs=runs, draw=draw, proposals=lapsed))
    if step.kind is StepKind.CHECKIN:  # a key that worked last week shows nobody to be here
        return replace(entered, locks=replace(o.locks, readiness=(), beforehand=o.locks.readiness))
    return entered


def _completed(o: Opening, at: datetime, event: e.StepCompleted) -> Opening:
    done = _run(o, completed_at=at, missing=event.missing)
    return replace(done, status=Status.LIVE) if o.kind is StepKind.CHECKIN else done


def _attempted(o: Opening, at: datetime, event: e.KeyReleased | e.AttemptFailed) -> Opening:
    bid = o.bid(event.bidder)
    if bid is None:
        return o
    released = isinstance(event, e.KeyReleased)
    group = event.group if isinstance(event, e.KeyReleased) else None
    code = None if isinstance(event, e.KeyReleased) else event.private.get("code", "")
    attempt = Attempt(number=event.attempt, at=at, group=group, release_sha256=event.release_sha256, code=code)
    groups = bid.groups | {event.group} if isinstance(event, e.KeyReleased) else bid.groups
    state = BidState.RELEASED if released and groups >= o.groups else bid.state
    return _row(o, event.bidder, attempts=(*bid.attempts, attempt), groups=groups, state=state)


def _rescued(o: Opening, actor: Actor, event: e.BidRescued) -> Opening:
    bid = o.bid(event.bidder)
    if bid is None:
        return o
    if event.kind == "plain":
        return _row(o, event.bidder, spares=(*bid.spares, Spare(by=actor.role, sha256=event.rescue_sha256)))
    groups = bid.groups | {event.group}
    state = BidState.RELEASED if groups >= o.groups else bid.state
    return _row(o, event.bidder, groups=groups, state=state, rescued="key")


def _extended(o: Opening, at: datetime, actor: Actor, event: e.WindowExtended) -> Opening:
    extension = Extension(
        at=at, old=event.old, new=event.new, reason=event.reason, by=actor, approved_by=event.approved_by
    )
    longer = _run(o, due=event.new, extensions=(*o.runs[-1].extensions, extension)) if o.runs else o
    return _done(longer, "ExtendBeyond", {"step": event.step}) if event.approved_by else longer


def _drawing(o: Opening, at: datetime, event: e.OpeningEvent) -> Opening:
    match event:
        case e.DrawMade():
            return points.pointed(o, points.DRAW, at)
        case e.DrawClosed(due=due):
            return _run(o, due=due)
        case e.DrawRepeated(due=due, approved_by=second):
            again = _run(o, due=due)
            return _done(again, "RepeatDraw", {}) if second else again
        case _:
            return o


def _objected(o: Opening, at: datetime, event: e.ObjectionRaised) -> Opening:
    objection = Objection(
        number=event.number,
        bidder=event.bidder,
        kind=event.kind,
        title=event.title,
        text=event.private.get("text", ""),
        at=at,
    )
    raised = replace(o, objections=(*o.objections, objection))
    disputed = {"disputed": True} if event.kind == "row" else {}
    return _row(raised, event.bidder, none_declared=False, **disputed)


def _resumed(o: Opening, at: datetime, actor: Actor, event: e.SessionResumed) -> Opening:
    pauses = (*o.pauses, Interruption(hold=o.hold, until=at)) if o.hold else o.pauses
    moved = replace(o, hold=None, hall=replace(o.hall, lifted=None), pauses=pauses)
    if event.t0 is not None:
        stops = tuple(sorted(o.hold.stops)) if o.hold else ()
        move = Move(at=at, old=o.t0, new=event.t0, reason="", by=actor, approved_by=event.approved_by, stops=stops)
        moved = replace(moved, t0=event.t0, moves=(*o.moves, move))
    moved = _run(moved, due=event.due) if event.due else moved
    return _done(moved, "Resume", {}) if event.approved_by else moved
