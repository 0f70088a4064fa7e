"""The answering side of OCSP (RFC 6960) for the demonstration authority: small, real, and pure.

What was issued and what was revoked is the caller's to know; a moment is an argument.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from crypto.authority import Authority, key_usage, started
from crypto.certificates import Credential

MAX_REQUEST: Final = 4_096
_MALFORMED = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
_NOT_OURS = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED)


def appoint(authority: Authority, *, at: datetime, days: int = 30) -> Credential:
    """Return a new key with a certificate to answer for ``authority``, and for nothing else (section 4.2.2.2)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "OCSP responder")])
    certificate = (
        started(subject, authority.certificate.subject, key.public_key(), at, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
        .add_extension(x509.OCSPNoCheck(), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return Credential(key=key, certificate=certificate, chain=(authority.certificate,))


def answer(
    request: bytes,
    *,
    authority: x509.Certificate,
    responder: Credential,
    issued: Container[int],
    revoked: Mapping[int, datetime],
    at: datetime,
    life: timedelta = timedelta(hours=1),
) -> bytes:
    """Return the DER answer to ``request``: good, revoked, or unknown for a number that was never issued.

    ``responder`` is the authority's own credential or one it appointed. The nonce comes back as it was sent.
    """
    try:
        if len(request) > MAX_REQUEST:
            raise ValueError("too large")
        asked = ocsp.load_der_ocsp_request(request)
        algorithm, serial = asked.hash_algorithm, asked.serial_number  # raises unless it asks for one certificate
        hashes_asked = (asked.issuer_name_hash, asked.issuer_key_hash)
        nonces = [each for each in asked.extensions if each.oid == x509.OCSPNonce.oid]
    except ValueError:
        return _MALFORMED.public_bytes(Encoding.DER)
    when = revoked.get(serial)
    status = ocsp.OCSPCertStatus.GOOD if serial in issued else ocsp.OCSPCertStatus.UNKNOWN
    builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
        issuer_name_hash=hashes_asked[0],
        issuer_key_hash=hashes_asked[1],
        serial_number=serial,
        algorithm=algorithm,
        cert_status=status if when is None else ocsp.OCSPCertStatus.REVOKED,
        this_update=at,
        next_update=at + life,
        revocation_time=when,
        revocation_reason=None if when is None else x509.ReasonFlags.unspecified,
    )
    if hashes_asked != named(authority, algorithm):
        return _NOT_OURS.public_bytes(Encoding.DER)
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate)
    if responder.certificate != authority:
        builder = builder.certificates([responder.certificate])
    for nonce in nonces:
        builder = builder.add_extension(nonce.value, critical=False)
    return builder.sign(responder.key, hashes.SHA256()).public_bytes(Encoding.DER)


def named(authority: x509.Certificate, algorithm: hashes.HashAlgorithm) -> tuple[bytes, bytes]:
    """Return how a request names an issuer: digests of its name and of its key (section 4.1.1)."""
    probe = ocsp.OCSPRequestBuilder().add_certificate(authority, authority, _same(algorithm)).build()
    return probe.issuer_name_hash, probe.issuer_key_hash


def _same(algorithm: hashes.HashAlgorithm) -> hashes.SHA1 | hashes.SHA256 | hashes.SHA384 | hashes.SHA512:
    match algorithm:
        case hashes.SHA256() | hashes.SHA384() | hashes.SHA512():
            return algorithm
        case _:
            return hashes.SHA1()  # noqa: S303  # what RFC 5019 clients name certificates with
