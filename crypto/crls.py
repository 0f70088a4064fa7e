"""Revocation lists (RFC 5280 sections 5 and 6.3): what they say of one certificate of a path.

Two readings. ``entries`` looks for the certificate in the issuer's own lists, also in old ones. ``good`` asks whether
the lists together say, in date and for every reason, that it is not revoked; ``pyhanko-certvalidator`` does that,
with distribution points, delta lists and lists under another key. Lists that others keep for the issuer (indirect
ones) are not understood in all forms, and what is not understood proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypeVar

from asn1crypto import crl as asn1crl
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko_certvalidator.authority import CertTrustAnchor
from pyhanko_certvalidator.context import ValidationContext
from pyhanko_certvalidator.errors import CRLNoMatchesError, CRLValidationError, RevokedError, ValidationError
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.revinfo.archival import CRLContainer
from pyhanko_certvalidator.revinfo.validate_crl import verify_crl

from crypto import der
from crypto.certificates import STRONG_HASHES, check_name
from crypto.errors import CertificateRefused, Revoked

MAX_LIST: Final = 16 * 1024 * 1024
MAX_LISTS: Final = 64

Certificates = Sequence[x509.Certificate]
Lists = Sequence[x509.CertificateRevocationList]
T = TypeVar("T")

_NO_ENTRY = (x509.ReasonFlags.certificate_hold, x509.ReasonFlags.remove_from_crl)
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension)


def parse_list(data: bytes) -> x509.CertificateRevocationList:
    """Return the list in ``data``, DER or PEM, at most 16 MiB; raise CertificateRefused ``malformed_list``."""
    if len(data) > MAX_LIST:
        raise CertificateRefused("malformed_list", detail="too large")
    try:
        pem = data.lstrip().startswith(b"-----BEGIN")
        parsed = x509.load_pem_x509_crl(data) if pem else x509.load_der_x509_crl(data)
        # The library parses lazily: ask now for what others will ask for, so that only this function can fail.
        _ = (parsed.issuer, parsed.extensions, parsed.last_update_utc, parsed.next_update_utc)
        encoded = parsed.public_bytes(Encoding.DER)
        der.check_signed(encoded)
        fields = der.one(encoded, der.SEQUENCE).into(der.SEQUENCE)
        if fields.next_tag() == der.INTEGER:
            fields.any()
        fields.any()
        check_name(fields.into(der.SEQUENCE))
    except _UNREADABLE as error:
        raise CertificateRefused("malformed_list") from error
    return parsed


def entries(subject: x509.Certificate, issuer: x509.Certificate, lists: Lists) -> Iterator[datetime]:
    """Yield when ``subject`` was revoked, by each list that ``issuer`` signed itself, in date or not.

    Left to ``good``: lists for several authorities, and certificates on hold, which may come back.
    """
    for revoked in lists:
        if not _speaks_for(revoked, issuer):
            continue
        entry = revoked.get_revoked_certificate_by_serial_number(subject.serial_number)
        if entry is not None and not _on_hold(entry):
            yield entry.revocation_date_utc


def good(chain: Certificates, lists: Lists, pool: Certificates, at: datetime) -> bool:
    """Return whether the lists say, for every reason, that the first of ``chain`` was not revoked at ``at``.

    ``chain`` goes up to its anchor and has been validated; ``pool`` holds other certificates that may sign lists.
    A list counts until its nextUpdate, and also when it was made after ``at``, unless the certificate had expired
    by then: authorities drop expired ones from their lists.

    Raises:
        Revoked: the lists say so, for a moment before ``at``.
    """
    subject, *above = chain
    unnamed = all(each.get_revoked_certificate_by_serial_number(subject.serial_number) is None for each in lists)
    if above and unnamed and any(_plainly_good(subject, above[0], each, at) for each in lists):
        return True
    lists, signers = _relevant(subject, above, lists, pool)
    # The judge takes a list on which the standing of its own signer hangs without a look at the signature.
    lists = [each for each in lists if any(_signed(each, by) for by in (*signers, *above))]
    if not lists:
        return False
    kept = [
        _container(each)
        for each in lists
        if each.last_update_utc <= subject.not_valid_after_utc and (_base(each) is None or _amends(each, lists, at))
    ]
    top = CertTrustAnchor(_asn1(above[-1]))
    between = [_asn1(each) for each in reversed(above[:-1])]
    context = ValidationContext(
        trust_roots=[top],
        other_certs=[_asn1(each) for each in (*signers, *above)],
        moment=at.astimezone(UTC),
        crls=kept,
        ocsps=[],
        revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO, retroactive_revinfo=True),
    )
    path = ValidationPath(top, interm=between, leaf=_asn1(subject))
    record: Callable[[asn1.Certificate, ValidationPath], None] = context.record_validation
    for place, authority in enumerate(between):
        # Each of the chain is asked about on its own; here it only signs lists.
        record(authority, ValidationPath(top, interm=between[:place], leaf=authority))
    record(top.certificate, ValidationPath(top, interm=[], leaf=None))
    try:
        run(verify_crl(_asn1(subject), path, context))
    except RevokedError as error:
        raise Revoked(error.revocation_dt) from error
    except (
        ValidationError,
        CRLValidationError,
        CRLNoMatchesError,
        *_UNREADABLE,
        KeyError,
        NotImplementedError,
        RecursionError,
    ):
        return False
    return True


def _plainly_good(
    subject: x509.Certificate, issuer: x509.Certificate, revoked: x509.CertificateRevocationList, at: datetime
) -> bool:
    """Whether a complete list of the issuer's own, in date and without conditions, does not have the certificate.

    The common case, a hundred times faster for a list of twenty thousand entries.
    """
    until = revoked.next_update_utc
    if until is None or at > until or revoked.last_update_utc > subject.not_valid_after_utc:
        return False
    extensions = list(revoked.extensions)
    conditions = (x509.IssuingDistributionPoint.oid, x509.DeltaCRLIndicator.oid, x509.FreshestCRL.oid)
    if any(each.critical or each.oid in conditions for each in extensions) or not _speaks_for(revoked, issuer):
        return False
    return revoked.get_revoked_certificate_by_serial_number(subject.serial_number) is None


def _base(revoked: x509.CertificateRevocationList) -> int | None:
    """The number of the list that a delta amends; None for a list that is whole."""
    try:
        return revoked.extensions.get_extension_for_class(x509.DeltaCRLIndicator).value.crl_number
    except x509.ExtensionNotFound:
        return None


def _amends(delta: x509.CertificateRevocationList, lists: Lists, at: datetime) -> bool:
    """Whether a delta is in date and goes on from every whole list of its issuer (RFC 5280 section 5.2.4)."""
    base, until = _base(delta), delta.next_update_utc
    if base is None or until is None or at > until:
        return False
    if any(each.critical and isinstance(each.value, x509.UnrecognizedExtension) for each in delta.extensions):
        return False
    return all(_number(each) >= base for each in lists if each.issuer == delta.issuer and _base(each) is None)


def _number(revoked: x509.CertificateRevocationList) -> int:
    try:
        return revoked.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return -1


def run(work: Coroutine[Any, Any, T]) -> T:
    """Return what ``work`` returns; it must not wait for anything, as nothing here does: all evidence is given."""
    try:
        work.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    work.close()
    raise RuntimeError("path validation waited, though nothing is fetched")


def _relevant(
    subject: x509.Certificate, above: Certificates, lists: Lists, pool: Certificates
) -> tuple[list[x509.CertificateRevocationList], list[x509.Certificate]]:
    """Return the lists that could tell of ``subject``, the certificates that could have signed them, and their lists.

    No more than these, because the judge follows who signed the list of who signed the list, for all it is given.
    """
    wanted = {_name(subject.issuer), *_named_issuers(subject)}
    telling = [each for each in lists if _name(each.issuer) in wanted][:MAX_LISTS]
    signers = [each for each in pool if _name(each.subject) in wanted and each not in above]
    theirs = {_name(each.issuer) for each in (*signers, *(above if signers else ()))} - wanted
    return [*telling, *(each for each in lists if telling and _name(each.issuer) in theirs)][:MAX_LISTS], signers


def _named_issuers(subject: x509.Certificate) -> Iterator[str]:
    """Who keeps the list instead of the issuer, by the certificate's own distribution points."""
    try:
        points = subject.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return
    for point in points:
        for name in point.crl_issuer or ():
            if isinstance(name, x509.DirectoryName):
                yield _name(name.value)


