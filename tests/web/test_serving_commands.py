"""``kaibiao serve``, ``migrate`` and ``doctor`` as an operator meets them."""

from __future__ import annotations

import logging
import os
import resource
import signal
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from crypto import authority
from sessions.errors import Unanswered
from tests.support.commands import kaibiao
from tests.support.logs import logging_to_text
from tests.support.ports import free_port
from web.cli import doctor
from web.cli.doctor import Finding
from web.process.descriptors import allowed
from web.settings import Settings

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


def environment() -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("KAIBIAO_")}
    return ours | {"PYTHONPATH": str(ROOT), "COLUMNS": "100", "KAIBIAO_MEDIA": "off"}


def test_a_hall_without_a_database_says_what_to_do(tmp_path: Path) -> None:
    ran = kaibiao(tmp_path, "serve")
    assert ran.returncode == 1
    assert ran.stderr.splitlines() == [
        "the database has an older form than this version needs, or is empty",
        "Run `kaibiao migrate`.",
    ]


def test_a_hall_is_migrated_served_and_stopped(tmp_path: Path) -> None:
    assert kaibiao(tmp_path, "migrate").returncode == 0
    port = free_port()
    command = [sys.executable, "-m", "web.cli", "serve", "--port", str(port)]
    with subprocess.Popen(command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True) as serving:
        try:
            assert readiness(port) == 200
        finally:
            serving.send_signal(signal.SIGTERM)
            _, said = serving.communicate(timeout=100)
    assert "Application shutdown complete" in said
    assert "Traceback" not in said


def readiness(port: int) -> int:
    for _ in range(1200):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
                return int(answer.status)
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the hall did not answer")


@pytest.mark.parametrize(
    ("words", "settings", "said"),
    [
        (("serve", "--workers", "3"), {}, "Team mode"),
        (("serve", "--config", "gone.toml"), {}, "gone.toml"),
        (("migrate",), {"prot": "1"}, "KAIBIAO_PROT"),
        (("serve",), {"public_url": "http://hall.example.org"}, "https://"),
    ],
)
def test_a_command_says_no_in_a_sentence_and_a_hint(
    tmp_path: Path, words: tuple[str, ...], settings: dict[str, str], said: str
) -> None:
    ran = kaibiao(tmp_path, *words, **settings)
    assert ran.returncode == 1
    assert said in ran.stderr
    assert len(ran.stderr.splitlines()) == 2
    assert ran.stdout == ""


def test_wrong_usage_is_two(tmp_path: Path) -> None:
    assert kaibiao(tmp_path, "fly").returncode == 2
    assert kaibiao(tmp_path, "serve", "--port", "many").returncode == 2


def test_a_doctor_names_what_to_put_right(tmp_path: Path) -> None:
    ran = kaibiao(tmp_path, "doctor")
    assert ran.returncode == 1
    lines = ran.stdout.splitlines()
    assert "fix  Database: an older form, or empty" in lines
    assert lines[lines.index("fix  Database: an older form, or empty") + 1].strip() == "Run `kaibiao migrate`."
    assert any(line.startswith("fix  Trust: no CA is trusted") for line in lines)
    assert any(line.startswith("ok   Python") for line in lines)


def test_what_a_shell_gives_at_first_is_no_fault_where_the_hall_may_take_more() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, soft), hard))
    try:
        assert doctor.descriptors().found == f"{allowed()} files and connections"
        assert hard == resource.RLIM_INFINITY or allowed() == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_rehearsal_needs_no_more_than_a_database(tmp_path: Path) -> None:
    kaibiao(tmp_path, "migrate")
    ran = kaibiao(tmp_path, "doctor", rehearsal_allowed="true")
    assert ran.returncode == 0, ran.stdout
    assert "Next: kaibiao serve" in ran.stderr


def findings(settings: Settings) -> list[Finding]:
    return list(doctor.anchors(settings, NOW))


def anchored(tmp_path: Path, root: authority.Authority, *, rehearsal: bool) -> Settings:
    settings = Settings(data_dir=tmp_path, rehearsal_allowed=rehearsal)
    settings.anchors.mkdir()
    (settings.anchors / "root.pem").write_bytes(root.certificate.public_bytes(Encoding.PEM))
    return settings


def test_a_demonstration_authority_is_refused_where_real_tenders_are_opened(tmp_path: Path) -> None:
    root = authority.create("Demo", at=NOW - timedelta(days=1))
    (finding,) = findings(anchored(tmp_path, root, rehearsal=False))
    assert not finding.ok
    assert "for demonstrations" in finding.found


def test_a_demonstration_authority_may_rehearse(tmp_path: Path) -> None:
    root = authority.create("Demo", at=NOW - timedelta(days=1))
    (finding,) = findings(anchored(tmp_path, root, rehearsal=True))
    assert finding.ok


def test_an_expired_authority_is_to_be_replaced(tmp_path: Path) -> None:
    root = authority.create("Demo", at=NOW - timedelta(days=100), days=30)
    (finding,) = findings(anchored(tmp_path, root, rehearsal=True))
    assert "expired" in finding.found


def test_what_is_no_certificate_is_named(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    settings.anchors.mkdir()
    (settings.anchors / "notes.txt").write_text("hello", encoding="utf-8")
    (finding,) = findings(settings)
    assert "notes.txt" in finding.found
    assert not finding.ok


@pytest.mark.parametrize(("version", "ok"), [((3, 10), False), ((3, 11), True), ((3, 14), True)])
def test_an_old_interpreter_is_refused(version: tuple[int, int], ok: bool) -> None:
    assert doctor.python(version).ok is ok


def test_four_packages_from_one_place_are_ours() -> None:
    assert doctor.packages().ok
    assert doctor.packages(lambda name: f"/a/{name}/__init__.py").ok


@pytest.mark.parametrize("strange", ["/elsewhere/crypto/__init__.py", None])
def test_a_strangers_package_of_the_same_name_is_noticed(strange: str | None) -> None:
    finding = doctor.packages(lambda name: strange if name == "crypto" else f"/a/{name}/__init__.py")
    assert not finding.ok
    assert str(strange or "missing") in finding.found


@pytest.mark.parametrize(
    ("state", "rehearsal", "ok"), [(0, False, True), (5, False, False), (5, True, True), (None, False, True)]
)
def test_a_clock_that_nobody_keeps_is_noticed(state: int | None, rehearsal: bool, ok: bool) -> None:
    assert doctor.synchronised(rehearsal=rehearsal, state=lambda: state).ok is ok


def test_a_folder_that_cannot_be_written_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    assert doctor.folder(tmp_path).ok
    assert not doctor.folder(tmp_path / "file" / "hall").ok


@pytest.mark.parametrize("log_format", ["lines", "json"])
def test_a_silent_store_is_one_line_in_the_log_and_a_mistake_shows_where(log_format: str) -> None:
    log = logging.getLogger("sessions.test")
    with logging_to_text("info", log_format) as said:
        try:
            try:
                raise ConnectionRefusedError(111, "Connect call failed\nand more")
            except OSError as error:
                raise Unanswered from error
        except Unanswered:
            log.exception("the database does not answer this worker", extra={"number": 2})
        (line,) = said.getvalue().splitlines()
        assert "the database does not answer this worker" in line
        assert "Connect call failed" in line
        assert "and more" not in line
        try:
            raise ValueError("of ours")
        except ValueError:
            log.exception("a session could not be settled")
        assert "Traceback" in said.getvalue()
