"""The bidder's declaration: CMS SignedData, CAdES-BES, content included (FORMAT.md section 5; RFC 5652).

It signs the header, and through the segment tree every byte before itself. ``openssl cms -verify`` accepts it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from crypto import der
from crypto.certificates import Credential, PublicKey, fingerprint, issuer_and_serial, parse_certificate, public_key
from crypto.digest import SEGMENT, TREE
from crypto.encoding import canonical, check_integer, exactly, parse_canonical, unhex
from crypto.errors import CertificateRefused, EncodingRefused, SealedBidRefused

MAX_DECLARATION: Final = 65_536
STATEMENT: Final = (
    "本投标人提交此密封投标文件，并对其全部内容负责。"
    "This bidder submits this sealed bid and answers for all of its content."
)

_NULL = der.tlv(der.NULL)
_DATA = der.oid("1.2.840.113549.1.7.1")
_SIGNED_DATA = der.oid("1.2.840.113549.1.7.2")
_SHA256 = der.oid("2.16.840.1.101.3.4.2.1")
_SHA384 = der.oid("2.16.840.1.101.3.4.2.2")
_CONTENT_TYPE = der.sequence(der.oid("1.2.840.113549.1.9.3"), der.set_of([_DATA]))
_MESSAGE_DIGEST = der.oid("1.2.840.113549.1.9.4")
_SIGNING_CERTIFICATE = der.oid("1.2.840.113549.1.9.16.2.47")
_PSS_SHA256 = der.sequence(_SHA256, _NULL)
_PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Algorithm:
    digest: bytes
    signature: bytes
    hash: hashes.HashAlgorithm


_ES256 = _Algorithm(
    digest=der.sequence(_SHA256), signature=der.sequence(der.oid("1.2.840.10045.4.3.2")), hash=hashes.SHA256()
)
_ES384 = _Algorithm(
    digest=der.sequence(_SHA384), signature=der.sequence(der.oid("1.2.840.10045.4.3.3")), hash=hashes.SHA384()
)
_PS256 = _Algorithm(
    digest=der.sequence(_SHA256),
    signature=der.sequence(
        der.oid("1.2.840.113549.1.1.10"),
        der.sequence(
            der.tlv(0xA0, _PSS_SHA256),
            der.tlv(0xA1, der.sequence(der.oid("1.2.840.113549.1.1.8"), _PSS_SHA256)),
            der.tlv(0xA2, der.integer(32)),
        ),
    ),
    hash=hashes.SHA256(),
)


def _algorithm(key: PublicKey) -> _Algorithm:
    if isinstance(key, rsa.RSAPublicKey):
        return _PS256
    return _ES256 if key.key_size == 256 else _ES384


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """A verified declaration: who signed, what certificates came along, and what was said."""

    signer: x509.Certificate
    certificates: tuple[x509.Certificate, ...]
    header_sha256: str
    root: str
    segments: int
    total_len: int
    statement: str


def content(*, header_sha256: str, root: str, segments: int, total_len: int, statement: str = STATEMENT) -> bytes:
    """Return the canonical JSON that is signed. ``total_len`` counts the bytes before the declaration."""
    tree = {"size": SEGMENT, "alg": TREE, "root": root, "n": segments}
    return canonical(
        {"v": 1, "header_sha256": header_sha256, "segments": tree, "total_len": total_len, "statement": statement}
    )


def sign(signed_content: bytes, signer: Credential, certificates: Iterable[x509.Certificate] = ()) -> bytes:
    """Return the DER declaration over ``signed_content``; ``certificates`` (the slots') go along."""
    algorithm = _algorithm(public_key(signer.certificate))
    attributes = _attributes(signed_content, algorithm, fingerprint(signer.certificate))
    to_sign = der.set_of(attributes)
    if isinstance(signer.key, ec.EllipticCurvePrivateKey):
        signature = signer.key.sign(to_sign, ec.ECDSA(algorithm.hash))
    else:
        signature = signer.key.sign(to_sign, _PSS, algorithm.hash)
    signer_info = der.sequence(
        der.integer(1),
        issuer_and_serial(signer.certificate),
        algorithm.digest,
        der.set_of(attributes, tag=0xA0),
        algorithm.signature,
        der.octets(signature),
    )
    carried = {each.public_bytes(Encoding.DER) for each in (signer.certificate, *certificates)}
    signed_data = der.sequence(
        der.integer(1),
        der.set_of([algorithm.digest]),
        der.sequence(_DATA, der.tlv(0xA0, der.octets(signed_content))),
        der.set_of(carried, tag=0xA0),
        der.set_of([signer_info]),
    )
    declaration = der.sequence(_SIGNED_DATA, der.tlv(0xA0, signed_data))
    if len(declaration) > MAX_DECLARATION:
        raise SealedBidRefused("too_large", detail="declaration; send fewer certificates along")
    return declaration


def _attributes(signed_content: bytes, algorithm: _Algorithm, certificate_hash: bytes) -> list[bytes]:
    digest = hashes.Hash(algorithm.hash)
    digest.update(signed_content)
    ess = der.sequence(der.sequence(der.sequence(der.octets(certificate_hash))))
    return [
        _CONTENT_TYPE,
        der.sequence(_MESSAGE_DIGEST, der.set_of([der.octets(digest.finalize())])),
        der.sequence(_SIGNING_CERTIFICATE, der.set_of([ess])),
    ]


def verify(declaration: bytes, sig_cert: bytes) -> Declaration:
    """Return what ``declaration`` says if the certificate with fingerprint ``sig_cert`` signed it.

    Does not judge that certificate (see ``crypto.paths``), nor compare the content with a file (``check_sealed``).
    """
    try:
        parsed = _parse(declaration)
        certificates = tuple(parse_certificate(each) for each in parsed.certificates)
    except (der.NotDer, CertificateRefused) as error:
        raise SealedBidRefused("malformed_declaration", detail=str(error)) from error
    signer = next((each for each in certificates if fingerprint(each) == sig_cert), None)
    if signer is None or parsed.signer_id != issuer_and_serial(signer):
        raise SealedBidRefused("wrong_certificate")
    try:
        key = public_key(signer)
    except CertificateRefused as error:
        raise SealedBidRefused("wrong_certificate", detail=error.code) from error
    algorithm = _algorithm(key)
    if parsed.algorithms != (algorithm.digest, algorithm.digest, algorithm.signature):
        raise SealedBidRefused("malformed_declaration", detail="algorithm")
    _check_attributes(parsed, algorithm, sig_cert)
    _check_signature(key, algorithm, parsed.signature, der.tlv(der.SET, parsed.attributes))
    return _statement(parsed.content, signer, certificates)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parsed:
    content: bytes
    certificates: tuple[bytes, ...]
    signer_id: bytes
    algorithms: tuple[bytes, bytes, bytes]
    attributes: bytes
    signature: bytes


def _parse(declaration: bytes) -> _Parsed:
    if len(declaration) > MAX_DECLARATION:
        raise der.NotDer("too large")
    outer = der.one(declaration, der.SEQUENCE)
    outer.expect(_SIGNED_DATA)
    data = der.one(outer.take(0xA0).body, der.SEQUENCE)
    outer.end()
    data.expect(der.integer(1))
    digests = data.into(der.SET)
    digest = digests.take(der.SEQUENCE).whole
    digests.end()
    encapsulated = data.into(der.SEQUENCE)
    encapsulated.expect(_DATA)
    wrapped = encapsulated.into(0xA0)
    signed_content = wrapped.take(der.OCTETS).body
    wrapped.end()
    encapsulated.end()
    carried = data.into(0xA0)
    certificates = []
    while carried:
        certificates.append(carried.take(der.SEQUENCE).whole)
    signers = data.into(der.SET)
    data.end()
    info = signers.into(der.SEQUENCE)
    signers.end()
    info.expect(der.integer(1))
    signer_id = info.take(der.SEQUENCE).whole
    own_digest = info.take(der.SEQUENCE).whole
    attributes = info.take(0xA0).body
    algorithm = info.take(der.SEQUENCE).whole
    signature = info.take(der.OCTETS).body
    info.end()
    if sorted(set(certificates)) != certificates:
        raise der.NotDer("certificates are not in DER order")
    return _Parsed(
        content=signed_content,
        certificates=tuple(certificates),
        signer_id=signer_id,
        algorithms=(digest, own_digest, algorithm),
        attributes=attributes,
        signature=signature,
    )


def _check_attributes(parsed: _Parsed, algorithm: _Algorithm, sig_cert: bytes) -> None:
    expected = sorted(_attributes(parsed.content, algorithm, sig_cert))
    try:
        fields, stated = der.Fields(parsed.attributes), []
        while fields:
            stated.append(fields.take(der.SEQUENCE).whole)
    except der.NotDer as error:
        raise SealedBidRefused("malformed_declaration", detail=str(error)) from error
    if len(stated) != len(expected) or _CONTENT_TYPE not in stated:
        raise SealedBidRefused("malformed_declaration", detail="signed attributes")
    # ESSCertIDv2 first: a signature moved to another certificate of the same key is a wrong certificate.
    if not any(each in stated for each in expected if _SIGNING_CERTIFICATE in each):
        raise SealedBidRefused("wrong_certificate")
    if stated != expected:
        raise SealedBidRefused("bad_signature")


def _check_signature(key: PublicKey, algorithm: _Algorithm, signature: bytes, signed: bytes) -> None:
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, _PSS, algorithm.hash)
        else:
            key.verify(signature, signed, ec.ECDSA(algorithm.hash))
    except InvalidSignature as error:
        raise SealedBidRefused("bad_signature") from error


def _statement(
    signed_content: bytes, signer: x509.Certificate, certificates: tuple[x509.Certificate, ...]
) -> Declaration:
    try:
        stated = exactly(
            parse_canonical(signed_content), ("v", "header_sha256", "segments", "total_len", "statement")
        )
        tree = exactly(stated["segments"], ("size", "alg", "root", "n"))
        unhex(stated["header_sha256"], 32)
        unhex(tree["root"], 32)
        check_integer(stated["v"], 1, 1)
        check_integer(tree["size"], SEGMENT, SEGMENT)
        check_integer(tree["n"], 1)
        check_integer(stated["total_len"], 1)
    except EncodingRefused as error:
        raise SealedBidRefused("malformed_declaration", detail=error.detail) from error
    text = stated["statement"]
    if tree["alg"] != TREE or not isinstance(text, str) or not 1 <= len(text) <= 2000:
        raise SealedBidRefused("malformed_declaration", detail="content")
    return Declaration(
        signer=signer,
        certificates=certificates,
        header_sha256=stated["header_sha256"],
        root=tree["root"],
        segments=tree["n"],
        total_len=stated["total_len"],
        statement=text,
    )
