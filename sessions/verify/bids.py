"""Every bid of the set, from its header to what was read out: signatures, certificates, receipts, keys, causes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from crypto import declaration as declarations
from crypto import header as headers
from crypto.certificates import Usage, bidder_id, bidder_name, check_pair, fingerprint, parse_certificate
from crypto.container import PREFIX, Container, check_slots
from crypto.crls import parse_list
from crypto.declaration import Declaration
from crypto.digest import sha256_hex
from crypto.encoding import unb64u, unhex
from crypto.envelope import open_published
from crypto.header import QUOTE, Header, SlotRole
from crypto.paths import Trust, validate
from crypto.receipt import log_leaf, tracker, verify_receipt
from crypto.rescue import SALT, check_sheet
from crypto.signing import HallPublicKey
from sessions.barrier.behind import check_sharing
from sessions.events import BidNotOpened, BidOpened, BidReceived, Recorded, SheetRescued
from sessions.ids import Digest
from sessions.intake import Intake, sealed_bids
from sessions.intake.receipts import receipt_of
from sessions.opening import Opening
from sessions.opening.attribution import CAUSES, STORAGE, attribute
from sessions.opening.state import Bid
from sessions.quote import flags, read_sheet
from sessions.sealed_set import set_root
from sessions.shape import rfc3339
from sessions.verify.replay import Replayed
from sessions.verify.report import Failed, Found, require

Files = Mapping[str, bytes]
Pem = TypeVar("Pem", x509.Certificate, x509.CertificateRevocationList)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A bid of the set with what the bundle has of its file. ``received`` is the event of the version that counts."""

    bid: Bid
    header: Header
    declaration: Declaration
    received: Recorded | None


def root(o: Opening) -> Found:
    """The root over the headers, and the headers of the rows."""
    frozen = o.frozen
    if frozen is None:
        raise Failed("the set was never frozen")
    require(set_root(frozen.headers) == frozen.root, "the root is not that of the headers")
    require(len(frozen.headers) == frozen.received, "the number of bids is not that of the headers")
    if o.listed:
        require(tuple(bid.header_sha256 for bid in o.bids) == frozen.headers, "the rows are other bids")
    return Found(frozen, f"{frozen.received} bids, root {frozen.root}")


def complete(files: Files, o: Opening, intake: Intake, last: Recorded) -> Found:
    """The set is what stood at the deadline, and every header in the bundle is one of it."""
    frozen = o.frozen
    if frozen is None:
        raise Failed("the set was never frozen")
    stood = sealed_bids(intake)
    require(tuple(bid.header_sha256 for bid in stood) == frozen.headers, "the set is not what stood at the deadline")
    require(stood == frozen.sealed, "the list of bidders is not that of intake")
    require((frozen.intake_head, frozen.intake_length) == (last.digest, last.number), "intake went on afterwards")
    missing = [bid.row for bid in o.bids if f"bids/{bid.row}/header.json" not in files]
    for bid in o.bids:
        if bid.row in missing:
            require(_lost(bid), f"row {bid.row} has no header, and its stored bytes were not found changed")
        else:
            digest = sha256_hex(files[f"bids/{bid.row}/header.json"])
            require(digest == bid.header_sha256, f"row {bid.row} has the header of another bid")
    return Found(True, f"{len(stood)} bids, {len(missing)} of them lost in storage")


def _lost(bid: Bid) -> bool:
    """Whether the record itself says that the hall no longer has this bid as it came (cause P2)."""
    return bid.seal in {*STORAGE, "stored_bytes_changed"} or bid.cause == "P2"


def sealed(files: Files, replayed: Replayed, received: Mapping[Digest, Recorded]) -> Found:
    """Every declaration verifies, covers its header, and is its bidder's; return the bids."""
    o = replayed.opening
    moved = {o.plan.t0, o.t0, *(move.new for move in o.moves)}
    deadlines = {rfc3339(moment).replace(".000Z", "Z") for moment in moved}
    found = tuple(_sealed(files, o, bid, received.get(Digest(bid.tracker)), deadlines) for bid in _kept(files, o))
    return Found(found, f"{len(found)} declarations")


