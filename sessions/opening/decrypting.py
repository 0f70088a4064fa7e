"""The decrypt window and the barrier: keys come in; nothing is decrypted before all have, or time is up."""

from __future__ import annotations

from sessions.commands import Opened, RecordOpenings, RecordRelease, RecordRescue, ReportFailure
from sessions.errors import CommandRefused
from sessions.events import AttemptFailed, BidNotOpened, BidOpened, BidRescued, KeyReleased, SheetRescued
from sessions.ids import Digest
from sessions.opening.attribution import BY_CLIENT, attribute
from sessions.opening.draft import Draft
from sessions.opening.locked import can_open
from sessions.opening.state import Bid, BidState, Opening
from sessions.opening.work import OpenBids, work_due
from sessions.proofs import Act, Proof, as_texts, check_failure
from sessions.quote import flags

MOST_SPARES = 4
"""Spare sheets for one bid by the bidder, and as many on its behalf: nobody's rubbish shuts out the true one."""


def record_release(draft: Draft, command: RecordRelease) -> None:
    """Put a checked key away, or record that it was not one. After success, further releases change nothing."""
    o = draft.opening
    bid = _bid(draft, command.bidder)
    if command.group not in o.groups:
        raise CommandRefused("no_such_group", group=command.group)
    if bid.state is BidState.RELEASED or command.group in bid.groups:
        return
    attempt = len(bid.attempts) + 1
    code = command.code
    if o.barrier is not None:
        if command.arrived_at is None or command.arrived_at >= o.barrier.at:
            raise CommandRefused("window_closed", step=o.step or "")
        code = "answered_late"  # it came in time; that the answer did not is the hall's doing
    if code is None:
        draft.accept(Act.RELEASE, command.proof)
        draft.put(
            KeyReleased(
                bidder=bid.bidder,
                group=command.group,
                release_sha256=command.release_sha256,
                attempt=attempt,
                proof=command.proof,
            )
        )
    else:
        check_failure(code, command.proof, wanted=bool(o.plan.proofs))
        _failed(draft, bid, code, release_sha256=command.release_sha256, proof=command.proof)


def report_failure(draft: Draft, command: ReportFailure) -> None:
    """Record what the bidder's own client says went wrong: its own fault only, never the hall's."""
    bid = _bid(draft, command.bidder)
    if command.code not in BY_CLIENT:
        raise CommandRefused("no_such_failure", code_given=command.code)
    if bid.state is BidState.WAITING:
        _failed(draft, bid, command.code)


def record_rescue(draft: Draft, command: RecordRescue) -> None:
    """Put a rescue away. A key that came already is not replaced, and whoever hands in rubbish harms nobody."""
    o = draft.opening
    bid = _bid(draft, command.bidder)
    if command.group not in o.groups or command.kind not in ("key", "plain"):
        raise CommandRefused("no_such_group", group=command.group)
    if o.plan.every_lock:
        raise CommandRefused("rescue_behind_locks")
    if bid.state is BidState.RELEASED or command.group in bid.groups:
        return
    if command.kind == "plain":
        if any(spare.sha256 == command.rescue_sha256 for spare in bid.spares):
            return
        if sum(spare.by is draft.actor.role for spare in bid.spares) >= MOST_SPARES:
            raise CommandRefused("too_many_rescues", limit=MOST_SPARES)
    draft.put(
        BidRescued(bidder=bid.bidder, group=command.group, kind=command.kind, rescue_sha256=command.rescue_sha256)
    )


def record_openings(draft: Draft, command: RecordOpenings) -> None:
    """Record the result of every bid of the set at once, in row order: its read-out sheet, or whose cause it is."""
    o = draft.opening
    if o.opened:
        return
    if not isinstance(work_due(o), OpenBids):
        raise CommandRefused("not_due")
    results = {result.bidder: result for result in command.opened}
    if len(command.opened) != len(o.bids) or results.keys() != {bid.bidder for bid in o.bids}:
        raise CommandRefused("wrong_set")
    for bid in o.bids:
        result = results[bid.bidder]
        spare = result.sheet is not None and bool(bid.spares) and bid.state is BidState.WAITING
        by_key = bid.state is BidState.RELEASED and can_open(o, bid)
        if result.quote is not None and not by_key and not spare:
            raise CommandRefused("not_released", bidder=bid.bidder)
    for bid in o.bids:  # each by what stood before the first result: none of them is a cause of another
        _result(draft, o, bid, results[bid.bidder])


def _result(draft: Draft, o: Opening, bid: Bid, result: Opened) -> None:
    if result.quote is not None and result.sheet is not None and result.salt is not None:
        found = flags(o.plan.tender, result.quote)
        draft.put(SheetRescued(bidder=bid.bidder, sheet=result.sheet, salt=result.salt, flags=found))
        return
    if result.quote is not None and result.quote_sha256 is not None and result.quote_key is not None:
        draft.put(
            BidOpened(
                bidder=bid.bidder,
                quote=dict(result.quote),
                quote_sha256=result.quote_sha256,
                quote_key=result.quote_key,
                flags=flags(o.plan.tender, result.quote),
            )
        )
        return
    finding = attribute(o, bid, result.code)
    draft.put(
        BidNotOpened(
            bidder=bid.bidder, cause=finding.cause, consequence=finding.consequence, evidence=finding.evidence
        )
    )


def _failed(
    draft: Draft, bid: Bid, code: str, release_sha256: Digest | None = None, proof: Proof | None = None
) -> None:
    attempt = len(bid.attempts) + 1
    draft.put(
        AttemptFailed(
            bidder=bid.bidder,
            attempt=attempt,
            release_sha256=release_sha256,
            private={"code": code, **(as_texts(proof) if proof else {})},
        )
    )


def _bid(draft: Draft, bidder: str) -> Bid:
    bid = draft.opening.bid(bidder)
    if bid is None:
        raise CommandRefused("no_bid")
    return bid
