"""Certificates and key files: what they say and what they may be used for (FORMAT.md section 9).

Nothing here asks who issued a certificate or whether it is still good; that is ``crypto.paths``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from crypto import der
from crypto.digest import sha256
from crypto.errors import CertificateRefused

MAX_CERTIFICATE: Final = 16_384
MAX_CREDENTIAL: Final = 262_144

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

_PEM_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
_TEXTS = (0x0C, 0x12, 0x13, 0x14, 0x16, 0x1E)  # UTF8, Numeric, Printable, Teletex, IA5, BMP
_AUTHORITY_KEY_IDENTIFIER = der.oid("2.5.29.35")
STRONG_HASHES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512, type(None))  # None: an issuer with Ed25519


class Usage(StrEnum):
    """What a certificate is for. A bidder may not have one certificate for both (double certificates)."""

    SIGN = "sign"
    ENCRYPT = "encrypt"
    STAMP = "stamp"  # a timestamp authority's, for nothing else (RFC 3161 section 2.3)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Credential:
    """A private key, its certificate, and whatever issuers came with them."""

    key: PrivateKey
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()


@lru_cache(maxsize=4096)
def parse_certificate(data: bytes) -> x509.Certificate:
    """Return the certificate in ``data``, DER or PEM, at most 16 KiB; the same object for the same bytes."""
    if len(data) > 2 * MAX_CERTIFICATE:
        raise CertificateRefused("malformed_certificate", detail="too large")
    try:
        if data.lstrip().startswith(b"-----BEGIN"):
            certificate = x509.load_pem_x509_certificate(data)
            _check_serials(certificate.public_bytes(Encoding.DER))
        else:
            _check_serials(data)  # first, because the library only warns of a serial number that is not positive
            certificate = x509.load_der_x509_certificate(data)
        # The library parses lazily. Ask now for what others will ask for, so that only this function can fail.
        encoded = certificate.public_bytes(Encoding.DER)
        size = len(encoded)
        _check_form(encoded)
        for read in _LAZY:
            read(certificate)
    except _UNREADABLE as error:
        raise CertificateRefused("malformed_certificate") from error
    if size > MAX_CERTIFICATE:
        raise CertificateRefused("malformed_certificate", detail="too large")
    return certificate


def issuer_and_serial(certificate: x509.Certificate) -> bytes:
    """Return the DER IssuerAndSerialNumber of CMS, cut out of the certificate and not encoded anew."""
    serial, issuer, _ = _tbs(certificate.public_bytes(Encoding.DER))
    return der.sequence(issuer, serial)


def names(certificate: bytes) -> tuple[bytes, bytes]:
    """Return the DER of issuer and subject, cut out of the DER of a certificate and not encoded anew."""
    return _tbs(certificate)[1:]


def _tbs(certificate: bytes) -> tuple[bytes, bytes, bytes]:
    """Serial number, issuer and subject as they stand in the certificate (RFC 5280 section 4.1)."""
    fields = der.one(certificate, der.SEQUENCE).into(der.SEQUENCE)
    if fields.next_tag() == 0xA0:
        fields.any()
    serial = fields.take(der.INTEGER)
    fields.take(der.SEQUENCE)
    issuer = fields.take(der.SEQUENCE).whole
    fields.take(der.SEQUENCE)
    return serial.whole, issuer, fields.take(der.SEQUENCE).whole


def _check_form(certificate: bytes) -> None:
    """Raise for what the library lets pass: names of other things than text, keys and signatures of broken bytes,
    another signature algorithm under the signature than beside it (RFC 5280 section 4.1.1.2).

    OpenSSL, which ``rfc3161-client`` asks, does not survive such a name.
    """
    der.check_signed(certificate)
    outer = der.one(certificate, der.SEQUENCE)
    fields = outer.into(der.SEQUENCE)
    if fields.next_tag() == 0xA0:
        fields.any()
    fields.take(der.INTEGER)
    algorithm = fields.take(der.SEQUENCE).whole
    issuer = fields.into(der.SEQUENCE)
    fields.take(der.SEQUENCE)
    for name in (issuer, fields.into(der.SEQUENCE)):
        check_name(name)
    key = fields.into(der.SEQUENCE)
    key.take(der.SEQUENCE)
    der.whole_bits(key.any())
    if outer.take(der.SEQUENCE).whole != algorithm:
        raise der.NotDer("two signature algorithms")


def check_name(name: der.Fields) -> None:
    """Raise unless every attribute of a name is a text (RFC 5280 section 4.1.2.4)."""
    while name:
        attributes = name.into(der.SET)
        while attributes:
            attribute = attributes.into(der.SEQUENCE)
            attribute.take(der.OID)
            if attribute.any().tag not in _TEXTS:
                raise der.NotDer("a name of something else than text")


def _check_serials(certificate: bytes) -> None:
    """Raise unless the serial number, and the issuer's where it is named, are positive (RFC 5280 section 4.1.2.2)."""
    fields = der.one(certificate, der.SEQUENCE).into(der.SEQUENCE)
    serials = []
    while fields:
        value = fields.any()
        if value.tag == der.INTEGER:
            serials.append(value.body)
        elif value.tag == 0xA3:
            serials += _issuer_serials(der.one(value.body, der.SEQUENCE))
    if any(not any(serial) or serial[0] > 0x7F for serial in serials):
        raise der.NotDer("a serial number is not positive")


