"""Every way this package says no, on one screen.

Verification raises and never returns a boolean, which could be forgotten. Each exception carries a stable ``code``
(FORMAT.md section 10), a sentence and a hint; ``crypto.words`` has the sentences in both languages.
"""

from datetime import datetime

from crypto.words import WORDS


class CryptoRefused(Exception):
    """Something did not verify. ``code`` is stable, ``sentence`` and ``hint`` are for people."""

    def __init__(self, code: str, *, detail: str = "") -> None:
        """``detail`` is added for the operator's log; it must not tell an attacker which byte was wrong."""
        words = WORDS[code]
        self.code = code
        self.sentence = words.en
        self.hint = words.hint_en
        self.detail = detail
        super().__init__(f"{words.en} ({detail})" if detail else words.en)


class EncodingRefused(CryptoRefused):
    """JSON, base64url or a field that is not in its one canonical form."""


class SealedBidRefused(CryptoRefused):
    """A ``.sbid`` file that is damaged, altered or not one at all."""


class SlotRefused(SealedBidRefused):
    """A key slot that is malformed, addressed to somebody else, or does not open."""


class ReleaseRefused(CryptoRefused):
    """A released key that is not this bid's, this session's or this challenge's."""


class ShareRefused(CryptoRefused):
    """Shares of a key that do not give it back; ``where`` and ``index`` name the one at fault, if one is."""

    def __init__(self, code: str, *, where: str = "", index: int = 0, detail: str = "") -> None:
        super().__init__(code, detail=" ".join(filter(None, (where, str(index or ""), detail))))
        self.where = where
        self.index = index


class StatementRefused(CryptoRefused):
    """A signed statement whose form, kind, signer or signature is wrong."""


class CertificateRefused(CryptoRefused):
    """A certificate or key file that cannot be used here and now."""


class TimestampRefused(CryptoRefused):
    """A timestamp that is none, is over something else, or is by an authority that is not believed."""


class Revoked(CertificateRefused):
    """A certificate that was revoked by the moment asked about: ``since`` is when."""

    def __init__(self, since: datetime) -> None:
        super().__init__("revoked", detail=since.isoformat())
        self.since = since


class ChainBroken(CryptoRefused):
    """An event chain with a gap, a change or an alien link; ``number`` is the first broken event."""

    def __init__(self, code: str, *, number: int) -> None:
        super().__init__(code, detail=f"event {number}")
        self.number = number


class ProofRefused(CryptoRefused):
    """An inclusion or consistency proof that does not lead to the stated root."""


class NoteRefused(CryptoRefused):
    """A note, checkpoint or policy whose form, log, signer or signature is wrong, or that too few cosigned."""
