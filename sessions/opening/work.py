"""The slow work an opening waits for: the shell does it in a thread and sends the result as a command."""

from __future__ import annotations

from dataclasses import dataclass

from sessions.ids import BidderId, Digest
from sessions.opening.locked import still_locked
from sessions.opening.state import OVER, BidState, Opening
from sessions.plan import StepKind


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeSet:
    """T0 has come: close the intake stream, then send CloseIntake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSeals:
    """Read every bid of the set again, then send SealChecks."""

    headers: tuple[tuple[BidderId, Digest], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherEvidence:
    """The barrier has passed and keys are missing: sum up what is known of each, then send RecordEvidence.

    Wait for what is still being answered of the window first, as for ``OpenBids``.
    """

    missing: tuple[BidderId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBids:
    """The barrier has passed and no lock is left: open every released bid, then send RecordOpenings for the set.

    Record what is still being checked of releases that arrived in time first: afterwards it is too late.
    """

    released: tuple[tuple[BidderId, Digest], ...]
    missing: tuple[BidderId, ...]
    spared: tuple[tuple[BidderId, Digest], ...] = ()  # no key, but a spare sheet


Work = FreezeSet | CheckSeals | GatherEvidence | OpenBids


def work_due(o: Opening) -> Work | None:
    """Return what the opening waits for now, if anything. Settle (Tick) first: T0 itself is an event.

    A pause stops the work as it stops every timer, but for one thing: the set is frozen at T0 whoever pauses.
    """
    if o.status in OVER or o.run is None:
        return None
    if o.frozen is None:
        return FreezeSet() if o.step_complete else None
    if o.step_complete or o.hold:
        return None
    if o.kind is StepKind.CHECK and not all(bid.seal for bid in o.bids):
        return CheckSeals(headers=tuple((bid.bidder, bid.header_sha256) for bid in o.bids))
    if o.kind is StepKind.DECRYPT and o.barrier is not None and not o.opened:
        unheard = tuple(bid.bidder for bid in o.bids if bid.bidder in o.barrier.missing and bid.gathered is None)
        if o.plan.pack.evidence is not None and unheard:
            return GatherEvidence(missing=unheard)
        if still_locked(o):
            return None
        released = ((bid.bidder, bid.header_sha256) for bid in o.bids if bid.state is BidState.RELEASED)
        spared = ((bid.bidder, bid.header_sha256) for bid in o.bids if bid.spares and bid.state is BidState.WAITING)
        return OpenBids(released=tuple(released), missing=o.barrier.missing, spared=tuple(spared))
    return None
