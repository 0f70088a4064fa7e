"""The demo authority's own responder: every certificate of the demo names it, and the hall asks it at each act."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from crypto import responder
from crypto.authority import revocation_list
from crypto.certificates import Credential
from sessions.clock import SystemClock
from web.demo.cast import Troupe
from web.standins.responder import Responder


@dataclass(slots=True)
class Answering:
    """Where one may ask, and about whom: nobody until ``knows`` was called."""

    url: str = ""
    _troupe: Troupe | None = None
    _by: Credential | None = None
    _issued: frozenset[int] = frozenset()

    def knows(self, troupe: Troupe) -> None:
        """Answer for this authority from here on."""
        members = (*troupe.bidders, troupe.late)
        held = [each for member in members for each in (member.signer, member.encrypter, member.opener)]
        self._issued = frozenset(each.certificate.serial_number for each in held)
        self._by = responder.appoint(troupe.authority, at=SystemClock().now().replace(microsecond=0))
        self._troupe = troupe

    def also_knows(self, certificate: x509.Certificate) -> None:
        """Answer for one more that this authority issued: that of its timestamps."""
        self._issued |= {certificate.serial_number}

    def answer(self, request: bytes) -> bytes:
        """Return the answer to a request; an error before ``knows``."""
        if self._troupe is None or self._by is None:
            raise LookupError("the authority is not made yet")
        return responder.answer(
            request,
            authority=self._troupe.authority.certificate,
            responder=self._by,
            issued=self._issued,
            revoked={},
            at=SystemClock().now().replace(microsecond=0),
        )

    def listed(self) -> bytes:
        """Return the list: nobody is on it."""
        if self._troupe is None:
            raise LookupError("the authority is not made yet")
        now = SystemClock().now().replace(microsecond=0)
        return revocation_list(self._troupe.authority, {}, at=now).public_bytes(Encoding.DER)


@contextmanager
def answering() -> Iterator[Answering]:
    """Answer on a free port of this machine while the block lasts."""
    who = Answering()
    with Responder(who.answer, who.listed) as running:
        who.url = running.url
        yield who
