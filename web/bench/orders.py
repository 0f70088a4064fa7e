"""How a bench talks to a process of its own that plays a part: JSON, a line each way at a time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

PATIENCE: Final = 240.0  # seconds for an answer
LONGEST: Final = 1 << 26  # bytes of one


class Part:
    """Somebody who plays a part, in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    def order(self, **what: Any) -> None:
        """Tell it what to do."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")

    async def answer(self) -> Any:
        """Return what it says next; raise RuntimeError if it ended or says nothing."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a part of the bench ended with {await self._process.wait()}; why stands above")
        return json.loads(line)


@contextlib.asynccontextmanager
async def played(module: str) -> AsyncIterator[Part]:
    """Start ``python -m module``, and end it with the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LONGEST,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        yield Part(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def ordered() -> Any:
    """Return the next order, in the process that plays; end it when nobody gives any more."""
    line = sys.stdin.readline()
    if not line:
        raise SystemExit
    return json.loads(line)


def say(answer: Any) -> None:
    """Answer."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
