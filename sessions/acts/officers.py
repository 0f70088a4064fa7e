"""The officers of the locks: each fetches the shares sealed to it, behind the barrier, and brings them back open.

The hall holds every share against its commitment and keeps those that fit, sealed, until all locks are off
(sessions.barrier.unsealing puts them together). Their values are never logged, and nothing here has a key.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from crypto.errors import CryptoRefused
from sessions.barrier import lockbox
from sessions.barrier.behind import Behind, Sealed, read_behind
from sessions.barrier.lockbox import Place
from sessions.barrier.nonces import nonce, window_digest
from sessions.barrier.signers import known_signers
from sessions.commands import OpenLock
from sessions.errors import CommandRefused
from sessions.events import Recorded
from sessions.ids import BidderId, Jws, SessionId
from sessions.opening import Opening
from sessions.opening.authority import check
from sessions.opening.locked import behind
from sessions.opening.locks import NOT_DECRYPTABLE, SHARE_MISMATCH, officers_lock
from sessions.opening.state import Bid
from sessions.plan import Lock
from sessions.roles import Actor
from sessions.service import Sessions, Stores

SHARE = 32

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What an officer has before it: its lock, and the shares that are sealed to it."""

    lock: Lock
    index: int
    shares: tuple[Sealed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What became of an officer's shares, by bidder."""

    records: tuple[Recorded, ...]
    opened: tuple[BidderId, ...]
    failed: Mapping[BidderId, str]


class Officers:
    """Gives sealed shares out and takes open ones in. Every ``actor`` is staff whose login the caller has checked."""

    def __init__(self, sessions: Sessions, stores: Stores) -> None:
        self._sessions = sessions
        self._stores = stores

    async def shares(self, session: SessionId, actor: Actor) -> Work:
        """Return what this officer opens on its own machine. Refused before the barrier, and for anybody else."""
        opening = await self._sessions.state(session)
        lock = _lock(opening, actor)
        bids, index = await self._behind(opening, lock), _index(lock, actor.id)
        return Work(lock=lock, index=index, shares=tuple(one for bid in bids for one in bid.sealed(lock, index)))

    async def bring(self, session: SessionId, actor: Actor, values: Mapping[Place, bytes | None]) -> Brought:
        """Check the opened shares, keep those that fit, and record what each bid got. None: it did not open.

        The same shares again change nothing; better ones count for the bids that had none.
        """
        opening = await self._sessions.state(session)
        lock = _lock(opening, actor)
        bids = await self._behind(opening, lock)
        good = await asyncio.to_thread(_good, bids, lock, _index(lock, actor.id), values)
        if bids:
            good = await lockbox.keep(self._stores.secrets, opening, lock, actor.id, good)
        whole = {bid.bidder for bid in bids if all((bid.bidder, group.id) in good for group in bid.header.groups)}
        held = [bid.bidder for bid in behind(opening, lock)]
        opened = tuple(bidder for bidder in held if bidder in whole)
        failed = {bidder: _why(bidder, opening, values) for bidder in held if bidder not in whole}
        command = OpenLock(lock=lock.id, opened=opened, failed=failed)
        records = await self._sessions.handle(session, command, actor)
        return Brought(records=records, opened=opened, failed=failed)

    async def _behind(self, opening: Opening, lock: Lock) -> tuple[Behind, ...]:
        """Return the bids behind ``lock`` whose bytes can still be read; the others open for nobody."""
        session = opening.plan.session
        window = window_digest(opening, await self._sessions.events(session))
        if window is None:
            raise CommandRefused("locks_not_due")
        answers = await self._stores.intake.answers(session)
        blobs = {answer.header_sha256: answer.blob for answer in answers if answer.code is None}
        tokens: dict[BidderId, dict[str, Jws]] = {}
        for released in await self._stores.intake.releases(session):
            if released.code is None:
                tokens.setdefault(released.bidder, {}).setdefault(released.group, released.statement)

        every = [token for found in tokens.values() for token in found.values()]
        signers = await known_signers(self._stores.proofs, every)

        def read(bid: Bid) -> Behind | None:
            try:
                return read_behind(
                    self._stores.blobs,
                    opening.plan,
                    bidder=bid.bidder,
                    blob=blobs.get(bid.header_sha256),
                    nonce=nonce(window, bid.bidder),
                    escrowed=bid.escrowed,
                    tokens=tokens.get(bid.bidder, {}),
                    signers=signers,
                )
            except (CryptoRefused, OSError):
                _log.warning("a bid behind a lock cannot be read", extra={"session": session, "bidder": bid.bidder})
                return None

        bids = behind(opening, lock)
        return await asyncio.to_thread(lambda: tuple(found for bid in bids if (found := read(bid)) is not None))


def _lock(opening: Opening, actor: Actor) -> Lock:
    """Return the officer's lock, after every rule that does not depend on the shares."""
    mine = next((one for one in opening.plan.every_lock if one.officer(actor.id)), None)
    name = mine.id if mine else ""
    check(opening, OpenLock(lock=name, opened=(), failed={}), actor)
    return officers_lock(opening, name, actor.id)


def _index(lock: Lock, account: str) -> int:
    return next(n for n, officer in enumerate(lock.officers, start=1) if officer.account == account)


def _good(
    bids: tuple[Behind, ...], lock: Lock, index: int, values: Mapping[Place, bytes | None]
) -> dict[Place, bytes]:
    good: dict[Place, bytes] = {}
    for bid in bids:
        for group in bid.header.groups:
            value = values.get((bid.bidder, group.id))
            if value is not None and len(value) == SHARE and bid.holds(lock, index, group.id, value):
                good[(bid.bidder, group.id)] = value
    return good


def _why(bidder: BidderId, opening: Opening, values: Mapping[Place, bytes | None]) -> str:
    given = [values.get((bidder, group)) for group in opening.groups]
    return NOT_DECRYPTABLE if None in given else SHARE_MISMATCH
