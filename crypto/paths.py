"""Is a certificate trusted at a given moment? Path to a trust anchor (RFC 5280) and revocation, from given evidence.

Nothing is fetched and no clock is asked: anchors, issuers, lists (CRL) and answers (OCSP) are arguments, so that an
archive gives the same verdict when every certificate in it has expired. Paths are found here, with a bound on the
work that a stranger's certificates can cause; ``pyhanko-certvalidator`` judges them: names, constraints, policies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Final

from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko_certvalidator.authority import CertTrustAnchor, TrustQualifiers, derive_quals_from_cert
from pyhanko_certvalidator.context import ValidationContext
from pyhanko_certvalidator.errors import ValidationError
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import PKIXValidationParams
from pyhanko_certvalidator.validate import async_validate_path

from crypto import crls, ocsp
from crypto.certificates import STRONG_HASHES, Usage, check_leaf, fingerprint, names, parse_certificate
from crypto.errors import CertificateRefused, Revoked

MAX_DEPTH: Final = 6
MAX_INTERMEDIATES: Final = 16
MAX_PATHS: Final = 8

_Chain = tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whom we believe, and what is known of revocation. ``ocsps`` are DER answers, about any certificate.

    ``required``: refuse a certificate for which neither a list nor an answer in date can be found.
    """

    anchors: tuple[x509.Certificate, ...]
    intermediates: tuple[x509.Certificate, ...] = ()
    crls: tuple[x509.CertificateRevocationList, ...] = ()
    ocsps: tuple[bytes, ...] = ()
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A certificate that is trusted at a moment: its chain, the anchor last.

    ``known``: for every certificate below the anchor a list or an answer in date says that it was not revoked.
    """

    chain: tuple[x509.Certificate, ...]
    known: bool


def validate(
    certificate: x509.Certificate,
    *,
    usage: Usage,
    trust: Trust,
    at: datetime,
    offered: Sequence[x509.Certificate] = (),
) -> tuple[x509.Certificate, ...]:
    """Return the chain from ``certificate`` to an anchor as trusted at ``at``: ``standing`` without what is known."""
    return standing(certificate, usage=usage, trust=trust, at=at, offered=offered).chain


def standing(
    certificate: x509.Certificate,
    *,
    usage: Usage,
    trust: Trust,
    at: datetime,
    offered: Sequence[x509.Certificate] = (),
) -> Standing:
    """Return how ``certificate`` stands at ``at``, which must be aware; raise with the first reason against.

    ``offered`` are issuers the bidder sent along; they need no trust. The codes are those of ``check_leaf``, then
    not_yet_valid, expired, unknown_issuer, revoked (``Revoked``, with the moment), revocation_unknown.
    A revocation counts from its own moment on: what was signed before it stays good. Evidence made after ``at``
    counts too, as long as the certificate had not expired by then (an authority forgets expired ones).
    """
    check_leaf(certificate, usage)
    if at < certificate.not_valid_before_utc:
        raise CertificateRefused("not_yet_valid")
    if at > certificate.not_valid_after_utc:
        raise CertificateRefused("expired")
    return trusted(certificate, trust=trust, at=at, offered=offered)


def trusted(
    certificate: x509.Certificate, *, trust: Trust, at: datetime, offered: Sequence[x509.Certificate] = ()
) -> Standing:
    """Return path and revocation of any certificate at ``at``, whatever it is for and however weak its own key."""
    chain = issuers(certificate, trust=trust, at=at, offered=offered)
    known = True
    for place in range(len(chain) - 1):
        known &= _not_revoked(chain[place:], trust, at)
    if trust.required and not known:
        raise CertificateRefused("revocation_unknown", detail=fingerprint(certificate).hex())
    return Standing(chain=chain, known=known)


def issuers(
    certificate: x509.Certificate, *, trust: Trust, at: datetime, offered: Sequence[x509.Certificate] = ()
) -> tuple[x509.Certificate, ...]:
    """Return the first good path from ``certificate`` to an anchor at ``at``, revocation left aside.

    Raises:
        CertificateRefused: ``unknown_issuer``.
    """
    pool = (*trust.intermediates, *offered[:MAX_INTERMEDIATES])
    found = _paths(_der(certificate), tuple(map(_der, trust.anchors)), tuple(map(_der, pool)))
    reason = "no trust anchors" if not trust.anchors else "no path to a trust anchor"
    for path in found:
        chain = tuple(map(parse_certificate, path))
        if not all(each.not_valid_before_utc <= at <= each.not_valid_after_utc for each in chain):
            reason = "an issuer was not valid then"
            continue
        reason = _judged(path)
        if not reason:
            return (certificate, *chain[1:])
    raise CertificateRefused("unknown_issuer", detail=reason)


def _not_revoked(chain: tuple[x509.Certificate, ...], trust: Trust, at: datetime) -> bool:
    """Return whether the first of ``chain`` is known not to be revoked at ``at``; raise ``Revoked`` if it is."""
    subject, issuer = chain[0], chain[1]
    known = False
    for answer in trust.ocsps:
        said = ocsp.about(answer, subject, issuer)
        if said is None:
            continue
        if said.by is not None and not said.unchecked and not _responder_good(said.by, chain, trust, at):
            continue
        if said.revoked_at is not None and said.revoked_at <= at:
            raise Revoked(said.revoked_at)
        known |= at <= said.until and said.this_update <= subject.not_valid_after_utc
    for listed in crls.entries(subject, issuer, trust.crls):
        # An entry counts even in a list that is out of date: revocation does not wear off.
        if listed <= at:
            raise Revoked(listed)
    return known or crls.good(chain, trust.crls, pool_of(trust), at)


def _responder_good(
    responder: x509.Certificate, chain: tuple[x509.Certificate, ...], trust: Trust, at: datetime
) -> bool:
    try:
        return crls.good((responder, *chain[1:]), trust.crls, pool_of(trust), at)
    except Revoked:
        return False


def pool_of(trust: Trust) -> tuple[x509.Certificate, ...]:
    """Return the certificates that may have signed lists: those the hall itself knows."""
    return (*trust.anchors, *trust.intermediates)


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


@lru_cache(maxsize=4096)
def _asn1(data: bytes) -> asn1.Certificate:
    return asn1.Certificate.load(data, strict=True)


@lru_cache(maxsize=2048)
def _paths(leaf: bytes, anchors: _Chain, pool: _Chain) -> tuple[_Chain, ...]:
    """Return the paths whose every signature holds, shortest first; at most ``MAX_PATHS``."""
    above, tops = _above(anchors, pool), frozenset(anchors)

    def upwards(path: _Chain, over: Sequence[bytes]) -> Iterator[_Chain]:
        for each in over:
            if each in tops:
                yield (*path, each)
            elif each not in path and len(path) < MAX_DEPTH:
                yield from upwards((*path, each), above[each])

    over = [each for each in above if _issued(leaf, each)]
    return tuple(sorted(islice(upwards((leaf,), over), MAX_PATHS), key=len))


@lru_cache(maxsize=512)
def _above(anchors: _Chain, pool: _Chain) -> dict[bytes, list[bytes]]:
    """Return every authority that an anchor stands behind, with who issued it.

    From the anchors downwards, so that certificates which lead to no anchor cost one look each, however they
    name one another.
    """
    found: dict[bytes, list[bytes]] = {anchor: [] for anchor in anchors if _may_issue(anchor)}
    waiting = [each for each in dict.fromkeys(pool) if each not in found and _may_issue(each)]
    for _ in range(MAX_DEPTH):
        reached = {each: over for each in waiting if (over := [one for one in found if _issued(each, one)])}
        if not reached:
            break
        found |= reached
        waiting = [each for each in waiting if each not in reached]
    for each in found.keys() - set(anchors):
        found[each] = [one for one in found if one != each and _issued(each, one)]
    return found


@lru_cache(maxsize=4096)
def _comparable(name: bytes) -> str:
    return crls.comparable(name)


@lru_cache(maxsize=4096)
def _may_issue(data: bytes) -> bool:
    """Whether this is an authority's certificate: both extensions must say so, though RFC 5280 lets one be absent."""
    try:
        certificate = parse_certificate(data)
        extensions = certificate.extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except (CertificateRefused, x509.ExtensionNotFound, ValueError):
        return False
    return constraints.ca and usage.key_cert_sign


