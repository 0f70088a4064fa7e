"""The log of receipts, entry by entry, and what became of the receipts in it that are not of the set."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from cryptography import x509

from crypto.certificates import bidder_id, fingerprint, parse_certificate
from crypto.encoding import exactly, parse_canonical, unhex
from crypto.receipt import decoy_leaf, log_leaf
from crypto.signing import HallPublicKey, verify
from crypto.tlog import Tree, cosignatures, open_checkpoint
from sessions.archive.bundle import DECOYS, ENTRIES
from sessions.events import BidReceived, BidWithdrawn, Recorded
from sessions.ids import Digest
from sessions.intake.log import ticks
from sessions.intake.receipts import receipt_of
from sessions.opening import Opening
from sessions.opening.state import FrozenSet
from sessions.outside.receipt_proofs import CHECKPOINT, origin_of
from sessions.verify.replay import Replayed
from sessions.verify.report import Failed, Found, require
from sessions.verify.watched import policy_of

Files = Mapping[str, bytes]
ENTRY = 32


def members(o: Opening) -> set[str]:
    """Return the members that the log of receipts leaves."""
    if o.plan.intake_log is None or o.frozen is None:
        return set()
    return {DECOYS, ENTRIES, CHECKPOINT} if o.plan.watch else {DECOYS, ENTRIES}


def receipts(files: Files, replayed: Replayed, intake: tuple[Recorded, ...], hall: HallPublicKey) -> Found:
    """Every entry is that of exactly one receipt or a decoy, every receipt has its entry; return the entries."""
    o, log, frozen = replayed.opening, replayed.opening.plan.intake_log, replayed.opening.frozen
    if log is None:
        return Found((), "announced without one")
    if frozen is None:
        return Found((), "aborted before the opening time")
    entries = _entries(files, frozen)
    held = _signed_as(files, o, frozen, hall)
    shown = exactly(parse_canonical(files[DECOYS]), ("v", "session", "decoy_key"))
    require((shown["v"], shown["session"]) == (1, o.plan.session), "the key of the decoys is that of another session")
    key = unhex(shown["decoy_key"], ENTRY)
    real = [i for i, entry in enumerate(entries) if entry != decoy_leaf(o.plan.session, i, key)]
    ticked = ticks(log, replayed.log.records[0].at, o.t0, o.t0) * log.leaves
    last = max(log.leaves, sum(index >= ticked for index in real))
    require(len(entries) == ticked + last, f"the clock makes it {ticked + last} entries, not {len(entries)}")
    if intake:
        order = _places(intake, o, {entries[i]: i for i in real})
        turns = [min(index, ticked) // log.leaves for index in order]
        require(all(a <= b for a, b in pairwise(turns)), "a later receipt came into the log before an earlier one")
    else:  # the intake of an opening that was not held is withheld: that much can still be said
        require(len(real) >= frozen.received, "there are fewer receipts than bids")
    return Found(
        entries, f"{len(real)} receipts, {len(entries) - len(real)} decoys, root {frozen.intake_log_root}{held}"
    )


def _entries(files: Files, frozen: FrozenSet) -> tuple[bytes, ...]:
    data = files[ENTRIES]
    entries = tuple(data[at : at + ENTRY] for at in range(0, len(data), ENTRY))
    require(len(data) == ENTRY * (frozen.intake_log_size or 0), "the log has another size than was locked")
    require(Tree(entries).root().hex() == frozen.intake_log_root, "the root is not the one that was locked")
    require(len(set(entries)) == len(entries), "an entry is there twice")
    return entries


def _signed_as(files: Files, o: Opening, frozen: FrozenSet, hall: HallPublicKey) -> str:
    """Check the checkpoint over the closed log, and return how many witnesses hold it, for people to read."""
    if o.plan.watch is None:
        return ""
    checkpoint = open_checkpoint(files[CHECKPOINT], hall, origin_of(o.plan.watch))
    same = (checkpoint.size, checkpoint.root.hex()) == (frozen.intake_log_size, frozen.intake_log_root)
    require(same, "the checkpoint is of another log than was locked")
    return f", cosigned by {len(cosignatures(files[CHECKPOINT], policy_of(o.plan.watch).witnesses))}"


def _places(intake: tuple[Recorded, ...], o: Opening, real: Mapping[bytes, int]) -> list[int]:
    """Return where the receipt of each bid stands, in the order of intake; there are no others."""
    places = []
    for record in intake:
        if isinstance(record.event, BidReceived):
            index = real.get(log_leaf(receipt_of(record, o.plan)))
            if index is None:
                raise Failed(f"the receipt of intake event {record.number} is not in the log")
            places.append(index)
    strays = sorted(set(real.values()) - set(places))
    require(not strays, f"entry {strays[:1]} is neither a decoy nor the receipt of a bid that intake received")
    return places


def withdrawals(files: Files, replayed: Replayed, intake: tuple[Recorded, ...]) -> Found:
    """Every withdrawal was signed with the certificate that had signed the bid; return the statements' events."""
    received: dict[Digest, Recorded] = {}
    withdrawn = 0
    for record in intake:
        match record.event:
            case BidReceived(header_sha256=header):
                received[header] = record
            case BidWithdrawn() as event:
                withdrawn += 1
                certificate = parse_certificate(files[f"withdrawn/{withdrawn}.pem"])
                _signed(event, received.get(event.header_sha256), certificate, replayed.opening.plan.session)
            case _:
                pass
    there = sum(name.startswith("withdrawn/") for name in files)
    require(there == withdrawn, f"{there} certificates for {withdrawn} withdrawals")
    return Found(True, f"{withdrawn} withdrawn")


def _signed(event: BidWithdrawn, bid: Recorded | None, certificate: x509.Certificate, session: str) -> None:
    if bid is None or not isinstance(bid.event, BidReceived):
        raise Failed(f"{event.bidder} withdrew what it had not sent")
    require(fingerprint(certificate).hex() == bid.event.signing_certificate, f"{event.bidder}: another certificate")
    require(bidder_id(certificate) == event.bidder, f"{event.bidder}: somebody else's certificate")
    said = {"v": 1, "session": session, "bidder": event.bidder, "header_sha256": event.header_sha256}
    require(verify(event.statement, "withdraw", certificate) == said, f"{event.bidder} signed something else")
