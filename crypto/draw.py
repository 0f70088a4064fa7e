"""Draws that nobody can steer and anybody can repeat: commit, reveal, mix, map without bias (FORMAT.md section 14).

Whoever takes part first commits to a secret seed and shows it when all have committed. One honest seed among them
makes the outcome uniform; what is drawn then follows from the seeds by arithmetic alone.
"""

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from crypto.digest import sha256
from crypto.encoding import lv
from crypto.errors import ProofRefused

SEED: Final = 32
_SPACE: Final = 1 << 256


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One party's part in a draw: who it is, in which role, and its 32 secret bytes."""

    role: str
    party: str
    seed: bytes = field(repr=False)


def commitment(session: str, round_number: int, share: Share) -> bytes:
    """Return what a party publishes before anybody shows a seed. Bound to session, round and party: no replay."""
    if len(share.seed) != SEED:
        raise ProofRefused("wrong_seed")
    who = lv(share.role) + lv(share.party)
    return sha256(lv("KAIBIAO/draw/seed/1") + lv(session) + _u32(round_number) + who + lv(share.seed))


def check_seed(session: str, round_number: int, share: Share, committed: bytes) -> None:
    """Raise ``wrong_seed`` unless the seed is the one committed to."""
    if not hmac.compare_digest(commitment(session, round_number, share), committed):
        raise ProofRefused("wrong_seed")


def mix(session: str, round_number: int, shares: Iterable[Share]) -> bytes:
    """Return the draw's randomness from all seeds, in the order of role and party, not of arrival."""
    ordered = sorted(shares, key=lambda share: (share.role.encode(), share.party.encode()))
    parts = (lv(share.role) + lv(share.party) + lv(share.seed) for share in ordered)
    return sha256(lv("KAIBIAO/draw/mix/1") + lv(session) + _u32(round_number) + b"".join(parts))


class Numbers:
    """Numbers without bias from one randomness, for the draw named ``name``."""

    def __init__(self, randomness: bytes, name: str) -> None:
        self._key = lv("KAIBIAO/draw/block/1") + randomness + lv(name)
        self._block = 0

    def below(self, size: int) -> int:
        """Return a number from 0 to ``size`` - 1, each as likely as any other.

        A block that falls into the incomplete last stretch of the 2^256 values is thrown away, as a remainder of it
        would favour the small numbers.
        """
        if not 1 <= size <= 1 << 32:
            raise ValueError("out of range")
        limit = _SPACE - _SPACE % size
        while True:
            value = int.from_bytes(sha256(self._key + _u32(self._block)), "big")
            self._block += 1
            if value < limit:
                return value % size


def pick(randomness: bytes, name: str, values: Sequence[str], count: int) -> tuple[str, ...]:
    """Return ``count`` of ``values`` in the order drawn, none twice; all of them is an order (Fisher and Yates)."""
    if not 0 <= count <= len(values):
        raise ValueError("not so many to draw from")
    numbers, urn = Numbers(randomness, name), list(values)
    for place in range(count):
        chosen = place + numbers.below(len(urn) - place)
        urn[place], urn[chosen] = urn[chosen], urn[place]
    return tuple(urn[:count])
