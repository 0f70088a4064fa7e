"""The archive bundle: the public part of a finished opening as one file that a stranger can check without us.

Everything in it comes from the log, from the stored bids and from the hall's answers; nothing is made for it. A
session that failed, or was aborted before its bidders were published, has a bundle too, without a name in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from types import MappingProxyType
from typing import BinaryIO

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from crypto import declaration as declarations
from crypto.certificates import fingerprint
from crypto.container import read_header
from crypto.digest import sha256_hex
from crypto.encoding import canonical, unb64u
from crypto.envelope import open_published
from crypto.errors import CryptoRefused
from crypto.header import QUOTE
from crypto.paths import Trust
from crypto.receipt import tracker
from crypto.signing import peek, sign
from sessions.archive import proved
from sessions.archive.failure import failures, names_of
from sessions.archive.proved import ProofFiles
from sessions.archive.readme import readme
from sessions.archive.record_html import record_html
from sessions.archive.row_proof import sealed_quote
from sessions.archive.stamped import stamped
from sessions.archive.watched import watched
from sessions.barrier.gathering import Files, collect
from sessions.chaining import core
from sessions.codec import event_to_json
from sessions.errors import CommandRefused, UnknownSession
from sessions.events import (
    BidderCheckedIn,
    BidWithdrawn,
    EscrowRequested,
    LateBidRefused,
    Recorded,
    RecordSigned,
    RowConfirmed,
    SessionScheduled,
    SheetRescued,
    Stream,
)
from sessions.ids import BidderId, Jws, SessionId
from sessions.keys.hallkey import HallKeys
from sessions.logging_receipts import blinding
from sessions.opening import OVER, Opening, Status, evolve
from sessions.opening.record import record
from sessions.opening.state import Bid
from sessions.outside.opening_log import OpeningLog
from sessions.outside.receipt_proofs import closed_checkpoint
from sessions.ports import (
    Answer,
    BlobStore,
    CheckpointStore,
    EventStore,
    EvidenceStore,
    IntakeStore,
    ProofStore,
    RecordingStore,
    SecretStore,
)
from sessions.recording import bundle as recordings_of
from sessions.roles import Role
from sessions.visibility import public_afterwards
from sessions.zipped import Member, digest, write

MANIFEST = "manifest.json"
SIGNATURE = "manifest.jws"
KIND = "manifest"
KEYS = "hall-keys.json"
"""How the key of this opening follows from the hall's first one; not there when it is the first."""

ENTRIES = "log/intake.entries"
DECOYS = "log/intake.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Material:
    """What a bundle is made of."""

    session: SessionId
    opening: Opening
    log: tuple[Recorded, ...]
    intake: tuple[Recorded, ...]
    answers: tuple[Answer, ...]
    checkpoints: Mapping[str, bytes]  # members by name: what was said outside, timestamps included
    entries: tuple[bytes, ...]  # the log of receipts; none unless the plan has one
    decoy_key: bytes = field(repr=False)
    evidence: Files
    proofs: ProofFiles
    recorded: Mapping[str, Member]  # members by name; none where nothing was announced to be recorded

    @property
    def events(self) -> tuple[Recorded, ...]:
        return (*self.intake, *self.log)


