"""The officer's side of a lock, on the officer's own machine: try the key, and open what was sealed to it.

What the browser does in ``web/client/src/officer.ts``. The key never leaves the machine, and a rehearsal makes its
own riddle: one that came from a server could be the real share.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from crypto import recipients
from crypto.certificates import Credential, Usage, check_leaf, fingerprint
from crypto.encoding import b64u, unb64u, unhex
from crypto.errors import CertificateRefused, CryptoRefused
from crypto.header import SlotRole
from crypto.locks import open_share, read_share
from crypto.quorum import Place
from crypto.suites import named
from sessions.plan import ESCROW, TENDERER

_ROLES = {TENDERER: SlotRole.TENDERER, ESCROW: SlotRole.ESCROW}
_RELEASED = ("lock", "i", "t", "n", "kcs", "hpke")


def rehearse(officer: Credential) -> None:
    """Seal a random value to the officer's certificate and open it again; raise CryptoRefused if that fails."""
    check_leaf(officer.certificate, Usage.ENCRYPT)
    value = os.urandom(32)
    if recipients.unwrap(recipients.wrap(officer.certificate, value), officer.key, officer.certificate) != value:
        raise CertificateRefused("pair_mismatch")


def lock_of(view: Mapping[str, Any], account: str) -> str | None:
    """Return which lock of an opening's view this account is an officer of."""
    for name, lock in (view.get("locks") or {}).items():
        if any(one["account"] == account for one in lock["officers"].values()):
            return str(name)
    return None


def open_all(sealed: Mapping[str, Any], officer: Credential) -> list[dict[str, Any]]:
    """Return what ``POST .../shares`` takes, from what ``GET .../shares`` gave. One that does not open is null.

    Raises CertificateRefused ``pair_mismatch`` if the shares are for another certificate.
    """
    if unb64u(sealed["cert"]) != _der(officer):
        raise CertificateRefused("pair_mismatch")
    return [
        {"bidder": one["bidder"], "group": one["group"], "share": _open(one, officer)} for one in sealed["shares"]
    ]


def _open(one: Mapping[str, Any], officer: Credential) -> str | None:
    try:
        suite, context = named(one["suite"]), unhex(one["context"], 32)
        if "slot" in one:
            value = suite.unwrap(unb64u(one["slot"]), officer.key, officer.certificate)
            place = Place.read(_ROLES[one["lock"]].where, one["i"], one["t"], one["n"], one["kcs"])
            return b64u(place.require(suite, context, value).value)
        share = read_share(
            {**{name: one[name] for name in _RELEASED}, "cert": fingerprint(officer.certificate).hex()},
            session=one["session"],
            group=one["group"],
            header_sha256=one["header_sha256"],
            nonce=one["nonce"],
            suite=suite,
            context=context,
        )
        return b64u(open_share(share, officer).value)
    except CryptoRefused:
        return None  # the hall records it: between bidder and officer nobody can tell whose doing it was


def _der(officer: Credential) -> bytes:
    return officer.certificate.public_bytes(Encoding.DER)
