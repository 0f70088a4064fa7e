"""The timestamps of a finished opening as members of its archive, with the roots of their authorities."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from operator import attrgetter

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sessions.archive.proved import collected
from sessions.opening import Opening
from sessions.plan import AnchorKind
from sessions.ports import FINAL, INTAKE, Kept, ProofStore

CERTIFICATES, LISTS = "stamps/certificates/", "stamps/lists/"
"""Where the certificates and revocation lists lie that this evidence names, by SHA-256."""

MOST_RECEIPTS = 200
"""Tokens of each authority over the log of receipts, the newest: a bundle has at most 10,000 members."""

_size = attrgetter("size")
_RECEIPTS = re.compile(rf"stamps/{INTAKE}([1-9][0-9]{{0,8}})-([1-9][0-9]?)\.tst")


def token_member(point: str, place: int) -> str:
    """Return the name of the token that the authority at ``place`` in plan.watch, from 1, gave for a point."""
    return f"stamps/{point}-{place}.tst"


def receipts_member(member: str) -> tuple[int, int] | None:
    """Return size and place if this is the name of a token over a checkpoint of the log of receipts."""
    found = _RECEIPTS.fullmatch(member)
    return None if found is None else (int(found[1]), int(found[2]))


def proof_member(point: str, place: int) -> str:
    """Return the name of the evidence of how that authority's certificate stood when it gave that token."""
    return f"stamps/{point}-{place}.json"


def anchor_member(place: int) -> str:
    """Return the name of the root of the authority at ``place`` in plan.watch, from 1."""
    return f"trust/stamps-{place}.pem"


async def stamped(
    opening: Opening,
    kept: Sequence[Kept],
    anchors: Mapping[str, x509.Certificate],
    receipts: Sequence[Kept] = (),
    *,
    proofs: ProofStore,
    recording: Sequence[Kept] = (),
) -> dict[str, bytes]:
    """Return the members: every token on record, those for the end, and the roots of the authorities that gave them.

    With each token the evidence of its authority's certificate that was taken then, from ``proofs``.

    A token for a point that came when the session was just over is on no record: the end has one of its own.
    ``receipts``: what was said of the log of receipts; its tokens come along where its entries do. ``recording``:
    the same of the closed recording.
    """
    watch = opening.plan.watch
    places = {name: place for place, name in enumerate(watch.authorities if watch else (), start=1)}
    known = {(point.name, by) for point in opening.points for by in point.by(AnchorKind.STAMP)}
    known |= {(FINAL, by) for by in places}
    tokens = [one for one in kept if one.kind is AnchorKind.STAMP and (one.point, one.by) in known]
    closed = opening.frozen.intake_log_size or 0 if opening.frozen else 0
    logged = sorted((one for one in receipts if one.kind is AnchorKind.STAMP and one.size <= closed), key=_size)
    for by in places.keys() & anchors.keys():
        tokens += [one for one in logged if one.by == by][-MOST_RECEIPTS:]
    tokens += [one for one in recording if one.kind is AnchorKind.STAMP and one.by in places]
    members = {token_member(one.point, places[one.by]): one.said.evidence for one in tokens}
    for name in {one.by for one in tokens} & anchors.keys():
        members[anchor_member(places[name])] = anchors[name].public_bytes(Encoding.PEM)
    evidence = {proof_member(one.point, places[one.by]): one.said.proof for one in tokens}
    found = await collected([proof.evidence for proof in evidence.values() if proof is not None], proofs)
    for name, proof in evidence.items():
        if proof is not None and proof.evidence in found.documents:
            members[name] = found.documents[proof.evidence]
    members |= {f"{CERTIFICATES}{name}.der": data for name, data in found.certificates.items()}
    return members | {f"{LISTS}{name}.der": data for name, data in found.lists.items()}
