"""Two workers: what viewers report of their lag counts for everyone, whichever worker the report happens to reach."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sessions.announcing.announcement import make_plan
from sessions.ids import SessionId
from tests.support.team_hall import a_team_hall
from web.demo import cast
from web.participant.remote import Hall

SESSION = SessionId(cast.SESSION)
VIEWERS = 4


@contextmanager
def standing_still(process: int) -> Iterator[None]:
    """Let a worker take no connection for a moment, so that the other one takes what comes."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


async def said_of_lag(lines: Any) -> dict[str, Any]:
    async for line in lines:
        message = json.loads(line)
        if message.get("signal") == "lag":
            found: dict[str, Any] = message
            return found
    raise AssertionError("the stream ended")


@pytest.mark.slow
async def test_reports_that_reach_a_worker_without_a_stream_are_in_the_line_for_all_viewers(tmp_path: Path) -> None:
    troupe = await asyncio.to_thread(cast.engage, 3, datetime.fromisoformat("2026-11-01T00:00:00Z"))
    async with a_team_hall(tmp_path, troupe) as hall, AsyncExitStack() as stack:
        t0 = (hall.services.clock.now() + timedelta(hours=1)).replace(microsecond=0)
        tender = cast.tender(t0, troupe=troupe)
        await hall.services.sessions.create(make_plan(tender, session=SESSION, rehearsal=True))
        showing, reported_to = hall.workers().values()
        with standing_still(reported_to):
            streams = []
            for _ in range(VIEWERS):
                viewer = await stack.enter_async_context(Hall(hall.url))
                streams.append(viewer.lines(SESSION))
                await anext(streams[-1])
        heard = asyncio.gather(*(said_of_lag(stream) for stream in streams))
        with standing_still(showing):
            async with httpx.AsyncClient(base_url=hall.url, headers={"X-Kaibiao": "1"}, timeout=30) as client:
                for lag in (40, 90, 200, 350):
                    report = {"lag_ms": lag, "within_ms": 30}
                    answer = await client.post(f"/api/v1/sessions/{SESSION}/lag", json=report)
                    assert answer.status_code == 204, answer.text
        async with asyncio.timeout(120):
            told = await heard
        wanted = {"signal": "lag", "count": VIEWERS, "of": VIEWERS, "p50_ms": 150, "p99_ms": 400, "max_ms": 400}
        assert told == [wanted] * VIEWERS
