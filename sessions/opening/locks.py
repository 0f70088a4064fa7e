"""Officers try their keys, and remove their locks behind the barrier; a bidder without its key asks for the trustees.

The shares themselves never come here: the shell holds each against its commitment (sessions.acts.officers) and tells
what it found.
"""

from __future__ import annotations

from sessions.commands import GrantEscrow, MissLock, OpenLock, ReadyOfficer, RequestEscrow
from sessions.errors import CommandRefused
from sessions.events import EscrowRequested, LockOpened, OfficerReady
from sessions.opening.draft import Draft
from sessions.opening.locked import MISSABLE, behind, is_off
from sessions.opening.state import BidState, Opening
from sessions.plan import Lock
from sessions.proofs import Act

SHARE_MISMATCH = "share_mismatch"
NOT_DECRYPTABLE = "not_decryptable"
FAILURES = frozenset({SHARE_MISMATCH, NOT_DECRYPTABLE})
"""Why a share is worth nothing. It shows nobody's fault: bidder and officer may each have spoilt it."""


def ready(draft: Draft, command: ReadyOfficer) -> None:
    """Record what an officer's rehearsal showed; the same again adds nothing, but for the first since check-in."""
    o = draft.opening
    lock = officers_lock(o, command.lock, draft.actor.id)
    last = o.locks.rehearsed(lock, draft.actor.id)
    if not o.opened and (last is None or last.passed is not command.passed):
        draft.put(OfficerReady(lock=lock.id, officer=draft.actor.id, passed=command.passed))


def open_lock(draft: Draft, command: OpenLock) -> None:
    """Record an officer's shares; brought again they count only for bids on which none of its shares held before."""
    o = draft.opening
    lock = officers_lock(o, command.lock, draft.actor.id)
    if o.locks.given_up(lock) is not None:
        raise CommandRefused("lock_missed", lock=lock.id)
    held = {bid.bidder for bid in behind(o, lock)}
    named = [*command.opened, *command.failed]
    if len(named) != len(held) or set(named) != held:
        raise CommandRefused("wrong_set")
    if not FAILURES.issuperset(command.failed.values()):
        raise CommandRefused("wrong_set")
    past = o.locks.brought(lock, draft.actor.id)
    known = {bidder for one in past for bidder in one.opened}
    if held and (not past or set(command.opened) - known):
        event = LockOpened(lock=lock.id, officer=draft.actor.id, opened=command.opened, failed=dict(command.failed))
        draft.put(event)


def request_escrow(draft: Draft, command: RequestEscrow) -> None:
    """Ask for the trustees, while the window is open and the key has not come."""
    o = draft.opening
    bid = o.bid(command.bidder)
    if o.plan.escrow is None or bid is None:
        raise CommandRefused("no_escrow")
    if bid.state is BidState.WAITING and bid.escrow_asked_at is None:
        draft.accept(Act.ESCROW, command.proof)
        draft.put(EscrowRequested(bidder=command.bidder, statement=command.statement, proof=command.proof))


def missable(o: Opening, act: MissLock) -> None:
    """Refuse to go on without a lock that the bids cannot open without, or that is off already."""
    lock = o.plan.lock(act.lock)
    if lock is None or lock.id not in MISSABLE:
        raise CommandRefused("lock_needed", lock=act.lock)
    if not behind(o, lock) or is_off(o, lock) or o.locks.given_up(lock) is not None:
        raise CommandRefused("not_due")


def grantable(o: Opening, act: GrantEscrow) -> None:
    """Refuse to let the trustees open a bid whose bidder has not asked for it, or has released its key since."""
    bid = o.bid(act.bidder)
    if o.plan.escrow is None or bid is None or bid.escrow_asked_at is None:
        raise CommandRefused("no_escrow")
    if bid.state is not BidState.WAITING:
        raise CommandRefused("not_due")


def officers_lock(o: Opening, name: str, account: str) -> Lock:
    """Return the lock of that name if ``account`` is one of its officers; refuse otherwise."""
    lock = o.plan.lock(name)
    if lock is None or lock.officer(account) is None:
        raise CommandRefused("not_your_lock", lock=name)
    return lock
