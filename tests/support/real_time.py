"""A hall that keeps real time, for people at browsers: real server, real database, an opening within the minute."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from sessions.announcing.announcement import make_plan
from sessions.store.migrations import migrate
from tests.support.house import one_time_code
from tests.support.team import database_url
from web.bootstrap import build
from web.demo import cast
from web.services import Services
from web.serving.server import HallServer
from web.settings import Settings

PASSWORD = "correct horse battery"


@dataclass(frozen=True, slots=True, kw_only=True)
class RealHall:
    """A hall that listens, its bidders with their keys, and its staff with their accounts."""

    services: Services
    troupe: cast.Troupe
    t0: datetime
    accounts: Mapping[str, str]  # account -> otpauth address

    @property
    def url(self) -> str:
        return self.services.settings.origin

    def code(self, account: str) -> str:
        """Return what this account's authenticator shows now."""
        return one_time_code(self.accounts[account], self.services.clock.now())

    async def until(self, moment: datetime) -> None:
        """Wait for a moment of this hall's clock."""
        await asyncio.sleep(max((moment - self.services.clock.now()).total_seconds(), 0))


@asynccontextmanager
async def a_hall_in_real_time(
    folder: Path, *, lead: timedelta, windows: Mapping[str, int], bidders: int = 3, locked: bool = False
) -> AsyncIterator[RealHall]:
    """Serve a hall with the demo's tender announced; T0 is ``lead`` after the hall is ready for people.

    ``locked``: behind the demo's locks, with the tenderer's own share; else the hall holds the session key.
    """
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        home, port = folder / "hall", door.getsockname()[1]
        settings = Settings(data_dir=home, database_url=database_url(home), port=port, rehearsal_allowed=True)
        services = build(settings)
        await migrate(services.database)
        troupe = cast.engage(bidders, services.clock.now())
        settings.anchors.mkdir(parents=True, exist_ok=True)
        (settings.anchors / "root.pem").write_bytes(troupe.authority.certificate.public_bytes(Encoding.PEM))
        accounts = {
            account: await services.accounts.create(account, name, PASSWORD, {cast.ROLES[account]})
            for account, name in cast.OFFICERS.items()
        }
        server = HallServer(services)
        running = asyncio.create_task(server.serve(sockets=[door]))
        while not server.started:
            assert not running.done(), "the server did not start"
            await asyncio.sleep(0.01)
        t0 = (services.clock.now() + lead).replace(microsecond=0)
        tender: dict[str, Any] = {
            **cast.tender(t0, troupe=troupe if locked else None),
            "windows": windows,
            "reading_pace_s": 1,
            "draws": [],
        }
        try:
            await services.sessions.create(make_plan(tender, session=cast.SESSION, rehearsal=True))
            yield RealHall(services=services, troupe=troupe, t0=t0, accounts=accounts)
        finally:
            server.should_exit = True
            await running
