"""Reading the sealed set: once more after T0, and open behind the barrier. Everything heavy happens in threads."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.container import CheckedBid
from crypto.digest import sha256_hex
from crypto.encoding import b64u, canonical
from crypto.envelope import check_sealed, open_group
from crypto.errors import CryptoRefused, SealedBidRefused
from crypto.release import open_release
from crypto.rescue import KEY, PLAIN, check_sheet, open_rescue, read_rescue
from crypto.shares import Share
from sessions.barrier import lockbox
from sessions.barrier.behind import StillShut, read_behind, shut_for_good
from sessions.barrier.nonces import nonce, window_digest
from sessions.barrier.rescued import read_kept
from sessions.barrier.signers import Known, known_signers, signer_of
from sessions.commands import Opened
from sessions.events import BidReceived, Recorded, Stream
from sessions.ids import BidderId, Digest, Jws, SessionId
from sessions.keys.session_key import session_key
from sessions.opening import CheckSeals, OpenBids, Opening
from sessions.opening.attribution import STORAGE
from sessions.ports import BlobStore, EvidenceStore, IntakeStore, Kind, ProofStore, SecretStore
from sessions.quote import QuoteRefused, read_sheet

OK = "ok"
CHANGED = "stored_bytes_changed"
QUOTE = "quote"


class Log(Protocol):
    """Where the events are read."""

    async def events(
        self, session: SessionId, stream: Stream = ..., *, after: int = ..., limit: int | None = ...
    ) -> tuple[Recorded, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """A bid of the set as it was received, and where its bytes are."""

    received: BidReceived
    blob: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    """The way to one bid's keys: its accepted releases and what they were checked against."""

    opening: Opening
    private: ec.EllipticCurvePrivateKey | None = field(repr=False)  # None behind locks
    nonce: str
    tokens: Mapping[str, Jws]
    signers: Known
    rescues: Sequence[tuple[str, str, str]]  # kind, group, message
    escrowed: bool
    shares: Mapping[str, Sequence[tuple[str, Share]]]  # by group: what the officers brought


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Result:
    opened: Opened
    secrets: Mapping[str, bytes]


async def taken_in(log: Log, session: SessionId) -> tuple[BidReceived, ...]:
    """Return what is recorded of every bid that was taken in, in that order."""
    told = (record.event for record in await log.events(session, Stream.INTAKE))
    return tuple(event for event in told if isinstance(event, BidReceived))


