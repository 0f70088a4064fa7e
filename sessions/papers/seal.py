"""The hall's seal on a paper: PAdES with timestamps and the proof that no certificate was revoked (B-LTA).

Any reader of PDF can check such a seal, long after its certificates have expired (ETSI EN 319 142-1 section 6). Its
certificate is one of its own beside the hall key.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from crypto.certificates import Credential, bidder_name
from crypto.errors import CryptoRefused
from crypto.paths import Trust
from sessions.outside.stamping import Stamper, Unreachable

_LOG = logging.getLogger(__name__)


class NotSealed(Exception):
    """No seal could be put on: no authority gave a timestamp."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DocumentSeal:
    """The key of the seal, whom its certificate and the stamps lead to, and where stamps come from."""

    credential: Credential
    trust: Callable[[], Trust]
    stamp: Stamper

    @property
    def name(self) -> str:
        """Whose seal it is."""
        return bidder_name(self.credential.certificate)

    def put_on(self, paper: bytes) -> bytes:
        """Return ``paper`` sealed: B-LTA, or B-T where nothing tells of a certificate whether it was revoked.

        Asks authorities over the network and takes a second: call it in a thread, outside any event loop.

        Raises:
            NotSealed: and why.
        """
        from sessions.papers import pades  # a second of imports that only sealing needs

        try:
            try:
                return pades.sealed(paper, self.credential, self.stamp, self.trust())
            except pades.NotLasting as error:
                _LOG.warning("the seal will not outlast its certificates", extra={"why": str(error)})
                return pades.sealed(paper, self.credential, self.stamp, None)
        except (Unreachable, CryptoRefused, pades.NotLasting) as error:
            raise NotSealed(str(error)) from error
