"""The database goes away under two workers and comes back: every timer had stopped before anything was settled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from sessions.announcing.announcement import make_plan
from sessions.events import IntakeHeld, OutageBegan, OutageEnded, SetFrozen, Stream
from sessions.ids import SessionId
from sessions.watch.health import GAP
from tests.support import postgres
from tests.support.team_hall import TeamHall, a_team_hall
from web.bench import postgres as servers
from web.demo import cast
from web.participant.remote import Hall, HallRefused

pytestmark = pytest.mark.slow

SESSION = SessionId(cast.SESSION)
AWAY = GAP.total_seconds() + 8
"""Seconds: a shorter one is no outage by any rule, and who missed something for it is told by the evidence."""


@pytest.fixture
def cluster() -> Iterator[postgres.Cluster]:
    started = postgres.start(fsync=True)
    yield started
    started.stop()


async def until(true: Callable[[], Any], seconds: float = 120) -> Any:
    """Ask again until it is so; a hall whose database is away tells people to come again, and they do."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                if found := await true():
                    return found
            except (httpx.TransportError, HallRefused):
                pass
            await asyncio.sleep(0.2)


async def beats(hall: TeamHall, heard: list[dict[str, Any]]) -> None:
    """Follow as a page does, and keep what is heard."""
    async with connect(f"{hall.url.replace('http', 'ws', 1)}/live/{SESSION}?after=0", proxy=None) as line:
        async for frame in line:
            heard += [json.loads(each) for each in str(frame).split("\n")]


async def acts(hall: Hall, command: str, **fields: object) -> bool:
    await hall.command(SESSION, command, **fields)
    return True


async def test_an_outage_across_t0_is_one_incident_settles_nothing_and_two_persons_go_on(
    cluster: postgres.Cluster, tmp_path: Path
) -> None:
    troupe = await asyncio.to_thread(cast.engage, 2, datetime.fromisoformat("2026-11-01T00:00:00Z"))
    async with (
        a_team_hall(tmp_path, troupe, cluster=cluster) as hall,
        Hall(hall.url) as host,
        Hall(hall.url) as second,
    ):
        for account, person in (("host", host), ("supervisor", second)):
            await person.login_ticket(await hall.services.identity.create_ticket(account=account))
        t0 = (hall.services.clock.now() + timedelta(seconds=60)).replace(microsecond=0)
        await hall.services.sessions.create(
            make_plan(cast.tender(t0, troupe=troupe), session=SESSION, rehearsal=True, **cast.hastened(1, 60))
        )
        await until(lambda: host.view(SESSION))
        for person in (host, second):
            await until(lambda person=person: acts(person, "TakeChair"))
        heard: list[dict[str, Any]] = []
        following = asyncio.create_task(beats(hall, heard))
        await asyncio.sleep(max(0.0, (t0 - hall.services.clock.now()).total_seconds() - 20))
        assert cluster.server is not None
        await asyncio.to_thread(servers.stop, cluster.server)
        gone = hall.services.clock.now()
        assert gone < t0, "this machine is too slow for this story"
        await asyncio.sleep(AWAY)
        assert hall.services.clock.now() > t0
        assert not following.done(), "a reader stays, whatever the database does"
        assert any("as_of" in each for each in heard), "and is told of when what it sees is"
        async with httpx.AsyncClient(base_url=hall.url) as client:
            assert (await client.get("/readyz")).status_code == 503
            page = await client.get("/incidents", headers={"accept": "text/html", "accept-language": "en"})
            assert (page.status_code, "The hall is out" in page.text) == (200, True)
        cluster.server = await asyncio.to_thread(servers.run, cluster.folder)

        async def over() -> dict[str, Any] | None:
            view = await host.view(SESSION)
            return view if view["hold"] and view["hold"]["lifted"] else None

        view = await until(over)
        assert (view["hold"]["kind"], view["status"]) == ("outage", "checkin")
        log = await hall.services.sessions.events(SESSION)
        kinds = [type(record.event) for record in log]
        assert (kinds.count(OutageBegan), kinds.count(OutageEnded), kinds.count(SetFrozen)) == (1, 1, 0)
        began = next(record for record in log if isinstance(record.event, OutageBegan))
        assert began.at <= gone < t0, "dated back to when the hall was last known to be well"
        assert hall.sql("SELECT count(*) FROM incidents") == "1"
        intake = await hall.services.sessions.events(SESSION, Stream.INTAKE)
        assert isinstance(intake[-1].event, IntakeHeld)
        assert not following.done()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

        proposal = len(view["proposals"]) + 1
        await until(lambda: acts(host, "Resume", reason="数据库已恢复"))
        await until(lambda: acts(second, "Approve", proposal=proposal))
        moved = await host.view(SESSION)
        assert (moved["hold"], moved["status"]) == (None, "checkin")
        assert datetime.fromisoformat(moved["t0"]["at"] if isinstance(moved["t0"], dict) else moved["t0"]) > t0
        await hall.until(lambda: len(hall.workers()) == 2)  # one may have fenced the other, which joins again
        told = hall.log.read_text()
        assert "the database does not answer this worker" in told
        assert "Traceback" not in told, "a silent database is a line at each try"
