"""Signatures on the opening record. Who does not sign is noted; nobody can hold up the end."""

from __future__ import annotations

from sessions.commands import SignRecord
from sessions.events import RecordSigned
from sessions.opening.draft import Draft
from sessions.proofs import Act
from sessions.roles import Role


def sign(draft: Draft, command: SignRecord) -> None:
    """Record a signature over the record's digest. Signing twice changes nothing."""
    if all(signature.signer != command.signer for signature in draft.opening.signatures):
        if draft.actor.role is Role.BIDDER:
            draft.accept(Act.SIGN, command.proof)
        draft.put(
            RecordSigned(
                signer=command.signer, role=draft.actor.role, statement=command.statement, proof=command.proof
            )
        )
