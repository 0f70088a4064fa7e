"""The locks as they stand: who is ready, which are off, and what is still shut (LIFECYCLE.md, Locks).

Questions only, asked of the state by the rules, the views and the shell alike.
"""

from __future__ import annotations

from collections.abc import Sequence

from sessions.opening.state import Bid, BidState, Opening, Removal
from sessions.plan import ESCROW, TENDERER, Lock

MISSABLE = frozenset({TENDERER, ESCROW})
"""Without these two persons may go on; what they hold then stays shut. Without the others nothing can be opened."""


def behind(o: Opening, lock: Lock) -> tuple[Bid, ...]:
    """Return the bids that ``lock`` holds shut, in row order: none while the keys are still coming in."""
    if o.barrier is None:
        return ()
    released = (bid for bid in o.bids if bid.state is not BidState.WAITING and bid.groups >= o.groups)
    match lock.id:
        case "tenderer":
            return tuple(released)
        case "escrow":
            return tuple(bid for bid in released if bid.escrowed)
        case _:
            return tuple(bid for bid in released if not bid.escrowed)


def not_ready(o: Opening) -> tuple[Lock, ...]:
    """Return the locks with fewer ready officers than remove them. Trustees come only when somebody asks for them."""
    locks = (lock for lock in o.plan.every_lock if lock.id != ESCROW)
    return tuple(lock for lock in locks if o.locks.ready(lock) < lock.threshold)


def is_off(o: Opening, lock: Lock) -> bool:
    """Return whether ``lock`` keeps nobody waiting any more. Which bids it lets open, each bid shows."""
    return comes_off(lock, o.locks.brought(lock))


def comes_off(lock: Lock, brought: Sequence[Removal]) -> bool:
    """Return whether enough officers brought shares that hold, or nobody is left who could bring better ones.

    One share that holds is enough to count: a bidder that spoils its own must not keep everyone waiting for the
    officers who stayed at home. Who brings none, with the wrong key in hand, does not stand for one who has it.
    """
    able = {one.account for one in brought if one.opened}
    return len(able) >= lock.threshold or lock.accounts <= {one.account for one in brought}


def can_open(o: Opening, bid: Bid) -> bool:
    """Return whether on every lock of ``bid`` enough officers brought a share that holds."""
    return all(
        o.locks.given_up(lock) is None
        and len({one.account for one in o.locks.brought(lock) if bid.bidder in one.opened}) >= lock.threshold
        for lock in o.plan.every_lock
        if lock.id == TENDERER or (lock.id == ESCROW) is bid.escrowed
    )


def still_locked(o: Opening) -> tuple[Lock, ...]:
    """Return the locks that keep the bids shut behind the barrier."""
    locks = (lock for lock in o.plan.every_lock if o.locks.given_up(lock) is None)
    return tuple(lock for lock in locks if behind(o, lock) and not is_off(o, lock))
