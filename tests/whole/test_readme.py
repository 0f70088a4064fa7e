"""The README shows only what works: its commands are run as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)


@pytest.fixture
def shell(tmp_path: Path) -> Path:
    """A folder in which ``kaibiao`` is a command, as after an installation."""
    command = tmp_path / "bin" / "kaibiao"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m web.cli "$@"\n')
    command.chmod(0o755)
    return tmp_path


def run(folder: Path, script: str, **environment: str) -> str:
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-eu", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def answers(address: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a hall that is starting answers there."""
    while True:
        assert process.poll() is None, "the hall did not start"
        try:
            httpx.get(address).raise_for_status()
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return


@pytest.mark.slow
def test_every_command_of_the_worked_opening_does_what_the_readme_says(shell: Path) -> None:
    bidder, hall, submit = BLOCKS
    assert run(shell, bidder).rstrip().endswith("32"), "the slot holds a key of 32 bytes"
    assert {path.name for path in (shell / "check").iterdir()} == {"quote.json", "technical.pdf", "commercial.pdf"}

    (shell / "password.txt").write_text("a long enough password\n")
    before, serve = hall.rstrip().rsplit("\n", 1)
    assert serve == "kaibiao serve"
    port = free_port()
    assert "otpauth://" in run(shell, before)
    announce = (
        "import asyncio, json, sys; from pathlib import Path; from web.settings import load;"
        "from web.bootstrap import build; from web.forms.tender_file import read_tender\n"
        "async def main():\n"
        "    services = build(load()); form = json.loads(Path('try/tender.json').read_text())\n"
        "    await services.sessions.create(read_tender(form, rehearsal_allowed=True, quorum=0))\n"
        "    await services.sessions.close(); await services.database.close()\n"
        "asyncio.run(main())\n"
    )
    served = {"KAIBIAO_DATA_DIR": "hall", "KAIBIAO_REHEARSAL_ALLOWED": "true", "KAIBIAO_PORT": str(port)}
    subprocess.run(
        [sys.executable, "-c", announce],
        cwd=shell,
        env={**os.environ, **served, "PYTHONPATH": str(ROOT)},
        check=True,
        timeout=300,
    )
    process = subprocess.Popen(
        [str(shell / "bin" / "kaibiao"), "serve"], cwd=shell, env={**os.environ, **served}, stderr=subprocess.DEVNULL
    )
    try:
        answers(f"http://127.0.0.1:{port}/healthz", process)
        run(shell, submit.replace("127.0.0.1:8080", f"127.0.0.1:{port}"))
        assert (shell / "receipt.jws").read_text().count(".") == 2
        told = run(shell, "kaibiao explain receipt.jws")
        assert "receipt" in told
    finally:
        process.terminate()
        process.wait(60)
