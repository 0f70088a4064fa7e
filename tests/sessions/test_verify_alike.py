"""Where the two verifiers once came to different verdicts on a generated bundle: one thing each, and now the same."""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from crypto import der
from crypto.authority import revocation_list
from crypto.signing import HallKey
from sessions.plan import Plan, Watch
from sessions.proofs import Proof, proof_of, read, written
from sessions.zipped import unpack
from tests.support.audited import by_python, by_typescript
from tests.support.bidders import Bidder, the_authority
from tests.support.bundles import Files, named, redrawn, retold, signed_anew, the_files
from tests.support.ceremony import T0, a_plan
from tests.support.generated import Making, the_hall
from tests.support.outside import TIME_BY, Proofs
from tests.support.tampering import CERTIFICATE

Cores = list[dict[str, Any]]


def failing(bundle: bytes) -> list[str]:
    ours = by_python(bundle)
    assert by_typescript(bundle) == [ours]
    return [check for check, outcome in ours.items() if outcome == "failed"]


@cache
def with_too_few_bids() -> Files:
    """An opening with time sources that failed for want of bids: who bid stays hidden, in SetFrozen too."""
    for seed in range(400):
        making = Making(seed, acts=16).play()
        if making.it.status == "failed" and making.it.plan.clock is not None:
            return unpack(asyncio.run(making.bundle()))
    raise AssertionError("no seed tells such a story")


def of_another_offset(cores: Cores) -> None:
    named(cores, "SetFrozen")["data"]["clock_offset_ms"] = 4_000


def without_a_look_at_the_clock(cores: Cores) -> None:
    cores.remove(named(cores, "ClockChecked"))


@pytest.mark.parametrize("change", [of_another_offset, without_a_look_at_the_clock], ids=lambda one: one.__name__)
def test_a_hidden_set_is_frozen_by_the_rules_of_any_other(change: Callable[[Cores], None]) -> None:
    told = redrawn(retold(with_too_few_bids(), change))
    assert failing(signed_anew(told, the_hall())) == ["rules.opening"]


def test_a_bidder_is_no_authority_for_itself() -> None:
    files = the_files()
    signers = [data for name, data in files.items() if name.endswith(CERTIFICATE)]
    anchors = {f"trust/anchor-{place}.pem": pem for place, pem in enumerate(signers, start=1)}
    assert failing(signed_anew({**files, **anchors})) == ["bids.certificates", "statements.certificates"]


# -- DER: what one library is strict about and the other is not ----------------------------------------------------

SHA256 = der.oid("2.16.840.1.101.3.4.2.1")
ECDSA, OTHER = der.oid("1.2.840.10045.4.3.2"), der.oid("1.2.840.10045.4.3.3")
CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "another version": lambda data: data.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x03", 1),
    "two signature algorithms": lambda data: data.replace(ECDSA, OTHER, 1),
    "an algorithm without a name": lambda data: data.replace(ECDSA, b"\x46" + ECDSA[1:], 1),
    "a month there is not": lambda data: data.replace(b"\x17\x0d260101", b"\x17\x0d261301", 1),
    "a truth of one": lambda data: data.replace(b"\x01\x01\xff", b"\x01\x01\x01", 1),
    "a name of bytes": lambda data: data.replace(b"\x0c\x09Test Root", b"\x04\x09Test Root"),
    "a key of broken bytes": lambda data: data.replace(b"\x03\x42\x00\x04", b"\x03\x42\x01\x04", 1),
    "a use of broken bits": lambda data: data.replace(b"\x03\x02\x01\x06", b"\x03\x02\x02\x06", 1),
    "a signature of broken bytes": lambda data: data[: (at := data.rindex(ECDSA) + 12)] + b"\x01" + data[at + 1 :],
}


def as_pem(data: bytes, label: bytes = b"CERTIFICATE") -> bytes:
    body = base64.b64encode(data)
    lines = b"".join(body[at : at + 64] + b"\n" for at in range(0, len(body), 64))
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label, lines, label)


