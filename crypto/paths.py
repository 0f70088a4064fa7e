"""Is a certificate trusted at a given moment? Path to a trust anchor (RFC 5280) and revocation lists.

``cryptography``'s verifier builds the path; it knows no revocation, so the lists are read here. The whole decision is
``validate``: another path builder (one with OCSP and policies) would replace that one function.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509 import verification

from crypto.certificates import Usage, check_leaf, fingerprint
from crypto.errors import CertificateRefused

MAX_DEPTH: Final = 6
MAX_INTERMEDIATES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whom we believe: anchors, known intermediates, their revocation lists, and whether a list is a must."""

    anchors: tuple[x509.Certificate, ...]
    intermediates: tuple[x509.Certificate, ...] = ()
    crls: tuple[x509.CertificateRevocationList, ...] = field(default=())
    require_crl: bool = False


def validate(
    certificate: x509.Certificate,
    *,
    usage: Usage,
    trust: Trust,
    at: datetime,
    offered: Sequence[x509.Certificate] = (),
) -> tuple[x509.Certificate, ...]:
    """Return the chain from ``certificate`` to an anchor as trusted at ``at``; raise with the first reason against.

    ``offered`` are issuers the bidder sent along; they need no trust. ``at`` must be aware. The codes are
    those of ``check_leaf``, then not_yet_valid, expired, unknown_issuer, revoked, revocation_unknown.
    """
    check_leaf(certificate, usage)
    if at < certificate.not_valid_before_utc:
        raise CertificateRefused("not_yet_valid")
    if at > certificate.not_valid_after_utc:
        raise CertificateRefused("expired")
    chain = _path(certificate, (*trust.intermediates, *offered[:MAX_INTERMEDIATES]), trust.anchors, at)
    for subject, issuer in pairwise(chain):
        _check_revocation(subject, issuer, trust, at)
    return chain


def _is_authority(_: verification.Policy, __: x509.Certificate, constraints: x509.BasicConstraints) -> None:
    if not constraints.ca:
        raise ValueError("the issuer is no authority")


def _may_sign(_: verification.Policy, __: x509.Certificate, usage: x509.KeyUsage) -> None:
    if not usage.key_cert_sign:
        raise ValueError("the issuer may not sign certificates")


_ANY = verification.Criticality.AGNOSTIC
_AUTHORITY = (
    verification.ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, _ANY, _is_authority)
    .require_present(x509.KeyUsage, _ANY, _may_sign)
)


def _path(
    certificate: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    at: datetime,
) -> tuple[x509.Certificate, ...]:
    if not anchors:
        raise CertificateRefused("unknown_issuer", detail="no trust anchors")
    verifier = (
        verification.PolicyBuilder()
        .store(verification.Store(list(anchors)))
        .time(at.astimezone(UTC).replace(tzinfo=None))
        .max_chain_depth(MAX_DEPTH)
        .extension_policies(ca_policy=_AUTHORITY, ee_policy=verification.ExtensionPolicy.permit_all())
        .build_client_verifier()
    )
    try:
        return tuple(verifier.verify(certificate, list(intermediates)).chain)
    except (verification.VerificationError, ValueError, UnsupportedAlgorithm) as error:
        raise CertificateRefused("unknown_issuer", detail=str(error)) from error


def _check_revocation(subject: x509.Certificate, issuer: x509.Certificate, trust: Trust, at: datetime) -> None:
    lists = [crl for crl in trust.crls if _speaks_for(crl, issuer)]
    current = False
    for crl in lists:
        # An entry counts even in a list that is out of date: revocation does not wear off.
        entry = crl.get_revoked_certificate_by_serial_number(subject.serial_number)
        if entry is not None and entry.revocation_date_utc <= at:
            raise CertificateRefused("revoked")
        until = crl.next_update_utc
        current |= crl.last_update_utc <= at and (until is None or at <= until)
    if trust.require_crl and not current:
        raise CertificateRefused("revocation_unknown", detail=fingerprint(issuer).hex())


def _speaks_for(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    if crl.issuer.public_bytes() != issuer.subject.public_bytes():
        return False
    try:
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
        return usage.crl_sign and crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
    except (x509.ExtensionNotFound, ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
