"""From one group's key to everything derived from it (FORMAT.md section 3). Every derived key has its label."""

import hmac
import os
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from crypto.encoding import lv
from crypto.errors import SealedBidRefused
from crypto.suites import Suite


def new_group_key() -> bytes:
    """Return a fresh ``K_b`` or ``K_t``."""
    return os.urandom(32)


def group_context(
    suite: Suite, *, tender: str, lot: str, bidder: str, deadline: str, env: bytes, group: str
) -> bytes:
    """Return ``ctx_g``: what every key of the group is bound to, so that nothing moves to another bid."""
    fields: tuple[str | bytes, ...] = ("SBID1/ctx", suite.name, tender, lot, bidder, deadline, env, group)
    digest = hashes.Hash(suite.hash())
    digest.update(b"".join(map(lv, fields)))
    return digest.finalize()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GroupKey:
    """``K_b`` in its context, and ``K_t`` where the group has a second layer. Check with ``require`` before use."""

    suite: Suite
    context: bytes
    secret: bytes
    second: bytes | None = None

    def __post_init__(self) -> None:
        if len(self.secret) != 32 or (self.second is not None and len(self.second) != 32):
            raise SealedBidRefused("commitment_mismatch")

    def _expand(self, secret: bytes, info: bytes) -> bytes:
        return HKDFExpand(self.suite.hash(), 32, info).derive(secret)

    @property
    def commitment(self) -> bytes:
        """``kcb``, which the header shows and the receipt fixes before the deadline."""
        return self._expand(self.secret, b"SBID1/kc/b" + self.context)

    @property
    def second_commitment(self) -> bytes | None:
        """``kct``, the same for the tenderer's key; None without a second layer."""
        return None if self.second is None else self._expand(self.second, b"SBID1/kc/t" + self.context)

    def require(self, kcb: bytes, kct: bytes | None = None) -> None:
        """Raise unless these are the keys that ``kcb`` and ``kct`` commit to."""
        stated = self.second_commitment
        if kct is not None and stated is None:
            raise SealedBidRefused("second_key_missing")
        if not hmac.compare_digest(self.commitment, kcb) or not hmac.compare_digest(stated or b"", kct or b""):
            raise SealedBidRefused("commitment_mismatch")

    def part_key(self, part: str) -> bytes:
        """Return ``IK_p``, the input key of one part. It opens that part only, so it may be published alone."""
        secrets = (self.secret,) if self.second is None else (self.secret, self.second)
        use = b"".join(self._expand(secret, b"SBID1/use" + self.context) for secret in secrets)
        master = HKDF.extract(self.suite.hash(), self.context, use)
        return self._expand(master, b"SBID1/part" + lv(part))

    def part_context(self, part: str) -> bytes:
        """Return the context string of one part's stream."""
        return part_context(self.context, part)


def part_context(group_context: bytes, part: str) -> bytes:
    """Return the context string of one part's stream, which needs no secret."""
    return b"SBID1" + group_context + lv(part)