def all_failing(
    files: Files, key: HallKey | None, changed: Mapping[str, Mapping[str, bytes]]
) -> dict[str, list[str]]:
    bundles = {what: signed_anew({**files, **members}, key) for what, members in changed.items()}
    ours = {what: by_python(bundle) for what, bundle in bundles.items()}
    assert dict(zip(bundles, by_typescript(*bundles.values()), strict=True)) == ours
    return {what: [check for check, outcome in said.items() if outcome == "failed"] for what, said in ours.items()}


def test_an_authority_that_is_not_der_is_none() -> None:
    data = the_authority().certificate.public_bytes(Encoding.DER)
    changed = {what: change(data) for what, change in CHANGES.items()}
    assert data not in changed.values()
    found = all_failing(
        the_files(), None, {what: {"trust/anchor-1.pem": as_pem(each)} for what, each in changed.items()}
    )
    assert found == {what: ["bids.certificates", "statements.certificates"] for what in CHANGES}


def test_a_list_that_is_not_der_is_none() -> None:
    data = revocation_list(the_authority(), {}, at=T0 - timedelta(days=2)).public_bytes(Encoding.DER)
    names = ("two signature algorithms", "a name of bytes", "a signature of broken bytes")
    changed = {what: CHANGES[what](data) for what in names}
    assert data not in changed.values()
    lists = {what: {"trust/crl-1.pem": as_pem(each, b"X509 CRL")} for what, each in changed.items()}
    found = all_failing(the_files(), None, lists)
    assert set(map(tuple, found.values())) <= {
        ("bids.certificates",),
        ("bids.certificates", "statements.certificates"),
    }


class _Stamped(Making):
    """An opening whose end a timestamp authority holds."""

    def _plan(self) -> Plan:
        watch = Watch(origin="hall.example/s/gx-1", witnesses=(), quorum=0, authorities=TIME_BY)
        return replace(a_plan("cn-works"), watch=watch)


def test_a_token_that_is_not_der_is_none() -> None:
    name = "stamps/final-1.tst"
    for seed in range(400):
        files = unpack(asyncio.run(_Stamped(seed, acts=8).play().bundle()))
        if name in files:
            break
    token = files[name]
    body, _, signature = token.rpartition(ECDSA)
    changed = {
        "honest": token,
        "another signature algorithm": body + OTHER + signature,
        "a version below nought": token.replace(b"\x02\x01\x03", b"\x02\x01\x83", 1),
        "another digest announced": token.replace(SHA256, der.oid("2.16.840.1.101.3.4.2.2"), 1),
        "a month there is not": token.replace(b"\x17\x0d2610", b"\x17\x0d2613", 1),
        "a truth of one": token.replace(b"\x01\x01\xff", b"\x01\x01\x01", 1),
    }
    assert len(set(changed.values())) == len(changed)
    found = all_failing(files, the_hall(), {what: {name: each} for what, each in changed.items()})
    assert found == {what: [] if what == "honest" else ["stamps.tokens"] for what in changed}


# -- what was known of certificates --------------------------------------------------------------------------------


class _Kept(Proofs):
    """Every answer was had before and is still in date; asked again, its authority was silent."""

    def look(self, bidder: Bidder, at: datetime, chance: random.Random, *, encrypting: bool = False) -> Proof:
        grounds = read(self.items[super().look(bidder, at, chance, encrypting=encrypting).evidence])
        silent = tuple(replace(tried, outcome="timeout") for tried in grounds.tried)
        digest, document = written(replace(grounds, tried=silent))
        self.items[digest] = document
        return proof_of(replace(grounds, tried=silent))


class _Proved(Making):
    """An opening in which every act is proved by what was known before."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.proofs = _Kept()
        self.checkpoints = replace(self.checkpoints, proofs=self.proofs)

    def _plan(self) -> Plan:
        return replace(a_plan("intl-two-role"), proofs=True)


def test_an_answer_counts_though_its_authority_was_silent_when_asked_again() -> None:
    for seed in range(400):
        making = _Proved(seed)
        making.play()
        if making.it.status == "ended" and any(_answered(data) for data in making.proofs.items.values()):
            break
    assert failing(asyncio.run(making.bundle())) == []


def _answered(document: bytes) -> bool:
    if not document.startswith(b"{"):
        return False
    grounds = read(document)
    return any(looked.ocsps for looked in grounds.looked) and bool(grounds.tried)
