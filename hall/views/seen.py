"""What each audience may see of an opening. The only place where anything is left out (PROTOCOL.md, View).

Who may see what when is the rule pack's visibility matrix: datum -> phase -> roles. What the matrix does not know is
public by being in the data of the events. A bidder also sees what is its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hall.views import parts
from hall.views.audience import Audience
from hall.views.kept import Kept
from hall.views.patch import apply, diff
from hall.views.watched import watch
from sessions.codec import event_to_json
from sessions.events import AttemptFailed, ObjectionAnswered, ObjectionRaised, Recorded
from sessions.ids import BidderId
from sessions.opening.state import Bid, BidState, LateBid, Objection, Opening, Signature, Status
from sessions.plan import Tender, Words
from sessions.quote import price
from sessions.roles import Role
from sessions.shape import rfc3339
from sessions.visibility import PRIVATE, Datum, sees


def view(
    opening: Opening, audience: Audience, number: int, at: datetime, head: str, *, kept: Kept | None = None
) -> dict[str, Any]:
    """Return the opening after event ``number`` as ``audience`` may see it.

    ``kept`` makes a series of views of one audience cheap and changes nothing in them: give the same one each time.
    """
    shared = _shared(opening, audience.role, kept or Kept())
    shared |= {"n": number, "at": rfc3339(at), "head": head}
    if audience.bidder is None:
        return shared
    mine: dict[str, Any] = apply(shared, own(opening, audience.bidder))
    return mine


def _shared(o: Opening, role: Role, kept: Kept) -> dict[str, Any]:
    plan, tender, frozen, data = o.plan, o.plan.tender, o.frozen, sees(o, role)
    reading = o.reading()
    return {
        "session": kept.piece("session", parts.session, plan),
        "t0": rfc3339(o.t0),
        "status": o.status,
        "phase": o.phase,
        "step": o.step,
        "due": parts.moment(o.due),
        "hold": parts.hold(o),
        "steps": kept.piece("steps", parts.steps, plan, o.runs, kept),
        "fields": kept.piece("fields", parts.fields, tender),
        "chairs": kept.piece("chairs", parts.chairs, o.chairs, o.acting, plan.pack),
        "watch": kept.piece("watch", watch, plan, o.points, o.disputes),
        "locks": kept.piece("locks", parts.locks, plan, o.locks, o.barrier, o.opened, _escrowed(o)),
        "received": frozen.received if frozen and Datum.COUNT in data else None,
        "root": frozen.root if frozen else None,
        "session_key": (frozen.session_key or None) if frozen else None,
        "intake_head": frozen.intake_head if frozen else None,
        "clock_offset_ms": frozen.clock_offset_ms if frozen else None,
        "clock": parts.clock(o),
        "minimum": plan.pack.minimum_bidders,
        "ceiling": kept.piece("ceiling", parts.ceiling, tender) if o.ceiling_announced else None,
        "bids": _bids(o, data, kept) if o.listed and Datum.NAMES in data else {},
        "late": {str(n): _late(late) for n, late in enumerate(o.late, start=1)},
        "draw": parts.draw(o),
        "reading": {
            "from": rfc3339(reading[0]),
            "pace_ms": int(reading[1].total_seconds() * 1000),
            "rows": [bid.row for bid in reading[2]],
        }
        if reading
        else None,
        "objections": {
            str(item.number): _objection(item, bid.row if (bid := o.bid(item.bidder)) else None, data)
            for item in o.objections
            if Datum.OBJECTION_TITLE in data
        },
        "floor": parts.floor(o) if Datum.NAMES in data else None,
        "proposals": {str(made.number): parts.proposal(made) for made in o.proposals if Datum.PROPOSALS in data},
        "record": {
            "digest": o.drawn.sha256,
            "asked": list(o.drawn.asked),
            "signatures": {
                given.signer: kept.piece(("signature", given.signer), parts.signature, given)
                for given in o.signatures
            },
        }
        if o.drawn
        else None,
        "failed": {
            "received": frozen.received,
            "minimum": plan.pack.minimum_bidders,
            "article": parts.article(plan.pack, plan.pack.minimum_article),
        }
        if frozen and o.status is Status.FAILED
        else None,
        "aborted": {"reason": o.abort_reason, "at": parts.moment(o.ended_at)} if o.status is Status.ABORTED else None,
    }


def own(opening: Opening, bidder: BidderId) -> dict[str, Any]:
    """Return what only ``bidder`` sees, as a merge patch upon what all bidders see alike."""
    bid = opening.bid(bidder) if opening.listed else None
    mine: dict[str, Any] = {"own": {"bidder": bidder, "row": bid.row if bid else None}}
    if bid and (failure := _failure(bid)):
        mine["bids"] = {str(bid.row): {"failure": failure}}
    texts = {str(item.number): _texts(item) for item in opening.objections if item.bidder == bidder}
    if texts:
        mine["objections"] = texts
    return mine


def fact(
    recorded: Recorded,
    opening: Opening,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    audience: Audience,
    words: Words,
    chained: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the message about ``recorded`` for ``audience`` (PROTOCOL.md, Fact message).

    ``opening`` is the one after the event; ``before`` and ``after`` are this audience's views around it. ``chained``
    is what the chain's digest is taken over (sessions.chaining.core), the same for every audience.
    """
    message = {
        "n": recorded.number,
        "at": chained["at"],
        "type": chained["type"],
        "actor": chained["actor"],
        "data": chained["data"],
        "prev": recorded.previous,
        "digest": recorded.digest,
        "private_digest": chained["private"],
        "words": {"zh": words.zh, "en": words.en},
    }
    if discloses(recorded, opening, audience):
        _, _, private = event_to_json(recorded.event)
        message["private"] = {"salt": recorded.salt, "value": private}
    message["patch"] = diff(before, after)  # last: hall.rooms.lane adds a bidder's own member at its end
    return message


