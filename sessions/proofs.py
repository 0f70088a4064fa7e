"""How the certificate behind an act stood, on which evidence, and what a rule pack makes of silence.

The evidence is a document that is kept by its digest and goes to the archive: what was asked, what answered, which
certificates, lists and answers led to the verdict. Anyone can come to the same verdict from it, years later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from crypto.certificates import Usage
from crypto.digest import sha256_hex
from crypto.encoding import canonical, parse_canonical
from sessions.errors import CommandRefused
from sessions.ids import Digest
from sessions.shape import from_json, to_json

MAX_EVIDENCE = 1_048_576
UNAVAILABLE_CODE = "revocation_unavailable"


class State(StrEnum):
    """What is known of a certificate at the moment of an act. Worse comes later."""

    GOOD = "good"  # not revoked, by a list or an answer in date for all of its path
    UNASKED = "unasked"  # nobody could be asked: the certificate names no address that the operator allows
    UNAVAILABLE = "unavailable"  # somebody was asked, and gave no answer that counts
    REVOKED = "revoked"


_WORSE = tuple(State)


class OnSilence(StrEnum):
    """What an act meets when the certificate's authority cannot be asked."""

    SOFT = "soft"  # it is taken, the silence is recorded, and the authority is asked again
    REFUSE = "refuse"  # it is not taken; a release fails with the code that leads to cause P3


class Act(StrEnum):
    """The acts that a certificate stands behind, as a rule pack names them; all but the last are a bidder's."""

    SUBMIT = "submit"
    WITHDRAW = "withdraw"
    CHECKIN = "checkin"
    RELEASE = "release"
    CONFIRM = "confirm"
    SIGN = "sign"
    DRAW = "draw"
    ESCROW = "escrow"
    STAMP = "stamp"  # a timestamp authority's, for a token that it gave


_SINCE = frozenset({Act.DRAW, Act.ESCROW, Act.STAMP})
"""Acts that proofs came to later: one is wanted only where the rule pack speaks of the act."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What an event says of the certificate that it was signed with. ``evidence``: SHA-256 of the document."""

    certificate: Digest
    state: State
    evidence: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """An address that was asked, when, and what came of it: ``answered``, or what went wrong."""

    url: str
    at: datetime
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One certificate of an act. All by SHA-256 of their DER: its chain up to the anchor, lists; answers whole."""

    certificate: Digest
    usage: Usage
    state: State
    chain: tuple[Digest, ...]
    ocsps: tuple[str, ...]  # DER, base64url
    crls: tuple[Digest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """The document: looked at ``at``, the signing certificate first."""

    v: int
    at: datetime
    looked: tuple[Looked, ...]
    tried: tuple[Tried, ...]


def written(grounds: Grounds) -> tuple[Digest, bytes]:
    """Return the document's digest and its bytes."""
    data = canonical(to_json(grounds))
    return Digest(sha256_hex(data)), data


def read(data: bytes) -> Grounds:
    """Return the document in ``data``; raise EncodingRefused or Misshapen."""
    return from_json(Grounds, parse_canonical(data, limit=MAX_EVIDENCE), "evidence")


def worst(states: Iterable[State]) -> State:
    """Return the worst of several states."""
    return max(states, key=_WORSE.index, default=State.UNASKED)


def proof_of(grounds: Grounds) -> Proof:
    """Return what an event says of this evidence."""
    state = worst(each.state for each in grounds.looked)
    return Proof(certificate=grounds.looked[0].certificate, state=state, evidence=written(grounds)[0])


def as_texts(proof: Proof) -> dict[str, str]:
    """Return a proof as members of an event's private part."""
    return {"certificate": proof.certificate, "state": proof.state.value, "evidence": proof.evidence}


def from_texts(private: Mapping[str, str]) -> Proof | None:
    """Return the proof among the members of a private part, if there is one."""
    if not {"certificate", "state", "evidence"} <= private.keys():
        return None
    certificate, evidence = Digest(private["certificate"]), Digest(private["evidence"])
    return Proof(certificate=certificate, state=State(private["state"]), evidence=evidence)


def accept(rules: Mapping[Act, OnSilence] | None, act: Act, proof: Proof | None, *, wanted: bool) -> None:
    """Raise unless the act may stand on this proof.

    ``wanted``: the opening was announced with proofs for every act; earlier ones have none.
    """
    if proof is None:
        if wanted and (act not in _SINCE or act in (rules or {})):
            raise CommandRefused("unproved")
        return
    if proof.state is State.REVOKED:
        raise CommandRefused("revoked")
    silent = proof.state is State.UNAVAILABLE
    if silent and (rules or {}).get(act, OnSilence.SOFT) is OnSilence.REFUSE:
        raise CommandRefused(UNAVAILABLE_CODE)


def check_failure(code: str | None, proof: Proof | None, *, wanted: bool) -> None:
    """Raise unless a failed attempt that blames the authority's silence, or a revocation, has the proof of it."""
    state = {UNAVAILABLE_CODE: State.UNAVAILABLE, "revoked": State.REVOKED}.get(code or "")
    if wanted and state is not None and (proof is None or proof.state is not state):
        raise CommandRefused("unproved")
