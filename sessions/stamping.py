"""Ask timestamp authorities over the network (RFC 3161 section 3.4): one question, one checked answer.

Nothing here retries or keeps: who needs a stamp for good queues it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography import x509

from crypto.errors import CryptoRefused
from crypto.timestamps import MAX_REPLY, Stamp, read_reply, request
from sessions.clock import Clock

QUERY: Final = "application/timestamp-query"
REPLY: Final = "application/timestamp-reply"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimestampAuthority:
    """An independent authority as the operator names it. ``anchor`` is the self-signed root of its certificate."""

    name: str
    url: str
    anchor: x509.Certificate


class Unreachable(Exception):
    """An authority did not answer, or not as the protocol says; the message says how."""


class Post(Protocol):
    async def __call__(self, url: str, body: bytes, *, media: str, limit: int) -> bytes:
        """Return the body of the answer 200 to a POST of ``body``; at most ``limit`` bytes are read.

        Raises:
            Unreachable: there was none in time, or it was too long.
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

    def named(self, names: Sequence[str]) -> tuple[TimestampAuthority, ...]:
        """Return those of ``names`` that are set up here, in that order."""
        known = {authority.name: authority for authority in self.authorities}
        return tuple(known[name] for name in names if name in known)
