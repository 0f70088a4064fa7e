"""The opening record (开标记录表): what was announced, read out and recorded, as one JSON document.

It is a projection of the log and nothing else. What is signed is the SHA-256 of its canonical form at RecordDrawn;
anyone who replays the log to that event computes the same digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crypto.digest import sha256_hex
from crypto.encoding import canonical
from sessions.amounts import grouped, in_chinese, is_amount
from sessions.ids import AccountId, Digest
from sessions.plan import AnchorKind
from sessions.roles import Role
from sessions.shape import to_json

if TYPE_CHECKING:  # the state keeps the record as it was drawn, so the import at run time goes the other way
    from sessions.opening.state import Bid, Extension, Interruption, Move, Objection, Opening, StepRun, Turn
    from sessions.plan import Lock, Tender, Watch


def record(opening: Opening) -> dict[str, Any]:
    """Return the record as drawn for signature, or as it would stand now if it is not drawn yet.

    Holds nothing but canonical JSON. Names bidders only once they are published, prices only once they are opened.
    """
    return dict(opening.drawn.content) if opening.drawn else project(opening)


def record_digest(opening: Opening) -> Digest:
    """Return the digest that is signed."""
    return opening.drawn.sha256 if opening.drawn else Digest(sha256_hex(canonical(project(opening))))


def asked(opening: Opening) -> tuple[str, ...]:
    """Return who is asked to sign: bidders who came or acted, the acting host, the supervisors in the room."""
    supervisors = (chair.account for chair in opening.chairs if chair.role is Role.SUPERVISOR)
    bidders = (bid.bidder for bid in opening.bids if bid.acted)
    return (*bidders, *((opening.acting,) if opening.acting else ()), *supervisors)


def project(o: Opening) -> dict[str, Any]:
    """Return the record as it stands now, whether it was drawn or not."""
    plan, tender = o.plan, o.plan.tender
    document = {
        "v": 1,
        "session": plan.session,
        "rehearsal": plan.rehearsal,
        "rules": {name: getattr(plan.pack, name) for name in ("id", "version", "digest", "title")},
        "tender": {
            **{
                name: getattr(tender, name)
                for name in ("id", "lot", "title", "tenderer", "agent", "place", "currency")
            },
            "ceiling": _amount(tender.ceiling, tender.currency) if o.ceiling_announced else None,
        },
        "t0": o.t0,
        "minimum_bidders": plan.pack.minimum_bidders,
        "fields": [{"id": field.id, "kind": field.kind, "label": field.label} for field in tender.quote],
        "sealed_set": _sealed_set(o),
        "barrier": {"at": o.barrier.at, "reason": o.barrier.reason} if o.barrier else None,
        "rows": [_row(bid, tender) for bid in o.bids] if o.listed else [],
        "late": o.late,
        "steps": [_step(run) for run in o.runs],
        "draws": _draws(o),
        "objections": [_objection(item) for item in o.objections],
        "pauses": [_pause(past) for past in o.pauses],
        "postponements": [_change(move) for move in o.moves],
        "present": [{**to_json(chair), "host": chair.account == o.acting} for chair in o.chairs],
    }
    if plan.every_lock:  # a record of an opening without locks is what it always was
        document["locks"] = [_lock(o, lock) for lock in plan.every_lock]
    if plan.pack.floor is not None:
        document["floor"] = [_turn(turn) for turn in o.turns if not turn.asking]
    if plan.watch is not None:
        document["watch"] = _watch(o, plan.watch)
    if o.clock is not None:
        document["clock"] = o.clock
    if o.filmed is not None:
        document["recording"] = o.filmed
    content: dict[str, Any] = to_json(document)
    return content


def _watch(o: Opening, watch: Watch) -> dict[str, Any]:
    """Who outside holds the log: those announced, and those who had answered when the record was drawn."""
    return {
        "origin": watch.origin,
        "witnesses": [vkey.partition("+")[0] for vkey in watch.witnesses],
        "quorum": watch.quorum,
        "authorities": watch.authorities,
        "points": [
            {
                "point": point.name,
                "held_by": point.by(AnchorKind.WITNESS),
                "stamped_by": point.by(AnchorKind.STAMP),
                "missed": point.missed,
            }
            for point in o.points
        ],
    }


def _lock(o: Opening, lock: Lock) -> dict[str, Any]:
    given_up = o.locks.given_up(lock)
    names = {officer.account: officer.name for officer in lock.officers}
    return {
        "id": lock.id,
        "title": lock.title,
        "threshold": lock.threshold,
        "of": len(lock.officers),
        "removed": [
            {"account": one.account, "name": names[AccountId(one.account)], "at": one.at, "failed": one.failed}
            for one in o.locks.brought(lock)
        ],
        "missed": {"at": given_up.at, "reason": given_up.reason, "by": given_up.by.name} if given_up else None,
    }


def _sealed_set(o: Opening) -> dict[str, Any] | None:
    if o.frozen is None:
        return None
    logged = {"intake_log_size": o.frozen.intake_log_size, "intake_log_root": o.frozen.intake_log_root}
    return {
        **(logged if o.frozen.intake_log_size is not None else {}),  # not in the records of an earlier version
        "received": o.frozen.received,
        "root": o.frozen.root,
        "headers": o.frozen.headers,
        "frozen_at": o.frozen.at,
        "intake_head": o.frozen.intake_head,
        "intake_length": o.frozen.intake_length,
        "clock_offset_ms": o.frozen.clock_offset_ms,
    }


def _row(bid: Bid, tender: Tender) -> dict[str, Any]:
    money = [field for field in tender.quote if field.kind == "money"]
    quote = bid.quote or {}
    return {
        "row": bid.row,
        "bidder": bid.bidder,
        "name": bid.name,
        "tracker": bid.tracker,
        "header_sha256": bid.header_sha256,
        "received_at": bid.received_at,
        "versions": bid.versions,
        "checked_in_at": bid.checked_in_at,
        "seal": bid.seal,
        "attempts": len(bid.attempts),
        "state": bid.state,
        "quote": bid.quote,
        "quote_sha256": bid.quote_sha256,
        "amounts": {
            field.id: _amount(quote[field.id], field.currency or tender.currency)
            for field in money
            if is_amount(quote.get(field.id, ""))
        },
        "flags": bid.flags,
        "cause": bid.cause,
        "consequence": bid.consequence,
        "evidence": bid.evidence,
        "confirmed_at": bid.confirmed_at,
        "disputed": bid.disputed,
        **({"rescued": bid.rescued} if bid.rescued else {}),
    }


def _amount(amount: str | None, currency: str) -> dict[str, Any] | None:
    if amount is None:
        return None
    words = {"words": in_chinese(amount)} if currency == "CNY" else {}
    return {"amount": amount, "currency": currency, "figures": grouped(amount), **words}


def _step(run: StepRun) -> dict[str, Any]:
    return {
        "step": run.step.id,
        "title": run.step.title,
        "article": run.step.article,
        "entered_at": run.entered_at,
        "due": run.due,
        "completed_at": run.completed_at,
        "missing": run.missing,
        "extensions": [_change(item) for item in run.extensions],
    }


def _change(change: Extension | Move) -> dict[str, Any]:
    return {**to_json(change), "by": change.by.name}


def _pause(past: Interruption) -> dict[str, Any]:
    hold = past.hold
    return {
        "reason": hold.reason,
        "incident": hold.incident,
        "by": hold.by.name,
        "since": hold.since,
        "until": past.until,
        **({"stops": sorted(hold.stops)} if hold.stops else {}),
    }


def _draws(o: Opening) -> list[dict[str, Any]]:
    drawn = o.draw.drawn if o.draw else None
    if o.draw is None or drawn is None:
        return []
    rows = {str(bid.row): bid.name for bid in o.bids}
    return [
        {
            "id": rule.id,
            "title": rule.title,
            "drawn": drawn[rule.id],
            "names": [] if rule.values else [rows.get(row, "") for row in drawn[rule.id]],
            "of": len(rule.values) or len(rows),
            "round": o.draw.round,
            "randomness": o.draw.randomness,
            "without": o.draw.out,
        }
        for rule in o.plan.tender.draws
    ]


def _turn(turn: Turn) -> dict[str, Any]:
    return {
        "bidder": turn.bidder,
        "asked_at": turn.asked_at,
        "granted_at": turn.granted_at,
        "granted_by": turn.granted_by.name if turn.granted_by else None,
        "ended_at": turn.ended_at,
        "why": turn.why,
        "reason": turn.reason,
    }


def _objection(item: Objection) -> dict[str, Any]:
    return {
        "number": item.number,
        "bidder": item.bidder,
        "kind": item.kind,
        "title": item.title,
        "at": item.at,
        "answered_at": item.answered_at,
        "answered_by": item.answered_by.name if item.answered_by else None,
    }
