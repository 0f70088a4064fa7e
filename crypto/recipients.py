"""Key slots: ``K_b`` for one certificate, as CMS AuthEnvelopedData (FORMAT.md section 4; RFC 5083, 5652, 5753).

The content is ``K_b`` itself, so ``openssl cms -decrypt`` opens a slot without us. A slot needs no trust: whatever
comes out must reproduce the commitment in the signed header. Unwrapping is for bidders, on their own bids.
"""

import os
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crypto import der
from crypto.certificates import issuer_and_serial
from crypto.errors import CertificateRefused, SlotRefused

MAX_SLOT: Final = 8192

_AUTH_ENVELOPED = der.oid("1.2.840.113549.1.9.16.1.23")
_DATA = der.oid("1.2.840.113549.1.7.1")
_AES_GCM = der.oid("2.16.840.1.101.3.4.1.46")
_NULL = der.tlv(der.NULL)
_SHA256 = der.oid("2.16.840.1.101.3.4.2.1")
# RFC 4055 section 2.1: write the NULL parameters of a hash, take either form. OpenSSL 3.0 leaves them out.
_OAEP_FORMS = tuple(
    der.sequence(
        der.oid("1.2.840.113549.1.1.7"),
        der.sequence(
            der.tlv(0xA0, digest),
            der.tlv(0xA1, der.sequence(der.oid("1.2.840.113549.1.1.8"), digest)),
        ),
    )
    for digest in (der.sequence(_SHA256, _NULL), der.sequence(_SHA256))
)
_WRAP = der.sequence(der.oid("2.16.840.1.101.3.4.1.45"))
_ECDH = der.sequence(der.oid("1.3.132.1.11.1"), _WRAP)
_EC_KEY = der.oid("1.2.840.10045.2.1")
_P256 = der.oid("1.2.840.10045.3.1.7")
_EC_FORMS = (der.sequence(_EC_KEY), der.sequence(_EC_KEY, _NULL), der.sequence(_EC_KEY, _P256))
_SHARED_INFO = der.sequence(_WRAP, der.tlv(0xA2, der.octets((256).to_bytes(4, "big"))))
_PADDING = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


