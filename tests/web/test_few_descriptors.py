"""A hall with 256 descriptors and a crowd: spectators are sent to the segments, whoever has a part comes in."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from sessions.roles import Role
from tests.support.served_alone import SESSION, announced, environment
from web.participant.remote import Hall

pytestmark = pytest.mark.slow

DESCRIPTORS = 256
CROWD = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Small:
    url: str
    host: str
    """The host's way in: a ticket."""

    @property
    def live(self) -> str:
        return f"{self.url.replace('http', 'ws', 1)}/live/{SESSION}"


@asynccontextmanager
async def a_small_hall(folder: Path) -> AsyncIterator[Small]:
    """Serve an opening whose check-in is open from a process that may have 256 files open."""
    settings, ticket = await announced(folder, "林敏", Role.HOST, timedelta(minutes=20))
    words = ["prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}", sys.executable, "-m", "web.cli", "serve"]
    with (folder / "log").open("wb") as log:
        serving = await asyncio.create_subprocess_exec(*words, env=environment(settings), stdout=log, stderr=log)
    try:
        async with httpx.AsyncClient(base_url=settings.origin) as client, asyncio.timeout(90):
            while not await _answers(client):
                assert serving.returncode is None, (folder / "log").read_text()
                await asyncio.sleep(0.1)
        yield Small(url=settings.origin, host=ticket)
    finally:
        serving.terminate()
        await serving.wait()


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/healthz")).status_code == 200
    except httpx.TransportError:
        return False


async def test_a_crowd_beyond_the_descriptors_is_sent_to_the_segments_and_the_host_comes_in(tmp_path: Path) -> None:
    async with a_small_hall(tmp_path) as small, AsyncExitStack() as crowd:
        came, sent = 0, []
        for _ in range(CROWD):
            try:
                line = await crowd.enter_async_context(connect(small.live, proxy=None, open_timeout=60))
                await line.recv()
                came += 1
            except InvalidStatus as refused:
                sent.append(refused.response)
        assert came + len(sent) == CROWD
        assert 64 < came < DESCRIPTORS - 64
        assert {answer.status_code for answer in sent} == {503}
        assert all(answer.headers["retry-after"].isdigit() for answer in sent)
        (head,) = {found[1] for answer in sent if (found := re.match(r"<([^>]+)>", answer.headers["link"]))}
        async with Hall(small.url) as host, httpx.AsyncClient(base_url=small.url) as reader:
            assert (await reader.get(head)).status_code == 200
            await host.login_ticket(small.host)
            async with asyncio.timeout(60):
                async for view, _ in host.follow(SESSION):
                    assert view["status"] == "checkin"
                    break
                await host.command(SESSION, "TakeChair")
                while not (await host.view(SESSION))["chairs"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            assert (await reader.get("/readyz")).json()["ready"] is True
