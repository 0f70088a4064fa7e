"""Shamir's sharing of a secret: any t of n shares give it back, fewer say nothing (FORMAT.md section 13).

Each byte is shared for itself over GF(2^8) with the polynomial 0x11b, the field of AES. Share i is its value at i.

Timing: secret and shares are only ever shifted, masked and added, and multiplied only by numbers everybody knows (a
share's index, a Lagrange coefficient): no table is read and no branch taken that depends on them. That Python's own
integers take the same time for every value is *not* promised.
"""

import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from crypto.errors import ShareRefused

MAX_SHARES: Final = 16


@dataclass(frozen=True, slots=True, repr=False)
class Share:
    """The value of the sharing polynomials at ``index``, which counts from 1: the secret itself is at 0."""

    index: int
    value: bytes


def split(secret: bytes, threshold: int, count: int) -> tuple[Share, ...]:
    """Return ``count`` shares of ``secret`` of which any ``threshold`` give it back; 1 <= t <= n <= 16.

    The highest coefficient may be zero like any other: leaving zero out would tell t - 1 holders something.
    """
    check_threshold(threshold, count)
    if not secret:
        raise ShareRefused("malformed_shares", detail="nothing to share")
    coefficients = [secret, *(os.urandom(len(secret)) for _ in range(threshold - 1))]
    return tuple(Share(x, _evaluate(coefficients, x)) for x in range(1, count + 1))


def combine(shares: Sequence[Share], threshold: int) -> bytes:
    """Return the secret that ``shares`` are of. More than ``threshold`` must all lie on one polynomial.

    Nobody can tell a wrong share from a right one here: check each against its commitment first.

    Raises:
        ShareRefused: ``malformed_shares`` for a share given twice, of another length or of no such number,
            ``too_few_shares``, ``shares_disagree``.
    """
    indexes = [share.index for share in shares]
    if len(set(indexes)) != len(indexes) or not all(1 <= index <= MAX_SHARES for index in indexes):
        raise ShareRefused("malformed_shares", detail="a share twice, or of no such number")
    if len({len(share.value) for share in shares}) > 1 or not all(share.value for share in shares):
        raise ShareRefused("malformed_shares", detail="shares of different lengths")
    if threshold < 1 or len(shares) < threshold:
        raise ShareRefused("too_few_shares", detail=f"{len(shares)} of {threshold}")
    enough, more = shares[:threshold], shares[threshold:]
    for other in more:
        if not hmac.compare_digest(_interpolate(enough, other.index), other.value):
            raise ShareRefused("shares_disagree")
    return _interpolate(enough, 0)


def check_threshold(threshold: int, count: int) -> None:
    """Raise unless 1 <= t <= n <= 16."""
    if not 1 <= threshold <= count <= MAX_SHARES:
        raise ShareRefused("malformed_shares", detail=f"{threshold} of {count}")


def _evaluate(coefficients: Sequence[bytes], x: int) -> bytes:
    """The polynomials with these coefficients, lowest first, at ``x`` (Horner's rule)."""
    value = bytes(len(coefficients[0]))
    for coefficient in reversed(coefficients):
        value = _add(_times(x, value), coefficient)
    return value


def _interpolate(shares: Sequence[Share], x: int) -> bytes:
    """The polynomials through ``shares`` at ``x`` (Lagrange). The coefficients come from public numbers alone."""
    value = bytes(len(shares[0].value))
    for share in shares:
        above, below = 1, 1
        for other in shares:
            if other is not share:
                above = _product(above, x ^ other.index)
                below = _product(below, share.index ^ other.index)
        value = _add(value, _times(_product(above, _inverse(below)), share.value))
    return value


def _add(one: bytes, other: bytes) -> bytes:
    length = len(one)
    return (int.from_bytes(one) ^ int.from_bytes(other)).to_bytes(length)


def _times(public: int, secret: bytes) -> bytes:
    """``secret``, byte by byte, times ``public``; only the bits of ``public`` decide what is done."""
    length = len(secret)
    ones = int.from_bytes(b"\x01" * length)
    power, product = int.from_bytes(secret), 0
    while public:
        product ^= power * (public & 1)
        carry = (power >> 7) & ones  # the bytes whose x^7 falls out, reduced by x^8 = x^4 + x^3 + x + 1
        power = ((power & (ones * 0x7F)) << 1) ^ (carry * 0x1B)
        public >>= 1
    return product.to_bytes(length)


def _product(one: int, other: int) -> int:
    """The product of two public numbers."""
    return _times(one, bytes([other]))[0]


def _inverse(public: int) -> int:
    """The inverse of a public number that is not 0: its power of 254 = 2 + 4 + .. + 128 (Fermat)."""
    result, power = 1, public
    for _ in range(7):
        power = _product(power, power)
        result = _product(result, power)
    return result
