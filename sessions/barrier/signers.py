"""Which certificate a release names: the one that signed the bid, or its successor that stood behind the release."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cryptography import x509

from crypto.certificates import fingerprint, parse_certificate
from crypto.encoding import unb64u
from crypto.errors import CryptoRefused, StatementRefused
from crypto.signing import peek
from sessions.ids import Digest, Jws
from sessions.outside.certifying import check_successor
from sessions.ports import ProofStore

Known = Mapping[Digest, x509.Certificate]
"""Certificates by SHA-256."""


def named(token: Jws) -> Digest | None:
    """Return the digest of the certificate that a statement names, unverified; None if it names none."""
    try:
        name = peek(token)[0].get("x5t#S256")
        return Digest(unb64u(name).hex()) if isinstance(name, str) else None
    except (StatementRefused, CryptoRefused):
        return None


async def known_signers(store: ProofStore, tokens: Iterable[Jws]) -> Known:
    """Return the certificates that these statements name, as far as they stood behind an act here."""
    found = await store.get([name for token in tokens if (name := named(token))])
    return {name: parse_certificate(data) for name, data in found.items()}


def signer_of(token: Jws, sealed: x509.Certificate, known: Known) -> x509.Certificate:
    """Return who is to have signed ``token`` about the bid that ``sealed`` signed.

    Raises:
        CertificateRefused: ``other_subject``: the certificate it names is somebody else's.
    """
    name = named(token)
    if name is None or name == fingerprint(sealed).hex() or name not in known:
        return sealed
    check_successor(sealed, known[name])
    return known[name]
