"""Asking a responder about one certificate, and reading its answer (OCSP, RFC 6960 and the nonce of RFC 9654).

Who may answer: the issuer itself, or somebody whose certificate the same issuer signed for just this
(id-kp-OCSPSigning). An answer that is malformed, about another certificate or by somebody else says nothing: it is
passed over like silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from crypto import der
from crypto.certificates import STRONG_HASHES, parse_certificate
from crypto.errors import CertificateRefused

MAX_ANSWER: Final = 65_536
NONCE: Final = 32
UNDATED: Final = timedelta(minutes=15)
"""How long an answer without nextUpdate counts: such a responder has something newer at any time."""

_MAX_SIGNERS = 4
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    OverflowError,
    CertificateRefused,
)
_KNOWN = frozenset({x509.KeyUsage.oid, x509.ExtendedKeyUsage.oid, x509.BasicConstraints.oid, x509.OCSPNoCheck.oid,
                    x509.AuthorityKeyIdentifier.oid, x509.SubjectKeyIdentifier.oid})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an authentic answer says of a certificate that is known to the responder.

    ``until``: from when on it is out of date. ``by``: the certificate of a delegated responder, None for the issuer;
    ``unchecked``: the issuer lets it go without a check of its own revocation (id-pkix-ocsp-nocheck).
    """

    revoked_at: datetime | None
    this_update: datetime
    until: datetime
    nonce: bytes | None
    by: x509.Certificate | None
    unchecked: bool


def ask(subject: x509.Certificate, issuer: x509.Certificate, *, nonce: bytes) -> bytes:
    """Return the DER request. ``nonce``: 32 random bytes; SHA-1 names the certificate, as RFC 5019 has it."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(subject, issuer, hashes.SHA1())  # noqa: S303  # a name only
    return builder.add_extension(x509.OCSPNonce(nonce), critical=False).build().public_bytes(Encoding.DER)


def about(answer: bytes, subject: x509.Certificate, issuer: x509.Certificate) -> Said | None:
    """Return what ``answer`` says of ``subject``, None if it says nothing of it or is not to be believed.

    Whether it is in date, has the nonce that was asked with, and whether a delegated responder without
    ``unchecked`` is itself revoked, is the caller's to see.
    """
    return _about(answer, subject.public_bytes(Encoding.DER), issuer.public_bytes(Encoding.DER))


@lru_cache(maxsize=4096)
def _about(answer: bytes, subject: bytes, issuer: bytes) -> Said | None:
    if len(answer) > MAX_ANSWER:
        return None
    try:
        response = ocsp.load_der_ocsp_response(answer)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return None
        der.check_signed(_basic(answer))
        return _said(response, x509.load_der_x509_certificate(subject), x509.load_der_x509_certificate(issuer))
    except (*_UNREADABLE, InvalidSignature):
        return None


def _basic(answer: bytes) -> bytes:
    """Return the BasicOCSPResponse inside (RFC 6960 section 4.2.1)."""
    fields = der.one(answer, der.SEQUENCE)
    fields.any()
    inside = der.one(fields.take(0xA0).body, der.SEQUENCE)
    inside.take(der.OID)
    return inside.take(der.OCTETS).body


def _said(response: ocsp.OCSPResponse, subject: x509.Certificate, issuer: x509.Certificate) -> Said | None:
    if not _names(response, subject, issuer):  # raises unless there is exactly one answer inside
        return None
    if any(each.critical for each in (*response.extensions, *response.single_extensions)):
        return None  # none is critical that we know
    signer = _signer(response, issuer)
    if signer is None:
        return None
    made, until = response.this_update_utc, response.next_update_utc
    if until is not None and until < made:
        return None
    match response.certificate_status:
        case ocsp.OCSPCertStatus.GOOD:
            revoked = None
        case ocsp.OCSPCertStatus.REVOKED if response.revocation_time_utc is not None:
            revoked = response.revocation_time_utc
        case _:
            return None
    return Said(
        revoked_at=revoked,
        this_update=made,
        until=until or made + UNDATED,
        nonce=_nonce(response),
        by=None if signer == issuer else signer,
        unchecked=any(each.oid == x509.OCSPNoCheck.oid for each in signer.extensions),
    )


def _names(response: ocsp.OCSPResponse, subject: x509.Certificate, issuer: x509.Certificate) -> bool:
    """The CertID: serial number, digest of the issuer's name, digest of its key (RFC 6960 section 4.1.1)."""
    algorithm = response.hash_algorithm

    def digest(data: bytes) -> bytes:
        hashing = hashes.Hash(algorithm)
        hashing.update(data)
        return hashing.finalize()

    ours = (subject.serial_number, digest(subject.issuer.public_bytes()), digest(_key_bits(issuer)))
    return ours == (response.serial_number, response.issuer_name_hash, response.issuer_key_hash)


def _key_bits(certificate: x509.Certificate) -> bytes:
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    fields = der.one(spki, der.SEQUENCE)
    fields.take(der.SEQUENCE)
    return fields.take(der.BITS).body[1:]


def _signer(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> x509.Certificate | None:
    if _is_named(response, issuer) and _signed(response, issuer):
        return issuer
    for candidate in response.certificates[:_MAX_SIGNERS]:
        if _is_named(response, candidate) and _may_answer(candidate, issuer, response.this_update_utc):
            return candidate if _signed(response, candidate) else None
    return None


def _is_named(response: ocsp.OCSPResponse, certificate: x509.Certificate) -> bool:
    if response.responder_name is not None:
        return response.responder_name == certificate.subject
    return response.responder_key_hash == x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest


def _may_answer(candidate: x509.Certificate, issuer: x509.Certificate, moment: datetime) -> bool:
    """Whether the issuer itself made this certificate for answering, and it was in date (section 4.2.2.2).

    In date at thisUpdate, of which the answer speaks; producedAt is a second clock reading and proves no more.
    """
    parse_certificate(candidate.public_bytes(Encoding.DER))  # as strictly as any other
    candidate.verify_directly_issued_by(issuer)
    extensions = candidate.extensions
    if any(each.critical and each.oid not in _KNOWN for each in extensions):
        return False
    if not isinstance(candidate.signature_hash_algorithm, STRONG_HASHES):
        return False
    try:
        purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    try:
        if not extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature:
            return False
    except x509.ExtensionNotFound:
        pass
    in_date = candidate.not_valid_before_utc <= moment <= candidate.not_valid_after_utc
    return in_date and ExtendedKeyUsageOID.OCSP_SIGNING in purposes


def _signed(response: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    algorithm = response.signature_hash_algorithm
    if not isinstance(algorithm, hashes.SHA256 | hashes.SHA384 | hashes.SHA512):
        return False
    try:
        match signer.public_key():
            case ec.EllipticCurvePublicKey(curve=ec.SECP256R1() | ec.SECP384R1() | ec.SECP521R1()) as key:
                key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
            case rsa.RSAPublicKey(key_size=size) as key if 2048 <= size <= 8192:
                key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), algorithm)
            case _:
                return False
    except InvalidSignature:
        return False
    return True


def _nonce(response: ocsp.OCSPResponse) -> bytes | None:
    try:
        return response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return None
