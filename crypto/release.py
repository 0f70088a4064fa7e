"""The release: a bidder hands one group's key to one opening, and to nothing else (FORMAT.md section 6, RFC 9180)."""

import hmac
from collections.abc import Mapping
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crypto import signing
from crypto.certificates import Credential
from crypto.container import Container
from crypto.encoding import b64u, check_identifier, check_integer, exactly, lv, unb64u, unhex
from crypto.errors import CertificateRefused, EncodingRefused, ReleaseRefused, SealedBidRefused, StatementRefused
from crypto.header import Header
from crypto.opening import check_secret

KIND: Final = "release"
NONCE: Final = 32
HPKE: Final = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
SEALED: Final = 113  # bytes of one HPKE message of 32: a point of 65, then 32 with a tag of 16
SERVER: Final = 1
SPLIT: Final = 2
_STATED: Final = ("v", "session", "group", "header_sha256", "nonce", "kcb")
_MEMBERS: Final = {SERVER: (*_STATED, "hpke"), SPLIT: (*_STATED, "shares")}


def new_session_key() -> ec.EllipticCurvePrivateKey:
    """Return a new key for one opening. P-256, because every browser's WebCrypto has it."""
    return ec.generate_private_key(ec.SECP256R1())


def session_public(key: ec.EllipticCurvePublicKey) -> str:
    """Return the session's public key as bidders get it: the uncompressed point in base64url."""
    return b64u(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def load_session_public(text: str) -> ec.EllipticCurvePublicKey:
    """Return the session's public key from its text; ``weak_key`` if it is no point of P-256."""
    try:
        raw = unb64u(text)
        if len(raw) != 65:
            raise ValueError("not an uncompressed point")
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except (EncodingRefused, ValueError) as error:
        raise CertificateRefused("weak_key") from error


def _info(session: str, group: str, header_sha256: str, nonce: str) -> bytes:
    return b"SBID1/release" + lv(session) + lv(group) + lv(unhex(header_sha256, 32)) + lv(unhex(nonce, NONCE))


def make_release(
    container: Container,
    group: str,
    secret: bytes,
    *,
    session: str,
    session_key: ec.EllipticCurvePublicKey,
    nonce: str,
    signer: Credential,
) -> str:
    """Return the signed release of ``secret`` (from ``unlock``) for this session and challenge.

    ``nonce`` is hex of the challenge's 32 bytes. Stops with ``commitment_mismatch`` before anything leaves, while a
    retry is free. The bidder's program first checks that the deadline has passed and its own receipt is listed.
    """
    check_secret(container.header, group, secret)
    info = _info(check_identifier(session), group, container.header_sha256, nonce)
    payload = {
        "v": 1,
        "session": session,
        "group": group,
        "header_sha256": container.header_sha256,
        "nonce": nonce,
        "kcb": container.header.group(group).kcb.hex(),
        "hpke": b64u(HPKE.encrypt(secret, session_key, info)),
    }
    return signing.sign(payload, KIND, signer)


def open_release(
    token: str,
    *,
    header: Header,
    header_sha256: str,
    group: str,
    session: str,
    session_key: ec.EllipticCurvePrivateKey,
    nonce: str,
    certificate: x509.Certificate,
) -> bytes:
    """Return the group's key that ``token`` releases, after every check, or raise with the first that fails.

    ``certificate`` is the bidder's signing certificate, already validated for this moment; ``nonce`` the one open
    challenge. In this order: malformed_release, bad_signature or wrong_signer, wrong_session, wrong_bid, stale_nonce,
    commitment_mismatch, not_decryptable, commitment_mismatch.
    """
    hpke = check_release(
        token,
        header=header,
        header_sha256=header_sha256,
        group=group,
        session=session,
        nonce=nonce,
        certificate=certificate,
    )
    try:
        secret = HPKE.decrypt(hpke, session_key, _info(session, group, header_sha256, nonce))
    except (InvalidTag, ValueError) as error:
        raise ReleaseRefused("not_decryptable") from error
    try:
        check_secret(header, group, secret)
    except SealedBidRefused as error:
        raise ReleaseRefused("commitment_mismatch") from error
    return secret


def check_release(
    token: str,
    *,
    header: Header,
    header_sha256: str,
    group: str,
    session: str,
    nonce: str,
    certificate: x509.Certificate,
) -> bytes:
    """Check all of a release that needs no session key, and return its HPKE message.

    This is what can be known, and answered to the bidder, before the barrier.
    """
    stated = read_release(token, SERVER, certificate)
    try:
        hpke = unb64u(stated["hpke"])
    except EncodingRefused as error:
        raise ReleaseRefused("malformed_release", detail=error.detail) from error
    if len(hpke) != SEALED:
        raise ReleaseRefused("malformed_release")
    check_stated(stated, header=header, header_sha256=header_sha256, group=group, session=session, nonce=nonce)
    return hpke


def read_release(token: str, version: int, certificate: x509.Certificate) -> Mapping[str, Any]:
    """Return the members of a signed release of this ``version`` (``SERVER`` or ``SPLIT``), their forms checked.

    A well-signed release of the other version is ``wrong_release_mode``. What is particular to a version (``hpke``,
    ``shares``) is left to the caller.
    """
    try:
        payload = signing.verify(token, KIND, certificate)
    except StatementRefused as error:
        code = error.code if error.code in {"bad_signature", "wrong_signer"} else "malformed_release"
        raise ReleaseRefused(code) from error
    try:
        if check_integer(payload.get("v"), SERVER, SPLIT) != version:
            raise ReleaseRefused("wrong_release_mode")
        stated = exactly(payload, _MEMBERS[version])
        check_identifier(stated["session"])
        unhex(stated["nonce"], NONCE)
        unhex(stated["header_sha256"], 32)
        unhex(stated["kcb"], 32)
    except EncodingRefused as error:
        raise ReleaseRefused("malformed_release", detail=error.detail) from error
    if stated["group"] not in ("A", "B"):
        raise ReleaseRefused("malformed_release")
    return stated


def check_stated(
    stated: Mapping[str, Any], *, header: Header, header_sha256: str, group: str, session: str, nonce: str
) -> None:
    """Raise unless a release is for this session, bid and challenge, and names the commitment the header has."""
    if stated["session"] != session:
        raise ReleaseRefused("wrong_session")
    if stated["header_sha256"] != header_sha256 or stated["group"] != group:
        raise ReleaseRefused("wrong_bid")
    if not hmac.compare_digest(stated["nonce"], nonce):
        raise ReleaseRefused("stale_nonce")
    if not hmac.compare_digest(stated["kcb"], header.group(group).kcb.hex()):
        raise ReleaseRefused("commitment_mismatch")
