"""Timestamps of independent authorities (RFC 3161): what to ask, and does the answer hold (FORMAT.md section 11).

Pure: the nonce, the moments and the anchors are arguments; asking over a network is the shell's. ``rfc3161-client``
checks the signature and the path to an anchor; ESSCertID and the moment of asking, which it knows not, are here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import rfc3161_client as rfc3161
from cryptography import x509

from crypto import der
from crypto.certificates import fingerprint, for_stamps_alone, issuer_and_serial, parse_certificate, public_key
from crypto.errors import CertificateRefused, TimestampRefused

MAX_REPLY: Final = 65_536
MAX_NONCE: Final = 2**64 - 1
SHA256: Final = "2.16.840.1.101.3.4.2.1"
DRIFT: Final = timedelta(seconds=60)
"""How far the clock of an authority may be from the hall's before its answer is not believed."""

_SHA256 = der.sequence(der.oid(SHA256), der.tlv(der.NULL))
_SHA256_BARE = der.sequence(der.oid(SHA256))
_SIGNED_DATA = der.oid("1.2.840.113549.1.7.2")
_ESS = der.oid("1.2.840.113549.1.9.16.2.47")
_SHA384, _SHA512 = der.oid("2.16.840.1.101.3.4.2.2"), der.oid("2.16.840.1.101.3.4.2.3")
_SIGNATURES: Final = {
    der.oid(name): digest
    for name, digest in (
        ("1.2.840.10045.4.3.2", der.oid(SHA256)),  # ECDSA
        ("1.2.840.10045.4.3.3", _SHA384),
        ("1.2.840.10045.4.3.4", _SHA512),
        ("1.2.840.113549.1.1.11", der.oid(SHA256)),  # RSA
        ("1.2.840.113549.1.1.12", _SHA384),
        ("1.2.840.113549.1.1.13", _SHA512),
        ("1.2.840.113549.1.1.1", None),  # RSA with the digest of the token
        ("1.2.840.113549.1.1.10", None),  # PSS, which names its own
        ("1.3.101.112", None),  # Ed25519
    )
}
"""Signatures with the digest each must go with: OpenSSL does not ask what the token calls its signature."""
_GRANTED = der.sequence(der.integer(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What a verified token says: these 32 bytes existed at ``said_at`` (whole ms), by the clock of ``signer``."""

    imprint: bytes
    said_at: datetime
    serial: int
    policy: str
    signer: x509.Certificate


def request(digest: bytes, nonce: int) -> bytes:
    """Return a TimeStampReq over a SHA-256 that asks for the certificates (section 2.4.1); ``nonce`` is random."""
    if len(digest) != 32 or not 0 <= nonce <= MAX_NONCE:
        raise ValueError("a SHA-256 and a nonce of 64 bits")
    imprint = der.sequence(_SHA256, der.octets(digest))
    return der.sequence(der.integer(1), imprint, der.integer(nonce), der.tlv(der.BOOLEAN, b"\xff"))


def read_reply(
    reply: bytes,
    *,
    digest: bytes,
    nonce: int,
    anchors: Sequence[x509.Certificate],
    asked_at: datetime,
    answered_at: datetime,
) -> tuple[bytes, Stamp]:
    """Return the token in a TimeStampResp and what it says, if it answers that request; raise ``TimestampRefused``.

    The moment it names must lie between asking and answering, give or take ``DRIFT``.
    """
    answer = _parsed(reply)
    if answer.status != rfc3161.PKIStatus.GRANTED:
        raise TimestampRefused(
            "timestamp_denied", detail=", ".join(answer.status_string) or f"status {answer.status}"
        )
    token = _token(answer)
    # Only granted answers have come this far, so that reading the token alone loses nothing.
    stamp = verify_token(token, digest=digest, anchors=anchors, nonce=nonce)
    if not asked_at - DRIFT <= stamp.said_at <= answered_at + DRIFT:
        raise TimestampRefused("wrong_time", detail=stamp.said_at.isoformat())
    return token, stamp


def verify_token(
    token: bytes, *, digest: bytes, anchors: Sequence[x509.Certificate], nonce: int | None = None
) -> Stamp:
    """Return what a TimeStampToken says if it is over ``digest``; raise ``TimestampRefused``.

    The signer's path to one of ``anchors`` (self-signed roots) is judged at the moment it names, not now: so a token
    can be checked for as long as its algorithms hold. Revocation is not looked at here: what is known of it is
    judged by evidence that was taken with the stamp (sessions.outside.certifying).
    """
    answer = _parsed(der.sequence(_GRANTED, token))
    if len(token) > MAX_REPLY or _token(answer) != token:
        raise TimestampRefused("malformed_timestamp")
    try:
        info = answer.tst_info
        imprint, said_at, policy, serial = info.message_imprint, info.gen_time, info.policy, info.serial_number
    except ValueError as error:
        raise TimestampRefused("malformed_timestamp", detail=str(error)) from error
    if imprint.hash_algorithm.dotted_string != SHA256 or imprint.message != digest:
        raise TimestampRefused("wrong_imprint")
    if nonce is not None and info.nonce != nonce:
        raise TimestampRefused("stale_timestamp")
    said_at = said_at.replace(microsecond=said_at.microsecond // 1000 * 1000)
    signer = signer_of(token)
    _check_signer(signer, said_at)
    _check_signature(answer, digest, anchors)
    return Stamp(imprint=digest, said_at=said_at, serial=serial, policy=policy.dotted_string, signer=signer)


def carried(token: bytes) -> tuple[x509.Certificate, ...]:
    """Return the certificates that came with a token **without verifying it**, to show them or to hand them on."""
    try:
        return tuple(map(parse_certificate, _read(token)[0]))
    except CertificateRefused as error:
        raise TimestampRefused("malformed_timestamp", detail=error.code) from error


def _parsed(reply: bytes) -> rfc3161.TimeStampResponse:
    if len(reply) > MAX_REPLY:
        raise TimestampRefused("too_large", detail=f"over {MAX_REPLY} bytes")
    try:
        return rfc3161.decode_timestamp_response(reply)
    except ValueError as error:
        raise TimestampRefused("malformed_timestamp", detail=str(error)) from error


def _token(answer: rfc3161.TimeStampResponse) -> bytes:
    try:
        return answer.time_stamp_token()
    except ValueError as error:
        raise TimestampRefused("malformed_timestamp", detail=str(error)) from error


def signer_of(token: bytes) -> x509.Certificate:
    """Return the certificate the one signature names, by issuer and number and by its digest (RFC 5816).

    Nothing is verified here: ``verify_token`` does.
    """
    _, names, digest = _read(token)
    for certificate in carried(token):
        if (issuer_and_serial(certificate), fingerprint(certificate)) == (names, digest):
            return certificate
    raise TimestampRefused("wrong_signer")


def _read(token: bytes) -> tuple[list[bytes], bytes, bytes]:
    """Return a token's certificates, and how its one signature names its own: IssuerAndSerialNumber, and SHA-256."""
    try:
        outer = der.one(token, der.SEQUENCE)
        outer.expect(_SIGNED_DATA)
        data = der.one(outer.take(0xA0).body, der.SEQUENCE)
        for tag in (der.INTEGER, der.SET, der.SEQUENCE):  # version, digest algorithms, content
            data.take(tag)
        certificates = []
        if data.next_tag() == 0xA0:
            offered = data.into(0xA0)
            while offered:
                certificates.append(offered.take(der.SEQUENCE).whole)
        if data.next_tag() == 0xA1:
            data.any()  # lists
        signers = data.into(der.SET)
        info = signers.into(der.SEQUENCE)
        signers.end()
        info.take(der.INTEGER)
        names = info.take(der.SEQUENCE).whole
        digest = info.into(der.SEQUENCE).take(der.OID).whole
        named = _named(info.into(0xA0))
        signature = info.into(der.SEQUENCE).take(der.OID).whole
        if signature not in _SIGNATURES or _SIGNATURES[signature] not in (None, digest):
            raise der.NotDer("signed by an algorithm that is not used here, or over another digest")
        return certificates, names, named
    except der.NotDer as error:
        raise TimestampRefused("malformed_timestamp", detail=str(error)) from error


def _named(attributes: der.Fields) -> bytes:
    """Return the digest in the first ESSCertIDv2 of the one signingCertificateV2 (RFC 5035 section 3)."""
    found = []
    while attributes:
        attribute = attributes.into(der.SEQUENCE)
        if attribute.any().whole == _ESS:
            values = attribute.into(der.SET)
            found.append(values.into(der.SEQUENCE).into(der.SEQUENCE).into(der.SEQUENCE))
            values.end()
    if len(found) != 1:
        raise der.NotDer("one signingCertificateV2 was expected")
    if found[0].next_tag() == der.SEQUENCE and found[0].any().whole not in (_SHA256, _SHA256_BARE):
        raise der.NotDer("the certificate is named by another digest than SHA-256")
    return found[0].take(der.OCTETS).body


def _check_signer(signer: x509.Certificate, at: datetime) -> None:
    """Raise unless the certificate is for timestamps alone, says so critically, and was in date (section 2.3)."""
    public_key(signer)
    if not for_stamps_alone(signer):
        raise TimestampRefused("wrong_key_usage")
    if at < signer.not_valid_before_utc:
        raise TimestampRefused("not_yet_valid")
    if at > signer.not_valid_after_utc:
        raise TimestampRefused("expired")


def _check_signature(answer: rfc3161.TimeStampResponse, digest: bytes, anchors: Sequence[x509.Certificate]) -> None:
    if not anchors:
        raise TimestampRefused("unknown_issuer", detail="no anchors")
    builder = rfc3161.VerifierBuilder()
    for anchor in dict.fromkeys(anchors):
        builder = builder.add_root_certificate(anchor)
    try:
        builder.build().verify(answer, digest)
    except rfc3161.VerificationError as error:
        # The library has one exception for everything; OpenSSL's text tells a path that leads nowhere from the rest.
        path = "certificate verify error" in str(error)
        raise TimestampRefused("unknown_issuer" if path else "bad_signature", detail=str(error)[:500]) from error
    except BaseException as error:
        # Where OpenSSL cannot read a certificate that the library could, this library panics, which is no Exception.
        if type(error).__name__ != "PanicException":
            raise
        raise TimestampRefused("malformed_timestamp", detail=str(error)[:500]) from error
