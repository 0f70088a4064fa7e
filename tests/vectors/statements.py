"""Vectors of signed statements, receipts and slips."""

import json
from typing import Any

from crypto import receipt, signing
from crypto.authority import Algorithm
from crypto.encoding import b64u, canonical
from tests.support.bidders import a_bidder
from tests.vectors.bids import key_pem, pem


def statement_cases() -> Any:
    hall = signing.HallKey.generate()
    payload = {"v": 1, "session": "S-1", "says": "同意 / agreed", "list": [1, None, True]}
    signers = {algorithm: a_bidder(algorithm=algorithm).sign for algorithm in Algorithm}
    token = signing.sign(payload, "login", hall)
    head, body, signature = token.split(".")
    protected = {"alg": "Ed25519", "typ": "kaibiao-login+jws", "kid": hall.public.kid}

    def with_header(**changed: object) -> str:
        signed = f"{b64u(canonical({**protected, **changed}))}.{body}"
        return f"{signed}.{b64u(hall.private.sign(signed.encode()))}"

    loose_payload = b64u(json.dumps(payload).encode())
    loose = f"{head}.{loose_payload}"
    given = receipt.Receipt(
        session="S-1",
        tender="ZB-2026-001",
        lot="1",
        bidder=a_bidder().id,
        header_sha256="11" * 32,
        root="22" * 32,
        length=4096,
        declaration_sha256="33" * 32,
        received_at="2026-11-21T00:59:59.123Z",
        leaf_salt="44" * 32,
    )
    slip = receipt.Slip(
        session="S-1",
        tender="ZB-2026-001",
        lot="1",
        bidder=None,
        header_sha256=None,
        declaration_sha256=None,
        length=0,
        received_at="2026-11-21T01:00:00.000Z",
        code="late",
    )
    large_s = (
        int.from_bytes(signing.unb64u(signature)[32:], "little") + 2**252 + 27742317777372353535851937790883648493
    )
    refused = {
        "alg none": (with_header(alg="none"), "malformed_token"),
        "a member too many": (with_header(crit=["b64"]), "malformed_token"),
        "another kind": (with_header(typ="kaibiao-receipt+jws"), "wrong_kind"),
        "another key id": (with_header(kid="AAAAAAAAAAAAAAAAAAAAAA"), "wrong_signer"),
        "payload not canonical": (f"{loose}.{b64u(hall.private.sign(loose.encode()))}", "malformed_token"),
        "padding": (token + "=", "malformed_token"),
        "trailing newline": (token + "\n", "malformed_token"),
        "two pieces": (f"{head}.{body}", "malformed_token"),
        "payload of another statement": (
            f"{head}.{b64u(canonical({**payload, 'session': 'S-2'}))}.{signature}",
            "bad_signature",
        ),
        "S not below the order": (
            f"{head}.{body}.{b64u(signing.unb64u(signature)[:32] + large_s.to_bytes(32, 'little'))}",
            "bad_signature",
        ),
        "signature cut short": (f"{head}.{body}.{b64u(signing.unb64u(signature)[:-1])}", "bad_signature"),
    }
    return {
        "hall": hall.public.document(),
        "hall_private": hall.pem().decode(),
        "payload": payload,
        "kind": "login",
        "by_hall": token,
        "by_certificate": [
            {
                "alg": signing.peek(signed)[0]["alg"],
                "certificate": pem(credential.certificate),
                "key": key_pem(credential),
                "token": signed,
            }
            for credential in signers.values()
            for signed in [signing.sign(payload, "login", credential)]
        ],
        "refused": [{"name": name, "token": bad, "code": code} for name, (bad, code) in refused.items()],
        "receipt": {
            "token": receipt.issue(given, hall),
            "payload": given.payload(),
            "tracker": receipt.tracker(given.payload()),
            "log_leaf": receipt.log_leaf(given).hex(),
        },
        "slip": {
            "token": receipt.issue(slip, hall),
            "payload": slip.payload(),
            "tracker": receipt.tracker(slip.payload()),
        },
    }