def _issuer_serials(extensions: der.Fields) -> Iterator[bytes]:
    while extensions:
        extension = extensions.into(der.SEQUENCE)
        if extension.any().whole != _AUTHORITY_KEY_IDENTIFIER:
            continue
        if extension.next_tag() == der.BOOLEAN:
            extension.any()
        named = der.one(extension.take(der.OCTETS).body, der.SEQUENCE)
        while named:
            value = named.any()
            if value.tag == 0x82:
                yield value.body


def fingerprint(certificate: x509.Certificate) -> bytes:
    """Return SHA-256 of the certificate's DER: how every format here names it."""
    return sha256(certificate.public_bytes(Encoding.DER))


def _first(name: x509.Name, *oids: x509.ObjectIdentifier) -> str | None:
    for oid in oids:
        for attribute in name.get_attributes_for_oid(oid):
            if isinstance(attribute.value, str) and attribute.value.strip():
                return attribute.value
    return None


def bidder_id(certificate: x509.Certificate) -> str:
    """Return the organisation's number: organizationIdentifier (2.5.4.97), else serialNumber (2.5.4.5)."""
    found = _first(certificate.subject, NameOID.ORGANIZATION_IDENTIFIER, NameOID.SERIAL_NUMBER)
    if found is None:
        raise CertificateRefused("no_identity")
    return found


def bidder_name(certificate: x509.Certificate) -> str:
    """Return the organisation's name: organizationName, else the common name, else its number."""
    found = _first(certificate.subject, NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)
    return bidder_id(certificate) if found is None else found