def wrap(certificate: x509.Certificate, key32: bytes) -> bytes:
    """Return the slot that lets the holder of ``certificate`` recover ``key32`` (RSA 2048-8192 or P-256)."""
    content_key, nonce = os.urandom(32), os.urandom(12)
    sealed = AESGCM(content_key).encrypt(nonce, key32, None)
    match certificate.public_key():
        case rsa.RSAPublicKey(key_size=size) as key if 2048 <= size <= 8192:
            recipient = der.sequence(
                der.integer(0),
                issuer_and_serial(certificate),
                _OAEP_FORMS[0],
                der.octets(key.encrypt(content_key, _PADDING)),
            )
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()) as key:
            ephemeral = ec.generate_private_key(ec.SECP256R1())
            kek = _agreed(ephemeral, key)
            point = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            recipient = der.tlv(
                0xA1,
                der.integer(3),
                der.tlv(0xA0, der.tlv(0xA1, _EC_FORMS[0], der.tlv(der.BITS, b"\x00", point))),
                _ECDH,
                der.sequence(
                    der.sequence(issuer_and_serial(certificate), der.octets(aes_key_wrap(kek, content_key)))
                ),
            )
        case _:
            raise CertificateRefused("weak_key")
    gcm = der.sequence(_AES_GCM, der.sequence(der.octets(nonce), der.integer(16)))
    enveloped = der.sequence(
        der.integer(0),
        der.set_of([recipient]),
        der.sequence(_DATA, gcm, der.tlv(0x80, sealed[:-16])),
        der.octets(sealed[-16:]),
    )
    return der.sequence(_AUTH_ENVELOPED, der.tlv(0xA0, enveloped))


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A parsed slot. ``recipient`` is an IssuerAndSerialNumber (DER) or a subject key identifier (raw)."""

    recipient: bytes
    point: bytes | None
    wrapped: bytes
    nonce: bytes
    sealed: bytes

    def require_recipient(self, certificate: x509.Certificate) -> None:
        """Raise unless the slot is addressed to ``certificate``."""
        if self.recipient not in (issuer_and_serial(certificate), _subject_key_id(certificate)):
            raise SlotRefused("wrong_recipient")


def parse(slot: bytes) -> Slot:
    """Return what ``slot`` is made of, opening nothing; ``malformed_slot`` if its form is not the specified one."""
    if len(slot) > MAX_SLOT:
        raise SlotRefused("malformed_slot", detail="too large")
    try:
        return _parse(slot)
    except der.NotDer as error:
        raise SlotRefused("malformed_slot", detail=str(error)) from error


def _parse(slot: bytes) -> Slot:
    outer = der.one(slot, der.SEQUENCE)
    outer.expect(_AUTH_ENVELOPED)
    enveloped = der.one(outer.take(0xA0).body, der.SEQUENCE)
    outer.end()
    enveloped.expect(der.integer(0))
    recipients = enveloped.into(der.SET)
    recipient, point, wrapped = (_agreement if recipients.next_tag() == 0xA1 else _transport)(recipients)
    recipients.end()
    content = enveloped.into(der.SEQUENCE)
    content.expect(_DATA)
    algorithm = content.into(der.SEQUENCE)
    algorithm.expect(_AES_GCM)
    parameters = algorithm.into(der.SEQUENCE)
    algorithm.end()
    nonce = parameters.take(der.OCTETS).body
    parameters.expect(der.integer(16))
    parameters.end()
    sealed = content.take(0x80).body
    content.end()
    tag = enveloped.take(der.OCTETS).body
    enveloped.end()
    if (len(nonce), len(sealed), len(tag)) != (12, 32, 16):
        raise der.NotDer("nonce, content or tag has another length")
    return Slot(recipient=recipient, point=point, wrapped=wrapped, nonce=nonce, sealed=sealed + tag)


def _transport(recipients: der.Fields) -> tuple[bytes, None, bytes]:
    info = recipients.into(der.SEQUENCE)
    match info.small_integer():
        case 0:
            recipient = info.take(der.SEQUENCE).whole
        case 2:
            recipient = info.take(0x80).body
        case _:
            raise der.NotDer("no such version")
    if info.take(der.SEQUENCE).whole not in _OAEP_FORMS:
        raise der.NotDer("not RSA-OAEP with SHA-256")
    wrapped = info.take(der.OCTETS).body
    info.end()
    return recipient, None, wrapped


def _agreement(recipients: der.Fields) -> tuple[bytes, bytes, bytes]:
    info = recipients.into(0xA1)
    info.expect(der.integer(3))
    originator = info.into(0xA0)
    originator_key = originator.into(0xA1)
    originator.end()
    if originator_key.take(der.SEQUENCE).whole not in _EC_FORMS:
        raise der.NotDer("originator key is not P-256")
    bits = originator_key.take(der.BITS).body
    originator_key.end()
    info.expect(_ECDH)
    encrypted_keys = info.into(der.SEQUENCE)
    info.end()
    encrypted = encrypted_keys.into(der.SEQUENCE)
    encrypted_keys.end()
    if encrypted.next_tag() == 0xA0:
        key_id = encrypted.into(0xA0)
        recipient = key_id.take(der.OCTETS).body
        key_id.end()
    else:
        recipient = encrypted.take(der.SEQUENCE).whole
    wrapped = encrypted.take(der.OCTETS).body
    encrypted.end()
    if len(bits) != 66 or bits[:2] != b"\x00\x04" or len(wrapped) != 40:
        raise der.NotDer("point or wrapped key has another length")
    return recipient, bits[1:], wrapped


def unwrap(slot: bytes, key: PrivateKeyTypes, certificate: x509.Certificate | None = None) -> bytes:
    """Return the 32 bytes in ``slot``; with ``certificate``, first check that the slot is addressed to it.

    Compare the result with the header's commitment before using it. After the form is right, every failure is the
    same ``slot_not_openable``: a reason would be a padding oracle.
    """
    parsed = parse(slot)
    if certificate is not None:
        parsed.require_recipient(certificate)
    try:
        if isinstance(key, rsa.RSAPrivateKey) and parsed.point is None:
            content_key = key.decrypt(parsed.wrapped, _PADDING)
        elif isinstance(key, ec.EllipticCurvePrivateKey) and parsed.point is not None:
            peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), parsed.point)
            content_key = aes_key_unwrap(_agreed(key, peer), parsed.wrapped)
        else:
            raise ValueError("a key of another kind")
        return AESGCM(content_key).decrypt(parsed.nonce, parsed.sealed, None)
    except (ValueError, InvalidUnwrap, InvalidTag):
        raise SlotRefused("slot_not_openable") from None


def _agreed(private: ec.EllipticCurvePrivateKey, public: ec.EllipticCurvePublicKey) -> bytes:
    # ANSI X9.63 KDF; 256 bits are one block of SHA-256, so the counter is always 1 (SEC 1 section 3.6.1).
    digest = hashes.Hash(hashes.SHA256())
    digest.update(private.exchange(ec.ECDH(), public) + b"\x00\x00\x00\x01" + _SHARED_INFO)
    return digest.finalize()


def _subject_key_id(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except (x509.ExtensionNotFound, ValueError):
        return None
