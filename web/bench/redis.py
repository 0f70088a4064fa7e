"""A redis-server for a bench, on a socket in a folder of its own, without a disk; gone with who started it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PATIENCE: Final = 400  # fiftieths of a second


@contextmanager
def a_redis() -> Iterator[tuple[str, int]]:
    """Run a server, and give its address and its process; raise FileNotFoundError where there is none."""
    program = shutil.which("redis-server")
    if program is None:
        raise FileNotFoundError("redis-server")
    with tempfile.TemporaryDirectory(prefix="kaibiao-redis-", dir="/tmp") as name:  # a socket's path is short
        place = Path(name) / "redis.sock"
        options = ["--port", "0", "--unixsocket", str(place), "--save", "", "--appendonly", "no", "--dir", name]
        words = ["setpriv", "--pdeathsig", "KILL", program, *options]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL) as server:  # noqa: S603  # our own words
            try:
                for _ in range(PATIENCE):
                    if place.is_socket():
                        break
                    if server.poll() is not None:
                        raise RuntimeError("redis-server did not start")
                    time.sleep(0.02)
                yield f"unix://{place}", server.pid
            finally:
                server.kill()