def public_key(certificate: x509.Certificate) -> PublicKey:
    """Return the certificate's key if it is one we use: P-256, P-384 or RSA of 2048 to 8192 bits."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateRefused("weak_key") from error
    match key:
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1() | ec.SECP384R1()):
            return key
        case rsa.RSAPublicKey(key_size=size) if 2048 <= size <= 8192:
            exponent = key.public_numbers().e
            if exponent >= 65_537 and exponent % 2:
                return key
    raise CertificateRefused("weak_key")


def check_leaf(certificate: x509.Certificate, usage: Usage) -> None:
    """Raise unless ``certificate`` is an end entity's, strong enough, and for ``usage`` and not the other.

    Says nothing about issuer, dates or revocation: see ``crypto.paths.validate``.
    """
    try:
        strong = isinstance(certificate.signature_hash_algorithm, STRONG_HASHES)
    except UnsupportedAlgorithm as error:
        raise CertificateRefused("weak_key") from error
    extensions = certificate.extensions
    try:
        if extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise CertificateRefused("not_a_leaf")
    except x509.ExtensionNotFound:
        pass
    key = public_key(certificate)
    if not strong or (usage is Usage.ENCRYPT and isinstance(key, ec.EllipticCurvePublicKey) and key.key_size != 256):
        raise CertificateRefused("weak_key")
    if usage is Usage.STAMP:
        if not for_stamps_alone(certificate):
            raise CertificateRefused("wrong_key_usage")
        return
    try:
        stated = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        raise CertificateRefused("wrong_key_usage") from None
    signs = stated.digital_signature or stated.content_commitment
    encrypts = stated.key_encipherment or stated.data_encipherment or stated.key_agreement
    fits = stated.key_encipherment if isinstance(key, rsa.RSAPublicKey) else stated.key_agreement
    match usage:
        case Usage.SIGN:
            right = signs and not encrypts
        case Usage.ENCRYPT:
            right = fits and not signs
    if not right:
        raise CertificateRefused("wrong_key_usage")


def for_stamps_alone(certificate: x509.Certificate) -> bool:
    """Return whether it says, critically, that it is for timestamps and nothing else (RFC 3161 section 2.3)."""
    try:
        purpose = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return False
    return purpose.critical and list(purpose.value) == [ExtendedKeyUsageOID.TIME_STAMPING]


def check_pair(sign: x509.Certificate, encrypt: x509.Certificate) -> None:
    """Raise unless these are one bidder's double certificates: right usages, one subject, one issuer."""
    check_leaf(sign, Usage.SIGN)
    check_leaf(encrypt, Usage.ENCRYPT)
    if names(sign.public_bytes(Encoding.DER)) != names(encrypt.public_bytes(Encoding.DER)):
        raise CertificateRefused("pair_mismatch")


_LAZY = (
    issuer_and_serial,
    attrgetter("subject", "issuer", "extensions", "serial_number"),
    attrgetter("not_valid_before_utc", "not_valid_after_utc"),
)


def load_credential(data: bytes, password: bytes | None = None) -> Credential:
    """Return key and certificate from a PKCS#12 file, or a PEM that holds both; ``password`` as UTF-8 bytes.

    ``wrong_password`` if it is missing or wrong, ``malformed_credential`` if the file is something else.
    """
    if len(data) > MAX_CREDENTIAL:
        raise CertificateRefused("malformed_credential", detail="too large")
    pem = b"-----BEGIN " in data[:4096]
    key, certificates = _from_pem(data, password) if pem else _from_pkcs12(data, password)
    if not isinstance(key, PrivateKey):
        raise CertificateRefused("weak_key")
    certificates = [parse_certificate(each.public_bytes(Encoding.DER)) for each in certificates]
    for certificate in certificates:
        if public_key(certificate) == key.public_key():
            chain = tuple(other for other in certificates if other is not certificate)
            return Credential(key=key, certificate=certificate, chain=chain)
    raise CertificateRefused("malformed_credential", detail="no certificate of this key")


def _from_pem(data: bytes, password: bytes | None) -> tuple[object, list[x509.Certificate]]:
    found = _PEM_KEY.search(data)
    if found is None:
        raise CertificateRefused("malformed_credential", detail="no private key")
    encrypted = b"ENCRYPTED" in found[0]
    try:
        certificates = x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise CertificateRefused("malformed_credential", detail="no certificate") from error
    try:
        return load_pem_private_key(found[0], password if encrypted else None), certificates
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateRefused("wrong_password" if encrypted else "malformed_credential") from error


def _from_pkcs12(data: bytes, password: bytes | None) -> tuple[object, list[x509.Certificate]]:
    if data[:1] != b"\x30":
        raise CertificateRefused("malformed_credential")
    try:
        loaded = pkcs12.load_pkcs12(data, password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        code = "wrong_password" if "password" in str(error).lower() else "malformed_credential"
        raise CertificateRefused(code) from error
    own = [loaded.cert] if loaded.cert else []
    return loaded.key, [entry.certificate for entry in (*own, *loaded.additional_certs)]
