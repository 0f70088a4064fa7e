"""From one hall key to the next: the old key signs the new one's public document (FORMAT.md section 7)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from crypto.encoding import exactly, parse_canonical
from crypto.errors import CertificateRefused, EncodingRefused, StatementRefused
from crypto.signing import HallKey, HallPublicKey, sign, verify

KIND: Final = "hall-key"
MAX_DOCUMENT: Final = 1024 * 1024


def endorse(old: HallKey, new: HallPublicKey) -> str:
    """Return the statement of ``old`` that ``new`` follows it."""
    return sign({"v": 1, "next": new.document()}, KIND, old)


def follow(keys: Sequence[HallPublicKey], endorsements: Sequence[str]) -> None:
    """Raise StatementRefused unless each key is endorsed by the one before, and no key is there twice."""
    if not keys or len(endorsements) != len(keys) - 1 or len(set(keys)) != len(keys):
        raise StatementRefused("wrong_signer")
    for (old, new), token in zip(pairwise(keys), endorsements, strict=True):
        if verify(token, KIND, old) != {"v": 1, "next": new.document()}:
            raise StatementRefused("wrong_signer")


def read_keys(data: bytes) -> tuple[HallPublicKey, ...]:
    """Return the keys of a hall, oldest first, from its published document; one key alone may stand for itself.

    **Whether the first of them is the hall's, the reader must know from elsewhere.** The others follow from it.
    Raises CryptoRefused.
    """
    form: Any = parse_canonical(data.rstrip(b"\n"), limit=MAX_DOCUMENT)
    if isinstance(form, dict) and "keys" not in form:
        return (HallPublicKey.from_document(form),)
    try:
        stated = exactly(form, ("v", "keys", "endorsements"))
    except EncodingRefused as error:
        raise CertificateRefused("malformed_certificate") from error
    listed, tokens = stated["keys"], stated["endorsements"]
    if stated["v"] != 1 or not isinstance(listed, list) or not isinstance(tokens, list):
        raise CertificateRefused("malformed_certificate")
    if not all(isinstance(token, str) for token in tokens):
        raise CertificateRefused("malformed_certificate")
    keys = tuple(HallPublicKey.from_document(document) for document in listed)
    follow(keys, tokens)
    return keys
