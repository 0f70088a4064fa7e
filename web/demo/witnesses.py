"""Two witnesses for the demo: real ones on sockets of their own, but in this process, where nobody is independent."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn

from crypto.tlog import VerifierKey
from crypto.tlog.notes import ED25519
from sessions.clock import Clock, SystemClock
from sessions.keys.hallkey import HallKeys
from web.settings import Settings
from web.witness.keeping import Keeping
from web.witness.serving import Witness, server

NAMES = ("bureau.example/witness", "notary.example/witness")


@contextlib.asynccontextmanager
async def two_witnesses(out: Path, settings: Settings, clock: Clock | None = None) -> AsyncIterator[Path]:
    """Serve two witnesses of this hall and give the file that names them; they end with the block."""
    clock = clock or SystemClock()
    hall = VerifierKey(settings.hall_name, ED25519, HallKeys.in_folder(settings.data_dir).newest.public.raw)
    lines: list[str] = []
    serving: list[tuple[uvicorn.Server, asyncio.Task[None], Keeping]] = []
    try:
        for number, name in enumerate(NAMES, start=1):
            keeping = Keeping.found(out / f"witness-{number}", name)
            keeping.open()
            door = socket.create_server(("127.0.0.1", 0))
            witness = Witness(keeping, [hall], clock)
            web = server(witness, "127.0.0.1", door.getsockname()[1])
            serving.append((web, asyncio.create_task(web.serve(sockets=[door])), keeping))
            while not web.started:  # noqa: ASYNC110  # uvicorn has no event for it
                await asyncio.sleep(0.005)
            lines.append(f"witness w{number} {witness.vkey} http://127.0.0.1:{door.getsockname()[1]}")
        policy = out / "witnesses.policy"
        policy.write_text("\n".join([*lines, "group both all w1 w2", "quorum both", ""]), encoding="utf-8")
        yield policy
    finally:
        for web, task, keeping in reversed(serving):  # each gives the signals back to the one before
            web.should_exit = True
            await task
            keeping.close()
