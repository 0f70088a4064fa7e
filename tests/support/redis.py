"""A real redis-server of a test's own, on a socket in a folder, which a test may kill, freeze, fill and empty."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class RedisServer:
    """One server; ``url`` stays the same over restarts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start it, empty."""
        options = [
            "--port",
            "0",
            "--unixsocket",
            self.socket,
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            self.folder,
        ]
        command = ["setpriv", "--pdeathsig", "KILL", "redis-server", *map(str, options)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(3000):
            if self._process.poll() is not None:
                raise RuntimeError("redis-server did not start")
            try:
                if self.say("PING") == "PONG":
                    return
            except RuntimeError:
                pass
            time.sleep(0.02)
        raise RuntimeError("redis-server does not answer")

    def say(self, *command: str) -> str:
        """Send a command, past the hall, and return the answer."""
        said = subprocess.run(
            ["redis-cli", "-s", self.socket, *command], check=False, capture_output=True, text=True, timeout=60
        )
        if said.returncode or "Could not connect" in said.stderr:
            raise RuntimeError(said.stderr)
        return said.stdout.strip()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(60)
            self._process = None
        self.socket.unlink(missing_ok=True)

    def freeze(self) -> None:
        """Let it stand still, with every connection open."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)


@contextmanager
def a_redis() -> Iterator[RedisServer]:
    """Run a server and leave nothing behind."""
    folder = Path(tempfile.mkdtemp(prefix="kaibiao-redis-", dir="/tmp"))  # a socket's path has room for 107 bytes
    server = RedisServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
