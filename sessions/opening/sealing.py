"""From T0 to the checked seals: freeze the set, re-read it, and record who comes after the door is shut."""

from __future__ import annotations

from sessions.commands import CheckIn, CloseIntake, RecordLateBid, SealChecks
from sessions.errors import CommandRefused
from sessions.events import BidderCheckedIn, LateBidRefused, SealsChecked, SetFrozen
from sessions.opening.draft import Draft, by_clock
from sessions.opening.state import Opening
from sessions.opening.work import CheckSeals, FreezeSet, work_due
from sessions.proofs import Act
from sessions.sealed_set import set_root
from sessions.shape import to_json


def close_intake(draft: Draft, command: CloseIntake) -> None:
    """Freeze the set as it was at T0; the event carries T0 unless something was recorded since."""
    o = draft.opening
    if o.frozen is not None:
        return  # another worker was faster; the set is fixed once
    if not isinstance(work_due(o), FreezeSet):
        raise CommandRefused("not_due")
    headers = tuple(bid.header_sha256 for bid in command.bids)
    if len({bid.bidder for bid in command.bids}) < len(command.bids) or len(set(headers)) < len(headers):
        raise CommandRefused("wrong_set")
    if any(bid.received_at >= o.t0 for bid in command.bids):
        raise CommandRefused("late")
    if command.root != set_root(headers):
        raise CommandRefused("wrong_root")
    if {command.intake_log_size is None, command.intake_log_root is None} != {o.plan.intake_log is None}:
        raise CommandRefused("wrong_log")
    if bool(command.session_key) == bool(o.plan.locks):
        raise CommandRefused("wrong_session_key")  # behind locks nobody holds one key to everything
    if not quotes_clock(o, command.clock_offset_ms):
        raise CommandRefused("wrong_clock_check")
    frozen = SetFrozen(
        received=len(command.bids),
        headers=headers,
        root=command.root,
        intake_head=command.intake_head,
        intake_length=command.intake_length,
        session_key=command.session_key,
        clock_offset_ms=command.clock_offset_ms,
        private={"bids": to_json(command.bids)},
        intake_log_size=command.intake_log_size,
        intake_log_root=command.intake_log_root,
    )
    draft.fall_due(by_clock(max(o.t0, o.at), frozen))


def quotes_clock(o: Opening, offset_ms: int | None) -> bool:
    """Whether a frozen set may give this offset: the one of ClockChecked, where the plan names time sources."""
    if o.plan.clock is None:
        return o.clock is None
    return o.clock is not None and o.clock.offset_ms == offset_ms


def record_seals(draft: Draft, command: SealChecks) -> None:
    """Record what re-reading every bid showed. A bad seal is a fact for the record, not a verdict."""
    o = draft.opening
    if o.bids and all(bid.seal for bid in o.bids):
        return
    if not isinstance(work_due(o), CheckSeals):
        raise CommandRefused("not_due")
    if command.results.keys() != {bid.bidder for bid in o.bids}:
        raise CommandRefused("wrong_set")
    proofs = dict(command.proofs or {})
    if not proofs.keys() <= command.results.keys():
        raise CommandRefused("wrong_set")
    draft.put(SealsChecked(results=dict(command.results), proofs=proofs or None))


def record_late_bid(draft: Draft, command: RecordLateBid) -> None:
    """Record that a bid came too late; the same slip is recorded once."""
    if all(late.slip_sha256 != command.slip_sha256 for late in draft.opening.late):
        draft.put(
            LateBidRefused(
                bidder=command.bidder, name=command.name, slip_sha256=command.slip_sha256, code=command.code
            )
        )


def check_in(draft: Draft, command: CheckIn) -> None:
    """Check in after T0: attendance is a right (招标投标法 art. 35), and being late costs nothing but the wait."""
    bid = draft.opening.bid(command.bidder)
    if bid is not None and bid.checked_in_at is None:
        draft.accept(Act.CHECKIN, command.proof)
        draft.put(BidderCheckedIn(bidder=command.bidder, statement=command.statement, proof=command.proof))
