"""A real hall on a machine whose clock is set while it runs (libfaketime): it stops and says so."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from sessions.clock import SystemClock
from sessions.ids import SessionId
from sessions.roles import Role
from sessions.shape import moment, rfc3339
from sessions.store.migrations import migrate
from tests.support.ceremony import HOST, TENDER
from tests.support.ports import free_port
from web.bootstrap import build
from web.participant.remote import Hall
from web.settings import Settings

LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)
SESSION = SessionId("gx-1")
SECOND = timedelta(seconds=1)


@asynccontextmanager
async def a_hall(folder: Path, t0_in: int) -> AsyncIterator[tuple[httpx.AsyncClient, Callable[[str], None]]]:
    """Serve one opening whose time is near, in a process of its own; yield a client and what sets its clock.

    It is announced when the hall serves: a busy machine may take longer to start one than there is until T0.
    """
    port = free_port()
    settings = Settings(data_dir=folder / "hall", port=port, rehearsal_allowed=True)
    services = build(settings)
    await migrate(services.database)
    await services.start()
    await services.accounts.create(HOST.id, HOST.name, "correct horse battery", {Role.HOST})
    ticket = await services.identity.create_ticket(account=HOST.id)
    await services.stop()
    offset = folder / "offset"

    def step(by: str) -> None:
        fresh = folder / "fresh"
        fresh.write_text(by)
        fresh.replace(offset)

    step("+0")
    environment = {
        **os.environ,
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "KAIBIAO_DATA_DIR": str(settings.data_dir),
        "KAIBIAO_PORT": str(port),
        "KAIBIAO_REHEARSAL_ALLOWED": "true",
    }
    with (folder / "log").open("wb") as log:
        serving = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "web.cli", "serve", env=environment, stdout=log, stderr=log
        )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            await until(lambda: answers(client), 60)
            async with Hall(settings.origin) as host:
                await host.login_ticket(ticket)
                t0 = SystemClock().now().replace(microsecond=0) + t0_in * SECOND
                await host.announce({**TENDER, "session": SESSION, "deadline": rfc3339(t0), "rehearsal": True})
            yield client, step
    finally:
        serving.terminate()
        await serving.wait()


async def answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/healthz")).status_code == 200
    except httpx.TransportError:
        return False


async def until(asked: Callable[[], object], seconds: float = 60) -> None:
    """Wait until it is so."""
    end = time.monotonic() + seconds
    while not await asked():  # type: ignore[misc]  # a coroutine function
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.2)


async def told(client: httpx.AsyncClient) -> list[str]:
    answer = await client.get(f"/api/v1/sessions/{SESSION}/events", params={"after": 0})
    return [fact["type"] for fact in answer.json()["events"]]


@pytest.mark.slow
@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed")
@pytest.mark.parametrize("by", ["+300", "-86400"])
async def test_a_clock_that_is_set_across_t0_keeps_the_intake_from_closing(tmp_path: Path, by: str) -> None:
    async with a_hall(tmp_path, t0_in=40) as (client, step):
        await until(lambda: says(client, "StepEntered"))
        step(by)
        await until(lambda: says(client, "ClockUnsafe"))
        page = await client.get("/incidents", headers={"accept-language": "en"})
        assert "Clock unsafe" in page.text
        t0 = moment((await client.get(f"/api/v1/sessions/{SESSION}")).json()["view"]["t0"])
        await asyncio.sleep((t0 - SystemClock().now()).total_seconds() + 2)  # T0 comes and goes
        facts = await told(client)
        assert "SetFrozen" not in facts
        assert "StepCompleted" not in facts
        view = (await client.get(f"/api/v1/sessions/{SESSION}")).json()["view"]
        assert (view["status"], view["hold"]["kind"], view["hold"]["lifted"]) == ("checkin", "clock", False)
        step("+0")
        await until(lambda: says(client, "ClockSafe"))
        assert "SetFrozen" not in await told(client)  # two persons go on, and T0 moves first


@pytest.mark.slow
@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed")
@pytest.mark.parametrize("by", ["+1", "-1"])
async def test_a_step_of_one_second_moves_no_deadline(tmp_path: Path, by: str) -> None:
    async with a_hall(tmp_path, t0_in=40) as (client, step):
        await until(lambda: says(client, "StepEntered"))
        step(by)
        await until(lambda: says(client, "SetFrozen"), 60)
        answer = await client.get(f"/api/v1/sessions/{SESSION}/events", params={"after": 0})
        frozen = next(fact for fact in answer.json()["events"] if fact["type"] == "SetFrozen")
        view = (await client.get(f"/api/v1/sessions/{SESSION}")).json()["view"]
        assert frozen["at"] == view["t0"]
        assert "ClockUnsafe" not in await told(client)


async def says(client: httpx.AsyncClient, fact: str) -> bool:
    return fact in await told(client)
