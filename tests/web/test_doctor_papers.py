"""What the doctor says of timestamp authorities and of the seal, and the authority that ``kaibiao ca tsa`` serves."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crypto import authority
from crypto.authority import to_pem
from crypto.certificates import Usage, parse_certificate
from sessions.clock import SystemClock
from sessions.outside.stamping import Stamping, TimestampAuthority, Unreachable
from tests.support.ports import free_port
from tests.support.sealing import SEAL
from tests.web.test_stamps import GOOD, a_list, an_authority
from web.cli import doctor
from web.outside.stamps import post
from web.settings import Settings

NOW = datetime.now(UTC)


async def test_an_authority_that_stamps_is_well(tmp_path: Path) -> None:
    async with an_authority() as url:
        a_list(tmp_path, GOOD.replace("https://tsa.example.org/", url))
        (finding,) = await doctor.timestamps(Settings(data_dir=tmp_path), SystemClock())
    assert finding.ok
    assert finding.found.startswith("国家授时 gave 2")


async def test_an_authority_that_is_down_is_named(tmp_path: Path) -> None:
    a_list(tmp_path, GOOD.replace("https://tsa.example.org/", "http://127.0.0.1:9/"))
    (finding,) = await doctor.timestamps(Settings(data_dir=tmp_path), SystemClock())
    assert not finding.ok
    assert finding.found.startswith("国家授时: ")


async def test_a_real_hall_needs_an_authority_and_a_rehearsal_does_not(tmp_path: Path) -> None:
    (real,) = await doctor.timestamps(Settings(data_dir=tmp_path), SystemClock())
    (rehearsal,) = await doctor.timestamps(Settings(data_dir=tmp_path, rehearsal_allowed=True), SystemClock())
    assert (real.ok, rehearsal.ok) == (False, True)


async def test_a_list_that_cannot_be_meant_is_named(tmp_path: Path) -> None:
    a_list(tmp_path, "[[authority")
    (finding,) = await doctor.timestamps(Settings(data_dir=tmp_path), SystemClock())
    assert not finding.ok


def sealed(folder: Path, credential: authority.Credential, *, rehearsal: bool = True) -> doctor.Finding:
    (folder / "seal.pem").write_bytes(to_pem(credential))
    return doctor.seal(Settings(data_dir=folder, seal_file=folder / "seal.pem", rehearsal_allowed=rehearsal), NOW)


def test_a_seal_is_named_with_its_last_day(tmp_path: Path) -> None:
    assert (
        sealed(tmp_path, SEAL).found
        == f"城东区公共资源交易中心, until {SEAL.certificate.not_valid_after_utc:%Y-%m-%d}"
    )


def test_a_demonstration_seal_is_refused_where_real_tenders_are_opened(tmp_path: Path) -> None:
    assert not sealed(tmp_path, SEAL, rehearsal=False).ok


def test_a_seal_that_is_not_in_date_is_to_be_replaced(tmp_path: Path) -> None:
    root = authority.create("Root", at=NOW - timedelta(days=100))
    old = authority.issue(root, name="旧", identifier="1", usage=Usage.SIGN, at=NOW - timedelta(days=50), days=1)
    assert "not in date" in sealed(tmp_path, old).found


def test_a_seal_that_does_not_open_is_named(tmp_path: Path) -> None:
    (tmp_path / "seal.pem").write_bytes(b"nonsense")
    assert not doctor.seal(Settings(data_dir=tmp_path, seal_file=tmp_path / "seal.pem"), NOW).ok


def test_without_a_seal_nothing_is_wrong(tmp_path: Path) -> None:
    assert doctor.seal(Settings(data_dir=tmp_path), NOW).ok


def test_the_demonstration_authority_serves_timestamps(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "web.cli", "ca"]
    subprocess.run([*command, "init", tmp_path / "ca"], check=True, capture_output=True, timeout=60)
    port = str(free_port())
    serving = subprocess.Popen([*command, "tsa", tmp_path / "ca", "--port", port], stdout=subprocess.PIPE, text=True)
    assert serving.stdout is not None
    try:
        said = dict(line.split(maxsplit=1) for line in (serving.stdout.readline(), serving.stdout.readline()))
        anchor = parse_certificate(Path(said["anchor"].strip()).read_bytes())
        named = TimestampAuthority(name="demo", url=said["url"].strip(), anchor=anchor)
        assert asyncio.run(stamped(Stamping(authorities=(named,), post=post, clock=SystemClock())))
    finally:
        serving.terminate()
        serving.wait(timeout=60)
        serving.stdout.close()


async def stamped(stamping: Stamping) -> bytes:
    """Ask until the server, which says its address first, has opened its door."""
    for _ in range(1200):
        with suppress(Unreachable):
            return await stamping.any(secrets.token_bytes(32))
        await asyncio.sleep(0.05)
    raise AssertionError("it never answered")
