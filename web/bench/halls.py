"""The halls of the opening bench: `kaibiao serve` as an operator runs it, Solo or Team, with what it stands on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from web.bench import machine, postgres
from web.bench.redis import a_redis
from web.participant.remote import Hall
from web.settings import Settings, load

TRIES: Final = 600  # twentieths of a second


class Mode(StrEnum):
    """How a hall is served."""

    SOLO = "solo"
    TEAM = "team"


STANDS_ON: Final = {
    Mode.SOLO: "SQLite, synchronous=FULL; one process; no media",
    Mode.TEAM: "PostgreSQL, synchronous_commit=on; Redis; two workers; no media",
}
_WORKERS: Final = {Mode.SOLO: 1, Mode.TEAM: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a hall stands on: its settings, and the processes beside it by name."""

    settings: Settings
    beside: Mapping[str, int]


@contextmanager
def ground(mode: Mode, folder: Path) -> Iterator[Ground]:
    """Make what a hall in ``folder`` needs; gone afterwards."""
    folder.chmod(0o711)  # PostgreSQL's own user goes through it
    given: dict[str, Any] = {"data_dir": folder / "hall", "port": machine.free_port(), "rehearsal_allowed": True}
    given |= {"log_level": "warning", "workers": _WORKERS[mode]}
    if mode is Mode.SOLO:
        yield Ground(settings=load(**given), beside={})
        return
    with postgres.a_cluster(folder) as database, a_redis() as (bus, redis):
        beside = {"postgresql": postgres.process(database), "redis": redis}
        yield Ground(settings=load(**given, database_url=database, bus_url=bus), beside=beside)


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[int]:
    """Serve, in a process of its own, and give its number."""
    given = {name: getattr(settings, name) for name in ("data_dir", "port", "log_level", "workers")}
    given |= {"database_url": settings.database_url, "bus_url": settings.bus_url, "rehearsal_allowed": "true"}
    given["media"] = "off"  # picture and sound are processes of their own, and would take their share of these cores
    theirs = {name: value for name, value in os.environ.items() if not name.startswith("KAIBIAO_")}
    environment = theirs | {f"KAIBIAO_{name.upper()}": str(value) for name, value in given.items() if value != ""}
    environment["PYTHONPATH"] = os.pathsep.join((str(Path(__file__).parents[2]), theirs.get("PYTHONPATH", "")))
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "web.cli", "serve", env=environment)
    try:
        async with Hall(settings.origin) as hall:
            for _ in range(TRIES):
                with contextlib.suppress(Exception):
                    await hall.sessions()
                    break
                if process.returncode is not None:
                    raise RuntimeError("the hall did not open; why stands above")
                await asyncio.sleep(0.05)
        yield process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
