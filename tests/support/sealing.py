"""An authority for timestamps and a document seal under a root of their own, in real time: pyHanko asks the clock."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from crypto import authority, timestamping, timestamps
from crypto.certificates import Usage
from crypto.paths import Trust
from sessions.outside.stamping import Stamper
from sessions.papers.seal import DocumentSeal

NOW = datetime.now(UTC).replace(microsecond=0)
BEGAN = NOW - timedelta(minutes=5)
ROOT = authority.create("Root", at=BEGAN)
TSA = timestamping.issue_authority(ROOT, name="TSA", at=BEGAN, days=730)
SEAL = authority.issue(ROOT, name="城东区公共资源交易中心", identifier="12330100", usage=Usage.SIGN, at=BEGAN)


async def a_stamp(digest: bytes) -> bytes:
    """A token as an honest authority gives it."""
    nonce = secrets.randbits(64)
    asked = datetime.now(UTC)
    reply = timestamping.reply(timestamps.request(digest, nonce), TSA, at=asked, serial=nonce)
    token, _ = timestamps.read_reply(
        reply, digest=digest, nonce=nonce, anchors=[ROOT.certificate], asked_at=asked, answered_at=asked
    )
    return token


def a_seal(*, stamp: Stamper = a_stamp, revoked: bool = False, lists: bool = True) -> DocumentSeal:
    told = {SEAL.certificate.serial_number: BEGAN + timedelta(minutes=1)} if revoked else {}
    crls = (authority.revocation_list(ROOT, told, at=BEGAN + timedelta(minutes=1)),) if lists else ()
    return DocumentSeal(credential=SEAL, trust=lambda: Trust(anchors=(ROOT.certificate,), crls=crls), stamp=stamp)
