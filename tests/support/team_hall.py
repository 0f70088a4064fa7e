"""A hall in Team mode as an operator runs it: PostgreSQL, Redis, and `kaibiao serve --workers 2` as a process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
from cryptography.hazmat.primitives.serialization import Encoding

from sessions.store.migrations import migrate
from tests.support import postgres
from tests.support.ports import free_port
from tests.support.redis import RedisServer, a_redis
from web.bootstrap import build
from web.demo import cast
from web.services import Services
from web.settings import Settings

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamHall:
    """``services`` are the operator's, over the same database: they serve nobody and lead nothing."""

    services: Services
    cluster: postgres.Cluster
    redis: RedisServer
    database: str
    log: Path
    supervisor: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return self.services.settings.origin

    def sql(self, statement: str) -> str:
        return self.cluster.sql(statement, self.database)

    def workers(self) -> dict[str, int]:
        """Return the processes that serve, by name."""
        found = {}
        for row in self.sql("SELECT name FROM workers ORDER BY number").splitlines():
            for place in Path("/proc").glob("[0-9]*"):
                try:
                    said = (place / "cmdline").read_bytes()
                except OSError:
                    continue
                if row.encode() in said and b"--berth" in said and f'"name": "{row}"'.encode() in said:
                    found[row] = int(place.name)
        return found

    def leader(self, session: str) -> str:
        """Return the name of the worker that leads, or nothing."""
        wanted = f"SELECT name FROM leases JOIN workers ON number = worker WHERE session = '{session}'"
        return self.sql(wanted)

    async def led_by(self, session: str) -> tuple[str, int]:
        """Return name and process of the worker that leads, once one does: a loaded one may just have been fenced."""
        found: list[tuple[str, int]] = []
        await self.until(
            lambda: found.extend(each for each in self.workers().items() if each[0] == self.leader(session)) or found
        )
        return found[0]

    async def until(self, true: Callable[[], object]) -> float:
        """Wait until it is so, and return for how many seconds."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(120):
            while not await asyncio.to_thread(true):
                assert self.supervisor.poll() is None, self.log.read_text()
                await asyncio.sleep(0.05)
        return loop.time() - began


@asynccontextmanager
async def a_team_hall(
    folder: Path, troupe: cast.Troupe, *, workers: int = 2, cluster: postgres.Cluster | None = None
) -> AsyncIterator[TeamHall]:
    """Serve with two workers, with the demo's staff and trust in its authority; on a ``cluster`` of one's own."""
    cluster, home = cluster or postgres.cluster(), folder / "hall"
    name = cluster.database(home)
    with a_redis() as redis:
        given = {"data_dir": home, "database_url": cluster.url(name), "bus_url": redis.url, "port": free_port()}
        settings = Settings(**given, rehearsal_allowed=True, intake_log_minutes=1)  # type: ignore[arg-type]
        services = build(settings)
        await migrate(services.database)
        settings.anchors.mkdir(parents=True, exist_ok=True)
        root = troupe.authority.certificate.public_bytes(Encoding.PEM)
        (settings.anchors / "root.pem").write_bytes(root)
        for account, person in cast.OFFICERS.items():
            await services.accounts.create(account, person, "correct horse battery", {cast.ROLES[account]})
        ours = {variable: value for variable, value in os.environ.items() if not variable.startswith("KAIBIAO_")}
        environment = ours | {f"KAIBIAO_{variable.upper()}": str(value) for variable, value in given.items()}
        environment |= {"KAIBIAO_REHEARSAL_ALLOWED": "true", "KAIBIAO_INTAKE_LOG_MINUTES": "1"}
        environment |= {"PYTHONPATH": str(ROOT), "KAIBIAO_LOG_LEVEL": "info", "KAIBIAO_MEDIA": "off"}
        log = folder / "serve.log"
        command = [sys.executable, "-m", "web.cli", "serve", "--workers", str(workers)]
        with log.open("wb") as out, _run(command, environment, out) as supervisor:
            hall = TeamHall(
                services=services, cluster=cluster, redis=redis, database=name, log=log, supervisor=supervisor
            )
            try:
                await hall.until(lambda: len(hall.workers()) == workers)
                await hall.until(lambda: _answers(settings.origin))
                yield hall
            finally:
                supervisor.send_signal(signal.SIGTERM)
                try:
                    await asyncio.to_thread(supervisor.wait, 40)
                except subprocess.TimeoutExpired:
                    supervisor.kill()
                await services.asking.aclose()
                await services.database.close()


def _run(command: Sequence[str], environment: Mapping[str, str], out: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, env=environment, stdout=out, stderr=out)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
