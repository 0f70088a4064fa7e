"""coturn as README.md has it run: with a secret that it shares with the hall, and to the hall's address alone."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.ports import free_port

HERE = "127.0.0.1"


class Turn:
    """What it says of itself. ``names`` are those who were let in; ``turned_away`` counts the others."""

    def __init__(self, log: Path, port: int) -> None:
        self.port = port
        self._log = log

    @property
    def said(self) -> str:
        return self._log.read_text("utf-8") if self._log.exists() else ""

    @property
    def names(self) -> set[str]:
        return set(re.findall(r"user <(.+)>: incoming packet ALLOCATE processed, success", self.said))

    @property
    def turned_away(self) -> int:
        return self.said.count("Cannot find credentials of user")


@asynccontextmanager
async def a_relay(secret: bytes) -> AsyncIterator[Turn]:
    if (program := shutil.which("turnserver")) is None:
        pytest.skip("needs coturn: apt-get install coturn")
    with tempfile.TemporaryDirectory() as name:
        turn = Turn(Path(name) / "log", free_port())
        running = await asyncio.create_subprocess_exec(
            program,
            *("-n", "-v", "--simple-log", f"--log-file={name}/log", f"--pidfile={name}/pid", f"--userdb={name}/db"),
            *(f"--listening-ip={HERE}", f"--listening-port={turn.port}", f"--relay-ip={HERE}"),
            *("--use-auth-secret", f"--static-auth-secret={secret.decode()}", "--realm=turn.example.org"),
            *("--denied-peer-ip=0.0.0.0-255.255.255.255", f"--allowed-peer-ip={HERE}", "--allow-loopback-peers"),
            *("--no-tls", "--no-dtls", "--no-cli"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            while "Total General servers" not in turn.said:
                assert running.returncode is None, turn.said
                await asyncio.sleep(0.05)
            yield turn
        finally:
            if running.returncode is None:
                running.terminate()
            await running.wait()
