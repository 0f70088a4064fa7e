"""A small timestamp authority for demonstrations and tests (RFC 3161). Pure: the moment and the number are arguments.

Its answers are what ``openssl ts -verify`` accepts. Not for real tenders: who runs a demonstration has its key.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from crypto import der
from crypto.authority import DEMONSTRATION, Authority, where_to_ask
from crypto.certificates import Credential, fingerprint, issuer_and_serial
from crypto.digest import sha256

MAX_REQUEST: Final = 4096
POLICY: Final = "2.25.2089733457216741"
"""Under the arc for made-up numbers (X.667): it says nothing but that this is nobody's policy."""

_SHA256: Final = "2.16.840.1.101.3.4.2.1"
_HASHES: Final = {  # OBJECT IDENTIFIER -> length: what may be stamped
    der.oid(_SHA256): 32,
    der.oid("2.16.840.1.101.3.4.2.2"): 48,
    der.oid("2.16.840.1.101.3.4.2.3"): 64,
}
_NULL = der.tlv(der.NULL)
_TRUE = der.tlv(der.BOOLEAN, b"\xff")
_CONTENT: Final = der.oid("1.2.840.113549.1.9.16.1.4")  # id-ct-TSTInfo
_SECOND: Final = der.sequence(der.integer(1))  # accuracy
_BAD_ALGORITHM, _BAD_REQUEST, _BAD_DATA, _EXTENSION = 0, 2, 5, 16  # PKIFailureInfo


def issue_authority(
    issuer: Authority, *, name: str, at: datetime, days: int = 365, ocsp: str = "", crl: str = ""
) -> Credential:
    """Return a P-256 key with a certificate for timestamps alone; ``ocsp`` and ``crl`` as in ``authority.issue``."""
    key = ec.generate_private_key(ec.SECP256R1())
    unit = x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, DEMONSTRATION)
    usage = x509.KeyUsage(True, True, False, False, False, False, False, False, False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([unit, x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at)
        .not_valid_after(at + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    )
    for extension in where_to_ask(ocsp, crl):
        builder = builder.add_extension(extension, critical=False)
    certificate = builder.sign(issuer.key, hashes.SHA256())
    return Credential(key=key, certificate=certificate, chain=(issuer.certificate,))


def reply(request: bytes, signer: Credential, *, at: datetime, serial: int) -> bytes:
    """Return the TimeStampResp to a TimeStampReq: a token, or a rejection that says why (section 2.4.2)."""
    try:
        imprint, nonce, wants_certificate = _read(request)
    except _Rejected as error:
        return _rejection(error.failure)
    except der.NotDer:
        return _rejection(_BAD_DATA)
    moment = at.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode()
    info = der.sequence(
        der.integer(1),
        der.oid(POLICY),
        imprint,
        der.integer(serial),
        der.tlv(_GENERALIZED_TIME, moment),
        _SECOND,
        nonce,
    )
    certificates = (signer.certificate, *signer.chain) if wants_certificate else ()
    return der.sequence(der.sequence(der.integer(0)), _token(info, signer, certificates))


_GENERALIZED_TIME: Final = 0x18


class _Rejected(Exception):
    def __init__(self, failure: int) -> None:
        super().__init__(failure)
        self.failure = failure


def _read(request: bytes) -> tuple[bytes, bytes, bool]:
    """Return the imprint and the nonce as they stand in the request, and whether certificates are asked for."""
    if len(request) > MAX_REQUEST:
        raise _Rejected(_BAD_REQUEST)
    fields = der.one(request, der.SEQUENCE)
    if fields.small_integer() != 1:
        raise _Rejected(_BAD_REQUEST)
    imprint = fields.take(der.SEQUENCE)
    parts = der.Fields(imprint.body)
    length = _HASHES.get(parts.into(der.SEQUENCE).any().whole)
    if length is None:
        raise _Rejected(_BAD_ALGORITHM)
    if len(parts.take(der.OCTETS).body) != length:
        raise _Rejected(_BAD_DATA)
    parts.end()
    if fields.next_tag() == der.OID:
        fields.any()  # a policy: there is one only, and the answer says which
    nonce = fields.take(der.INTEGER).whole if fields.next_tag() == der.INTEGER else b""
    wants = fields.next_tag() == der.BOOLEAN and fields.any().whole == _TRUE
    if fields:
        raise _Rejected(_EXTENSION)
    return imprint.whole, nonce, wants


def _rejection(failure: int) -> bytes:
    bits = (1 << 31 - failure).to_bytes(4, "big")[: failure // 8 + 1]
    return der.sequence(der.sequence(der.integer(2), der.tlv(der.BITS, bytes([7 - failure % 8]), bits)))


def _token(info: bytes, signer: Credential, certificates: tuple[x509.Certificate, ...]) -> bytes:
    digest = der.sequence(der.oid(_SHA256), _NULL)
    ess = der.sequence(der.sequence(der.sequence(der.octets(fingerprint(signer.certificate)))))
    attributes = [
        der.sequence(der.oid("1.2.840.113549.1.9.3"), der.set_of([_CONTENT])),
        der.sequence(der.oid("1.2.840.113549.1.9.4"), der.set_of([der.octets(sha256(info))])),
        der.sequence(der.oid("1.2.840.113549.1.9.16.2.47"), der.set_of([ess])),
    ]
    if not isinstance(signer.key, ec.EllipticCurvePrivateKey):
        raise TypeError("this authority signs with P-256")
    signature = signer.key.sign(der.set_of(attributes), ec.ECDSA(hashes.SHA256()))
    signer_info = der.sequence(
        der.integer(1),
        issuer_and_serial(signer.certificate),
        digest,
        der.set_of(attributes, tag=0xA0),
        der.sequence(der.oid("1.2.840.10045.4.3.2")),
        der.octets(signature),
    )
    carried = {certificate.public_bytes(Encoding.DER) for certificate in certificates}
    signed = der.sequence(
        der.integer(3),
        der.set_of([digest]),
        der.sequence(_CONTENT, der.tlv(0xA0, der.octets(info))),
        der.set_of(carried, tag=0xA0) if carried else b"",
        der.set_of([signer_info]),
    )
    return der.sequence(der.oid("1.2.840.113549.1.7.2"), der.tlv(0xA0, signed))
