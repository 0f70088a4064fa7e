"""The bundle of an opening: what is in it, what is never in it, and that it is the same each time."""

import json
import subprocess
from pathlib import Path

import pytest

from crypto.digest import sha256_hex
from crypto.encoding import unb64u
from crypto.envelope import read_header, unlock
from sessions.errors import CommandRefused, UnknownSession
from sessions.ids import SessionId
from sessions.zipped import unpack
from tests.support.bundles import events, failed, named, the_bundle, the_files
from tests.support.ceremony import MINUTE, T0, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.finished import NAMES, a_bundle, an_aborted_bundle, an_archive
from tests.support.shell import SESSION, a_bid_for_this, a_shell


async def test_a_bundle_does_not_exist_before_the_end(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_shell(tmp_path, clock) as hall:
        await hall.sessions.create(a_plan())
        clock.set(T0 - 30 * MINUTE)
        with pytest.raises(CommandRefused, match="not_over"):
            await an_archive(hall).bundle(SESSION)


async def test_a_session_nobody_announced_has_no_bundle(tmp_path: Path) -> None:
    async with a_shell(tmp_path) as hall:
        with pytest.raises(UnknownSession):
            await an_archive(hall).bundle(SessionId("no-such"))


async def test_the_same_session_gives_the_same_bytes(tmp_path: Path) -> None:
    bundle = await a_bundle(tmp_path)
    async with a_shell(tmp_path, FakeClock(T0 + 600 * MINUTE)) as hall:
        assert await an_archive(hall).bundle(SESSION) == bundle


def test_what_was_sealed_read_out_and_filed_is_one() -> None:
    files = the_files()
    row = json.loads(files["record.json"])["rows"][0]
    assert json.loads(files["bids/1/quote.json"]) == row["quote"]
    assert sha256_hex(files["bids/1/header.json"]) == row["header_sha256"]
    assert named(events(files), "BidOpened")["data"]["quote_key"].encode() == files["bids/1/quote.key"]


def test_a_bid_that_was_not_opened_stays_sealed() -> None:
    files = the_files()
    assert "bids/5/header.json" in files
    assert not any(name.startswith(("bids/4/quote", "bids/5/quote")) for name in files)


def test_no_group_key_and_no_document_is_in_it() -> None:
    bundle, _ = the_bundle()
    assert b"%PDF" not in bundle
    for number, name in enumerate(NAMES[:3]):
        sealed = a_bid_for_this(name, f"1{number}00000.00")
        key = unlock(read_header(sealed.file), "A", sealed.bidder.encrypt)
        assert key not in bundle
        assert key.hex().encode() not in bundle


def test_the_published_key_opens_the_sheet_and_nothing_else() -> None:
    files = the_files()
    key = unb64u(files["bids/1/quote.key"].decode())
    parts = json.loads(files["bids/1/header.json"])["parts"]
    assert [part["id"] for part in parts][:2] == ["quote", "f1"]
    assert len(key) == 32
    assert parts[0]["kc"] != parts[1]["kc"]


def test_what_the_matrix_keeps_from_the_public_is_not_in_it() -> None:
    bundle, _ = the_bundle()
    for text in ("请放慢。", "已重读。", "一切正常"):
        assert text.encode() not in bundle
    assert "唱标过快".encode() in bundle


@pytest.mark.parametrize("bidders", [1, 2])
async def test_an_opening_that_failed_leaves_a_bundle_without_a_name(tmp_path: Path, bidders: int) -> None:
    bundle = await a_bundle(tmp_path, bidders=bidders)
    files = unpack(bundle)
    assert failed(bundle) == set()
    assert not any(name.encode() in bundle for name in NAMES)
    assert not any(name.startswith(("bids/", "trust/", "events/intake")) for name in files)
    assert named(events(files), "OpeningFailed")["data"] == {"received": bidders, "minimum": 3}


@pytest.mark.parametrize("after_t0", [False, True])
async def test_an_opening_that_was_aborted_leaves_what_was_public(tmp_path: Path, after_t0: bool) -> None:
    bundle = await an_aborted_bundle(tmp_path, after_t0=after_t0)
    files = unpack(bundle)
    assert failed(bundle) == set()
    assert ("bids/1/header.json" in files) == after_t0
    assert not any(name.endswith("quote.json") for name in files)
    assert "events/intake.jsonl" not in files
    assert b"locked" not in files["events/opening.private.jsonl"]


async def test_a_bid_in_two_envelopes_is_filed_alike(tmp_path: Path) -> None:
    bundle = await a_bundle(tmp_path, envelopes=2)
    assert failed(bundle) == set()
    assert json.loads(unpack(bundle)["bids/1/quote.json"])["price"] == "1000000.00"


def test_a_name_that_looks_like_markup_is_shown_as_it_is() -> None:
    page = the_files()["record.html"].decode()
    assert "<b>南港</b>" not in page
    assert "&lt;b&gt;南港&lt;/b&gt;" in page


def test_the_page_fetches_nothing() -> None:
    page = the_files()["record.html"].decode()
    assert not any(word in page for word in ("<script", "http:", "https:", "src=", "url(", "@import", "<link"))


@pytest.mark.parametrize(
    "command",
    [
        "sed -n 1p events/opening.jsonl | tr -d '\\n' | sha256sum",
        "sha256sum record.json",
        "sha256sum bids/1/header.json",
        "openssl cms -verify -noverify -binary -inform DER -in bids/1/declaration.der",
    ],
)
def test_the_instructions_work_as_they_are_written(tmp_path: Path, command: str) -> None:
    files = the_files()
    assert command in files["README.txt"].decode()
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, check=True, text=True)
    log = events(files)
    expected = {
        "sed": log[1]["prev"],
        "sha256sum record.json": named(log, "RecordDrawn")["data"]["record_sha256"],
        "sha256sum bids": named(log, "SetFrozen")["data"]["headers"][0],
        "openssl": named(log, "SetFrozen")["data"]["headers"][0],
    }
    assert next(value for start, value in expected.items() if command.startswith(start)) in done.stdout
