"""An opening behind several locks: the release of split mode (FORMAT.md section 6, release version 2).

The bidder cuts its key into one piece a lock, and each piece into shares for that lock's officers. Nobody, the hall
neither, has the key until enough officers of *every* lock have opened their shares.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec

from crypto import signing
from crypto.certificates import Credential, fingerprint, public_key
from crypto.container import Container
from crypto.encoding import b64u, check_identifier, exactly, lv, unb64u, unhex
from crypto.errors import (
    CertificateRefused,
    EncodingRefused,
    ReleaseRefused,
    SealedBidRefused,
    ShareRefused,
    SlotRefused,
)
from crypto.header import Header
from crypto.opening import check_secret
from crypto.quorum import Place, Quorum, commitment, recover
from crypto.release import HPKE, KIND, NONCE, SEALED, SPLIT, check_stated, read_release
from crypto.shares import Share, split
from crypto.suites import Suite

MAX_LOCKS: Final = 4
_LOCK_ID = re.compile(r"[a-z][a-z0-9-]{0,31}")
_SHARE_MEMBERS: Final = ("lock", "i", "t", "n", "cert", "kcs", "hpke")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """One lock: any ``threshold`` of the holders of ``certificates`` (encryption, P-256) open it together.

    The certificates come from the tender's announcement, so that the hall cannot put in its own.
    """

    id: str
    threshold: int
    certificates: tuple[x509.Certificate, ...]

    def __post_init__(self) -> None:
        if not _LOCK_ID.fullmatch(self.id):
            raise ShareRefused("malformed_shares", where=self.id, detail="a lock's id")
        self.quorum.check_usage()
        for certificate in self.certificates:
            _point(certificate)

    @property
    def quorum(self) -> Quorum:
        """Who opens it."""
        return Quorum(threshold=self.threshold, certificates=self.certificates)


def check_locks(locks: Sequence[Lock]) -> None:
    """Raise ``malformed_shares`` unless these can be the locks of one opening: 1 to 4, nobody behind two of them."""
    officers = [each for lock in locks for each in lock.quorum.fingerprints]
    if not 1 <= len(locks) <= MAX_LOCKS or len({lock.id for lock in locks}) != len(locks):
        raise ShareRefused("malformed_shares", detail="1 to 4 locks, each of its own name")
    if len(set(officers)) != len(officers):
        raise ShareRefused("malformed_shares", detail="one officer behind two locks")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedShare:
    """One share as it stands in a release, checked as far as it can be without the officer's key."""

    place: Place
    certificate: bytes
    hpke: bytes
    info: bytes
    suite: Suite
    context: bytes

    @property
    def lock(self) -> str:
        """The id of its lock."""
        return self.place.where

    @property
    def index(self) -> int:
        """Its number, from 1: the officer's place in the lock."""
        return self.place.index


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class OpenShare:
    """A share an officer has opened."""

    lock: str
    index: int
    value: bytes


def make_split_release(
    container: Container,
    group: str,
    secret: bytes,
    *,
    session: str,
    locks: Sequence[Lock],
    nonce: str,
    signer: Credential,
) -> str:
    """Return the signed release of ``secret`` (from ``unlock``), cut up for ``locks``.

    ``nonce`` is hex of the challenge's 32 bytes. Stops with ``commitment_mismatch`` before anything leaves. The
    bidder's program takes the locks from the announcement it was sealed for, not from the challenge.
    """
    header = container.header
    check_secret(header, group, secret)
    check_locks(locks)
    place = (check_identifier(session), group, container.header_sha256, nonce)
    shares: list[dict[str, Any]] = []
    for lock, piece in zip(locks, _cut(secret, len(locks)), strict=True):
        count = len(lock.certificates)
        for certificate, share in zip(lock.certificates, split(piece, lock.threshold, count), strict=True):
            shares.append(
                {
                    "lock": lock.id,
                    "i": share.index,
                    "t": lock.threshold,
                    "n": count,
                    "cert": fingerprint(certificate).hex(),
                    "kcs": commitment(header.suite, header.context(group), lock.id, share).hex(),
                    "hpke": b64u(HPKE.encrypt(share.value, _point(certificate), _info(*place, lock.id, share.index))),
                }
            )
    payload = {
        "v": SPLIT,
        "session": session,
        "group": group,
        "header_sha256": container.header_sha256,
        "nonce": nonce,
        "kcb": header.group(group).kcb.hex(),
        "shares": shares,
    }
    return signing.sign(payload, KIND, signer)


def check_split_release(
    token: str,
    *,
    header: Header,
    header_sha256: str,
    group: str,
    session: str,
    nonce: str,
    certificate: x509.Certificate,
    locks: Sequence[Lock],
) -> tuple[LockedShare, ...]:
    """Return the shares in ``token`` after every check that needs no officer's key: what can be answered early.

    ``certificate`` is the bidder's signing certificate, already validated for this moment; ``nonce`` the one open
    challenge; ``locks`` those of the session, in its order. In this order: malformed_release, bad_signature or
    wrong_signer, wrong_release_mode, wrong_session, wrong_bid, stale_nonce, commitment_mismatch, wrong_locks.
    Whether the shares are right shows only when the officers open them.
    """
    stated = read_release(token, SPLIT, certificate)
    context = header.context(group)
    try:
        if not isinstance(stated["shares"], list):
            raise EncodingRefused("malformed_field", detail="shares")
        shares = [
            _read(each, (session, group, header_sha256, nonce), header.suite, context) for each in stated["shares"]
        ]
    except EncodingRefused as error:
        raise ReleaseRefused("malformed_release", detail=error.detail) from error
    check_stated(stated, header=header, header_sha256=header_sha256, group=group, session=session, nonce=nonce)
    expected = [
        (lock.id, index, lock.threshold, len(lock.certificates), certificate)
        for lock in locks
        for index, certificate in enumerate(lock.quorum.fingerprints, 1)
    ]
    found = [(each.lock, each.index, each.place.threshold, each.place.count, each.certificate) for each in shares]
    if found != expected:
        raise ReleaseRefused("wrong_locks")
    return tuple(shares)


