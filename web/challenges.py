"""What a bidder signs to log in: a nonce of this hall that is used once and soon.

The hall keeps nothing for a challenge it gave out, so asking for millions costs it nothing; it remembers only those
that came back, until they would be too old anyway.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from crypto.encoding import b64u, unb64u
from crypto.errors import EncodingRefused
from web.problems import Problem

LIFETIME: Final = timedelta(seconds=120)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


@dataclass(slots=True)
class Challenges:
    """Nonces of this process. After a restart the old ones are stale, and a client asks for a new one."""

    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _used: dict[str, datetime] = field(default_factory=dict)

    def issue(self, now: datetime) -> str:
        """Return a new nonce: moment, 16 random bytes, and a code over both that only this process can make."""
        body = ((now - _EPOCH) // _MS).to_bytes(8, "big") + secrets.token_bytes(16)
        return b64u(body + self._code(body))

    def redeem(self, nonce: object, now: datetime) -> datetime:
        """Use ``nonce`` up and return when it was issued; raise ``Problem`` ``stale_challenge`` if that cannot be."""
        try:
            raw = unb64u(nonce)
        except EncodingRefused:
            raise Problem("stale_challenge") from None
        body, code = raw[:24], raw[24:]
        if not hmac.compare_digest(code, self._code(body)):
            raise Problem("stale_challenge")
        issued = _EPOCH + int.from_bytes(body[:8], "big") * _MS
        self._used = {used: at for used, at in self._used.items() if now - at <= LIFETIME}
        if not timedelta() <= now - issued <= LIFETIME or nonce in self._used:
            raise Problem("stale_challenge")
        self._used[str(nonce)] = issued
        return issued

    def _code(self, body: bytes) -> bytes:
        return hmac.digest(self._key, b"kaibiao login nonce" + body, "sha256")[:16]
