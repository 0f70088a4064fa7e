"""Officers of locks with real certificates, and tender files that name them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from crypto import authority
from crypto.authority import Algorithm
from crypto.certificates import Credential, Usage
from crypto.encoding import b64u
from tests.support.bidders import BEGIN, the_authority


@cache
def an_officer(name: str, usage: Usage = Usage.ENCRYPT, algorithm: Algorithm = Algorithm.P256) -> Credential:
    """Return the credential of the officer of this name; the same one for the whole run."""
    return authority.issue(
        the_authority(),
        name=name,
        identifier=authority.demo_identifier(name),
        usage=usage,
        algorithm=algorithm,
        at=BEGIN,
    )


def again(credential: Credential) -> Credential:
    """Return the same key under another certificate, as after a renewal."""
    root, held = the_authority(), credential.certificate
    builder = x509.CertificateBuilder(
        issuer_name=held.issuer,
        subject_name=held.subject,
        public_key=held.public_key(),
        serial_number=held.serial_number + 1,
        not_valid_before=held.not_valid_before_utc,
        not_valid_after=held.not_valid_after_utc,
    )
    for extension in held.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return replace(credential, certificate=builder.sign(root.key, hashes.SHA256()))


def officer(account: str, credential: Credential | None = None) -> dict[str, str]:
    """Return what a tender file says of one officer."""
    found = credential or an_officer(account)
    return {
        "account": account,
        "name": f"{account} 甲",
        "certificate": b64u(found.certificate.public_bytes(Encoding.DER)),
    }


def a_lock(name: str, *accounts: str, threshold: int = 1) -> dict[str, Any]:
    return {"id": name, "threshold": threshold, "officers": [officer(account) for account in accounts]}


def held_by(*accounts: str, threshold: int = 1, people: str = "officers") -> dict[str, Any]:
    """Return a tenderer's share, or with ``people`` = ``trustees`` an escrow."""
    return {"threshold": threshold, people: [officer(account) for account in accounts]}
