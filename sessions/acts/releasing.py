"""A bidder hands its key over: the challenge, the check against the sealed commitment, and the evidence.

Before the barrier nothing is decrypted with a key. Where the hall has a session key it is opened here only to compare
it with what the bidder committed to, so that a wrong one can be told at once while a retry is free, and forgotten
again; behind the barrier it is opened anew from the message that is kept. Behind locks the hall cannot open it.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from crypto import declaration as declarations
from crypto.certificates import fingerprint
from crypto.container import Container, read_header
from crypto.digest import sha256_hex
from crypto.errors import CryptoRefused, StatementRefused
from crypto.header import SlotRole
from crypto.locks import check_split_release
from crypto.release import open_release
from crypto.signing import peek
from sessions.barrier.behind import crypto_locks
from sessions.barrier.nonces import Nonces
from sessions.barrier.signers import named
from sessions.clock import Clock
from sessions.commands import RecordRelease
from sessions.errors import CommandRefused
from sessions.events import Recorded
from sessions.ids import BidderId, Digest, Jws, SessionId
from sessions.keys.session_key import session_key
from sessions.opening import Opening
from sessions.outside.certifying import Certifying, NotProved, check_successor
from sessions.plan import Lock, Plan, StepKind
from sessions.ports import Answer, Released
from sessions.proofs import UNAVAILABLE_CODE, Act, Proof, accept
from sessions.roles import Actor
from sessions.service import Sessions, Stores

LONGEST = 65_536

KEPT = 1024
"""Heads of sealed bids in memory, some 10 kB each: to read and check one takes 5 ms, and each is asked for twice."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A key slot of a sealed bid: the certificate it is for, and its bytes."""

    certificate: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """Everything a bidder's program needs to release a group's key, and to convince itself before it does."""

    session: SessionId
    group: str
    header_sha256: Digest
    header: bytes
    slots: tuple[Slot, ...]
    nonce: str
    session_key: str | None  # None behind locks: the shares go to ``locks``
    locks: tuple[Lock, ...]
    headers: tuple[Digest, ...]
    root: Digest
    receipt: Jws
    due: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a release. ``code`` is None when the key is in."""

    records: tuple[Recorded, ...]
    code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bid:
    container: Container
    certificates: tuple[x509.Certificate, ...]  # the signer's first


class Releasing:
    """Takes keys in. Every method's ``actor`` is a bidder whose login the caller has checked."""

    def __init__(self, sessions: Sessions, stores: Stores, *, clock: Clock, certifying: Certifying) -> None:
        self._sessions = sessions
        self._stores = stores
        self._clock = clock
        self._certifying = certifying
        self._nonces = Nonces(sessions.events)
        self._bids: dict[tuple[SessionId, Digest], tuple[Answer, _Bid]] = {}

    async def challenge(self, session: SessionId, actor: Actor, group: str) -> Challenge:
        """Return what this bidder answers. Refused outside the decrypt window, without a bid, for another group."""
        opening = await self._sessions.state(session)
        bid, frozen = opening.bid(actor.id), opening.frozen
        self._check_now(opening, actor, group)
        if bid is None or frozen is None:
            raise CommandRefused("no_bid")
        answer, found = await self._sealed(session, actor, bid.header_sha256)
        slots = found.container.header.group(group).slots_of(SlotRole.BIDDER)
        return Challenge(
            session=session,
            group=group,
            header_sha256=bid.header_sha256,
            header=found.container.header_bytes,
            slots=tuple(Slot(certificate=slot.cert.hex(), data=slot.data) for slot in slots),
            nonce=await self._nonces.of(opening, actor.id),
            session_key=frozen.session_key or None,
            locks=opening.plan.locks,
            headers=frozen.headers,
            root=frozen.root,
            receipt=answer.statement,
            due=opening.due,
        )

    async def release(
        self, session: SessionId, actor: Actor, token: Jws, certificates: tuple[x509.Certificate, ...] = ()
    ) -> Verdict:
        """Check a release message, keep it whatever it is worth, and record what it was.

        ``certificates`` are those of the login. The first may be the successor of the one that signed the bid: the
        same organisation, renewed (sessions.outside.certifying.check_successor). The key must be the sealed one.

        Raises:
            CommandRefused: no release is expected now, or from this bidder.
        """
        async with self._sessions.answering(session):
            arrived_at = self._clock.now()
            opening = await self._sessions.state(session)
            group = _group(token)
            self._check_now(opening, actor, group)
            if len(token) > LONGEST:
                raise CommandRefused("too_large", limit=LONGEST)
            code, proof = await self._verdict(opening, actor, group, token, arrived_at, certificates)
            digest = Digest(sha256_hex(token.encode()))
            await self._stores.intake.keep_release(
                Released(
                    session=session,
                    bidder=BidderId(actor.id),
                    group=group,
                    at=arrived_at,
                    sha256=digest,
                    statement=token,
                    code=code,
                )
            )
            command = RecordRelease(
                bidder=BidderId(actor.id),
                group=group,
                release_sha256=digest,
                code=code,
                arrived_at=arrived_at,
                proof=proof,
            )
            return Verdict(records=await self._sessions.handle(session, command, actor), code=code)

    def _check_now(self, opening: Opening, actor: Actor, group: str) -> None:
        if opening.kind is not StepKind.DECRYPT or opening.opened:
            raise CommandRefused("window_closed", step=opening.step or "")
        if opening.bid(actor.id) is None:
            raise CommandRefused("no_bid")
        if group not in opening.groups:
            raise CommandRefused("no_such_group", group=group)

    async def _verdict(
        self,
        opening: Opening,
        actor: Actor,
        group: str,
        token: Jws,
        at: datetime,
        certificates: tuple[x509.Certificate, ...],
    ) -> tuple[str | None, Proof | None]:
        proof: Proof | None = None
        session = opening.plan.session
        bid = opening.bid(actor.id)
        if bid is None:
            raise CommandRefused("no_bid")
        try:
            _, found = await self._sealed(session, actor, bid.header_sha256)
            split = bool(opening.plan.locks)
            key = None if split else await session_key(self._stores.secrets, session)
            challenge = await self._nonces.of(opening, actor.id)
            signer, *offered = _signer(token, found.certificates, certificates)
            proof = await self._certifying.check_signer((signer, *offered), at=at)
            pack = opening.plan.pack
            accept(pack.revocation, Act.RELEASE, proof, wanted=bool(opening.plan.proofs))
            await asyncio.to_thread(self._open, found, opening.plan, group, token, key, challenge, signer)
        except NotProved as error:
            return error.code, error.proof
        except CryptoRefused as error:
            return error.code, proof
        except CommandRefused as error:
            if error.code != UNAVAILABLE_CODE:
                raise
            return error.code, proof  # a fact, with the evidence of it; the bidder may try again
        except Exception:  # whatever it is, it is not the bidder's doing, and the attempt is a fact all the same
            _log.exception("a release could not be checked", extra={"session": session, "bidder": actor.id})
            return "hall_error", proof
        return None, proof

    def _open(
        self,
        found: _Bid,
        plan: Plan,
        group: str,
        token: Jws,
        key: ec.EllipticCurvePrivateKey | None,
        challenge: str,
        signer: x509.Certificate,
    ) -> None:
        stated: dict[str, Any] = {
            "header": found.container.header,
            "header_sha256": found.container.header_sha256,
            "group": group,
            "session": plan.session,
            "nonce": challenge,
            "certificate": signer,
        }
        if key is None:  # whether the shares are right shows only when the officers open them, behind the barrier
            check_split_release(token, **stated, locks=crypto_locks(plan))
        else:  # the key it returns is not kept: see the head of this file
            open_release(token, **stated, session_key=key)

    async def _sealed(self, session: SessionId, actor: Actor, header: Digest) -> tuple[Answer, _Bid]:
        """Return the receipt of a bid of the set, and its head: read for the challenge, kept for the answer."""
        kept = self._bids.get((session, header))
        if kept is None:
            answer = await self._answer(session, actor, header)
            kept = answer, await asyncio.to_thread(self._read, answer)
            if len(self._bids) >= KEPT:
                del self._bids[next(iter(self._bids))]
            self._bids[session, header] = kept
        return kept

    def _read(self, answer: Answer) -> _Bid:
        if answer.blob is None:
            raise FileNotFoundError("no stored bid")
        with self._stores.blobs.open(answer.blob) as file:
            container = read_header(file)
        stated = declarations.verify(container.declaration, container.header.sig_cert)
        others = (each for each in stated.certificates if each != stated.signer)
        return _Bid(container=container, certificates=(stated.signer, *others))

    async def _answer(self, session: SessionId, actor: Actor, header: Digest) -> Answer:
        for answer in reversed(await self._stores.intake.answers(session, BidderId(actor.id))):
            if answer.code is None and answer.header_sha256 == header:
                return answer
        raise CommandRefused("no_bid")


def _signer(
    token: Jws, sealed: tuple[x509.Certificate, ...], login: tuple[x509.Certificate, ...]
) -> tuple[x509.Certificate, ...]:
    """Return who is to have signed, then its issuers: whoever signed the bid, or its successor if that is named."""
    if not login or named(token) != fingerprint(login[0]).hex():
        return sealed
    check_successor(sealed[0], login[0])
    return login


def _group(token: Jws) -> str:
    """Return the group a message names, unverified: it only says which commitment to compare with."""
    try:
        group = peek(token)[1].get("group")
    except StatementRefused:
        return "A"
    return group if isinstance(group, str) and len(group) <= 8 else "A"
