"""What the doctor says of the place where sealed bids are kept."""

from __future__ import annotations

from pathlib import Path

from sessions.clock import SystemClock
from tests.support.s3 import s3
from web.cli.doctor import bids
from web.settings import Settings


async def test_a_folder_says_what_may_come(tmp_path: Path) -> None:
    finding = await bids(Settings(data_dir=tmp_path), SystemClock())
    assert finding.ok
    assert "GiB" in finding.found


async def test_a_bucket_is_put_to_the_test(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, blobs_url=s3().url("doctor"), blobs_key_file=s3().key_file)
    assert (await bids(settings, SystemClock())).ok


async def test_a_bucket_that_does_not_let_the_hall_in_is_to_be_put_right(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("hall\nwrong-geheim\n")
    finding = await bids(Settings(data_dir=tmp_path, blobs_url=s3().url("doctor"), blobs_key_file=key), SystemClock())
    assert not finding.ok
    assert "geheim" not in finding.found + finding.fix


async def test_a_key_file_of_another_form_is_to_be_put_right(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("geheim")
    finding = await bids(Settings(data_dir=tmp_path, blobs_url="s3://b/p", blobs_key_file=key), SystemClock())
    assert "two lines" in finding.found
    assert "geheim" not in finding.found + finding.fix


async def test_a_bucket_that_is_not_there_is_to_be_put_right(tmp_path: Path) -> None:
    url = "s3://bids/x?endpoint=http://127.0.0.1:1"
    finding = await bids(Settings(data_dir=tmp_path, blobs_url=url, blobs_key_file=s3().key_file), SystemClock())
    assert "no answer" in finding.found
    assert finding.fix
