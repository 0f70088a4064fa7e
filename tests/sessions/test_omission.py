"""A bidder's receipt tells what became of its bid, and convicts a hall that dropped it, whatever else holds."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from crypto.encoding import canonical
from crypto.receipt import issue, tracker, verify_receipt
from crypto.receipt_file import ReceiptFile, read_receipt_file
from crypto.signing import HallKey
from sessions import intake
from sessions.events import BidReceived, Stream
from sessions.intake.receipts import receipt_of
from sessions.verify import Fate, verify
from sessions.verify.events import cores, read
from sessions.verify.fates import FATES
from tests.support.audited import reports
from tests.support.bundles import failed, signed_anew, the_bundle, the_files
from tests.support.ceremony import a_plan
from tests.support.dishonest import (
    pass_off_as_decoy,
    receipts,
    rewrite_intake,
    with_proof,
    with_salt,
    without_bid,
)
from tests.support.finished import a_bundle, an_aborted_bundle, nothing
from tests.support.hallkey import hall_key
from tests.support.shell import SESSION, Shell

FIRST, GONE, REPLACING, SILENT = 0, 1, 2, 6
"""Receipts in the order of the play: replaced, withdrawn, replacing the first; the last only bids and is silent."""


@cache
def the_receipts() -> tuple[str, ...]:
    """The receipts that the hall of the_bundle gave, again."""
    _, key = the_bundle()
    told = cores(the_files()["events/intake.jsonl"], SESSION, Stream.INTAKE).value
    log = read(told, {}, a_plan()).records
    return tuple(issue(receipt_of(r, a_plan()), key) for r in log if isinstance(r.event, BidReceived))


def fate(bundle: bytes, receipt: bytes | str) -> Fate:
    kept = receipt.encode() if isinstance(receipt, str) else receipt
    report = verify(bundle, kept)
    assert report.verdict is not None
    assert report.verdict.ok or not report.ok
    (theirs,) = reports(bundle, receipt=kept)
    assert (theirs["verdict"]["fate"], theirs["verdict"]["ok"]) == (report.verdict.fate, report.verdict.ok)
    assert theirs["verdict"]["ok"] or not theirs["ok"]
    if report.verdict.fate not in (Fate.FORGED, Fate.FOREIGN) and "left aside" not in str(report.verdict.evidence):
        assert tuple(theirs["verdict"]["evidence"]) == report.verdict.evidence  # errors are worded otherwise
    return report.verdict.fate


def told(bundle: bytes, receipt: bytes | str) -> str:
    verdict = verify(bundle, receipt.encode() if isinstance(receipt, str) else receipt).verdict
    assert verdict is not None
    return " ".join(verdict.evidence)


def test_what_became_of_each_bid_is_told_by_its_receipt() -> None:
    bundle, _ = the_bundle()
    fates = [fate(bundle, receipt) for receipt in the_receipts()]
    assert fates == [Fate.REPLACED, Fate.WITHDRAWN, *[Fate.COUNTED] * 5]
    assert verify(bundle, the_receipts()[REPLACING].encode()).ok


def test_a_replaced_bid_is_told_by_which() -> None:
    bundle, key = the_bundle()
    later = tracker(verify_receipt(the_receipts()[REPLACING], key.public).payload())
    assert later in told(bundle, the_receipts()[FIRST])


def test_the_verdict_is_in_the_report_for_programs() -> None:
    bundle, _ = the_bundle()
    said = verify(bundle, the_receipts()[GONE].encode()).to_json()
    assert said["ok"] is True
    assert said["receipt"]["fate"] == "withdrawn"
    assert "receipt" not in verify(bundle).to_json()


def test_every_fate_has_its_sentence_in_both_languages() -> None:
    assert FATES.keys() == set(Fate)
    assert all(words.zh.endswith("。") and words.en.endswith(".") for words in FATES.values())


# -- receipts that prove nothing here --------------------------------------------------------------------------


def test_a_receipt_of_another_halls_key_is_told_apart() -> None:
    bundle, key = the_bundle()
    other = HallKey.generate()
    receipt = issue(verify_receipt(the_receipts()[3], key.public), other)
    assert fate(bundle, receipt) is Fate.FOREIGN
    assert fate(bundle, ReceiptFile(token=receipt, hall=other.public).to_bytes()) is Fate.FOREIGN


def test_a_receipt_for_another_opening_is_told_apart() -> None:
    bundle, key = the_bundle()
    other = replace(verify_receipt(the_receipts()[3], key.public), session="gx-2")
    assert fate(bundle, issue(other, key)) is Fate.FOREIGN


@pytest.mark.parametrize("kept", [b"", b"{}", b"a.b.c", b"\xff\xfe", b'{"v":1}'])
def test_what_is_no_receipt_proves_nothing(kept: bytes) -> None:
    assert fate(the_bundle()[0], kept) is Fate.FORGED


def test_a_receipt_that_the_hall_did_not_sign_proves_nothing() -> None:
    bundle, key = the_bundle()
    forged = the_receipts()[3][:-4] + ("AAAA" if not the_receipts()[3].endswith("AAAA") else "BAAA")
    assert fate(bundle, forged) is Fate.FORGED
    assert fate(bundle, ReceiptFile(token=forged, hall=key.public).to_bytes()) is Fate.FORGED


def test_from_a_damaged_bundle_nothing_is_concluded() -> None:
    damaged = the_bundle()[0][:-1]
    assert fate(damaged, the_receipts()[3]) is Fate.UNTOLD


async def test_an_opening_that_was_not_held_tells_only_who_is_in_the_set(tmp_path: Path) -> None:
    given: list[str] = []

    async def note(hall: Shell) -> None:
        given.extend(await receipts(hall, hall_key(hall.folder)))

    bundle = await a_bundle(tmp_path, bidders=2, received=note)
    assert verify(bundle).ok
    assert [fate(bundle, receipt) for receipt in given] == [Fate.UNTOLD, Fate.UNTOLD, Fate.COUNTED, Fate.COUNTED]


async def test_an_opening_aborted_before_its_time_dropped_nobody(tmp_path: Path) -> None:
    bundle = await an_aborted_bundle(tmp_path, after_t0=False)
    _, key = the_bundle()
    anybody = verify_receipt(the_receipts()[3], key.public)
    assert fate(bundle, issue(anybody, hall_key(tmp_path))) is Fate.NEVER_FROZEN


# -- the hall as the adversary ---------------------------------------------------------------------------------


def trackers(folder: Path, token: str) -> str:
    return tracker(verify_receipt(token, hall_key(folder).public).payload())


@pytest.mark.parametrize("logged", [True, False])
async def test_a_hall_that_drops_a_bid_is_convicted_by_its_receipt(tmp_path: Path, logged: bool) -> None:
    dropped: list[str] = []

    async def drop(hall: Shell) -> None:
        key = hall_key(hall.folder)
        token = (await receipts(hall, key))[SILENT]
        file = await with_proof(hall, key, token) if logged else ReceiptFile(token=token, hall=key.public)
        dropped.append(file.to_bytes().decode())
        await rewrite_intake(hall, without_bid(trackers(hall.folder, token)))

    early, later = (nothing, drop) if logged else (drop, nothing)
    bundle = await a_bundle(tmp_path, received=early, logged=later)
    # Once logged, the bundle convicts the hall by itself; before that only the receipt can, and does.
    assert failed(bundle) == ({"log.intake"} if logged else set())
    assert fate(bundle, dropped[0]) is Fate.DROPPED
    evidence = told(bundle, dropped[0])
    assert "signed the receipt" in evidence
    assert ("it stands in the log hall.example/s/gx-1/intake" in evidence) == logged
    assert fate(bundle, read_receipt_file(dropped[0].encode()).token) is Fate.DROPPED


async def test_a_hall_that_puts_a_decoy_where_the_receipt_stood_is_convicted_by_its_own_checkpoint(
    tmp_path: Path,
) -> None:
    files: list[ReceiptFile] = []

    async def cover_up(hall: Shell) -> None:
        key = hall_key(hall.folder)
        token = (await receipts(hall, key))[SILENT]
        files.append(await with_proof(hall, key, token))
        await pass_off_as_decoy(hall, key, token)
        await rewrite_intake(hall, without_bid(trackers(hall.folder, token)))

    bundle = await a_bundle(tmp_path, logged=cover_up)
    assert failed(bundle) == set()  # the bundle alone says nothing any more
    assert fate(bundle, files[0].to_bytes()) is Fate.FORKED
    assert fate(bundle, replace(files[0], proof=None).to_bytes()) is Fate.DROPPED


async def test_a_hall_that_signed_one_receipt_and_logged_another_is_convicted(tmp_path: Path) -> None:
    given: list[str] = []

    async def salt_anew(hall: Shell) -> None:
        given.append((await receipts(hall, hall_key(hall.folder)))[SILENT])
        await rewrite_intake(hall, with_salt(trackers(hall.folder, given[0]), "5a" * 32))

    bundle = await a_bundle(tmp_path, received=salt_anew)
    assert fate(bundle, given[0]) is Fate.ALTERED


async def test_a_bid_left_out_of_the_set_alone_is_a_bid_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The events of intake still have it: the hall only froze a smaller set."""
    given: list[str] = []

    async def note(hall: Shell) -> None:
        given.extend(await receipts(hall, hall_key(hall.folder)))

    whole = intake.sealed_bids
    monkeypatch.setattr(intake, "sealed_bids", lambda state: whole(state)[:-1])
    bundle = await a_bundle(tmp_path, received=note)
    monkeypatch.setattr(intake, "sealed_bids", whole)
    assert "set.complete" in failed(bundle)
    assert fate(bundle, given[-1]) is Fate.DROPPED
    assert fate(bundle, given[-2]) is Fate.COUNTED


def test_a_withdrawal_that_its_bidder_did_not_sign_is_no_withdrawal() -> None:
    _, key = the_bundle()
    files = the_files()
    other = signed_anew({**files, "withdrawn/1.pem": files["bids/1/signing-certificate.pem"]})
    assert failed(other) == {"log.withdrawn"}
    assert fate(other, the_receipts()[GONE]) is Fate.DROPPED
    assert key.public.kid in told(other, the_receipts()[GONE])


def test_a_proof_that_does_not_hold_is_left_aside() -> None:
    bundle, key = the_bundle()
    file = ReceiptFile(token=the_receipts()[3], hall=key.public, proof="c2sp.org/tlog-proof@v1\nindex 0\n\nnothing\n")
    assert fate(bundle, file.to_bytes()) is Fate.COUNTED
    assert "left aside" in told(bundle, file.to_bytes())


def test_another_key_for_the_decoys_is_found_out() -> None:
    files = the_files()
    other = canonical({"v": 1, "session": SESSION, "decoy_key": "00" * 32})
    assert failed(signed_anew({**files, "log/intake.json": other})) == {"log.intake"}
