"""The hall's seal on a paper: PAdES with timestamps and the proof that no certificate was revoked (B-LTA).

Any reader of PDF can check such a seal, long after its certificates have expired (ETSI EN 319 142-1 section 6). Its
certificate is one of its own beside the hall key. Asks an authority over the network: call it in a thread.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from asn1crypto import cms, crl, keys, x509
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
from crypto.errors import CryptoRefused
from crypto.paths import Trust
from sessions.stamping import Unreachable

FIELD: Final = "Kaibiao"
_LOG = logging.getLogger(__name__)

Stamp = Callable[[bytes], Awaitable[bytes]]
"""Return a verified RFC 3161 token over a SHA-256; raise Unreachable or CryptoRefused when no authority gave one."""


class NotSealed(Exception):
    """No seal could be put on: no authority gave a timestamp, or something is wrong with the certificate."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DocumentSeal:
    """The key of the seal, whom its certificate and the stamps lead to, and where stamps come from."""

    credential: Credential
    trust: Callable[[], Trust]
    stamp: Stamp

    @property
    def name(self) -> str:
        """Whose seal it is."""
        return bidder_name(self.credential.certificate)

    def put_on(self, paper: bytes) -> bytes:
        """Return ``paper`` sealed: B-LTA, or B-T where no list tells of a certificate whether it was revoked.

        Raises:
            NotSealed: and why.
        """
        try:
            return self._sealed(paper, lasting=True)
        except (PathError, ValidationError, SigningError) as error:
            _LOG.warning("the seal will not outlast its certificates: %s", error)
        except (Unreachable, CryptoRefused) as error:
            raise NotSealed(str(error)) from error
        try:
            return self._sealed(paper, lasting=False)
        except (Unreachable, CryptoRefused, SigningError) as error:
            raise NotSealed(str(error)) from error

    def _sealed(self, paper: bytes, *, lasting: bool) -> bytes:
        stated = PdfSignatureMetadata(
            field_name=FIELD,
            md_algorithm="sha256",
            name=self.name,
            subfilter=SigSeedSubFilter.PADES,
            certify=True,
            docmdp_permissions=MDPPerm.NO_CHANGES,
            embed_validation_info=lasting,
            use_pades_lta=lasting,
            validation_context=self._evidence() if lasting else None,
        )
        signer = signers.SimpleSigner(
            signing_cert=_certificate(self.credential.certificate),
            signing_key=_key(self.credential),
            cert_registry=_store(self.credential),
        )
        out = io.BytesIO()
        writer = IncrementalPdfFileWriter(io.BytesIO(paper))
        signers.sign_pdf(writer, stated, signer=signer, timestamper=_Stamper(self.stamp), output=out)
        return out.getvalue()

    def _evidence(self) -> ValidationContext:
        trust = self.trust()
        others = (*trust.intermediates, *self.credential.chain)
        return ValidationContext(
            trust_roots=[_certificate(each) for each in trust.anchors],
            other_certs=[_certificate(each) for each in others],
            crls=[crl.CertificateList.load(each.public_bytes(Encoding.DER)) for each in trust.crls],
            revocation_mode="require",
            allow_fetching=True,  # of the lists and answers that the certificates themselves point to
        )


class _Stamper(TimeStamper):
    """Asks our authorities; pyHanko's own client believes an answer whose signature it has not checked."""

    def __init__(self, stamp: Stamp) -> None:
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
