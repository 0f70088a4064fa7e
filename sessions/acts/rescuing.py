"""A rescue comes in: a key file or a spare read-out sheet, by the bidder or by the host on its behalf.

It is sealed to the session like a release. A key is opened to compare it with its commitment, and forgotten; a sheet
is not opened at all before the barrier. Whoever hands in something else than what was sealed harms nobody: it is
refused, or found to differ behind the barrier, and the bidder's own release still counts.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from crypto.digest import sha256_hex
from crypto.encoding import canonical
from crypto.errors import SealedBidRefused
from crypto.opening import group_key
from crypto.rescue import KEY, KINDS, LIMIT, PLAIN, open_rescue
from sessions.acts.releasing import Releasing
from sessions.clock import Clock
from sessions.commands import RecordRescue
from sessions.errors import CommandRefused, Stale
from sessions.events import Recorded
from sessions.ids import BidderId, Digest, SessionId
from sessions.keys.session_key import session_key
from sessions.opening import Opening
from sessions.outside.certifying import Certifying
from sessions.plan import StepKind
from sessions.ports import Evidence, Kind
from sessions.roles import Actor, Role
from sessions.service import Sessions, Stores

LONGEST = 2 * LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class RescueTerms:
    """What a rescue is sealed with, for one bidder's bid. ``rescue``: whether it committed to a spare sheet."""

    bidder: BidderId
    header: bytes
    header_sha256: Digest
    nonce: str
    session_key: str
    groups: tuple[str, ...]


class Rescuing(Releasing):
    """Takes rescues in. The caller has checked that the actor is this bidder, or staff of this opening."""

    def __init__(self, sessions: Sessions, stores: Stores, *, clock: Clock, certifying: Certifying) -> None:
        super().__init__(sessions, stores, clock=clock, certifying=certifying)
        self._pieces = stores.evidence

    async def terms(self, session: SessionId, bidder: BidderId) -> RescueTerms:
        """Return what a rescue for this bid is sealed with. Refused outside the window, and behind locks."""
        opening, owner = await self._now(session, bidder)
        bid, frozen = opening.bid(bidder), opening.frozen
        if bid is None or frozen is None:
            raise CommandRefused("no_bid")
        found = await asyncio.to_thread(self._read, await self._answer(session, owner, bid.header_sha256))
        return RescueTerms(
            bidder=bidder,
            header=found.container.header_bytes,
            header_sha256=bid.header_sha256,
            nonce=await self._nonces.of(opening, owner.id),
            session_key=frozen.session_key,
            groups=tuple(sorted(opening.groups)),
        )

    async def rescue(
        self, session: SessionId, actor: Actor, bidder: BidderId, group: str, kind: str, sealed: str
    ) -> tuple[Recorded, ...]:
        """Check and keep a rescue, and return the events it caused.

        Raises:
            CommandRefused: not now, not for this bid, or too many.
            CryptoRefused: a key that is not the one committed to; a bid sealed without a rescue (``no_rescue``).
        """
        async with self._sessions.answering(session):
            opening, owner = await self._now(session, bidder)
            if kind not in KINDS or group not in opening.groups:
                raise CommandRefused("no_such_group", group=group)
            if len(sealed) > LONGEST:
                raise CommandRefused("too_large", limit=LONGEST)
            bid = opening.bid(bidder)
            if bid is None:
                raise CommandRefused("no_bid")
            found = await asyncio.to_thread(self._read, await self._answer(session, owner, bid.header_sha256))
            header, challenge = found.container.header, await self._nonces.of(opening, owner.id)
            if kind == PLAIN and header.part("quote").pc is None:
                raise SealedBidRefused("no_rescue")
            if kind == KEY:
                private = await session_key(self._stores.secrets, session)
                secret = open_rescue(
                    sealed,
                    kind,
                    session=session,
                    group=group,
                    header_sha256=bid.header_sha256,
                    nonce=challenge,
                    session_key=private,
                )
                group_key(header, group, secret)  # refuses any other key; what was opened is not kept
            statement = canonical(
                {"v": 1, "kind": kind, "group": group, "nonce": challenge, "by": str(actor), "hpke": sealed}
            ).decode()
            digest = Digest(sha256_hex(statement.encode()))
            await self._keep(session, bidder, statement)
            command = RecordRescue(bidder=bidder, group=group, kind=kind, rescue_sha256=digest)
            return await self._sessions.handle(session, command, actor)

    async def _now(self, session: SessionId, bidder: BidderId) -> tuple[Opening, Actor]:
        opening = await self._sessions.state(session)
        if opening.kind is not StepKind.DECRYPT or opening.barrier is not None:
            raise CommandRefused("window_closed", step=opening.step or "")
        if opening.plan.every_lock:
            raise CommandRefused("rescue_behind_locks")
        if opening.bid(bidder) is None:
            raise CommandRefused("no_bid")
        return opening, Actor(role=Role.BIDDER, id=bidder, name="")

    async def _keep(self, session: SessionId, bidder: BidderId, statement: str) -> None:
        known = await self._pieces.evidence(session, Kind.RESCUE, bidder)
        piece = Evidence(
            session=session,
            bidder=bidder,
            kind=Kind.RESCUE,
            number=len(known) + 1,
            at=self._clock.now(),
            statement=statement,
            answer="",
        )
        try:
            await self._pieces.keep([piece])
        except Stale:
            raise CommandRefused("too_many_rescues", limit=len(known)) from None
