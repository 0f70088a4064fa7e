"""Authorities that a hall may ask, as plain objects: one that answers, one that is silent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from cryptography import x509

from crypto import ocsp, responder
from sessions.ports import Answered
from sessions.proofs import Tried
from tests.support.bidders import BEGIN, the_authority

URL = "http://ocsp.ca.example/"


class Answering:
    """Answers for the test authority, truly signed, for a day; ``revoked`` may change at any time."""

    def __init__(self, revoked: Mapping[int, datetime] | None = None) -> None:
        self.revoked = dict(revoked or {})
        self._by = responder.appoint(the_authority(), at=BEGIN, days=3000)

    async def ask(self, subject: x509.Certificate, issuer: x509.Certificate, at: datetime) -> Answered:
        answer = responder.answer(
            ocsp.ask(subject, issuer, nonce=bytes(32)),
            authority=the_authority().certificate,
            responder=self._by,
            issued={subject.serial_number},
            revoked=self.revoked,
            at=at.replace(microsecond=0),
            life=timedelta(days=1),
        )
        return Answered(ocsps=(answer,), tried=(Tried(url=URL, at=at, outcome="answered"),))


class Silent:
    """Is asked and never answers."""

    async def ask(self, subject: x509.Certificate, issuer: x509.Certificate, at: datetime) -> Answered:
        return Answered(tried=(Tried(url=URL, at=at, outcome="timeout"),))
