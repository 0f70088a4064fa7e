"""What people signed, what the record says, and the pages made from it."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography import x509

from crypto.digest import sha256_hex
from crypto.encoding import canonical
from crypto.receipt import verify_slip
from crypto.signing import HallPublicKey, verify
from sessions.archive.readme import readme
from sessions.archive.record_html import record_html
from sessions.events import (
    BidderCheckedIn,
    LateBidRefused,
    RecordDrawn,
    Recorded,
    RecordSigned,
    RowConfirmed,
    SessionEnded,
)
from sessions.ids import Digest
from sessions.opening import Opening
from sessions.opening.record import record
from sessions.proofs import Proof
from sessions.roles import Role
from sessions.shape import rfc3339
from sessions.verify.bids import Files, Sealed
from sessions.verify.proofs import Proved
from sessions.verify.replay import Replayed
from sessions.verify.report import Failed, Found, require

Certificates = Mapping[str, x509.Certificate]


def signers(bids: tuple[Sealed, ...]) -> Certificates:
    """Return the signing certificate of each bidder: the one under its bid."""
    return {one.bid.bidder: one.declaration.signer for one in bids}


def signer(certificates: Certificates, proved: Proved, bidder: str, proof: Proof | None) -> x509.Certificate:
    """Return the certificate an act was signed with: the one under the bid, or the successor that its proof names."""
    return certificates[bidder] if proof is None else proved[proof.certificate]


def checkins(
    files: Files,
    replayed: Replayed,
    intake: tuple[Recorded, ...],
    certificates: Certificates,
    proved: Proved,
) -> Found:
    """Every check-in of a bidder of the set, in either stream, with the newest event that the bidder had seen."""
    session, count = replayed.opening.plan.session, 0
    known = {fact.digest: fact.at for fact in replayed.log.records}
    for event in (*intake, *replayed.log.records):
        said = event.event
        if not isinstance(said, BidderCheckedIn) or said.bidder not in certificates:
            continue  # a bidder that withdrew afterwards is not of the set
        row = _row(replayed.opening, said.bidder)
        payload = verify(said.statement, "checkin", signer(certificates, proved, said.bidder, said.proof))
        head = payload.get("head")
        expected = {"v": 1, "session": session, "bidder": said.bidder, "head": head}
        seen = isinstance(head, str) and head in known and known[Digest(head)] <= event.at
        require(payload == expected and seen, f"row {row}: the check-in says something else")
        require(files.get(f"bids/{row}/checkin.jws") == said.statement.encode(), f"row {row}: checkin.jws is another")
        count += 1
    return Found(True, f"{count} check-ins")


def confirmations(files: Files, replayed: Replayed, certificates: Certificates, proved: Proved) -> Found:
    """Every confirmation is over the digest of the sheet that was read out."""
    said = [r.event for r in replayed.log.records if isinstance(r.event, RowConfirmed)]
    for event in said:
        bid = replayed.opening.bid(event.bidder)
        if bid is None:
            raise Failed(f"{event.bidder} is not of the set")
        payload = verify(event.statement, "confirm", signer(certificates, proved, event.bidder, event.proof))
        expected = {
            "v": 1,
            "session": replayed.opening.plan.session,
            "bidder": bid.bidder,
            "quote_sha256": bid.quote_sha256,
        }
        require(payload == expected, f"row {bid.row}: the confirmation says something else")
        require(files.get(f"bids/{bid.row}/confirm.jws") == event.statement.encode(), f"row {bid.row}: another file")
    return Found(True, f"{len(said)} confirmations")


def _row(o: Opening, bidder: str) -> int:
    bid = o.bid(bidder)
    if bid is None:
        raise Failed(f"{bidder} is not of the set")
    return bid.row


def projection(files: Files, replayed: Replayed) -> Found:
    """record.json is the projection of the events, and its digest is the one drawn and ended with."""
    written, o = files["record.json"], replayed.opening
    require(written == canonical(record(o)), "record.json is not what the events say")
    digest = sha256_hex(written)
    for event in (fact.event for fact in replayed.log.records):
        if isinstance(event, RecordDrawn | SessionEnded):
            require(event.record_sha256 == digest, f"{type(event).__name__} names another record")
    return Found(True, f"record {digest}" + ("" if o.drawn else ", not put up for signature"))


def signatures(
    files: Files, replayed: Replayed, certificates: Certificates, proved: Proved, key: HallPublicKey
) -> Found:
    """Every signature verifies, by the bidder's certificate or by the hall for its staff, and is over this record."""
    o = replayed.opening
    given = [r.event for r in replayed.log.records if isinstance(r.event, RecordSigned)]
    staff = 0
    for event in given:
        if event.role is Role.BIDDER:
            name = f"bids/{_row(o, event.signer)}/record.jws"
            payload = verify(event.statement, "record", signer(certificates, proved, event.signer, event.proof))
        else:
            staff += 1
            name, payload = f"signatures/{staff}.jws", verify(event.statement, "record", key)
        digest = o.drawn.sha256 if o.drawn else None
        expected = {"v": 1, "session": o.plan.session, "signer": event.signer, "record_sha256": digest}
        require(payload == expected, f"{event.signer} signed something else")
        require(files.get(name) == event.statement.encode(), f"{name} is not what the log has")
    asked = len(o.drawn.asked) if o.drawn else 0
    return Found(True, f"{len(given)} signatures, {asked} asked")


def slips(files: Files, replayed: Replayed, key: HallPublicKey) -> Found:
    """Every slip in the bundle is the hall's, is the one the log names, and is dated at or after the opening time."""
    late = [r.event for r in replayed.log.records if isinstance(r.event, LateBidRefused)]
    found = 0
    for number, event in enumerate(late, start=1):
        token = files.get(f"slips/{number}.jws")
        if token is None:
            continue  # the hall stopped between recording the refusal and keeping the slip: the event says enough
        require(sha256_hex(token) == event.slip_sha256, f"slip {number} is not the one that the log names")
        slip = verify_slip(token.decode("ascii"), key)
        said = (slip.session, slip.bidder, slip.code)
        require(
            said == (replayed.opening.plan.session, event.bidder, event.code), f"slip {number} says something else"
        )
        require(slip.received_at >= rfc3339(replayed.opening.t0), f"slip {number} is dated before the opening time")
        found += 1
    return Found(True, f"{len(late)} refused, {found} slips")


def pages(files: Files, replayed: Replayed) -> Found:
    """Make the pages again, and compare."""
    o, head = replayed.opening, replayed.log.records[-1].digest
    require(files["record.html"] == record_html(record(o), o, head).encode(), "record.html says something else")
    text = readme(o.plan.session, o.plan, listed=o.listed).encode()
    require(files["README.txt"] == text, "README.txt is another one")
    return Found(True, "record.html, README.txt")
