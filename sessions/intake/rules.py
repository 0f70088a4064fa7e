"""Before T0: bids come in, sealed, into a log that nobody may read until T0 is over.

The core checks what a bid was sealed for; its container, signature and certificates were checked before it got here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never, cast

from crypto.receipt import log_leaf
from sessions import commands as c
from sessions import events as e
from sessions.commands import SealedBid
from sessions.errors import CommandRefused
from sessions.ids import BidderId, Digest
from sessions.intake.receipts import receipt_of, tracker_of
from sessions.plan import Plan, StepKind
from sessions.plan_json import plan_from_json
from sessions.proofs import Act, Proof, accept
from sessions.roles import CLOCK, Actor, Role
from sessions.shape import rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """The bid of one bidder as it stands: the last version, who signed it, and when it was durable."""

    bidder: BidderId
    name: str
    header_sha256: Digest
    signing_certificate: Digest
    received_at: datetime
    tracker: str
    proof: Proof | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """The intake of one session. ``bids`` holds what would be frozen if T0 were now."""

    plan: Plan
    at: datetime
    t0: datetime
    deadlines: frozenset[datetime]  # this T0 and those it moved from: a bid sealed for an earlier one stays good
    checkin_opens: datetime
    bids: Mapping[BidderId, Received]
    versions: Mapping[BidderId, int]
    checked_in: Mapping[BidderId, datetime]
    announced_at: datetime
    seen: frozenset[Digest] = frozenset()  # every sealed bid that ever came, by its header
    entries: tuple[bytes, ...] = ()  # of every receipt given, in order, for the log of receipts (sessions.intake.log)
    closed: bool = False
    held: bool = False  # the opening stands still: T0 does not close it, and opens it to nobody either


def decide(intake: Intake | None, command: c.IntakeCommand, actor: Actor, now: datetime) -> tuple[e.Happening, ...]:
    """Return what happens if ``command`` arrives at ``now``, what was due before it first; raise CommandRefused.

    ``now`` is when a bid was complete and durable. A bid or a check-in that is there already changes nothing.
    """
    if intake is None:
        return _open(command, actor, now)
    now = max(now, intake.at)
    due = next_due(intake)
    settled: tuple[e.Happening, ...] = ()
    if due is not None and due <= now:
        settled = (e.Happening(at=due, actor=CLOCK, event=_closing(intake)),)
        intake = evolve(intake, settled[0])
    event = _event(intake, command, actor, now)
    return (*settled, e.Happening(at=now, actor=actor, event=event)) if event is not None else settled


def next_due(intake: Intake) -> datetime | None:
    """Return T0 until the intake is closed; nothing while it is held."""
    return None if intake.closed or intake.held else max(intake.t0, intake.at)


def sealed_bids(intake: Intake) -> tuple[SealedBid, ...]:
    """Return the set to freeze, in row order: by receipt of the final version, then by header digest."""
    rows = sorted(intake.bids.values(), key=lambda bid: (bid.received_at, bid.header_sha256))
    return tuple(
        SealedBid(
            bidder=bid.bidder,
            name=bid.name,
            header_sha256=bid.header_sha256,
            received_at=bid.received_at,
            tracker=bid.tracker,
            versions=intake.versions[bid.bidder],
            checked_in_at=intake.checked_in.get(bid.bidder),
        )
        for bid in rows
    )


def evolve(intake: Intake | None, fact: e.Happening | e.Recorded) -> Intake:
    """Return the intake after ``fact``; the first is IntakeOpened, and only that may meet None."""
    at, event = fact.at, cast(e.IntakeEvent, fact.event)
    if isinstance(event, e.IntakeOpened):
        plan = plan_from_json(event.plan)
        opens = plan.t0 - plan.windows[StepKind.CHECKIN]
        return Intake(
            plan=plan,
            at=at,
            t0=plan.t0,
            deadlines=frozenset({plan.t0}),
            checkin_opens=opens,
            bids={},
            versions={},
            checked_in={},
            announced_at=at,
        )
    if intake is None:
        raise TypeError("an intake begins with IntakeOpened")
    after = _after(replace(intake, at=at), at, event)
    if not isinstance(event, e.BidReceived) or intake.plan.intake_log is None:
        return after
    return replace(after, entries=(*after.entries, log_leaf(receipt_of(fact, intake.plan))))


def _after(i: Intake, at: datetime, event: e.IntakeEvent) -> Intake:
    match event:
        case e.BidReceived():
            received = Received(
                bidder=event.bidder,
                name=event.name,
                header_sha256=event.header_sha256,
                signing_certificate=event.signing_certificate,
                received_at=at,
                tracker=event.tracker,
                proof=event.proof,
            )
            versions = {**i.versions, event.bidder: i.versions.get(event.bidder, 0) + 1}
            seen = i.seen | {event.header_sha256}
            return replace(i, bids={**i.bids, event.bidder: received}, versions=versions, seen=seen)
        case e.BidWithdrawn():
            return replace(i, bids={bidder: bid for bidder, bid in i.bids.items() if bidder != event.bidder})
        case e.BidderCheckedIn():
            return replace(i, checked_in={**i.checked_in, event.bidder: at})
        case e.T0Moved():
            return _moved(i, at, event.new)
        case e.IntakeClosed():
            return replace(i, closed=True)
        case e.IntakeHeld():
            return replace(i, held=True)
        case e.IntakeFreed():
            freed = replace(i, held=False)
            return freed if event.t0 is None else _moved(freed, at, event.t0)
        case e.BidRefused() | e.IntakeOpened():
            return i
        case _:
            assert_never(event)


def _moved(i: Intake, at: datetime, t0: datetime) -> Intake:
    # A check-in window that is open stays open.
    opens = t0 - i.plan.windows[StepKind.CHECKIN]
    opens = i.checkin_opens if i.checkin_opens <= at else opens
    return replace(i, t0=t0, deadlines=i.deadlines | {t0}, checkin_opens=opens)


def _open(command: c.IntakeCommand, actor: Actor, now: datetime) -> tuple[e.Happening, ...]:
    if not isinstance(command, c.Schedule):
        raise CommandRefused("not_scheduled")
    _by_clock(actor)
    if plan_from_json(command.plan).t0 <= now:
        raise CommandRefused("t0_passed")
    return (e.Happening(at=now, actor=CLOCK, event=e.IntakeOpened(plan=command.plan)),)


def _event(i: Intake, command: c.IntakeCommand, actor: Actor, now: datetime) -> e.IntakeEvent | None:
    match command:
        case c.Tick():
            return None
        case c.Schedule():
            raise CommandRefused("already_scheduled")
        case c.SubmitBid():
            return _submit(i, command, actor, now)
        case c.RefuseBid():
            _by_clock(actor)
            _still_open(i, now)
            return e.BidRefused(
                bidder=command.bidder, name=command.name, code=command.code, header_sha256=command.header_sha256
            )
        case c.WithdrawBid():
            _own(actor, command.bidder)
            _still_open(i, now)
            bid = _bid(i, command.bidder)
            _accept(i, Act.WITHDRAW, command.proof)
            return e.BidWithdrawn(
                bidder=command.bidder,
                header_sha256=bid.header_sha256,
                statement=command.statement,
                proof=command.proof,
            )
        case c.CheckIn():
            return _check_in(i, command, actor, now)
        case c.Postpone():
            _by_clock(actor)  # the opening decided it; this stream only follows
            if not i.held:
                _still_open(i, now)
            if command.t0 <= i.t0:
                raise CommandRefused("t0_not_later", t0=rfc3339(i.t0))
            return e.T0Moved(old=i.t0, new=command.t0, reason=command.reason, approved_by=None)
        case c.Abort():
            _by_clock(actor)
            return None if i.closed else _closing(i)
        case c.HoldIntake():
            _by_clock(actor)
            return None if i.closed or i.held else e.IntakeHeld(reason=command.reason)
        case c.FreeIntake():
            _by_clock(actor)
            if command.t0 is not None and command.t0 <= max(i.t0, now):
                raise CommandRefused("t0_not_later", t0=rfc3339(i.t0))
            return e.IntakeFreed(t0=command.t0) if i.held else None
        case _:
            assert_never(command)


def _submit(i: Intake, command: c.SubmitBid, actor: Actor, now: datetime) -> e.BidReceived | None:
    _own(actor, command.bidder)
    _still_open(i, now)
    tender = i.plan.tender
    if command.sealed_tender != tender.id:
        raise CommandRefused("foreign_tender", sealed_for=command.sealed_tender)
    if command.sealed_lot != tender.lot:
        raise CommandRefused("foreign_lot", sealed_for=command.sealed_lot)
    if command.sealed_bidder != command.bidder:
        raise CommandRefused("foreign_bidder", sealed_by=command.sealed_bidder)
    if command.deadline not in i.deadlines:
        raise CommandRefused("wrong_deadline", t0=rfc3339(i.t0))
    before = i.bids.get(command.bidder)
    if before is not None and before.header_sha256 == command.header_sha256:
        return None
    if any(bid.header_sha256 == command.header_sha256 for bid in i.bids.values()):
        raise CommandRefused("foreign_bidder", sealed_by=command.sealed_bidder)
    if i.plan.once and command.header_sha256 in i.seen:
        raise CommandRefused("sealed_before")  # whoever has it could send it, and only sealing anew takes the bidder
    _accept(i, Act.SUBMIT, command.proof)
    received = e.BidReceived(
        bidder=command.bidder,
        name=command.name,
        header_sha256=command.header_sha256,
        declaration_sha256=command.declaration_sha256,
        root=command.root,
        length=command.length,
        signing_certificate=command.signing_certificate,
        first_byte_at=command.first_byte_at,
        leaf_salt=command.leaf_salt,
        tracker="",  # follows from all the rest
        replaces=before.header_sha256 if before else None,
        proof=command.proof,
    )
    return replace(received, tracker=tracker_of(e.Happening(at=now, actor=actor, event=received), i.plan))


def _check_in(i: Intake, command: c.CheckIn, actor: Actor, now: datetime) -> e.BidderCheckedIn | None:
    _own(actor, command.bidder)
    _still_open(i, now)
    _bid(i, command.bidder)
    if now < i.checkin_opens:
        raise CommandRefused("checkin_not_open", opens=rfc3339(i.checkin_opens))
    if command.bidder in i.checked_in:
        return None
    _accept(i, Act.CHECKIN, command.proof)
    return e.BidderCheckedIn(bidder=command.bidder, statement=command.statement, proof=command.proof)


def _accept(i: Intake, act: Act, proof: Proof | None) -> None:
    accept(i.plan.pack.revocation, act, proof, wanted=bool(i.plan.proofs))


def _closing(i: Intake) -> e.IntakeClosed:
    return e.IntakeClosed(received=len(i.bids))


def _still_open(i: Intake, now: datetime) -> None:
    """In time is before T0, to the millisecond (招标投标法 art. 28).

    While the opening stands still nobody can say when T0 is over. Then nothing is taken after it, and nothing called
    late: T0 moves before the opening goes on, and whoever was turned away comes again.
    """
    if i.held and now >= i.t0:
        raise CommandRefused("intake_held", t0=rfc3339(i.t0))
    if now >= i.t0:
        raise CommandRefused("late", t0=rfc3339(i.t0), received_at=rfc3339(now))
    if i.closed:
        raise CommandRefused("closed")


def _own(actor: Actor, bidder: BidderId) -> None:
    if actor.role is not Role.BIDDER:
        raise CommandRefused("not_your_role", role=actor.role.value)
    if actor.id != bidder:
        raise CommandRefused("not_yours")


def _by_clock(actor: Actor) -> None:
    if actor.role is not Role.CLOCK:
        raise CommandRefused("not_your_role", role=actor.role.value)


def _bid(i: Intake, bidder: BidderId) -> Received:
    if bidder not in i.bids:
        raise CommandRefused("no_bid")
    return i.bids[bidder]