def _issued(data: bytes, issuer: bytes) -> bool:
    return _comparable(names(data)[0]) == _comparable(names(issuer)[1]) and _signed(data, issuer)


@lru_cache(maxsize=4096)
def _signed(data: bytes, issuer: bytes) -> bool:
    certificate = parse_certificate(data)
    try:
        if not isinstance(certificate.signature_hash_algorithm, STRONG_HASHES):
            return False
        match parse_certificate(issuer).public_key():
            case rsa.RSAPublicKey(key_size=size) as key if 2048 <= size <= 8192:
                padding = certificate.signature_algorithm_parameters
                algorithm = certificate.signature_hash_algorithm
                key.verify(certificate.signature, certificate.tbs_certificate_bytes, padding, algorithm)  # type: ignore[arg-type]
            case ec.EllipticCurvePublicKey(curve=ec.SECP256R1() | ec.SECP384R1() | ec.SECP521R1()) as key:
                stated = certificate.signature_algorithm_parameters
                key.verify(certificate.signature, certificate.tbs_certificate_bytes, stated)  # type: ignore[arg-type]
            case ed25519.Ed25519PublicKey() as key:
                key.verify(certificate.signature, certificate.tbs_certificate_bytes)
            case _:
                return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


@lru_cache(maxsize=2048)
def _judged(path: _Chain) -> str:
    """Return why names, constraints, policies or extensions speak against a path, "" if nothing does.

    Independent of the moment, because dates are the caller's: judged when all of its certificates were in date.
    """
    chain = [_asn1(data) for data in path]
    moment = max(each.not_valid_before for each in chain)
    leaf, *between, top = chain
    anchor = CertTrustAnchor(top, quals=_constraints(top))
    context = ValidationContext(trust_roots=[anchor], moment=moment, revocation_mode="soft-fail", crls=[], ocsps=[])
    candidate = ValidationPath(anchor, interm=list(reversed(between)), leaf=leaf)
    try:
        crls.run(async_validate_path(context, candidate, PKIXValidationParams()))
    except (ValidationError, ValueError, KeyError, TypeError, NotImplementedError) as error:
        return str(error)[:200] or type(error).__name__
    return ""


def _constraints(top: asn1.Certificate) -> TrustQualifiers:
    """The anchor's own limits on names and length. Its policies bind nobody here: we ask for none."""
    stated = derive_quals_from_cert(top)
    names = stated.standard_parameters
    return TrustQualifiers(
        max_path_length=stated.max_path_length,
        max_aa_path_length=stated.max_path_length,
        standard_parameters=None
        if names is None
        else PKIXValidationParams(
            initial_permitted_subtrees=names.initial_permitted_subtrees,
            initial_excluded_subtrees=names.initial_excluded_subtrees,
        ),
    )
