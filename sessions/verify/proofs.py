"""The certificate behind every act, judged again at its moment by the evidence kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from cryptography import x509

from crypto.certificates import bidder_id
from crypto.digest import sha256_hex
from crypto.paths import Trust
from sessions.archive.proved import CERTIFICATES, LISTS, published
from sessions.events import AttemptFailed, BidReceived, Recorded, SealsChecked
from sessions.ids import BidderId, Digest
from sessions.opening import Opening
from sessions.outside.certifying import check_successor, recheck
from sessions.proofs import MAX_EVIDENCE, UNAVAILABLE_CODE, Grounds, Proof, State, proof_of, read
from sessions.verify.bids import Files, Sealed, anchors_of
from sessions.verify.replay import Replayed
from sessions.verify.report import Found, require

SOON = timedelta(minutes=10)
"""How long after its certificate was looked at an act may be recorded: a hall under load answers late."""

ANSWERED = "answered"

Proved = Mapping[Digest, x509.Certificate]
"""Certificates that stood behind acts, by SHA-256."""


def certificates(files: Files, replayed: Replayed, intake: tuple[Recorded, ...], bids: tuple[Sealed, ...]) -> Found:
    """Come to the verdict on every proof again; return the certificates that stood behind acts."""
    o = replayed.opening
    anchors = anchors_of(files)
    items = _items(files)
    documents = {Digest(sha256_hex(line)): line for bid in o.bids for line in _lines(files, bid.row)}
    signed = {one.bid.bidder: one.declaration.signer for one in bids}
    found: dict[Digest, x509.Certificate] = {}
    seen: dict[State, int] = dict.fromkeys(State, 0)
    used: set[Digest] = set()
    taken: dict[BidderId, tuple[Proof, Grounds]] = {}
    for record, bidder, proof in published(o, (*intake, *replayed.log.records)):
        about = f"event {record.number} ({type(record.event).__name__})"
        require(proof.evidence in documents, f"{about}: its evidence is missing")
        if proof.evidence not in used:
            used.add(proof.evidence)
            found |= _judged(about, read(documents[proof.evidence]), items, anchors)
        grounds = read(documents[proof.evidence])
        require(proof_of(grounds) == proof, f"{about}: the evidence says something else")
        if isinstance(record.event, SealsChecked):
            if intake:  # withheld where the opening was not held to its end
                _again(about, grounds, taken.get(bidder))
        else:
            require(grounds.at <= record.at <= grounds.at + SOON, f"{about}: looked at another moment")
        if isinstance(record.event, BidReceived):
            taken[bidder] = (proof, grounds)
        signer = found[proof.certificate]
        require(bidder_id(signer) == bidder, f"{about}: the certificate of somebody else")
        if bidder in signed and not isinstance(record.event, BidReceived):
            check_successor(signed[bidder], signer)
        _failure(about, record, proof, grounds)
        seen[proof.state] += 1
    for record, bidder in _sealed(intake, o):
        event = record.event
        if isinstance(event, BidReceived) and event.proof is not None and bidder in signed:
            require(event.proof.certificate == event.signing_certificate, f"event {record.number}: another signer")
    strays = {name for name in documents if name not in used}
    require(not strays, f"{len(strays)} pieces of evidence are for no act")
    return Found(found, ", ".join(f"{count} {state.value}" for state, count in seen.items()))


def _judged(about: str, grounds: Grounds, items: Mapping[Digest, bytes], anchors: Trust) -> Proved:
    require(grounds.v == 1 and bool(grounds.looked), f"{about}: evidence of another form")
    for looked in grounds.looked:
        silent = looked.state is State.UNAVAILABLE
        require(not silent or bool(grounds.tried), f"{about}: nobody was asked")
    return {each.certificate: recheck(each, items, anchors, grounds.at) for each in grounds.looked}


def _again(about: str, grounds: Grounds, before: tuple[Proof, Grounds] | None) -> None:
    """A bid that was taken on silence is asked about again: of the same certificates, at the same moment."""
    require(before is not None and before[0].state is State.UNAVAILABLE, f"{about}: nobody had been silent")
    if before is not None:
        same = [(each.certificate, each.usage) for each in grounds.looked]
        were = [(each.certificate, each.usage) for each in before[1].looked]
        require((grounds.at, same) == (before[1].at, were), f"{about}: asked about something else")


def _failure(about: str, record: Recorded, proof: Proof, grounds: Grounds) -> None:
    """An attempt that failed for its certificate failed for what the evidence shows."""
    if not isinstance(record.event, AttemptFailed):
        return
    code = record.event.private["code"]
    wanted = {UNAVAILABLE_CODE: State.UNAVAILABLE, "revoked": State.REVOKED}.get(code)
    require(wanted is None or proof.state is wanted, f"{about}: {code} is not what the evidence shows")
    if code == UNAVAILABLE_CODE:
        failed = [each for each in grounds.tried if each.outcome != ANSWERED]
        require(bool(failed), f"{about}: every authority that was asked had answered")


def _sealed(intake: tuple[Recorded, ...], o: Opening) -> list[tuple[Recorded, BidderId]]:
    received = [(record, record.event.bidder) for record in intake if isinstance(record.event, BidReceived)]
    return [(record, bidder) for record, bidder in received if o.bid(bidder) is not None]


def _lines(files: Files, row: int) -> list[bytes]:
    data = files.get(f"bids/{row}/proofs.jsonl", b"")
    require(not data or data.endswith(b"\n"), f"row {row}: proofs.jsonl is cut short")
    lines = data.split(b"\n")[:-1]
    require(all(len(line) <= MAX_EVIDENCE for line in lines), f"row {row}: evidence that is too long")
    return lines


def _items(files: Files) -> dict[Digest, bytes]:
    """Return the shared files by the digest that is their name."""
    found: dict[Digest, bytes] = {}
    for name, data in files.items():
        for folder in (CERTIFICATES, LISTS):
            if name.startswith(folder):
                digest = sha256_hex(data)
                require(name == f"{folder}{digest}.der", f"{name} is another file")
                found[Digest(digest)] = data
    return found
