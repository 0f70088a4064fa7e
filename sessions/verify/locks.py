"""The locks once more, from the plan and the bare order of the events, without asking the rules."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography import x509

from crypto.certificates import Usage, check_leaf, parse_certificate, public_key
from crypto.encoding import unb64u
from crypto.signing import verify
from sessions.announcing.lock_terms import key_of
from sessions.events import (
    BarrierPassed,
    BidNotOpened,
    BidOpened,
    EscrowGranted,
    EscrowRequested,
    Event,
    LockMissed,
    LockOpened,
    OfficerReady,
    Recorded,
    SetFrozen,
    StepEntered,
)
from sessions.plan import ESCROW, TENDERER, Lock, Plan, StepKind
from sessions.roles import STAFF
from sessions.verify.papers import signer
from sessions.verify.proofs import Proved
from sessions.verify.replay import Replayed
from sessions.verify.report import Failed, Found, require

Files = Mapping[str, bytes]


def order(replayed: Replayed) -> Found:
    """No bid was opened before every lock on it was off, and only the announced officers took them off."""
    plan, records = replayed.opening.plan, replayed.log.records
    events = [record.event for record in records]
    keys = [event.session_key for event in events if isinstance(event, SetFrozen)]
    require(all(bool(key) is not bool(plan.locks) for key in keys), "a session key beside locks, or neither")
    if not plan.every_lock:
        return Found(True, "no locks: the hall held the session key")
    _officers(plan)
    _ready(plan, events)
    barrier = _first(events, BarrierPassed)
    results = min(_first(events, BidOpened), _first(events, BidNotOpened))
    for number, record in enumerate(records):
        if isinstance(record.event, LockOpened | OfficerReady):
            lock = plan.lock(record.event.lock)
            officer = None if lock is None else lock.officer(record.event.officer)
            require(officer is not None, f"event {record.number}: not an officer of that lock")
            require(_is_by(record, record.event.officer), f"event {record.number}: somebody else's act")
        if isinstance(record.event, LockOpened):
            require(barrier < number < results, f"event {record.number}: a lock is removed out of its time")
    granted = {event.bidder for event in events if isinstance(event, EscrowGranted)}
    for event in events:
        if isinstance(event, BidOpened):
            for lock in _on(plan, event.bidder in granted):
                _off(lock, events[:results], event.bidder)
    removed = {event.lock for event in events if isinstance(event, LockOpened)}
    return Found(True, f"{len(plan.every_lock)} locks, {len(removed)} removed before the bids were opened")


def escrows(files: Files, replayed: Replayed, certificates: Mapping[str, x509.Certificate], proved: Proved) -> Found:
    """Every bidder for whom trustees opened had asked for it, signed by its certificate."""
    o, asked = replayed.opening, set()
    events = [record.event for record in replayed.log.records]
    for event in events:
        if isinstance(event, EscrowRequested):
            bid = o.bid(event.bidder)
            if bid is None:
                raise Failed(f"{event.bidder} is not of the set")
            by = signer(certificates, proved, event.bidder, event.proof)
            payload = verify(event.statement, "escrow", by)
            expected = {"v": 1, "session": o.plan.session, "bidder": bid.bidder, "header_sha256": bid.header_sha256}
            require(payload == expected, f"row {bid.row}: the request says something else")
            require(
                files.get(f"bids/{bid.row}/escrow.jws") == event.statement.encode(), f"row {bid.row}: another file"
            )
            asked.add(event.bidder)
        if isinstance(event, EscrowGranted):
            require(event.bidder in asked, f"{event.bidder} had not asked for the trustees")
            require(bool(event.approved_by), f"{event.bidder}: nobody agreed as the second person")
    return Found(True, f"{len(asked)} asked for the trustees")


def _officers(plan: Plan) -> None:
    held = [officer for lock in plan.every_lock for officer in lock.officers]
    require(len({officer.account for officer in held}) == len(held), "one person holds two locks")
    keys = {key_of(parse_certificate(unb64u(officer.certificate))) for officer in held}
    require(len(keys) == len(held), "one key serves two people")
    for lock in plan.every_lock:
        require(1 <= lock.threshold <= len(lock.officers), f"{lock.id}: no such threshold")
    for officer in held:
        certificate = parse_certificate(unb64u(officer.certificate))
        check_leaf(certificate, Usage.ENCRYPT)
        require(public_key(certificate).key_size == 256, f"{officer.account}: not a certificate on P-256")
    staff = {seat.account for seat in plan.seats if seat.role in STAFF}
    require(all(officer.account in staff for officer in held), "an officer is not among the people announced")


def _ready(plan: Plan, events: list[Event]) -> None:
    steps = {step.id for step in plan.pack.steps if step.kind is StepKind.DECRYPT}
    begun = next((n for n, e in enumerate(events) if isinstance(e, StepEntered) and e.step in steps), None)
    if begun is None:
        return
    checkin = {step.id for step in plan.pack.steps if step.kind is StepKind.CHECKIN}
    open_ = next((n for n, e in enumerate(events) if isinstance(e, StepEntered) and e.step in checkin), 0)
    last = {(e.lock, e.officer): e.passed for e in events[open_:begun] if isinstance(e, OfficerReady)}
    for lock in plan.every_lock:
        able = sum(last.get((lock.id, officer.account), False) for officer in lock.officers)
        require(lock.id == ESCROW or able >= lock.threshold, f"{lock.id}: too few were ready when the window began")


def _first(events: list[Event], kind: type[Event]) -> int:
    return next((n for n, event in enumerate(events) if isinstance(event, kind)), len(events))


def _is_by(record: Recorded, account: str) -> bool:
    return record.actor.role in STAFF and record.actor.id == account


def _on(plan: Plan, by_trustees: bool) -> list[Lock]:
    """The locks on one bid: the trustees' in place of the officers', and the tenderer's on all."""
    return [lock for lock in plan.every_lock if lock.id == TENDERER or (lock.id == ESCROW) is by_trustees]


def _off(lock: Lock, events: list[Event], bidder: str) -> None:
    came = {e.officer for e in events if isinstance(e, LockOpened) and e.lock == lock.id and bidder in e.opened}
    if any(isinstance(e, LockMissed) and e.lock == lock.id for e in events):
        raise Failed(f"{bidder} was opened without {lock.id}, which nobody brought")
    require(len(came) >= lock.threshold, f"{bidder} was opened with {len(came)} of {lock.threshold} for {lock.id}")
