"""Keys stay in memory and in files for their owner: what a process does first, and what the doctor looks at."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sessions.keys.hallkey import HallKeys
from sessions.store.masterkey import MasterKeys
from tests.support.commands import kaibiao
from web.cli import doctor_secrets as doctor
from web.cli.finding import Finding
from web.settings import Settings

ROOT = Path(__file__).parents[2]
LOOK = """
import os, resource
from web.process.hardening import protect, undumpable
protect()
print(undumpable(), resource.getrlimit(resource.RLIMIT_CORE)[0], oct(os.umask(0)))
"""


def ran(*words: str, cwd: Path = ROOT) -> str:
    given = {name: value for name, value in os.environ.items() if not name.startswith(("KAIBIAO_", "PYTHONDEV"))}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env=given | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(2) is Linux's")
def test_no_memory_of_a_protected_process_reaches_a_disk() -> None:
    assert ran("-c", LOOK).split() == ["True", "0", "0o77"]
    assert ran("-X", "dev", "-c", LOOK).split() == ["False", "0", "0o77"]  # a debugger may be attached


def test_every_command_is_protected_and_writes_for_its_owner_alone(tmp_path: Path) -> None:
    ran("-m", "web.cli", "migrate", cwd=tmp_path)
    written = [path for path in (tmp_path / "kaibiao-data").rglob("*") if path.is_file()]
    assert written
    assert {path.stat().st_mode & 0o077 for path in written} == {0}


def a_hall(folder: Path) -> Settings:
    HallKeys.in_folder(folder).rotate()
    MasterKeys(folder)
    return Settings(data_dir=folder)


def test_keys_for_their_owner_alone_are_well_and_it_is_said_what_lies_beside_them(tmp_path: Path) -> None:
    settings = a_hall(tmp_path)
    (finding,) = doctor.key_files(settings)
    assert (finding.ok, finding.found) == (True, "4 files, for their owner alone")
    (tmp_path / "kaibiao.db").write_bytes(b"")
    (finding,) = doctor.key_files(settings)
    assert finding.ok
    assert "same disk as the database" in finding.found


def test_a_hall_without_keys_is_not_given_any_by_the_doctor(tmp_path: Path) -> None:
    assert list(doctor.key_files(Settings(data_dir=tmp_path))) == []
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_others_may_read_or_own_is_found(tmp_path: Path) -> None:
    settings = a_hall(tmp_path)
    (tmp_path / "hall-key-2.pem").chmod(0o640)
    (finding,) = doctor.key_files(settings)
    assert finding.fix == f"chmod 600 {tmp_path / 'hall-key-2.pem'}"
    (tmp_path / "hall-key-2.pem").chmod(0o600)
    if os.geteuid() == 0:
        os.chown(tmp_path / "master.key", 65534, -1)
        (finding,) = doctor.key_files(settings)
        assert finding.found == "master.key belongs to another user"


def test_keys_that_do_not_go_together_are_found(tmp_path: Path) -> None:
    settings = a_hall(tmp_path)
    (tmp_path / "hall-key-2.jws").unlink()
    (finding,) = doctor.key_files(settings)
    assert (finding.ok, finding.found) == (False, "hall-key-2.jws is missing")


def swap(folder: Path, *lines: str, rehearsal: bool = False) -> Finding:
    (folder / "swaps").write_text(
        "Filename Type Size Used Priority\n" + "".join(f"{one} x 1 0 -2\n" for one in lines)
    )
    return doctor.swap(rehearsal=rehearsal, swaps=folder / "swaps", devices=folder)


def test_swap_in_the_clear_is_found(tmp_path: Path) -> None:
    (tmp_path / "dm-1" / "dm").mkdir(parents=True)
    (tmp_path / "dm-1" / "dm" / "uuid").write_text("CRYPT-PLAIN-swap\n")
    (tmp_path / "dm-2" / "dm").mkdir(parents=True)
    (tmp_path / "dm-2" / "dm" / "uuid").write_text("LVM-abc\n")
    assert swap(tmp_path).found == "none"
    assert swap(tmp_path, "/dev/dm-1", "/dev/zram0").ok
    for clear in ("/dev/dm-2", "/swapfile", "/dev/sda2"):
        assert not swap(tmp_path, "/dev/dm-1", clear).ok
        assert clear in swap(tmp_path, clear, rehearsal=True).found
        assert swap(tmp_path, clear, rehearsal=True).ok
    assert doctor.swap(rehearsal=False, swaps=tmp_path / "none", devices=tmp_path).ok


@pytest.mark.parametrize(("silent", "ok"), [(True, True), (None, True), (False, False)])
def test_a_core_dump_is_found_before_it_is_written(tmp_path: Path, silent: bool | None, ok: bool) -> None:
    (tmp_path / "core_pattern").write_text("|/usr/share/apport/apport %p\n")
    finding = doctor.cores(tmp_path / "core_pattern", rehearsal=False, silent=lambda: silent)
    assert finding.ok is ok
    assert doctor.cores(tmp_path / "core_pattern", rehearsal=True, silent=lambda: silent).ok
    assert ("apport" in finding.found) is (silent is not None)


def test_a_password_need_not_be_an_argument(tmp_path: Path) -> None:
    kaibiao(tmp_path, "ca", "init", "demo")
    (tmp_path / "password").write_text("a password of four words\n", encoding="utf-8")
    words = ("ca", "issue", "demo", "--name", "华东建设", "--kind", "sign")
    issued = kaibiao(tmp_path, *words, "--p12-file", "password")
    assert issued.returncode == 0, issued.stderr
    (p12,) = (tmp_path / "demo").glob("*.p12")
    (tmp_path / "empty").write_text("\n")
    assert kaibiao(tmp_path, *words, "--p12-file", "empty").returncode == 1
    from crypto.certificates import load_credential

    assert load_credential(p12.read_bytes(), b"a password of four words").certificate
    assert "--p12-file" in kaibiao(tmp_path, "ca", "issue", "--help").stdout
