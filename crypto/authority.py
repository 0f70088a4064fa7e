"""A small certificate authority for demonstrations and tests. Not for real tenders: ``doctor`` refuses it there.

Pure: moments, names and passwords are arguments, and nothing is kept. What was revoked is the caller's to remember.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from crypto.certificates import Credential, PrivateKey, Usage
from crypto.digest import sha256

PKCS12_ROUNDS: Final = 600_000
DEMONSTRATION: Final = "for demonstration only 仅供演示"
_SHA256 = hashes.SHA256()


class Algorithm(StrEnum):
    """Which key a certificate is issued for."""

    P256 = "p256"
    RSA3072 = "rsa3072"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Authority:
    """A root key (P-256) and its self-signed certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def create(name: str, *, at: datetime, days: int = 3650) -> Authority:
    """Return a new root authority called ``name``, valid from ``at``; its subject says what it is for."""
    key = ec.generate_private_key(ec.SECP256R1())
    purpose = x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, DEMONSTRATION)
    subject = x509.Name([purpose, x509.NameAttribute(NameOID.COMMON_NAME, name)])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        started(subject, subject, key.public_key(), at, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, _SHA256)
    )
    return Authority(key=key, certificate=certificate)


def is_demonstration(certificate: x509.Certificate) -> bool:
    """Return whether ``create`` made this root: whoever runs a demonstration has its key."""
    units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    return any(unit.value == DEMONSTRATION for unit in units)


def issue(
    authority: Authority,
    *,
    name: str,
    identifier: str,
    usage: Usage,
    algorithm: Algorithm = Algorithm.P256,
    at: datetime,
    days: int = 365,
    ocsp: str = "",
    crl: str = "",
) -> Credential:
    """Return a new key with a certificate for the organisation ``name`` with number ``identifier``.

    Issue twice with the same name and identifier, once for each usage, to get a pair. ``ocsp`` and ``crl`` are the
    addresses where one may ask whether it was revoked; the certificate names them if they are given.
    """
    key = _new_key(algorithm)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
            x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, identifier),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    match usage:
        case Usage.SIGN:
            stated = key_usage(digital_signature=True, content_commitment=True)
        case Usage.ENCRYPT if isinstance(key, rsa.RSAPrivateKey):
            stated = key_usage(key_encipherment=True, data_encipherment=True)
        case Usage.ENCRYPT:
            stated = key_usage(key_agreement=True)
        case Usage.STAMP:
            stated = key_usage(digital_signature=True, content_commitment=True)
    builder = (
        started(subject, authority.certificate.subject, key.public_key(), at, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(stated, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
    )
    if usage is Usage.STAMP:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    for extension in where_to_ask(ocsp, crl):
        builder = builder.add_extension(extension, critical=False)
    certificate = builder.sign(authority.key, _SHA256)
    return Credential(key=key, certificate=certificate, chain=(authority.certificate,))


def where_to_ask(ocsp: str, crl: str) -> Iterator[x509.ExtensionType]:
    """Yield the extensions that name these addresses, if they are given."""
    if ocsp:
        place = x509.UniformResourceIdentifier(ocsp)
        yield x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)])
    if crl:
        names = [x509.UniformResourceIdentifier(crl)]
        yield x509.CRLDistributionPoints([x509.DistributionPoint(names, None, None, None)])


def _new_key(algorithm: Algorithm) -> PrivateKey:
    match algorithm:
        case Algorithm.P256:
            return ec.generate_private_key(ec.SECP256R1())
        case Algorithm.RSA3072:
            return rsa.generate_private_key(public_exponent=65_537, key_size=3072)


def started(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    at: datetime,
    days: int,
) -> x509.CertificateBuilder:
    """Return the beginning of any certificate: names, key, a random serial number, dates."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at)
        .not_valid_after(at + timedelta(days=days))
    )


def key_usage(**stated: bool) -> x509.KeyUsage:
    """Return the extension with the usages that are named, and no other."""
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
        "key_cert_sign crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**{name: stated.get(name, False) for name in names.split()})


def revocation_list(
    authority: Authority, revoked: Mapping[int, datetime], *, at: datetime, days: int = 7, number: int = 1
) -> x509.CertificateRevocationList:
    """Return the signed list of ``revoked`` serial numbers and when each was revoked, valid from ``at``."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(at)
        .next_update(at + timedelta(days=days))
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for serial, when in sorted(revoked.items()):
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(when).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(authority.key, _SHA256)


def to_pkcs12(credential: Credential, password: str, *, rounds: int = PKCS12_ROUNDS) -> bytes:
    """Return the credential as PKCS#12: PBES2, AES-256-CBC, PBKDF2-HMAC-SHA256, which WebCrypto can open.

    The file's MAC keeps the library's 2048 rounds, so a weak password stays weak: this is for demonstrations.
    ``rounds`` may be lowered in tests.
    """
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(rounds)
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(_SHA256)
        .build(password.encode())
    )
    return pkcs12.serialize_key_and_certificates(
        b"kaibiao", credential.key, credential.certificate, list(credential.chain) or None, encryption
    )


def to_pem(credential: Credential, password: str | None = None) -> bytes:
    """Return key (PKCS#8), certificate and issuers as one PEM; the key in the clear unless ``password`` is given."""
    encryption: KeySerializationEncryption = NoEncryption()
    if password:
        encryption = BestAvailableEncryption(password.encode())
    key = credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return key + b"".join(
        certificate.public_bytes(Encoding.PEM) for certificate in (credential.certificate, *credential.chain)
    )


def demo_identifier(name: str) -> str:
    """Return a made-up unified social credit code for ``name``, with a right check character (GB 32100-2015)."""
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    digest = sha256(name.encode())
    code = "91330100" + "".join(alphabet[byte % 31] for byte in digest[:9])
    total = sum(alphabet.index(symbol) * pow(3, place, 31) for place, symbol in enumerate(code))
    return code + alphabet[-total % 31]
