"""A hall that is refused memory: it takes no more, or dies and is started again, and what it told is there."""

from __future__ import annotations

import asyncio
import resource
import sys
import uuid
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from sessions.events import Recorded, Stream, SupervisorNoted
from sessions.roles import Role
from sessions.store.database import Database
from sessions.store.events import SqlEvents
from sessions.store.integrity import chained, readable
from tests.support.served_alone import SESSION, announced, environment
from web.settings import Settings

pytestmark = pytest.mark.slow

CROWD = 24
NOTES = 8
MARGINS = [16, 0]
"""Megabytes that the process may take beyond what it has, one after the other."""


@dataclass
class House:
    """A hall and its supervisor, which starts it again whenever it dies."""

    settings: Settings
    log: Path
    serving: Process | None = None
    died: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.settings.origin

    async def watch(self) -> None:
        told = environment(self.settings, KAIBIAO_MEDIA="off")
        words = [sys.executable, "-m", "web.cli", "serve"]
        with self.log.open("ab") as log:
            while True:
                self.serving = await asyncio.create_subprocess_exec(*words, env=told, stdout=log, stderr=log)
                self.died.append(await self.serving.wait())

    def may_take(self, megabytes: int | None) -> None:
        """Let the process have so much more memory than it has; without a number, all it wants."""
        assert self.serving is not None
        with suppress(ProcessLookupError, FileNotFoundError):
            has = int(Path(f"/proc/{self.serving.pid}/statm").read_text().split()[0]) * resource.getpagesize()
            most = resource.RLIM_INFINITY if megabytes is None else has + megabytes * 1024 * 1024
            resource.prlimit(self.serving.pid, resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


@asynccontextmanager
async def a_house(folder: Path) -> AsyncIterator[tuple[House, str]]:
    """Serve an opening whose check-in is open; return the house and its supervisor's ticket."""
    settings, ticket = await announced(folder, "顾言", Role.SUPERVISOR, timedelta(minutes=25))
    house = House(settings, folder / "log")
    watching = asyncio.create_task(house.watch())
    try:
        yield house, ticket
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        if house.serving is not None and house.serving.returncode is None:
            house.serving.kill()
            await house.serving.wait()


async def is_well(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(300):
        while True:
            with suppress(httpx.TransportError):
                if (await client.get("/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.2)


async def looks(url: str) -> None:
    """Somebody of the crowd: comes, is written to for a while, and comes again."""
    live = f"{url.replace('http', 'ws', 1)}/live/{SESSION}"
    async with httpx.AsyncClient(base_url=url, timeout=20) as client:
        while True:
            with suppress(OSError, WebSocketException, TimeoutError, httpx.HTTPError):
                await client.get(f"/s/{SESSION}")
                async with connect(live, proxy=None, open_timeout=20) as line, asyncio.timeout(2):
                    while True:
                        await line.recv()
            await asyncio.sleep(0.2)


async def test_what_was_acknowledged_is_there_after_a_hall_was_refused_memory(tmp_path: Path) -> None:
    told, answers = set[str](), set[int]()
    texts = [f"note {margin} {number}" for margin in MARGINS for number in range(NOTES)]
    async with (
        a_house(tmp_path) as (house, ticket),
        httpx.AsyncClient(base_url=house.url, headers={"origin": house.url}, timeout=30) as staff,
    ):

        async def notes(text: str) -> None:
            """Once; whoever is not told comes again with the same key, later."""
            key = {"idempotency-key": str(uuid.uuid5(uuid.NAMESPACE_URL, text))}
            with suppress(httpx.TransportError):
                body = {"command": "Note", "text": text}
                answer = await staff.post(f"/api/v1/sessions/{SESSION}/commands", json=body, headers=key)
                answers.add(answer.status_code)
                if answer.status_code == 200:
                    told.add(text)

        await is_well(staff)
        await staff.get(ticket)
        crowd = [asyncio.create_task(looks(house.url)) for _ in range(CROWD)]
        for margin in MARGINS:
            house.may_take(margin)
            for text in texts:
                if text.startswith(f"note {margin} "):
                    await notes(text)
        assert house.died or 503 in answers, "it had all the memory that it wanted"
        house.may_take(None)
        await is_well(staff)
        for text in texts:
            while text not in told:
                await notes(text)
                await asyncio.sleep(0.1)
        for each in crowd:
            each.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
        assert answers <= {200, 429, 503}
        head = (await staff.get(f"/api/v1/sessions/{SESSION}/log/head.json")).json()
    log = await on_the_disk(house.settings)
    assert (log[-1].number, log[-1].digest) == (head["n"], head["head"])
    said = [record.event.private["text"] for record in log if isinstance(record.event, SupervisorNoted)]
    assert sorted(said) == sorted(texts)


async def on_the_disk(settings: Settings) -> tuple[Recorded, ...]:
    """Return the log that the process left, every page and every link of which is whole."""
    database = Database(settings.database)
    try:
        assert await readable(database)
        await chained(database)
        return await SqlEvents(database).read(SESSION, Stream.OPENING)
    finally:
        await database.close()
