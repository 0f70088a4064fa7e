"""Signed statements: JWS compact serialisation over canonical JSON (FORMAT.md section 7, RFC 7515).

Everything a bidder, host or the hall signs is a statement of one kind, except the declaration in a sealed bid.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from crypto.certificates import Credential, PrivateKey, PublicKey, fingerprint, public_key
from crypto.digest import sha256
from crypto.encoding import b64u, canonical, exactly, parse_canonical, unb64u
from crypto.errors import CertificateRefused, EncodingRefused, StatementRefused

MAX_TOKEN: Final = 65_536
_KIND = re.compile(r"[a-z][a-z0-9-]{0,31}")
_PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
# y coordinates of the eight points of small order on Ed25519, the sign bit cleared, non-canonical forms included.
_SMALL_ORDER: Final = {
    (0).to_bytes(32, "little"),
    (1).to_bytes(32, "little"),
    (2**255 - 20).to_bytes(32, "little"),
    (2**255 - 19).to_bytes(32, "little"),
    (2**255 - 18).to_bytes(32, "little"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
}


@dataclass(frozen=True, slots=True)
class HallPublicKey:
    """The hall's public key: what a receipt or checkpoint is verified with."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != 32 or self.raw[:31] + bytes([self.raw[31] & 0x7F]) in _SMALL_ORDER:
            raise CertificateRefused("weak_key")

    @property
    def kid(self) -> str:
        """Short name of the key in statements."""
        return b64u(sha256(self.raw)[:16])

    def document(self) -> dict[str, Any]:
        """Return the public document that is published and put into bundles."""
        return {"v": 1, "alg": "Ed25519", "kid": self.kid, "x": b64u(self.raw)}

    @classmethod
    def from_document(cls, document: object) -> "HallPublicKey":
        """Return the key of a public document whose members agree with one another."""
        try:
            members = exactly(document, ("v", "alg", "kid", "x"))
            key = cls(unb64u(members["x"]))
        except EncodingRefused as error:
            raise CertificateRefused("malformed_certificate") from error
        if key.document() != document:
            raise CertificateRefused("malformed_certificate")
        return key


@dataclass(frozen=True, slots=True, repr=False)
class HallKey:
    """The hall's own Ed25519 signing key."""

    private: ed25519.Ed25519PrivateKey

    @classmethod
    def generate(cls) -> "HallKey":
        """Return a new key."""
        return cls(ed25519.Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, pem: bytes, password: bytes | None = None) -> "HallKey":
        """Return the key in a PKCS#8 PEM."""
        try:
            key = load_pem_private_key(pem, password)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise CertificateRefused("malformed_credential") from error
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise CertificateRefused("weak_key")
        return cls(key)

    def pem(self) -> bytes:
        """Return the private key as PKCS#8 PEM, in the clear: the file's mode must protect it."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def public(self) -> HallPublicKey:
        """The key to publish."""
        return HallPublicKey(self.private.public_key().public_bytes_raw())


def sign(payload: Mapping[str, Any], kind: str, signer: Credential | HallKey) -> str:
    """Return the statement ``payload`` of ``kind``, signed. The caller answers for the payload's members."""
    if not _KIND.fullmatch(kind):
        raise StatementRefused("wrong_kind")
    if isinstance(signer, HallKey):
        protected = _protected(kind, signer.public)
        signed = _signing_input(protected, payload)
        signature = signer.private.sign(signed)
    else:
        protected = _protected(kind, signer.certificate)
        signed = _signing_input(protected, payload)
        signature = sign_raw(signer.key, signed)
    token = f"{signed.decode()}.{b64u(signature)}"
    if len(token) > MAX_TOKEN:
        raise StatementRefused("too_large")
    return token


def _signing_input(protected: Mapping[str, str], payload: Mapping[str, Any]) -> bytes:
    return f"{b64u(canonical(protected))}.{b64u(canonical(payload))}".encode()


def _protected(kind: str, signer: x509.Certificate | HallPublicKey) -> dict[str, str]:
    typ = f"kaibiao-{kind}+jws"
    if isinstance(signer, HallPublicKey):
        return {"alg": "Ed25519", "typ": typ, "kid": signer.kid}
    return {"alg": algorithm(public_key(signer)), "typ": typ, "x5t#S256": b64u(fingerprint(signer))}


def verify(token: str, kind: str, signer: x509.Certificate | HallPublicKey) -> dict[str, Any]:
    """Return the payload of ``token`` if ``signer`` signed it as a statement of ``kind``; raise otherwise.

    Does not judge the certificate: validate its path at the right moment (``crypto.paths``). Does not check the
    payload's members, its freshness, or whether it was seen before.
    """
    protected, payload, signature = _parse(token)
    expected = _protected(kind, signer)
    if protected.keys() != expected.keys() or protected["alg"] != expected["alg"]:
        raise StatementRefused("malformed_token")
    if protected["typ"] != expected["typ"]:
        raise StatementRefused("wrong_kind")
    if protected != expected:
        raise StatementRefused("wrong_signer")
    signed = token.rpartition(".")[0].encode()
    try:
        if isinstance(signer, HallPublicKey):
            # OpenSSL refuses S >= L (RFC 8032 section 5.1.7), so a signature has one form.
            ed25519.Ed25519PublicKey.from_public_bytes(signer.raw).verify(signature, signed)
        else:
            verify_raw(public_key(signer), signature, signed)
    except (InvalidSignature, ValueError) as error:
        raise StatementRefused("bad_signature") from error
    return payload


def peek(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return protected header and payload of a well-formed token **without verifying it**: to look up its signer."""
    protected, payload, _ = _parse(token)
    return protected, payload


def _parse(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    if len(token) > MAX_TOKEN or token.count(".") != 2:
        raise StatementRefused("malformed_token")
    try:
        protected_bytes, payload_bytes, signature = map(unb64u, token.split("."))
        protected = parse_canonical(protected_bytes, limit=1024)
        payload = parse_canonical(payload_bytes, limit=MAX_TOKEN)
    except EncodingRefused as error:
        raise StatementRefused("malformed_token") from error
    if not isinstance(protected, dict) or not isinstance(payload, dict):
        raise StatementRefused("malformed_token")
    return protected, payload, signature


def algorithm(key: PublicKey) -> str:
    """Return the one JWS algorithm a key of this kind is used with."""
    match key:
        case ec.EllipticCurvePublicKey(key_size=256):
            return "ES256"
        case ec.EllipticCurvePublicKey():
            return "ES384"
        case _:
            return "PS256"


def sign_raw(key: PrivateKey, data: bytes) -> bytes:
    """Return the JWS signature bytes: r | s for ECDSA, PSS for RSA."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, _PSS, hashes.SHA256())
    size = key.key_size // 8
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(_hash(key.key_size))))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def verify_raw(key: PublicKey, signature: bytes, data: bytes) -> None:
    """Raise ``InvalidSignature`` unless ``signature`` has exactly the right length and verifies."""
    if len(signature) != (key.key_size // 8 if isinstance(key, rsa.RSAPublicKey) else key.key_size // 4):
        raise InvalidSignature
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, data, _PSS, hashes.SHA256())
        return
    half = len(signature) // 2
    r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    key.verify(encode_dss_signature(r, s), data, ec.ECDSA(_hash(key.key_size)))


def _hash(key_size: int) -> hashes.HashAlgorithm:
    return hashes.SHA256() if key_size == 256 else hashes.SHA384()
