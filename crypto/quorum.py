"""Shares of a key in the hands of named people: who holds one, what each must be, and how they come together.

FORMAT.md section 13. Used by the locks of an opening (``crypto.locks``) and by the slots of a sealed bid that are the
tenderer's and the trustees' (``crypto.held``).
"""

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from crypto.certificates import Usage, check_leaf, fingerprint
from crypto.encoding import check_integer, lv, unhex
from crypto.errors import EncodingRefused, ShareRefused
from crypto.shares import MAX_SHARES, Share, check_threshold, combine
from crypto.suites import Suite


@dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    """People of whom any ``threshold`` act together; share i is for the i-th certificate, counted from 1."""

    threshold: int
    certificates: tuple[x509.Certificate, ...]

    def __post_init__(self) -> None:
        check_threshold(self.threshold, len(self.certificates))
        if len(set(self.fingerprints)) != len(self.certificates):
            raise ShareRefused("malformed_shares", detail="one certificate twice")

    @property
    def fingerprints(self) -> tuple[bytes, ...]:
        """The certificates' fingerprints, in the order of their shares."""
        return tuple(fingerprint(each) for each in self.certificates)

    def check_usage(self) -> None:
        """Raise unless every certificate is one to encrypt to; paths and dates are the caller's."""
        for certificate in self.certificates:
            check_leaf(certificate, Usage.ENCRYPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One share's place: whose sharing it is of, its number, t, n, and the commitment to it.

    ``where`` is the lock's id in a release, ``slot/tenderer`` or ``slot/escrow`` in a header.
    """

    where: str
    index: int
    threshold: int
    count: int
    kcs: bytes

    def require(self, suite: Suite, context: bytes, value: bytes) -> Share:
        """Return ``value`` as the share of this place; ``share_mismatch`` if it is not the one committed to."""
        share = Share(self.index, value)
        if len(value) != 32 or not hmac.compare_digest(commitment(suite, context, self.where, share), self.kcs):
            raise ShareRefused("share_mismatch", where=self.where, index=self.index)
        return share

    def members(self) -> dict[str, object]:
        """Return the JSON members of a place, without ``where``."""
        return {"i": self.index, "t": self.threshold, "n": self.count, "kcs": self.kcs.hex()}

    @classmethod
    def read(cls, where: str, i: object, t: object, n: object, kcs: object) -> "Place":
        """Return the place that JSON members say; ``malformed_field`` if a number is out of range."""
        count = check_integer(n, 1, MAX_SHARES)
        return cls(
            where=where,
            index=check_integer(i, 1, count),
            threshold=check_integer(t, 1, count),
            count=count,
            kcs=unhex(kcs, 32),
        )


def commitment(suite: Suite, context: bytes, where: str, share: Share) -> bytes:
    """Return ``kcs``, what a share of the group with this ``ctx_g`` is recognised by."""
    info = b"SBID1/kc/s" + lv(where) + bytes([share.index]) + context
    return HKDFExpand(suite.hash(), 32, info).derive(share.value)


def check_complete(places: Sequence[Place]) -> None:
    """Raise unless ``places`` are shares 1 to n of one t-of-n, in order. ``malformed_field``."""
    count = len(places)
    expected = [(number, places[0].threshold, count) for number in range(1, count + 1)] if places else []
    if [(place.index, place.threshold, place.count) for place in places] != expected:
        raise EncodingRefused("malformed_field", detail="shares are not 1 to n of one sharing")


def recover(suite: Suite, context: bytes, places: Iterable[Place], values: Iterable[Share]) -> bytes:
    """Return what ``values``, shares of one sharing, are shares of, each checked against its place first.

    Raises:
        ShareRefused: ``share_mismatch`` (with the place), ``malformed_shares``, ``too_few_shares``; and
            ``shares_disagree``, when every share is the committed one and they still do not belong together: then
            whoever dealt them made it so.
    """
    known = {place.index: place for place in places}
    shares = []
    for value in values:
        place = known.get(value.index)
        if place is None:
            raise ShareRefused("malformed_shares", detail="a share of no such number")
        shares.append(place.require(suite, context, value.value))
    if not known:
        raise ShareRefused("too_few_shares", detail="there are none")
    threshold, where = next(iter(known.values())).threshold, next(iter(known.values())).where
    try:
        return combine(shares, threshold)
    except ShareRefused as error:
        raise ShareRefused(error.code, where=where, detail=error.detail) from error
