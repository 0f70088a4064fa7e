"""Ask timestamp authorities over the network (RFC 3161 section 3.4): one question, one checked answer.

Nothing here retries or keeps: for the points of an opening the notary does (acts.notary), by ``StampAnchor``.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from cryptography import x509

from crypto.digest import sha256
from crypto.errors import CryptoRefused
from crypto.timestamps import MAX_REPLY, Stamp, read_reply, request
from sessions.clock import Clock
from sessions.plan import AnchorKind
from sessions.ports import Anchor, NotAnchored, Said, ToAnchor
from sessions.proofs import Proof

QUERY: Final = "application/timestamp-query"
REPLY: Final = "application/timestamp-reply"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimestampAuthority:
    """An independent authority as the operator names it. ``anchor`` is the self-signed root of its certificate."""

    name: str
    url: str
    anchor: x509.Certificate


class Unreachable(Exception):
    """An authority did not answer, or not as the protocol says; the message says how."""


Stamper = Callable[[bytes], Awaitable[bytes]]
"""Return a verified RFC 3161 token over a SHA-256; raise Unreachable or CryptoRefused when no authority gave one."""


class Post(Protocol):
    async def __call__(self, url: str, body: bytes, *, media: str, limit: int) -> bytes:
        """Return the body of the answer 200 to a POST of ``body``; at most ``limit`` bytes are read.

        Raises:
            Unreachable: there was none in time, or it was too long.
        """


class Proving(Protocol):
    async def check_stamp(self, token: bytes, anchor: x509.Certificate, *, at: datetime) -> Proof:
        """See sessions.outside.certifying.Certifying.

        Raises:
            CertificateRefused: the certificate under the token does not hold, or is revoked.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamping:
    """The authorities of this hall, and the way to them."""

    authorities: tuple[TimestampAuthority, ...]
    post: Post
    clock: Clock

    async def ask(self, authority: TimestampAuthority, digest: bytes) -> tuple[bytes, Stamp]:
        """Return a token over a SHA-256 and what it says.

        Raises:
            Unreachable: no answer came.
            TimestampRefused: the answer does not hold (crypto.timestamps.read_reply).
        """
        nonce = secrets.randbits(64)
        asked_at = self.clock.now()
        answer = await self.post(authority.url, request(digest, nonce), media=QUERY, limit=MAX_REPLY)
        return read_reply(
            answer,
            digest=digest,
            nonce=nonce,
            anchors=[authority.anchor],
            asked_at=asked_at,
            answered_at=self.clock.now(),
        )

    async def any(self, digest: bytes) -> bytes:
        """Return a token of the first authority that gives one.

        Raises:
            Unreachable: none did, and why.
        """
        reasons: list[str] = []
        for authority in self.authorities:
            try:
                return (await self.ask(authority, digest))[0]
            except (Unreachable, CryptoRefused) as error:
                reasons.append(f"{authority.name}: {error}")
        raise Unreachable("; ".join(reasons) or "no timestamp authority is set up")

    async def all(self, digest: bytes) -> dict[str, bytes]:
        """Return the tokens of those authorities that gave one, by name; the others are in the operator's log."""

        async def one(authority: TimestampAuthority) -> tuple[str, bytes] | None:
            try:
                return authority.name, (await self.ask(authority, digest))[0]
            except (Unreachable, CryptoRefused) as error:
                _log.warning("an authority gave no timestamp", extra={"by": authority.name, "why": str(error)})
                return None

        answers = await asyncio.gather(*map(one, self.authorities))
        return dict(answer for answer in answers if answer is not None)

    def anchors(self, proving: Proving | None = None) -> dict[str, Anchor]:
        """Return the authorities by name, as the notary asks them; ``proving`` asks how their certificates stand."""
        return {each.name: StampAnchor(authority=each, stamping=self, proving=proving) for each in self.authorities}


@dataclass(frozen=True, slots=True, kw_only=True)
class StampAnchor:
    """An authority as somebody outside who holds the log (sessions.ports.Anchor): it stamps a checkpoint's text."""

    authority: TimestampAuthority
    stamping: Stamping
    proving: Proving | None = None

    @property
    def kind(self) -> AnchorKind:
        """What it gives: a timestamp."""
        return AnchorKind.STAMP

    @property
    def name(self) -> str:
        """As the settings name it."""
        return self.authority.name

    async def hold(self, asked: ToAnchor) -> Said:
        """Return a verified token over the SHA-256 of the checkpoint's text, under a certificate that holds.

        Raises:
            NotAnchored: there is none.
        """
        proof = None
        try:
            token, stamp = await self.stamping.ask(self.authority, sha256(asked.text))
            if self.proving is not None:
                proof = await self.proving.check_stamp(token, self.authority.anchor, at=stamp.said_at)
        except (Unreachable, CryptoRefused) as error:
            raise NotAnchored(str(error)) from error
        return Said(evidence=token, at=stamp.said_at, proof=proof)