class Archive:
    """Makes bundles. The same session gives the same bytes, as long as the hall trusts the same authorities."""

    def __init__(
        self,
        *,
        events: EventStore,
        intake: IntakeStore,
        openings: OpeningLog,
        checkpoints: CheckpointStore,
        secrets: SecretStore,
        evidence: EvidenceStore,
        proofs: ProofStore,
        blobs: BlobStore,
        trust: Callable[[], Trust],
        hall: HallKeys,
        authorities: Mapping[str, x509.Certificate] = MappingProxyType({}),
        recordings: RecordingStore | None = None,
    ) -> None:
        """``authorities``: the roots of the timestamp authorities, by the names that plans give them."""
        self._recordings = recordings
        self._events = events
        self._authorities = authorities
        self._secrets = secrets
        self._intake = intake
        self._evidence = evidence
        self._openings = openings
        self._checkpoints = checkpoints
        self._proofs = proofs
        self._blobs = blobs
        self._trust = trust
        self._hall = hall

    async def bundle(self, session: SessionId) -> bytes:
        """Return the bundle. Raises as ``write`` does."""
        out = BytesIO()
        await self.write(session, out)
        return out.getvalue()

    async def write(self, session: SessionId, out: BinaryIO) -> None:
        """Write the bundle into a file that is empty and can seek; films pass through in pieces.

        Raises UnknownSession, or CommandRefused ``not_over`` while the opening goes on.
        """
        log = await self._events.read(session, Stream.OPENING)
        opening: Opening | None = None
        for recorded in log:
            opening = evolve(opening, recorded)
        if opening is None:
            raise UnknownSession(session)
        if opening.status not in OVER:
            raise CommandRefused("not_over", status=opening.status.value)
        intake = await self._events.read(session, Stream.INTAKE)
        told = intake if opening.status is Status.ENDED else ()  # whose events the bundle has
        material = _Material(
            session=session,
            opening=opening,
            log=log,
            intake=intake,
            answers=await self._intake.answers(session),
            checkpoints=await watched(session, opening, self._openings, self._checkpoints)
            | await stamped(
                opening,
                await self._checkpoints.kept(session),
                self._authorities,
                await self._checkpoints.kept(session, Stream.INTAKE),
                proofs=self._proofs,
                recording=await self._checkpoints.kept(session, Stream.RECORDING) if opening.plan.recording else (),
            )
            | await closed_checkpoint(session, opening, self._events, self._checkpoints, self._hall),
            entries=await self._events.entries(session),
            decoy_key=(await blinding(self._secrets, session)).decoy_key if opening.plan.intake_log else b"",
            evidence=await collect(opening, self._evidence),
            proofs=await proved.collect(opening, (*told, *log), self._proofs),
            recorded=await recordings_of.collect(
                opening,
                log,
                events=self._events,
                checkpoints=self._checkpoints,
                store=self._recordings,
                hall=self._hall,
            ),
        )
        await asyncio.to_thread(self._make, material, out)

    def _make(self, material: _Material, out: BinaryIO) -> None:
        files = dict(self._files(material))
        stated = {name: {"sha256": digest(data), "size": len(data)} for name, data in sorted(files.items())}
        files[MANIFEST] = canonical({"v": 1, "session": material.session, "files": stated})
        payload = {"v": 1, "session": material.session, "manifest_sha256": digest(files[MANIFEST])}
        files[SIGNATURE] = sign(payload, KIND, self._hall.of(material.opening.plan)).encode()
        write(out, files)

    def _files(self, material: _Material) -> Iterator[tuple[str, Member]]:
        opening = material.opening
        document = record(opening)
        yield "README.txt", readme(material.session, opening.plan, listed=opening.listed).encode()
        key = self._hall.of(opening.plan).public
        yield "hall-key.json", canonical(key.document())
        if key != self._hall.public[0]:
            yield KEYS, canonical(self._hall.document(until=key))
        yield "plan.json", _plan(material.log)
        yield "events/opening.jsonl", _lines(core(recorded) for recorded in material.log)
        yield "events/opening.private.jsonl", _lines(_private(material))
        yield "record.json", canonical(document)
        yield "record.html", record_html(document, opening, material.log[-1].digest).encode()
        if opening.status is Status.ENDED:
            yield "events/intake.jsonl", _lines(core(recorded) for recorded in material.intake)
            yield from self._withdrawn(material)
        if opening.plan.intake_log is not None and opening.frozen is not None:
            shown = {"v": 1, "session": material.session, "decoy_key": material.decoy_key.hex()}
            yield DECOYS, canonical(shown)
            yield ENTRIES, b"".join(material.entries)
        if opening.listed:
            yield from _trust(self._trust())
            yield from material.proofs.shared.items()
            for bid in opening.bids:
                yield from self._bid(material, bid)
            yield from self._causes(material)
        yield from _signatures(material.log)
        yield from _slips(material)
        yield from material.checkpoints.items()
        yield from material.recorded.items()

    def _causes(self, material: _Material) -> Iterator[tuple[str, bytes]]:
        """Why bids were not opened: what the figures in the log were made of, and what their bidders were given."""
        opening, found = material.opening, material.evidence
        gathered = [bid for bid in opening.bids if bid.gathered is not None]
        said = {f"bids/{bid.row}/evidence.jsonl": found.own[bid.bidder] for bid in gathered}
        said |= {"evidence/reach.jsonl": found.reach} if gathered else {}
        said |= {"evidence/probes.jsonl": found.probes} if gathered or opening.faults else {}
        yield from ((name, data) for name, data in said.items() if data)
        given = failures(material.log)
        for failure, name in zip(given, names_of(opening, given), strict=True):
            yield name, failure.signed(self._hall.of(opening.plan)).encode()

    def _bid(self, material: _Material, bid: Bid) -> Iterator[tuple[str, bytes]]:
        folder = f"bids/{bid.row}"
        # By its code, not by the digest of the header: the same bid may have come in twice, with another between.
        accepted = (answer for answer in material.answers if answer.code is None)
        receipt = next((answer for answer in accepted if tracker(peek(answer.statement)[1]) == bid.tracker), None)
        if receipt is not None and receipt.blob is not None:
            yield f"{folder}/receipt.jws", receipt.statement.encode()
            yield from self._stored(folder, receipt.blob, bid)
        for recorded in material.log:
            if isinstance(recorded.event, SheetRescued) and recorded.event.bidder == bid.bidder:
                yield f"{folder}/quote.json", recorded.event.sheet.encode()
        for name, statement in _statements(material.events, bid.bidder):
            yield f"{folder}/{name}.jws", statement.encode()
        if bid.bidder in material.proofs.documents:
            yield f"{folder}/proofs.jsonl", material.proofs.documents[bid.bidder]

    def _withdrawn(self, material: _Material) -> Iterator[tuple[str, bytes]]:
        """The certificate of each withdrawal, or nobody could check who signed it: such a bid has no folder."""
        withdrawals = [record.event for record in material.intake if isinstance(record.event, BidWithdrawn)]
        for number, withdrawn in enumerate(withdrawals, start=1):
            blobs = (
                a.blob for a in material.answers if a.code is None and a.header_sha256 == withdrawn.header_sha256
            )
            for blob in filter(None, blobs):
                with suppress(CryptoRefused, OSError), self._blobs.open(blob) as file:
                    container = read_header(file)
                    stated = declarations.verify(container.declaration, container.header.sig_cert)
                    yield f"withdrawn/{number}.pem", stated.signer.public_bytes(Encoding.PEM)
                    break

    def _stored(self, folder: str, blob: str, bid: Bid) -> Iterator[tuple[str, bytes]]:
        try:
            with self._blobs.open(blob) as file:
                container = read_header(file)
                if container.header_sha256 != bid.header_sha256:
                    return
                stated = declarations.verify(container.declaration, container.header.sig_cert)
                sealed = sealed_quote(file, container) if bid.quote_key else b""
        except (CryptoRefused, OSError):
            return  # the record says that the stored bytes changed (cause P2); there is nothing to show
        yield f"{folder}/header.json", container.header_bytes
        yield f"{folder}/declaration.der", container.declaration
        yield f"{folder}/signing-certificate.pem", stated.signer.public_bytes(Encoding.PEM)
        if bid.quote_key:
            plain = open_published(container.header, QUOTE, unb64u(bid.quote_key), sealed)
            yield f"{folder}/quote.sbid-part", sealed
            yield f"{folder}/quote.key", bid.quote_key.encode()
            yield f"{folder}/quote.json", plain


