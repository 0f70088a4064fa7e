"""The check-up before the opening (开标体检): a bidder's signed word that it is ready, countersigned by the hall.

The keys are tried on the bidder's own machine, on a value made there: the hall never sends anything to be opened, or
a rehearsal could be the real slot. What only the hall can see, it adds: whether both certificates stand, and whether
the sealed bid has a slot for this one. Nobody but the bidder learns of a slip: before T0 that would betray who bids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509

from crypto.certificates import Usage, check_pair, fingerprint
from crypto.digest import sha256_hex
from crypto.encoding import check_integer, exactly, unhex
from crypto.errors import CertificateRefused, EncodingRefused, StatementRefused
from crypto.header import SlotRole
from crypto.signing import peek, sign, verify
from sessions.acts.releasing import Releasing
from sessions.clock import Clock
from sessions.errors import CommandRefused, Stale
from sessions.ids import BidderId, Jws, SessionId
from sessions.keys.hallkey import HallKeys
from sessions.outside.certifying import Certifying
from sessions.ports import Evidence, Kind
from sessions.proofs import State
from sessions.roles import Actor
from sessions.service import Sessions, Stores
from sessions.shape import Misshapen, moment, rfc3339

READY = "ready"
SLIP = "ready-slip"
CHECKS = ("clock", "link", "speed", "features", "storage", "sign", "open", "expiry", "slots")
VALUES = frozenset({"pass", "fail", "skip"})
GOOD_FOR = timedelta(days=7)
MARGIN = timedelta(days=1)
"""Whoever unlocks in the last minute of a long day must still be valid."""

MOST = 200
_MEMBERS = (
    *("v", "session", "bidder", "at", "header_sha256", "sign_cert", "encrypt_cert"),
    *("checks", "rtt_ms", "ahead_ms"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """A ready statement with what the hall saw; ``slip`` is None where something stands in the way.

    ``stale``: why a slip no longer says anything, ``age``, ``certificate`` or ``bid``; None while it does.
    """

    ready: Jws
    saw: Mapping[str, str]
    slip: Jws | None
    stale: str | None = None


class Readying(Releasing):
    """Takes ready statements in. Every method's ``actor`` is a bidder whose login the caller has checked."""

    def __init__(
        self, sessions: Sessions, stores: Stores, *, clock: Clock, certifying: Certifying, hall: HallKeys
    ) -> None:
        super().__init__(sessions, stores, clock=clock, certifying=certifying)
        self._pieces = stores.evidence
        self._hall = hall

    async def ready(
        self,
        session: SessionId,
        actor: Actor,
        token: Jws,
        certificates: Sequence[x509.Certificate],
        encrypt: x509.Certificate,
    ) -> Slip:
        """Check what the bidder says and what the hall can see of it, and countersign it if nothing is amiss.

        ``certificates``: the login's, the signer's first. Raises StatementRefused for a statement that is not one.
        """
        now, opening = self._clock.now(), await self._sessions.state(session)
        if opening.frozen is not None:
            raise CommandRefused("t0_passed")
        leaf, *offered = certificates
        said = read_ready(token, leaf, session=session, bidder=actor.id)
        if said["encrypt_cert"] != fingerprint(encrypt).hex():
            raise StatementRefused("malformed_token")
        saw = {
            "sign": await self._standing(leaf, Usage.SIGN, opening.t0, now, offered),
            "encrypt": await self._standing(encrypt, Usage.ENCRYPT, opening.t0, now, offered),
            "pair": _pair(leaf, encrypt),
            "slots": await self._slots(session, actor, said, encrypt),
        }
        well = all(value in ("ok", "no_bid") for value in saw.values()) and "fail" not in said["checks"].values()
        until = min(now + GOOD_FOR, leaf.not_valid_after_utc, encrypt.not_valid_after_utc)
        answer = {
            "v": 1,
            "session": session,
            "bidder": actor.id,
            "ready_sha256": sha256_hex(token.encode()),
            "received_at": rfc3339(now),
            "saw": saw,
            "good_until": rfc3339(until),
        }
        if not well:
            return Slip(ready=token, saw=saw, slip=None)
        slip = Jws(sign(answer, SLIP, self._hall.of(opening.plan)))
        await self._keep(session, actor, token, slip, now)
        return Slip(ready=token, saw=saw, slip=slip)

    async def newest(self, session: SessionId, actor: Actor, certificates: Sequence[x509.Certificate]) -> Slip | None:
        """Return this bidder's newest slip, and whether it still says anything."""
        kept = await self._pieces.evidence(session, Kind.READY, BidderId(actor.id), newest=1)
        if not kept:
            return None
        said, answer = peek(kept[0].statement)[1], peek(kept[0].answer)[1]
        bid = (await self._sessions.intake(session)).bids.get(BidderId(actor.id))
        stale = None
        if self._clock.now() >= moment(answer["good_until"]):
            stale = "age"
        elif certificates and fingerprint(certificates[0]).hex() != said["sign_cert"]:
            stale = "certificate"
        elif (bid.header_sha256 if bid else None) != said["header_sha256"]:
            stale = "bid"
        return Slip(ready=Jws(kept[0].statement), saw=answer["saw"], slip=Jws(kept[0].answer), stale=stale)

    async def _standing(
        self,
        certificate: x509.Certificate,
        usage: Usage,
        t0: datetime,
        now: datetime,
        offered: Sequence[x509.Certificate],
    ) -> str:
        """``ok``, or the code of what stands in the way of this certificate now or on the day."""
        try:
            proof = await self._certifying.check([(certificate, usage)], at=now, offered=offered)
        except CertificateRefused as error:
            return error.code
        if certificate.not_valid_after_utc < t0 + MARGIN:
            return "expired"
        return "revocation_unavailable" if proof.state is State.UNAVAILABLE else "ok"

    async def _slots(
        self, session: SessionId, actor: Actor, said: Mapping[str, Any], encrypt: x509.Certificate
    ) -> str:
        """``ok`` if the sealed bid has a slot for this certificate; ``other_key``, ``other_bid`` or ``no_bid``."""
        bid = (await self._sessions.intake(session)).bids.get(BidderId(actor.id))
        if bid is None:
            return "no_bid" if said["header_sha256"] is None else "other_bid"
        if said["header_sha256"] != bid.header_sha256:
            return "other_bid"
        found = await asyncio.to_thread(self._read, await self._answer(session, actor, bid.header_sha256))
        mine = fingerprint(encrypt)
        groups = found.container.header.groups
        fits = all(any(slot.cert == mine for slot in group.slots_of(SlotRole.BIDDER)) for group in groups)
        return "ok" if fits else "other_key"

    async def _keep(self, session: SessionId, actor: Actor, token: Jws, slip: Jws, now: datetime) -> None:
        known = await self._pieces.evidence(session, Kind.READY, BidderId(actor.id), newest=1)
        number = 1 + max((piece.number for piece in known), default=0)
        if number > MOST:
            raise CommandRefused("too_many_beats", limit=MOST)
        piece = Evidence(
            session=session,
            bidder=BidderId(actor.id),
            kind=Kind.READY,
            number=number,
            at=now,
            statement=token,
            answer=slip,
        )
        try:
            await self._pieces.keep([piece])
        except Stale:
            raise CommandRefused("stale_beat", next=number) from None


