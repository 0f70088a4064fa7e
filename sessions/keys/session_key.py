"""The key of one opening, to which bidders encrypt what they release. Its private half is kept sealed."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from crypto.release import new_session_key
from sessions.ids import SessionId
from sessions.ports import SecretStore

NAME = "session-key"


async def session_key(secrets: SecretStore, session: SessionId) -> ec.EllipticCurvePrivateKey:
    """Return the session's key, making it the first time. Two workers at once get the same one."""
    kept = await secrets.get(session, NAME)
    if kept is None:
        new = new_session_key().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        kept = await secrets.keep(session, NAME, new)
    key = load_der_private_key(kept, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the session key is not of its kind")
    return key
