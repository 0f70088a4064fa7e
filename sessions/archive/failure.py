"""The failure certificate (未解密证明): why a bid was not opened, under the hall's signature (hall/PROTOCOL.md).

It says what the log says and nothing else, so the same event always gives the same certificate. A bidder gets one
when the result is recorded, and another when two persons ruled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crypto.signing import HallKey, sign
from sessions.events import BidNotOpened, CauseRuled, Recorded
from sessions.ids import BidderId, Jws
from sessions.opening import Opening, evolve
from sessions.shape import rfc3339

KIND = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One certificate before it is signed: whose, by which event, and what it says."""

    bidder: BidderId
    event: int
    payload: Mapping[str, Any]

    def signed(self, hall: HallKey) -> Jws:
        """Return the statement."""
        return Jws(sign(self.payload, KIND, hall))


def failures(records: Iterable[Recorded]) -> tuple[Failure, ...]:
    """Return every certificate that this log gives rise to, in its order."""
    found: list[Failure] = []
    opening: Opening | None = None
    log = tuple(records)
    last = max((n for n, r in enumerate(log) if isinstance(r.event, BidNotOpened | CauseRuled)), default=-1)
    for record in log[: last + 1]:
        opening = evolve(opening, record)
        if isinstance(record.event, BidNotOpened | CauseRuled):
            found.append(_failure(opening, record, record.event))
    return tuple(found)


def names_of(o: Opening, given: Sequence[Failure]) -> Iterator[str]:
    """Yield the file name of each certificate in an archive: beside its bid, numbered by the event."""
    rows = {bid.bidder: bid.row for bid in o.bids}
    return (f"bids/{rows[failure.bidder]}/failure-{failure.event}.jws" for failure in given)


def _failure(o: Opening, record: Recorded, event: BidNotOpened | CauseRuled) -> Failure:
    bid = o.bid(event.bidder)
    if bid is None:
        raise ValueError("the result of a bid that is not of the set")
    pack, tender = o.plan.pack, o.plan.tender
    ruled = isinstance(event, CauseRuled)
    payload = {
        "v": 1,
        "session": o.plan.session,
        "tender": tender.id,
        "lot": tender.lot,
        "row": bid.row,
        "bidder": bid.bidder,
        "name": bid.name,
        "tracker": bid.tracker,
        "header_sha256": bid.header_sha256,
        "cause": event.cause,
        "consequence": event.consequence,
        "basis": "ruling" if ruled else "evidence",
        "article": pack.evidence.article if pack.evidence else pack.refusals.get("cause_pending"),
        "reason": event.reason if isinstance(event, CauseRuled) else None,
        "approved_by": event.approved_by if isinstance(event, CauseRuled) else None,
        "evidence": dict(bid.evidence or {}),
        "event": record.number,
        "event_sha256": record.digest,
        "at": rfc3339(record.at),
    }
    return Failure(bidder=bid.bidder, event=record.number, payload=payload)