def _name(name: x509.Name) -> str:
    return _comparable(name.public_bytes())


@lru_cache(maxsize=4096)
def _comparable(data: bytes) -> str:
    """The form in which RFC 5280 section 7.1 compares names."""
    return comparable(data)


def comparable(name: bytes) -> str:
    """Return a DER name in the form in which RFC 5280 section 7.1 compares names.

    One with characters that StringPrep does not know (RFC 4518 section 2.4) is equal to itself alone.
    """
    try:
        return str(asn1.Name.load(name, strict=True).hashable)
    except ValueError:
        return name.hex()


def _speaks_for(revoked: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    if revoked.issuer.public_bytes() != issuer.subject.public_bytes() or _for_others(revoked):
        return False
    return _signed(revoked, issuer)


def _signed(revoked: x509.CertificateRevocationList, by: x509.Certificate) -> bool:
    """Whether ``by``, which may sign lists, signed this one."""
    try:
        usage = by.extensions.get_extension_for_class(x509.KeyUsage).value
        strong = isinstance(revoked.signature_hash_algorithm, STRONG_HASHES)
        return usage.crl_sign and strong and revoked.is_signature_valid(by.public_key())  # type: ignore[arg-type]
    except (x509.ExtensionNotFound, InvalidSignature, *_UNREADABLE):
        return False


def _for_others(revoked: x509.CertificateRevocationList) -> bool:
    try:
        return revoked.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value.indirect_crl
    except (x509.ExtensionNotFound, *_UNREADABLE):
        return False


def _on_hold(entry: x509.RevokedCertificate) -> bool:
    try:
        return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason in _NO_ENTRY
    except (x509.ExtensionNotFound, *_UNREADABLE):
        return False


def _asn1(certificate: x509.Certificate) -> asn1.Certificate:
    return _certificate(certificate.public_bytes(Encoding.DER))


@lru_cache(maxsize=4096)
def _certificate(data: bytes) -> asn1.Certificate:
    return asn1.Certificate.load(data, strict=True)


def _container(revoked: x509.CertificateRevocationList) -> CRLContainer:
    return _parsed_list(revoked.public_bytes(Encoding.DER))


@lru_cache(maxsize=64)
def _parsed_list(data: bytes) -> CRLContainer:
    return CRLContainer(asn1crl.CertificateList.load(data, strict=True))