def _kept(files: Files, o: Opening) -> Iterator[Bid]:
    return (bid for bid in o.bids if f"bids/{bid.row}/header.json" in files)


def _sealed(files: Files, o: Opening, bid: Bid, record: Recorded | None, deadlines: set[str]) -> Sealed:
    folder, tender = f"bids/{bid.row}", o.plan.tender
    data = files[f"{folder}/header.json"]
    require(sha256_hex(data) == bid.header_sha256, f"row {bid.row}: another header")
    header = headers.parse(data)
    declared = files[f"{folder}/declaration.der"]
    stated = declarations.verify(declared, header.sig_cert)
    require(stated.header_sha256 == bid.header_sha256, f"row {bid.row}: the declaration is over another header")
    whole = Container(
        header=header, header_bytes=data, declaration=declared, total_len=PREFIX + len(data) + header.body_length
    )
    require(stated.total_len == whole.total_len, f"row {bid.row}: the declaration is over another length")
    require(bidder_id(stated.signer) == bid.bidder == header.bidder, f"row {bid.row}: signed by somebody else")
    require(bidder_name(stated.signer) == bid.name, f"row {bid.row}: listed under another name than its bidder's")
    require((header.tender, header.lot) == (tender.id, tender.lot), f"row {bid.row}: sealed for another lot")
    require(header.deadline in deadlines, f"row {bid.row}: sealed for another deadline")
    require(len(header.groups) == tender.envelopes, f"row {bid.row}: another number of envelopes")
    _sealed_to(o, header, stated)
    shown = files[f"{folder}/signing-certificate.pem"]
    require(shown == stated.signer.public_bytes(Encoding.PEM), f"row {bid.row}: the certificate beside is another")
    if record is not None:
        event = record.event
        if not isinstance(event, BidReceived):
            raise Failed(f"row {bid.row}: not received")
        told = (event.declaration_sha256, event.root, event.signing_certificate)
        here = (whole.declaration_sha256, stated.root, fingerprint(stated.signer).hex())
        require(told == here, f"row {bid.row}: intake received other bytes")
        require(event.length == whole.length, f"row {bid.row}: intake received another length")
    return Sealed(bid=bid, header=header, declaration=stated, received=record)


def _sealed_to(o: Opening, header: Header, stated: Declaration) -> None:
    """Nobody could open the bid but the bidder and whom the plan names: there is a slot for no other certificate."""
    for certificate in check_slots(header, stated)[SlotRole.BIDDER]:
        check_pair(stated.signer, certificate)
    check_sharing(header, o.plan)


def certificates(files: Files, bids: tuple[Sealed, ...]) -> Found:
    """Every signing certificate was good when the bid arrived, by the anchors and lists in the bundle."""
    trust = trust_of(files)
    for one in bids:
        offered = one.declaration.certificates
        at: datetime = one.bid.received_at
        validate(one.declaration.signer, usage=Usage.SIGN, trust=trust, at=at, offered=offered)
    anchors = ", ".join(fingerprint(anchor).hex() for anchor in trust.anchors)
    return Found(True, f"{len(bids)} certificates, {len(trust.crls)} revocation lists; authorities: {anchors}")


def trust_of(files: Files) -> Trust:
    """Return whom the hall trusted, and the lists it had when the bundle was made."""
    return replace(
        anchors_of(files),
        intermediates=_pems(files, "intermediate", parse_certificate),
        crls=_pems(files, "crl", parse_list),
    )


def anchors_of(files: Files) -> Trust:
    """Return whom the hall trusted, and nothing else."""
    return Trust(anchors=_pems(files, "anchor", parse_certificate))


def _pems(files: Files, kind: str, read: Callable[[bytes], Pem]) -> tuple[Pem, ...]:
    found = [(data, read(data)) for name, data in files.items() if name.startswith(f"trust/{kind}-")]
    require(all(one.public_bytes(Encoding.PEM) == data for data, one in found), "PEM in another form than it has")
    return tuple(one for _, one in found)