def discloses(recorded: Recorded, opening: Opening, audience: Audience) -> bool:
    """Return whether ``audience`` gets the private part of this event along with it."""
    datum = PRIVATE.get(type(recorded.event))
    if datum is None:
        return False  # SetFrozen's rows are published by BiddersListed, or never
    mine = audience.bidder is not None and owner(recorded, opening) == audience.bidder
    return mine or datum in sees(opening, audience.role)


def owner(recorded: Recorded, opening: Opening) -> BidderId | None:
    """Return the bidder whom the private part of an event concerns: it may see it whatever the matrix says."""
    match recorded.event:
        case AttemptFailed(bidder=bidder) | ObjectionRaised(bidder=bidder):
            return bidder
        case ObjectionAnswered(number=number):
            return next((item.bidder for item in opening.objections if item.number == number), None)
        case _:
            return None


def _escrowed(o: Opening) -> int:
    return sum(bid.escrowed for bid in o.bids) if o.plan.escrow else 0


def _bids(o: Opening, data: frozenset[str], kept: Kept) -> dict[str, Any]:
    rows = kept.each("bids", o.bids, _bid, o.plan.tender, data)
    return kept.piece("signed", _signed, rows, o.signatures, kept) if o.signatures else rows


def _signed(rows: dict[str, Any], signatures: tuple[Signature, ...], kept: Kept) -> dict[str, Any]:
    signers = {given.signer for given in signatures}
    signed = {n: kept.piece(("signed", n), _signed_row, row) for n, row in rows.items() if row["bidder"] in signers}
    return {**rows, **signed}


def _signed_row(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "signed": True}


def _bid(bid: Bid, tender: Tender, data: frozenset[str]) -> dict[str, Any]:
    quote = bid.quote if Datum.QUOTE in data else None
    figure = price(tender, quote) if quote is not None else None
    receipt, attended, caused = Datum.RECEIPTS in data, Datum.ATTENDANCE in data, Datum.CAUSE in data
    followed = Datum.DECRYPT_STATUS in data
    return {
        "row": bid.row,
        "bidder": bid.bidder,
        "name": bid.name,
        "tracker": bid.tracker if receipt else None,
        "received_at": rfc3339(bid.received_at) if receipt else None,
        "versions": bid.versions if receipt else None,
        "checked_in": bid.checked_in_at is not None if attended else None,
        "checked_in_at": parts.moment(bid.checked_in_at) if attended else None,
        "seal": bid.seal,
        # Before the first try every bid waits, and that is no secret.
        "state": bid.state if followed or not bid.attempts else None,
        "attempts": len(bid.attempts) if followed else 0,
        "failure": _failure(bid) if caused else None,
        "escrow": "granted" if bid.escrowed else "asked" if bid.escrow_asked_at else None,
        "cause": bid.cause if caused else None,
        "consequence": bid.consequence if caused else None,
        "quote": dict(quote) if quote is not None else None,
        "amount": parts.amount(figure, tender.currency) if figure is not None else None,
        "flags": list(bid.flags) if quote is not None else [],
        "quote_sha256": bid.quote_sha256 if quote is not None else None,
        "quote_key": bid.quote_key if quote is not None else None,
        **({"rescued": bid.rescued} if bid.rescued and followed else {}),
        "confirmed": "disputed" if bid.disputed else "yes" if bid.confirmed_at else None,
        "none_declared": bid.none_declared,
        "signed": False,
    }


def _failure(bid: Bid) -> str | None:
    """Why the bidder's last try failed, unless a try before or after succeeded."""
    return bid.attempts[-1].code if bid.attempts and bid.state in _NOT_RELEASED else None


_NOT_RELEASED = frozenset({BidState.WAITING, BidState.NOT_OPENED})


def _late(late: LateBid) -> dict[str, Any]:
    return {"bidder": late.bidder, "name": late.name, "code": late.code, "at": rfc3339(late.at)}


def _objection(item: Objection, row: int | None, data: frozenset[str]) -> dict[str, Any]:
    return {
        "number": item.number,
        "row": row,
        "bidder": item.bidder,
        "kind": item.kind,
        "title": item.title,
        "at": rfc3339(item.at),
        "state": "open" if item.open else "answered",
        "answered_at": parts.moment(item.answered_at),
        **(_texts(item) if Datum.OBJECTION_TEXT in data else {}),
    }


def _texts(item: Objection) -> dict[str, str]:
    return {"text": item.text, **({"answer": item.answer} if item.answer is not None else {})}
