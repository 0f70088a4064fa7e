"""Signatures on the opening record. Who does not sign is noted; nobody can hold up the end."""

from __future__ import annotations

from sessions.commands import SignRecord
from sessions.events import RecordSigned
from sessions.opening.draft import Draft


def sign(draft: Draft, command: SignRecord) -> None:
    """Record a signature over the record's digest. Signing twice changes nothing."""
    if all(signature.signer != command.signer for signature in draft.opening.signatures):
        draft.put(RecordSigned(signer=command.signer, role=draft.actor.role, statement=command.statement))