def _plan(log: tuple[Recorded, ...]) -> bytes:
    first = log[0].event
    if not isinstance(first, SessionScheduled):
        raise TypeError("an opening begins with SessionScheduled")
    return canonical(first.plan)


def _lines(values: Iterable[object]) -> bytes:
    return b"".join(canonical(value) + b"\n" for value in values)


def _private(material: _Material) -> Iterator[dict[str, object]]:
    for recorded in material.log:
        _, _, value = event_to_json(recorded.event)
        if value is not None and public_afterwards(material.opening, type(recorded.event)):
            yield {"n": recorded.number, "salt": recorded.salt, "value": value}


def _statements(events: Iterable[Recorded], bidder: BidderId) -> Iterator[tuple[str, Jws]]:
    for recorded in events:
        match recorded.event:
            case BidderCheckedIn(bidder=who, statement=statement) if who == bidder:
                yield "checkin", statement
            case EscrowRequested(bidder=who, statement=statement) if who == bidder:
                yield "escrow", statement
            case RowConfirmed(bidder=who, statement=statement) if who == bidder:
                yield "confirm", statement
            case RecordSigned(signer=who, role=Role.BIDDER, statement=statement) if who == bidder:
                yield "record", statement
            case _:
                pass


def _signatures(log: tuple[Recorded, ...]) -> Iterator[tuple[str, bytes]]:
    staff = [r.event for r in log if isinstance(r.event, RecordSigned) and r.event.role is not Role.BIDDER]
    for number, signed in enumerate(staff, start=1):
        yield f"signatures/{number}.jws", signed.statement.encode()


def _slips(material: _Material) -> Iterator[tuple[str, bytes]]:
    known = {sha256_hex(answer.statement.encode()): answer.statement for answer in material.answers}
    late = [recorded.event for recorded in material.log if isinstance(recorded.event, LateBidRefused)]
    for number, refused in enumerate(late, start=1):
        if refused.slip_sha256 in known:
            yield f"slips/{number}.jws", known[refused.slip_sha256].encode()


def _trust(trust: Trust) -> Iterator[tuple[str, bytes]]:
    for kind, certificates in (("anchor", trust.anchors), ("intermediate", trust.intermediates)):
        for number, certificate in enumerate(sorted(certificates, key=fingerprint), start=1):
            yield f"trust/{kind}-{number}.pem", certificate.public_bytes(Encoding.PEM)
    lists = sorted(trust.crls, key=lambda crl: crl.public_bytes(Encoding.DER))
    for number, revoked in enumerate(lists, start=1):
        yield f"trust/crl-{number}.pem", _pem(revoked)


def _pem(revoked: x509.CertificateRevocationList) -> bytes:
    return revoked.public_bytes(Encoding.PEM)
