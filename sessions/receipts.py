"""The receipt of a bid is a projection of its event: it can be issued again at any time, the same to the byte."""

from __future__ import annotations

from crypto.receipt import Receipt, tracker
from sessions.events import BidReceived, Recorded
from sessions.plan import Tender
from sessions.shape import rfc3339


def receipt_of(record: Recorded, tender: Tender) -> Receipt:
    """Return what the hall signs for a BidReceived event: ``n`` is its number, ``received_at`` its moment."""
    event = record.event
    if not isinstance(event, BidReceived):
        raise TypeError(f"{type(event).__name__} has no receipt")
    return Receipt(
        session=record.session,
        tender=tender.id,
        lot=tender.lot,
        bidder=event.bidder,
        header_sha256=event.header_sha256,
        root=event.root,
        length=event.length,
        declaration_sha256=event.declaration_sha256,
        received_at=rfc3339(record.at),
        leaf_salt=event.leaf_salt,
        n=record.number,
    )


def tracker_of(record: Recorded, tender: Tender) -> str:
    """Return the short code of the receipt. It is not part of what the receipt says, or it would name itself."""
    return tracker(receipt_of(record, tender).payload())
