"""Which acts of an opening stand on proofs, and the files of those proofs in a bundle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sessions.events import (
    AttemptFailed,
    BidderCheckedIn,
    BidReceived,
    BidWithdrawn,
    DrawCommitted,
    EscrowRequested,
    Event,
    KeyReleased,
    Recorded,
    RecordSigned,
    RowConfirmed,
    SealsChecked,
)
from sessions.ids import BidderId, Digest
from sessions.opening import Opening
from sessions.ports import ProofStore
from sessions.proofs import Proof, from_texts, read
from sessions.roles import Role
from sessions.visibility import public_afterwards

CERTIFICATES = "trust/certificates/"
LISTS = "trust/lists/"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofFiles:
    """What the proofs of a bundle are: a file of documents for each bidder, certificates and lists for all."""

    documents: Mapping[BidderId, bytes] = field(default_factory=dict)
    shared: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """Documents of evidence, the certificates and lists that they name, each by SHA-256; what is gone is left out."""

    documents: Mapping[Digest, bytes]
    certificates: Mapping[Digest, bytes]
    lists: Mapping[Digest, bytes]


async def collected(evidence: Sequence[Digest], store: ProofStore) -> Collected:
    """Return these documents and everything they name."""
    documents = await store.get(evidence)
    certificates: dict[Digest, None] = {}
    lists: dict[Digest, None] = {}
    for digest in evidence:
        for looked in read(documents[digest]).looked if digest in documents else ():
            certificates |= dict.fromkeys((looked.certificate, *looked.chain))
            lists |= dict.fromkeys(looked.crls)
    items = await store.get([*certificates, *lists])
    return Collected(
        documents=documents,
        certificates={name: items[name] for name in certificates if name in items},
        lists={name: items[name] for name in lists if name in items},
    )


def proof_in(event: Event) -> tuple[BidderId, Proof] | None:
    """Return whose act this is and on which proof it stands; None for every other event."""
    match event:
        case BidReceived(bidder=bidder, proof=proof) | BidWithdrawn(bidder=bidder, proof=proof):
            pass
        case BidderCheckedIn(bidder=bidder, proof=proof) | RowConfirmed(bidder=bidder, proof=proof):
            pass
        case KeyReleased(bidder=bidder, proof=proof) | EscrowRequested(bidder=bidder, proof=proof):
            pass
        case DrawCommitted(party=party, role=Role.BIDDER, proof=proof):
            bidder = BidderId(party)
        case AttemptFailed(bidder=bidder, private=private):
            proof = from_texts(private)
        case RecordSigned(signer=signer, role=Role.BIDDER, proof=proof):
            bidder = BidderId(signer)
        case _:
            return None
    return None if proof is None else (bidder, proof)


def proofs_in(event: Event) -> Iterator[tuple[BidderId, Proof]]:
    """Yield the proofs of an event with the bidders whom they are about."""
    if isinstance(event, SealsChecked):
        yield from (event.proofs or {}).items()
    elif (found := proof_in(event)) is not None:
        yield found


def published(o: Opening, records: Iterable[Recorded]) -> Iterator[tuple[Recorded, BidderId, Proof]]:
    """Yield the acts of bidders of the set whose proofs the public may see."""
    for record in records:
        for bidder, proof in proofs_in(record.event):
            if o.bid(bidder) is None:
                continue
            if not isinstance(record.event, AttemptFailed) or public_afterwards(o, type(record.event)):
                yield record, bidder, proof


async def collect(o: Opening, records: Iterable[Recorded], store: ProofStore) -> ProofFiles:
    """Return the files of the proofs behind these events, in the order of the events."""
    if not o.listed:
        return ProofFiles()
    acts = list(published(o, records))
    found = await collected([proof.evidence for _, _, proof in acts], store)
    lines: dict[BidderId, dict[bytes, None]] = {}
    for _, bidder, proof in acts:
        if (document := found.documents.get(proof.evidence)) is not None:
            lines.setdefault(bidder, {})[document] = None
    shared = {f"{CERTIFICATES}{name}.der": data for name, data in found.certificates.items()}
    shared |= {f"{LISTS}{name}.der": data for name, data in found.lists.items()}
    return ProofFiles(
        documents={who: b"".join(line + b"\n" for line in found) for who, found in lines.items()}, shared=shared
    )
