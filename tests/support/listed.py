"""Revocation lists about one bidder, and what they come to together: for both verifiers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from crypto.authority import key_usage
from tests.support.bidders import BEGIN, DURING, a_bidder, the_authority

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
ELSEWHERE = x509.FreshestCRL(
    [x509.DistributionPoint([x509.UniformResourceIdentifier("http://x/d")], None, None, None)]
)
SOME = frozenset({x509.ReasonFlags.key_compromise, x509.ReasonFlags.ca_compromise})
HELD = x509.ReasonFlags.certificate_hold
GONE = x509.ReasonFlags.remove_from_crl

Entry = tuple[int, datetime, x509.ReasonFlags]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Lists, with certificates that are known beside the anchor, and what is known then: good, unknown or revoked."""

    lists: tuple[x509.CertificateRevocationList, ...]
    comes_to: str
    also: tuple[x509.Certificate, ...] = ()


def a_list_key(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """What the authority issues under its own name to the key it signs its lists with."""
    own = the_authority()
    over = x509.AuthorityKeyIdentifier.from_issuer_public_key(own.certificate.public_key())  # type: ignore[arg-type]
    return (
        x509.CertificateBuilder()
        .subject_name(own.certificate.subject)
        .issuer_name(own.certificate.subject)
        .public_key(key.public_key())
        .serial_number(4711)
        .not_valid_before(BEGIN)
        .not_valid_after(BEGIN + 3000 * DAY)
        .add_extension(key_usage(crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(over, critical=False)
        .sign(own.key, hashes.SHA256())
    )


def a_list(
    at: datetime,
    *entries: Entry,
    key: ec.EllipticCurvePrivateKey | None = None,
    days: int = 1,
    number: int = 1,
    base: int | None = None,
    extra: tuple[x509.ExtensionType, ...] = (),
) -> x509.CertificateRevocationList:
    """Return a list in the authority's name, by its own key if no other is given; ``base`` makes it a delta."""
    own = the_authority()
    builder = x509.CertificateRevocationListBuilder().issuer_name(own.certificate.subject)
    builder = builder.last_update(at).next_update(at + days * DAY)
    builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    if base is not None:
        builder = builder.add_extension(x509.DeltaCRLIndicator(base), critical=True)
    for one in extra:
        builder = builder.add_extension(one, critical=not isinstance(one, x509.FreshestCRL))
    for serial, since, reason in entries:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(since)
        builder = builder.add_revoked_certificate(entry.add_extension(x509.CRLReason(reason), critical=False).build())
    return builder.sign(key or own.key, hashes.SHA256())  # type: ignore[arg-type]


def of_reasons(reasons: frozenset[x509.ReasonFlags]) -> tuple[x509.IssuingDistributionPoint]:
    return (
        x509.IssuingDistributionPoint(
            full_name=None,
            relative_name=None,
            only_contains_user_certs=False,
            only_contains_ca_certs=False,
            only_some_reasons=reasons,
            indirect_crl=False,
            only_contains_attribute_certs=False,
        ),
    )


def _others() -> frozenset[x509.ReasonFlags]:
    return frozenset(x509.ReasonFlags) - SOME - {x509.ReasonFlags.unspecified, GONE}


@cache
def stories() -> Mapping[str, Story]:
    serial = a_bidder().sign.certificate.serial_number
    key, stranger = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    signer = (a_list_key(key),)
    old, forged = a_list(BEGIN + DAY, key=key), a_list(BEGIN, key=stranger, days=3000)
    clear, on_hold = a_list(DURING - 2 * HOUR), a_list(DURING - HOUR, (serial, DURING - DAY, HELD))
    amended = a_list(DURING, number=5, extra=(ELSEWHERE,))
    amended_hold = a_list(DURING, (serial, DURING - DAY, HELD), number=5, extra=(ELSEWHERE,))
    revoking: Entry = (serial, DURING - DAY, HELD)
    freed: Entry = (serial, DURING - DAY, GONE)
    some, rest = a_list(DURING, extra=of_reasons(SOME)), a_list(DURING, extra=of_reasons(_others()))
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    return {
        "the authority's other key signs": Story(lists=(a_list(DURING, key=key),), also=signer, comes_to="good"),
        "nobody knows the other key": Story(lists=(a_list(DURING, key=key),), comes_to="unknown"),
        "a stranger signs": Story(lists=(forged,), also=signer, comes_to="unknown"),
        "a stranger signs, beside an old list": Story(lists=(old, forged), also=signer, comes_to="unknown"),
        "on hold in the newer list": Story(lists=(clear, on_hold), comes_to="revoked"),
        "on hold in the newer list, named first": Story(lists=(on_hold, clear), comes_to="revoked"),
        "of some reasons": Story(lists=(some,), comes_to="unknown"),
        "of some reasons and of the others": Story(lists=(some, rest), comes_to="good"),
        "amended by a delta that is not there": Story(lists=(amended,), comes_to="unknown"),
        "amended by a delta without a word": Story(
            lists=(amended, a_list(DURING, number=6, base=5)), comes_to="good"
        ),
        "put on hold by a delta": Story(
            lists=(amended, a_list(DURING, revoking, number=6, base=5)), comes_to="revoked"
        ),
        "freed by a delta": Story(lists=(amended_hold, a_list(DURING, freed, number=6, base=5)), comes_to="good"),
        "the newest delta counts": Story(
            lists=(
                amended,
                a_list(DURING, number=6, base=5),
                a_list(DURING + HOUR, revoking, number=7, base=5),
            ),
            comes_to="revoked",
        ),
        "a delta to a later list": Story(lists=(amended, a_list(DURING, number=9, base=8)), comes_to="unknown"),
        "a delta that is out of date": Story(
            lists=(amended, a_list(DURING - 3 * DAY, number=6, base=5)), comes_to="unknown"
        ),
        "a delta by a stranger": Story(
            lists=(amended, a_list(DURING, number=6, base=5, key=stranger)), comes_to="unknown"
        ),
        "a delta that says what nobody knows": Story(
            lists=(amended, a_list(DURING, number=6, base=5, extra=(strange,))), comes_to="unknown"
        ),
    }
