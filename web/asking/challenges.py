"""What a bidder signs to log in: a nonce of this hall that is used once and soon.

The hall keeps nothing for a challenge it gave out, so asking for millions costs it nothing; it remembers only those
that came back, until they would be too old anyway, in the database: so it is the same whichever worker is asked.
"""

from __future__ import annotations

import hmac
import secrets as randomness
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from crypto.digest import sha256_hex
from crypto.encoding import b64u, unb64u
from crypto.errors import EncodingRefused
from sessions.ids import SessionId
from sessions.ports import SecretStore
from web.answers.problems import Problem

SECRET: Final = "login-nonce"  # noqa: S105  # the name under which the vault keeps it
LIFETIME: Final = timedelta(seconds=120)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


class Once(Protocol):
    """Where it is kept that something was used (sessions.store.once)."""

    async def spend(self, name: str, until: datetime, now: datetime) -> bool: ...


@dataclass(slots=True)
class Challenges:
    """Nonces of this hall."""

    vault: SecretStore
    once: Once
    _key: bytes | None = field(default=None, repr=False)

    async def issue(self, now: datetime) -> str:
        """Return a new nonce: moment, 16 random bytes, and a code over both that only this hall can make."""
        body = ((now - _EPOCH) // _MS).to_bytes(8, "big") + randomness.token_bytes(16)
        return b64u(body + await self._code(body))

    async def redeem(self, nonce: object, now: datetime) -> datetime:
        """Use ``nonce`` up and return when it was issued; raise ``Problem`` ``stale_challenge`` if that cannot be."""
        try:
            raw = unb64u(nonce)
        except EncodingRefused:
            raise Problem("stale_challenge") from None
        body, code = raw[:24], raw[24:]
        if not hmac.compare_digest(code, await self._code(body)):
            raise Problem("stale_challenge")
        issued = _EPOCH + int.from_bytes(body[:8], "big") * _MS
        if not timedelta() <= now - issued <= LIFETIME:
            raise Problem("stale_challenge")
        if not await self.once.spend(f"nonce/{sha256_hex(raw)}", issued + LIFETIME + _MS, now):
            raise Problem("stale_challenge")
        return issued

    async def _code(self, body: bytes) -> bytes:
        if self._key is None:
            self._key = await self.vault.keep(SessionId(""), SECRET, randomness.token_bytes(32))
        return hmac.digest(self._key, b"kaibiao login nonce" + body, "sha256")[:16]