class Unsealing:
    """Reads bids for the worker."""

    def __init__(
        self,
        log: Log,
        *,
        intake: IntakeStore,
        secrets: SecretStore,
        proofs: ProofStore,
        evidence: EvidenceStore,
        blobs: BlobStore,
        threads: ThreadPoolExecutor,
    ) -> None:
        self._log = log
        self._evidence = evidence
        self._intake = intake
        self._secrets = secrets
        self._proofs = proofs
        self._blobs = blobs
        self._threads = threads

    async def check_seals(
        self, opening: Opening, work: CheckSeals, received: Sequence[BidReceived]
    ) -> dict[BidderId, str]:
        """Return for every bid of the set ``ok``, or the code of what re-reading it showed."""
        stored = await self._stored(opening.plan.session, received)
        checks = (self._run(self._check, stored[header]) for _, header in work.headers)
        return dict(zip((bidder for bidder, _ in work.headers), await asyncio.gather(*checks), strict=True))

    async def open_bids(self, opening: Opening, work: OpenBids) -> tuple[Opened, ...]:
        """Return the result for every bid of the set, opened if its keys are in. Only behind the barrier.

        The keys and the key of every quote are kept, sealed, for the stages that follow.
        """
        session = opening.plan.session
        if opening.barrier is None:
            raise RuntimeError("nothing is opened before the barrier")
        stored = await self._stored(session, await taken_in(self._log, session))
        keys = await self._keys(opening, work)
        wanted = (*work.released, *work.spared)
        opens = (self._run(self._open, stored[header], keys[bidder]) for bidder, header in wanted)
        results = await asyncio.gather(*opens)
        found = {
            f"{name}/{result.opened.bidder}": secret for result in results for name, secret in result.secrets.items()
        }
        await self._secrets.keep_all(session, found)
        opened = {result.opened.bidder: result.opened for result in results}
        return tuple(opened.get(bid.bidder) or _not_opened(bid.bidder, None) for bid in opening.bids)

    async def _stored(self, session: SessionId, received: Sequence[BidReceived]) -> dict[Digest, _Stored]:
        answers = await self._intake.answers(session)
        blobs = {answer.header_sha256: answer.blob for answer in answers if answer.code is None}
        return {
            event.header_sha256: _Stored(received=event, blob=blobs.get(event.header_sha256)) for event in received
        }

    async def _keys(self, opening: Opening, work: OpenBids) -> dict[BidderId, _Key]:
        session = opening.plan.session
        private = None if opening.plan.locks else await session_key(self._secrets, session)
        brought = await lockbox.kept(self._secrets, opening)
        window = window_digest(opening, await self._log.events(session))
        if window is None:
            raise RuntimeError("the decrypt window has not begun")
        tokens: dict[BidderId, dict[str, Jws]] = {bidder: {} for bidder, _ in (*work.released, *work.spared)}
        rescues: dict[BidderId, list[tuple[str, str, str]]] = {}
        told = {bid.bidder: {spare.sha256 for spare in bid.spares} for bid in opening.bids}
        for piece in await self._evidence.evidence(session, Kind.RESCUE):
            kind, group, message, digest = read_kept(piece)
            if kind == KEY or digest in told[piece.bidder]:
                rescues.setdefault(piece.bidder, []).append((kind, group, message))
        for released in await self._intake.releases(session):
            if released.code is None and released.bidder in tokens:
                tokens[released.bidder].setdefault(released.group, released.statement)
        signers = await known_signers(self._proofs, (each for found in tokens.values() for each in found.values()))
        escrowed = {bid.bidder for bid in opening.bids if bid.escrowed}
        return {
            bidder: _Key(
                opening=opening,
                private=private,
                nonce=nonce(window, bidder),
                tokens=found,
                signers=signers,
                rescues=rescues.get(bidder, ()),
                escrowed=bidder in escrowed,
                shares={group: brought.get((bidder, group), ()) for group in opening.groups},
            )
            for bidder, found in tokens.items()
        }

    async def _run(self, function: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def _check(self, stored: _Stored) -> str:
        if stored.blob is None:
            return CHANGED
        try:
            with self._blobs.open(stored.blob) as file:
                checked = check_sealed(file)
        except CryptoRefused as error:
            # Intake accepted these bytes, so whatever is wrong with them now, they are other bytes.
            return error.code if error.code in STORAGE else CHANGED
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EIO):
                return CHANGED
            raise
        now = (checked.container.header_sha256, checked.container.declaration_sha256, checked.root)
        then = stored.received
        return OK if now == (then.header_sha256, then.declaration_sha256, then.root) else CHANGED

    def _open(self, stored: _Stored, key: _Key) -> _Result:
        bidder = stored.received.bidder
        if not key.tokens and not key.escrowed and not key.rescues:  # it was accepted, and its message is gone
            return _Result(opened=_not_opened(bidder, "hall_error"), secrets={})
        try:
            if not key.tokens and all(kind == PLAIN for kind, _, _ in key.rescues) and key.rescues:
                return self._compare(stored, key)
            return self._read(stored, key)
        except (CryptoRefused, StillShut, OSError) as error:
            # Whose fault it is depends on whether these are still the bytes of the receipt.
            intact = self._check(stored) == OK
            if isinstance(error, OSError) and intact:
                raise
            code = CHANGED if isinstance(error, OSError) or not intact else error.code
            return _Result(opened=_not_opened(bidder, code), secrets={})

    def _read(self, stored: _Stored, key: _Key) -> _Result:
        if stored.blob is None:
            raise FileNotFoundError(errno.ENOENT, "no stored bid")
        bidder = stored.received.bidder
        with self._blobs.open(stored.blob) as file:
            checked = check_sealed(file)
            container = checked.container
            secrets: dict[str, bytes] = {}
            for group in container.header.groups:
                secret, second = self._key(stored, key, checked, group.id)
                opened = open_group(file, container, group.id, secret, second)
                secrets[f"group-key-{group.id}"] = secret
            quote = canonical(opened.quote())
            secrets["quote-key"] = opened.part_key(QUOTE)
        return _Result(
            opened=Opened(
                bidder=bidder,
                quote=_sheet(quote),
                quote_sha256=Digest(sha256_hex(quote)),
                quote_key=b64u(secrets["quote-key"]),
                code=None,
            ),
            secrets=secrets,
        )

    def _compare(self, stored: _Stored, key: _Key) -> _Result:
        """Open the spare sheets one after the other until one is what the sealed bid commits to."""
        if stored.blob is None:
            raise FileNotFoundError(errno.ENOENT, "no stored bid")
        with self._blobs.open(stored.blob) as file:
            container = check_sealed(file).container
        for kind, group, message in key.rescues:
            try:
                rescue = read_rescue(self._rescued(stored, key, kind, group, message))
                check_sheet(container.header, rescue.salt, rescue.sheet)
                quote = _sheet(rescue.sheet)
            except CryptoRefused:
                continue
            opened = Opened(
                bidder=stored.received.bidder,
                quote=quote,
                quote_sha256=Digest(sha256_hex(rescue.sheet)),
                quote_key=None,
                code=None,
                sheet=rescue.sheet.decode(),
                salt=rescue.salt.hex(),
            )
            return _Result(opened=opened, secrets={})
        return _Result(opened=_not_opened(stored.received.bidder, "rescue_mismatch"), secrets={})

    def _rescued(self, stored: _Stored, key: _Key, kind: str, group: str, message: str) -> bytes:
        if key.private is None:
            raise RuntimeError("behind locks there is no rescue")
        return open_rescue(
            message,
            kind,
            session=key.opening.plan.session,
            group=group,
            header_sha256=stored.received.header_sha256,
            nonce=key.nonce,
            session_key=key.private,
        )

    def _key(self, stored: _Stored, key: _Key, checked: CheckedBid, group: str) -> tuple[bytes, bytes | None]:
        """Return ``K_b`` and, where there is one, ``K_t``: from the release, or put together from the shares."""
        plan, container = key.opening.plan, checked.container
        if plan.every_lock:
            shares = key.shares[group]
            behind = read_behind(
                self._blobs,
                plan,
                bidder=stored.received.bidder,
                blob=stored.blob,
                nonce=key.nonce,
                escrowed=key.escrowed,
                tokens=key.tokens,
                signers=key.signers,
            )
            if code := shut_for_good(key.opening, behind):
                raise StillShut(code)
            second = behind.second(group, shares)
            if key.private is None or key.escrowed:
                return behind.key(group, shares), second
        else:
            second = None
        if key.private is None:
            raise RuntimeError("a key without locks is released to the session's")
        if group not in key.tokens:  # a key file took the place of the release
            message = next(message for kind, of, message in key.rescues if (kind, of) == (KEY, group))
            return self._rescued(stored, key, KEY, group, message), second
        secret = open_release(
            key.tokens[group],
            header=container.header,
            header_sha256=container.header_sha256,
            group=group,
            session=plan.session,
            session_key=key.private,
            nonce=key.nonce,
            certificate=signer_of(key.tokens[group], checked.declaration.signer, key.signers),
        )
        return secret, second


def _sheet(quote: bytes) -> dict[str, str]:
    try:
        return read_sheet(quote)
    except QuoteRefused as error:
        raise SealedBidRefused("malformed_quote") from error


def _not_opened(bidder: BidderId, code: str | None) -> Opened:
    return Opened(bidder=bidder, quote=None, quote_sha256=None, quote_key=None, code=code)
