"""Whoever changes a bundle is found out by a named check; so is a hall that signs the change itself."""

import json
import random
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.authority import revocation_list
from crypto.certificates import parse_certificate
from crypto.encoding import canonical
from crypto.signing import HallKey
from sessions.archive.bundle import MANIFEST, SIGNATURE
from sessions.zipped import pack
from tests.support.bidders import the_authority
from tests.support.bundles import (
    Files,
    failed,
    signed_anew,
    the_bundle,
    the_files,
)
from tests.support.ceremony import T0
from tests.support.tampering import CERTIFICATE, TAMPERINGS, flipped

# Some members are named by a digest that is another in each process; the tests are named alike in all.
MEMBERS = [
    pytest.param(name, id=re.sub(r"[0-9a-f]{64}", str(place), name)) for place, name in enumerate(sorted(the_files()))
]


@pytest.mark.parametrize("name", MEMBERS)
def test_a_flipped_bit_in_any_member_is_found(name: str) -> None:
    files = the_files()
    for at in {0, len(files[name]) - 1}:
        assert failed(pack({**files, name: flipped(files[name], at)}))


@pytest.mark.parametrize("seed", range(4))
def test_a_flipped_bit_anywhere_in_the_file_is_found(seed: int) -> None:
    bundle, _ = the_bundle()
    chance = random.Random(seed)
    for _ in range(40):
        assert failed(flipped(bundle, chance.randrange(len(bundle)), chance.randrange(8)))


def test_a_flipped_bit_in_the_directory_at_the_end_is_found() -> None:
    bundle, _ = the_bundle()
    for at in range(len(bundle) - 22, len(bundle)):
        for bit in range(8):
            assert failed(flipped(bundle, at, bit)) == {"bundle.file"}


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b + b"\0",
        lambda b: b"\0" + b,
        lambda b: b[:-1],
        lambda b: b[: len(b) // 2],
        lambda b: b + b,
        lambda b: b"",
        lambda b: b"PK\x05\x06" + bytes(18),
    ],
    ids=["a byte behind", "a byte before", "cut", "half", "twice", "empty", "an empty zip"],
)
def test_a_file_of_another_length_is_found(change: Callable[[bytes], bytes]) -> None:
    assert failed(change(the_bundle()[0]))


@pytest.mark.parametrize("name", MEMBERS)
def test_a_missing_member_is_found(name: str) -> None:
    assert failed(pack({n: data for n, data in the_files().items() if n != name}))


def test_an_honest_bundle_signed_anew_still_passes() -> None:
    assert failed(signed_anew(the_files())) == set()


# -- the hall as the adversary: chain and manifest are made anew, and signed with the hall's own key -----------


@pytest.mark.parametrize(("change", "check"), [t[1:] for t in TAMPERINGS], ids=[t[0] for t in TAMPERINGS])
def test_a_dishonest_hall_is_found_out(change: Callable[[Files], Files], check: str) -> None:
    assert check in failed(signed_anew(change(the_files())))


def test_a_stranger_who_signs_with_a_key_of_his_own_is_found_out() -> None:
    stranger = HallKey.generate()
    files = {**the_files(), "hall-key.json": canonical(stranger.public.document())}
    assert failed(signed_anew(files, stranger)) >= {"bids.receipts", "record.signatures", "late.slips"}


def test_a_signature_over_another_manifest_is_found_out() -> None:
    files = the_files()
    other = json.loads(files[MANIFEST])
    other["files"]["README.txt"]["size"] += 1
    assert failed(pack({**files, MANIFEST: canonical(other)})) == {"bundle.manifest"}
    assert SIGNATURE in files


@pytest.mark.parametrize(("revoked", "checks"), [(False, set()), (True, {"bids.certificates"})])
def test_a_bid_under_a_revoked_certificate_is_found_out(revoked: bool, checks: set[str]) -> None:
    files = the_files()
    signer = parse_certificate(files[f"bids/1/{CERTIFICATE}"])
    before = T0 - timedelta(days=2)
    entries = {signer.serial_number: before} if revoked else {}
    crl = revocation_list(the_authority(), entries, at=before)
    assert failed(signed_anew({**files, "trust/crl-1.pem": crl.public_bytes(Encoding.PEM)})) == checks