def ready_payload(
    *,
    session: str,
    bidder: str,
    at: datetime,
    header_sha256: str | None,
    sign_cert: str,
    encrypt_cert: str,
    checks: Mapping[str, str],
    rtt_ms: int,
    ahead_ms: int,
) -> dict[str, Any]:
    """Return what a bidder's program signs after its check-up."""
    return {
        "v": 1,
        "session": session,
        "bidder": bidder,
        "at": rfc3339(at),
        "header_sha256": header_sha256,
        "sign_cert": sign_cert,
        "encrypt_cert": encrypt_cert,
        "checks": dict(checks),
        "rtt_ms": rtt_ms,
        "ahead_ms": ahead_ms,
    }


def read_ready(token: str, certificate: x509.Certificate, *, session: str, bidder: str) -> dict[str, Any]:
    """Return the payload of a ready statement of this bidder for this opening; raise StatementRefused."""
    payload = verify(token, READY, certificate)
    try:
        said = exactly(payload, _MEMBERS)
        check_integer(said["v"], 1, 1)
        check_integer(said["rtt_ms"], 0, 3_600_000)
        check_integer(said["ahead_ms"], -(10**12), 10**12)
        moment(said["at"])
        for name in ("sign_cert", "encrypt_cert"):
            unhex(said[name], 32)
        if said["header_sha256"] is not None:
            unhex(said["header_sha256"], 32)
    except (EncodingRefused, Misshapen) as error:
        raise StatementRefused("malformed_token") from error
    checks = said["checks"]
    formed = isinstance(checks, dict) and checks.keys() <= set(CHECKS) and set(checks.values()) <= VALUES
    ours = (said["session"], said["bidder"], said["sign_cert"]) == (session, bidder, fingerprint(certificate).hex())
    if not formed or not ours:
        raise StatementRefused("malformed_token")
    return payload


def _pair(one: x509.Certificate, other: x509.Certificate) -> str:
    try:
        check_pair(one, other)
    except CertificateRefused as error:
        return error.code
    return "ok"
