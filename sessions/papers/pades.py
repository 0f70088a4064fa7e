"""PAdES by pyHanko: a signature with timestamps and, where lists tell of each certificate, what lets it last (B-LTA).

The only module that imports pyHanko, which takes a second: it is loaded when the first paper is sealed.
"""

from __future__ import annotations

import io
from typing import Final

from asn1crypto import cms, crl, keys, ocsp, x509
from cryptography import x509 as certificates
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import PdfSignatureMetadata, signers
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.general import SigningError
from pyhanko.sign.timestamps import TimeStamper
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.errors import PathError, ValidationError
from pyhanko_certvalidator.registry import SimpleCertificateStore

from crypto.certificates import Credential, bidder_name
from crypto.paths import Trust
from sessions.outside.stamping import Stamper

FIELD: Final = "Kaibiao"


class NotLasting(Exception):
    """No list or answer tells whether one of the certificates was revoked, or it says that it was."""


def sealed(paper: bytes, credential: Credential, stamp: Stamper, lasting: Trust | None) -> bytes:
    """Return ``paper`` sealed: B-LTA with the evidence in ``lasting``, B-T without.

    Raises:
        NotLasting: the evidence does not reach.
        Unreachable, CryptoRefused: no authority gave a timestamp.
    """
    stated = PdfSignatureMetadata(
        field_name=FIELD,
        md_algorithm="sha256",
        name=bidder_name(credential.certificate),
        subfilter=SigSeedSubFilter.PADES,
        certify=True,
        docmdp_permissions=MDPPerm.NO_CHANGES,
        embed_validation_info=lasting is not None,
        use_pades_lta=lasting is not None,
        validation_context=None if lasting is None else _evidence(lasting, credential),
    )
    signer = signers.SimpleSigner(
        signing_cert=_certificate(credential.certificate),
        signing_key=_key(credential),
        cert_registry=_store(credential),
    )
    out = io.BytesIO()
    writer = IncrementalPdfFileWriter(io.BytesIO(paper))
    try:
        signers.sign_pdf(writer, stated, signer=signer, timestamper=_Authorities(stamp), output=out)
    except (PathError, ValidationError, SigningError) as error:
        raise NotLasting(str(error)) from error
    return out.getvalue()


def _evidence(trust: Trust, credential: Credential) -> ValidationContext:
    return ValidationContext(
        trust_roots=[_certificate(each) for each in trust.anchors],
        other_certs=[_certificate(each) for each in (*trust.intermediates, *credential.chain)],
        crls=[crl.CertificateList.load(each.public_bytes(Encoding.DER)) for each in trust.crls],
        ocsps=[ocsp.OCSPResponse.load(each) for each in trust.ocsps],
        revocation_mode="require",
        allow_fetching=True,  # of the lists and answers that the certificates themselves point to
    )


class _Authorities(TimeStamper):
    """Asks our authorities; pyHanko's own client believes an answer whose signature it has not checked."""

    def __init__(self, stamp: Stamper) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._stamp = stamp

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        """Return a token over the digest, a SHA-256."""
        if md_algorithm != "sha256":
            raise SigningError(f"stamps are over SHA-256, not {md_algorithm}")
        return cms.ContentInfo.load(await self._stamp(message_digest))


def _certificate(certificate: certificates.Certificate) -> x509.Certificate:
    return x509.Certificate.load(certificate.public_bytes(Encoding.DER))


def _key(credential: Credential) -> keys.PrivateKeyInfo:
    whole = credential.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return keys.PrivateKeyInfo.load(whole)


def _store(credential: Credential) -> SimpleCertificateStore:
    store = SimpleCertificateStore()
    store.register_multiple([_certificate(each) for each in credential.chain])
    return store
