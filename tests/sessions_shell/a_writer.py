"""A process that appends notes and prints each number once it is acknowledged, until somebody kills it.

With ``--die-at N`` it kills itself between the commit and the announcement of event N.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from sessions.clock import SystemClock
from sessions.commands import Note
from sessions.events import Recorded
from sessions.ids import SessionId
from sessions.service import Sessions
from sessions.store.database import Database
from sessions.store.migrations import migrate
from sessions.store.opened import stores
from tests.support.ceremony import SUPERVISOR
from tests.support.shell import SESSION
from tests.support.team import database_url


class Deadly:
    def __init__(self, die_at: int | None) -> None:
        self._die_at = die_at

    def announce(self, session: SessionId, records: tuple[Recorded, ...]) -> None:
        if self._die_at is not None and records[-1].number >= self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def foresee(self, session: SessionId, records: tuple[Recorded, ...]) -> None:
        pass


async def write(folder: Path, die_at: int | None) -> None:
    database = Database(database_url(folder))
    await migrate(database)
    clock = SystemClock()
    sessions = Sessions(stores(database, folder, clock), clock=clock, announcer=Deadly(die_at))

    async def one(writer: int) -> None:
        count = 0
        while True:
            text = f"{writer}/{count}"
            (record,) = await sessions.handle(SESSION, Note(text=text), SUPERVISOR)
            os.write(1, f"{record.number} {text}\n".encode())
            count += 1

    await asyncio.gather(*map(one, range(8)))


asyncio.run(write(Path(sys.argv[1]), int(sys.argv[3]) if len(sys.argv) > 2 else None))
