"""The receipt of a bid is a projection of its event: it can be issued again at any time, the same to the byte."""

from __future__ import annotations

from crypto.receipt import Receipt, tracker
from sessions.events import BidReceived, Happening, Recorded
from sessions.plan import Plan
from sessions.shape import rfc3339


def receipt_of(fact: Happening | Recorded, plan: Plan) -> Receipt:
    """Return what the hall signs for a BidReceived event; ``received_at`` is the event's moment.

    It has no number: before T0 that would tell a bidder how much came ahead of its own bid.
    """
    event = fact.event
    if not isinstance(event, BidReceived):
        raise TypeError(f"{type(event).__name__} has no receipt")
    return Receipt(
        session=plan.session,
        tender=plan.tender.id,
        lot=plan.tender.lot,
        bidder=event.bidder,
        header_sha256=event.header_sha256,
        root=event.root,
        length=event.length,
        declaration_sha256=event.declaration_sha256,
        received_at=rfc3339(fact.at),
        leaf_salt=event.leaf_salt,
    )


def tracker_of(fact: Happening | Recorded, plan: Plan) -> str:
    """Return the short code of the receipt. It is not part of what the receipt says, or it would name itself."""
    return tracker(receipt_of(fact, plan).payload())