def _read(value: object, place: tuple[str, str, str, str], suite: Suite, context: bytes) -> LockedShare:
    members = exactly(value, _SHARE_MEMBERS)
    lock, hpke = members["lock"], unb64u(members["hpke"])
    if not isinstance(lock, str) or not _LOCK_ID.fullmatch(lock) or len(hpke) != SEALED:
        raise EncodingRefused("malformed_field", detail="share")
    read = Place.read(lock, members["i"], members["t"], members["n"], members["kcs"])
    return LockedShare(
        place=read,
        certificate=unhex(members["cert"], 32),
        hpke=hpke,
        info=_info(*place, lock, read.index),
        suite=suite,
        context=context,
    )


def read_share(
    value: object, *, session: str, group: str, header_sha256: str, nonce: str, suite: Suite, context: bytes
) -> LockedShare:
    """Return one share as an officer gets it: the member of a release, and where that release belongs.

    Raises EncodingRefused for another form. The officer's program knows what it opens from the announcement and the
    public record; a share made for anything else does not open.
    """
    return _read(value, (session, group, header_sha256, nonce), suite, context)


def open_share(share: LockedShare, officer: Credential) -> OpenShare:
    """Return ``share`` opened with the officer's encryption key, checked against its commitment.

    Raises:
        SlotRefused: ``wrong_recipient``: the share is another officer's.
        ReleaseRefused: ``not_decryptable``: it was not made for this officer, opening and challenge.
        ShareRefused: ``share_mismatch``: it holds something else than was committed to.
    """
    key = officer.key
    if share.certificate != fingerprint(officer.certificate) or not isinstance(key, ec.EllipticCurvePrivateKey):
        raise SlotRefused("wrong_recipient")
    try:
        value = HPKE.decrypt(share.hpke, key, share.info)
    except (InvalidTag, ValueError) as error:
        raise ReleaseRefused("not_decryptable") from error
    return accept_share(share, value)


def accept_share(share: LockedShare, value: bytes) -> OpenShare:
    """Return ``value``, said to be what is in ``share``, as opened; ``share_mismatch`` if it is not. Needs no key."""
    share.place.require(share.suite, share.context, value)
    return OpenShare(lock=share.lock, index=share.index, value=value)


def assemble(header: Header, group: str, locked: Sequence[LockedShare], opened: Sequence[OpenShare]) -> bytes:
    """Return ``K_b`` from what the officers opened. Every share is checked again, and the key against the header.

    ``locked`` is what ``check_split_release`` returned. More shares than a lock needs must agree with one another.

    Raises:
        ShareRefused: ``share_mismatch`` (``where`` is the lock, ``index`` the officer): that share is not the
            committed one. Whether the bidder sealed it wrong or the officer opened it wrong, this does not say.
            ``too_few_shares`` (``where``), ``malformed_shares``.
        ReleaseRefused: ``commitment_mismatch``: every share is the one the bidder signed for, and together they are
            not its key. Only the bidder can have made that. Release, header and shares are the proof: a stranger
            calls this function.
    """
    context = header.context(group)
    sharings: dict[str, tuple[list[Place], list[Share]]] = {}
    for each in locked:
        sharings.setdefault(each.lock, ([], []))[0].append(each.place)
    for share in opened:
        if share.lock not in sharings:
            raise ShareRefused("malformed_shares", where=share.lock, detail="no such lock")
        sharings[share.lock][1].append(Share(share.index, share.value))
    try:
        secret = _join([recover(header.suite, context, *sharing) for sharing in sharings.values()])
        check_secret(header, group, secret)
    except SealedBidRefused as error:
        raise ReleaseRefused("commitment_mismatch") from error
    except ShareRefused as error:
        if error.code == "shares_disagree":
            raise ReleaseRefused("commitment_mismatch", detail=error.where) from error
        raise
    return secret


def _cut(secret: bytes, count: int) -> list[bytes]:
    """Random pieces that give ``secret`` when added (XOR): all of them are needed, fewer say nothing."""
    pieces = [os.urandom(len(secret)) for _ in range(count - 1)]
    return [*pieces, _join([secret, *pieces])]


def _join(pieces: Sequence[bytes]) -> bytes:
    joined = 0
    for piece in pieces:
        joined ^= int.from_bytes(piece)
    return joined.to_bytes(32)


def _info(session: str, group: str, header_sha256: str, nonce: str, lock: str, index: int) -> bytes:
    place = lv(session) + lv(group) + lv(unhex(header_sha256, 32)) + lv(unhex(nonce, NONCE))
    return b"SBID1/share" + place + lv(lock) + bytes([index])


def _point(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    key = public_key(certificate)
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.key_size != 256:
        raise CertificateRefused("weak_key", detail="locks are for keys on P-256")
    return key