def receipts(
    files: Files, o: Opening, received: Mapping[Digest, Recorded], key: HallPublicKey, entries: tuple[bytes, ...]
) -> Found:
    """The hall signed a receipt for every bid, and it agrees with the row and with intake, and is in the log."""
    logged = set(entries)
    for bid in o.bids:
        name = f"bids/{bid.row}/receipt.jws"
        require(name in files, f"row {bid.row} has no receipt")
        receipt = verify_receipt(files[name].decode("ascii"), key)
        row = (o.plan.session, bid.bidder, bid.header_sha256, rfc3339(bid.received_at), bid.tracker)
        said = (
            receipt.session,
            receipt.bidder,
            receipt.header_sha256,
            receipt.received_at,
            tracker(receipt.payload()),
        )
        require(said == row, f"row {bid.row}: the receipt is for something else")
        require(bid.received_at < o.t0, f"row {bid.row}: received at or after the opening time")
        if received:
            require(receipt == receipt_of(received[Digest(bid.tracker)], o.plan), f"row {bid.row}: not in intake")
        require(
            o.plan.intake_log is None or log_leaf(receipt) in logged, f"row {bid.row}: not in the log of receipts"
        )
    return Found(True, f"{len(o.bids)} receipts")


def quotes(files: Files, replayed: Replayed, bids: tuple[Sealed, ...]) -> Found:
    """Decrypt every sheet that was read out, and compare it with what was read."""
    told = {r.event.bidder: r.event for r in replayed.log.records if isinstance(r.event, BidOpened)}
    mine = {one.bid.bidder: one for one in bids}
    for bidder, event in told.items():
        require(bidder in mine, f"{bidder} was opened, but there is nothing to open")
        one = mine[bidder]
        folder = f"bids/{one.bid.row}"
        require(files[f"{folder}/quote.key"] == event.quote_key.encode(), f"row {one.bid.row}: another key")
        plain = open_published(one.header, QUOTE, unb64u(event.quote_key), files[f"{folder}/quote.sbid-part"])
        require(files[f"{folder}/quote.json"] == plain, f"row {one.bid.row}: quote.json is not what was sealed")
        require(sha256_hex(plain) == event.quote_sha256, f"row {one.bid.row}: another digest was recorded")
        require(read_sheet(plain) == event.quote, f"row {one.bid.row}: something else was read out")
        require(flags(replayed.opening.plan.tender, event.quote) == event.flags, f"row {one.bid.row}: other flags")
    spare = [r.event for r in replayed.log.records if isinstance(r.event, SheetRescued)]
    for rescued in spare:
        if rescued.bidder not in mine:
            raise Failed(f"{rescued.bidder} was rescued, but there is nothing to compare with")
        one, sheet = mine[rescued.bidder], rescued.sheet.encode()
        row = one.bid.row
        check_sheet(one.header, unhex(rescued.salt, SALT), sheet)  # the commitment sealed before the deadline
        require(files.get(f"bids/{row}/quote.json") == sheet, f"row {row}: quote.json is not the spare sheet")
        require(flags(replayed.opening.plan.tender, read_sheet(sheet)) == rescued.flags, f"row {row}: other flags")
    return Found(True, f"{len(told)} sheets decrypted" + (f", {len(spare)} spare ones compared" if spare else ""))


def causes(replayed: Replayed) -> Found:
    """Compute cause and consequence of every bid that was not opened once more; rulings stand on two persons."""
    shut, o = replayed.shut, replayed.opening
    told = [r.event for r in replayed.log.records if isinstance(r.event, BidNotOpened)]
    for event in told:
        bid = shut.bid(event.bidder) if shut else None
        if shut is None or bid is None:
            raise Failed(f"{event.bidder} is not of the set")
        finding = attribute(shut, bid, event.evidence.get("open_code"))
        ours = (finding.cause, finding.consequence, dict(finding.evidence))
        require(ours == (event.cause, event.consequence, dict(event.evidence)), f"row {bid.row}: {finding.cause}")
        final = o.bid(event.bidder)
        if final is not None and final.cause != event.cause:
            require(
                CAUSES.get(final.cause or "") == final.consequence, f"row {bid.row}: the ruling has another effect"
            )
    return Found(True, f"{len(told)} bids not opened")
