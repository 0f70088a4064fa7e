"""What stands behind the locks: each released bid with the shares of its keys, still shut.

Read from the stored bids and the accepted releases alone, and with nobody's key: everything here was public to the
hall before the first officer acted, and opens nothing.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509

from crypto import declaration as declarations
from crypto.certificates import parse_certificate
from crypto.container import Container, read_header
from crypto.encoding import unb64u
from crypto.errors import CryptoRefused, ShareRefused
from crypto.header import Header, Slot, SlotRole
from crypto.held import accept_held, assemble_held
from crypto.locks import Lock as CryptoLock
from crypto.locks import LockedShare, OpenShare, accept_share, assemble, check_split_release
from crypto.quorum import Quorum
from crypto.shares import Share
from sessions.barrier.signers import Known, signer_of
from sessions.errors import CommandRefused
from sessions.ids import BidderId, Digest, Jws, SessionId
from sessions.opening import Opening
from sessions.opening.locks import SHARE_MISMATCH
from sessions.plan import ESCROW, TENDERER, Lock, Plan
from sessions.ports import BlobStore

KEY_MISMATCH = "key_mismatch"
TENDERER_MISSING = "tenderer_missing"
ESCROW_MISSING = "escrow_missing"

_ROLES: Mapping[str, SlotRole] = {TENDERER: SlotRole.TENDERER, ESCROW: SlotRole.ESCROW}


def check_sharing(header: Header, plan: Plan) -> None:
    """Raise CommandRefused ``wrong_sharing`` unless a bid has just the shares that its announcement asks for."""
    for lock, role in ((plan.tenderer_share, SlotRole.TENDERER), (plan.escrow, SlotRole.ESCROW)):
        wanted = [] if lock is None else [(lock.threshold, each) for each in quorum(lock).fingerprints]
        for group in header.groups:
            found = [(slot.place.threshold, slot.cert) for slot in group.slots_of(role) if slot.place]
            if found != wanted:
                raise CommandRefused("wrong_sharing", part=role.value)


class StillShut(Exception):
    """The shares that came do not make the key. ``code`` says why (LIFECYCLE.md, Why a bid was not opened)."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """One officer's share of one group's key: sealed to the officer, and what it is recognised by.

    ``hpke`` or ``slot`` holds it: the one comes from the bidder's release, the other from its bid.
    """

    bidder: BidderId
    group: str
    index: int
    threshold: int
    count: int
    header_sha256: Digest
    nonce: str
    suite: str
    context: bytes
    kcs: bytes
    hpke: bytes | None
    slot: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """A released bid: its header, and per group the shares of its release, none if it goes by the trustees."""

    bidder: BidderId
    header: Header
    header_sha256: Digest
    nonce: str
    escrowed: bool
    released: Mapping[str, tuple[LockedShare, ...]]

    def sealed(self, lock: Lock, index: int) -> Iterator[Sealed]:
        """Yield the shares for the ``index``-th officer of ``lock``, one a group."""
        for group in self.header.groups:
            slot = next((one for one in self._slots(lock, group.id) if one.place and one.place.index == index), None)
            piece = next((one for one in self._pieces(lock, group.id) if one.index == index), None)
            place = slot.place if slot else piece.place if piece else None
            if place is not None:
                yield Sealed(
                    bidder=self.bidder,
                    group=group.id,
                    index=index,
                    threshold=place.threshold,
                    count=place.count,
                    header_sha256=self.header_sha256,
                    nonce=self.nonce,
                    suite=self.header.suite.name,
                    context=self.header.context(group.id),
                    kcs=place.kcs,
                    hpke=piece.hpke if piece else None,
                    slot=slot.data if slot else None,
                )

    def holds(self, lock: Lock, index: int, group: str, value: bytes) -> bool:
        """Return whether ``value`` is the share that was committed to."""
        try:
            if lock.id in _ROLES:
                accept_held(self.header, group, _ROLES[lock.id], Share(index, value))
            else:
                for piece in self._pieces(lock, group):
                    if piece.index == index:
                        accept_share(piece, value)
                        return True
                return False
        except CryptoRefused:
            return False
        return True

    def key(self, group: str, came: Sequence[tuple[str, Share]]) -> bytes:
        """Return ``K_b`` from the shares that came, named by lock; raise StillShut."""
        try:
            if self.escrowed:
                return assemble_held(self.header, group, SlotRole.ESCROW, _of(came, ESCROW))
            locked = self.released[group]
            names = {piece.lock for piece in locked}
            opened = [OpenShare(lock=lock, index=one.index, value=one.value) for lock, one in came if lock in names]
            return assemble(self.header, group, locked, opened)
        except CryptoRefused as error:
            raise StillShut(SHARE_MISMATCH if isinstance(error, ShareRefused) else KEY_MISMATCH) from error

    def second(self, group: str, came: Sequence[tuple[str, Share]]) -> bytes | None:
        """Return ``K_t`` where the group has one; raise StillShut."""
        if self.header.group(group).kct is None:
            return None
        try:
            return assemble_held(self.header, group, SlotRole.TENDERER, _of(came, TENDERER))
        except CryptoRefused as error:
            raise StillShut(SHARE_MISMATCH if isinstance(error, ShareRefused) else KEY_MISMATCH) from error

    def _slots(self, lock: Lock, group: str) -> tuple[Slot, ...]:
        return self.header.group(group).slots_of(_ROLES[lock.id]) if lock.id in _ROLES else ()

    def _pieces(self, lock: Lock, group: str) -> tuple[LockedShare, ...]:
        return tuple(piece for piece in self.released.get(group, ()) if piece.lock == lock.id)


def _of(came: Sequence[tuple[str, Share]], lock: str) -> list[Share]:
    return [share for name, share in came if name == lock]


def read_behind(
    blobs: BlobStore,
    plan: Plan,
    *,
    bidder: BidderId,
    blob: str | None,
    nonce: str,
    escrowed: bool,
    tokens: Mapping[str, Jws],
    signers: Known,
) -> Behind:
    """Return one released bid as it stands behind the locks. Blocks.

    ``signers`` are certificates that may have signed the release in place of the bid's (sessions.barrier.signers).

    Raises CryptoRefused, OSError: the stored bytes, or the release, are not what was checked when they came.
    """
    if blob is None:
        raise FileNotFoundError(errno.ENOENT, "no stored bid")
    with blobs.open(blob) as file:
        container = read_header(file)
    stated = declarations.verify(container.declaration, container.header.sig_cert)
    locks = crypto_locks(plan)
    released = (
        {}
        if escrowed or not locks
        else {
            group.id: _pieces(
                tokens.get(group.id, Jws("")),
                container,
                plan.session,
                group.id,
                nonce,
                signer_of(tokens.get(group.id, Jws("")), stated.signer, signers),
                locks,
            )
            for group in container.header.groups
        }
    )
    return Behind(
        bidder=bidder,
        header=container.header,
        header_sha256=Digest(container.header_sha256),
        nonce=nonce,
        escrowed=escrowed,
        released=released,
    )


def _pieces(
    token: Jws,
    container: Container,
    session: SessionId,
    group: str,
    nonce: str,
    signer: x509.Certificate,
    locks: tuple[CryptoLock, ...],
) -> tuple[LockedShare, ...]:
    return check_split_release(
        token,
        header=container.header,
        header_sha256=container.header_sha256,
        group=group,
        session=session,
        nonce=nonce,
        certificate=signer,
        locks=locks,
    )


def shut_for_good(opening: Opening, behind: Behind) -> str | None:
    """Return the code of a bid whose lock two persons went on without, if it has one."""
    plan = opening.plan
    layered = any(group.kct is not None for group in behind.header.groups)
    if layered and plan.tenderer_share is not None and opening.locks.given_up(plan.tenderer_share):
        return TENDERER_MISSING
    if behind.escrowed and plan.escrow is not None and opening.locks.given_up(plan.escrow):
        return ESCROW_MISSING
    return None


def crypto_locks(plan: Plan) -> tuple[CryptoLock, ...]:
    """Return the plan's locks as cryptography takes them; none in an opening with a session key."""
    return tuple(_crypto_lock(lock) for lock in plan.locks)


@lru_cache(maxsize=64)
def _crypto_lock(lock: Lock) -> CryptoLock:
    return CryptoLock(id=lock.id, threshold=lock.threshold, certificates=certificates(lock))


@lru_cache(maxsize=64)
def quorum(lock: Lock) -> Quorum:
    """Return who holds the shares of the tenderer's or the trustees' lock, for sealing and for its check."""
    return Quorum(threshold=lock.threshold, certificates=certificates(lock))


def certificates(lock: Lock) -> tuple[x509.Certificate, ...]:
    """Return the officers' certificates in the order of their shares."""
    return tuple(parse_certificate(unb64u(officer.certificate)) for officer in lock.officers)
