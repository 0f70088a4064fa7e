"""Readers and a bidder behind a network that cuts and delays: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from sessions.events import Stream, SupervisorNoted
from tests.support.bidders import a_bidder
from tests.support.faulty_proxy import FaultyProxy, faulty_proxy
from tests.support.house import a_bid, a_key, patch, tus
from tests.support.served import Served, served


@asynccontextmanager
async def behind_a_proxy(folder: Path) -> AsyncIterator[tuple[Served, FaultyProxy]]:
    async with (
        served(folder) as hall,
        faulty_proxy(("127.0.0.1", hall.port)) as proxy,
    ):
        await hall.house.announce()
        yield hall, proxy


async def facts(proxy: FaultyProxy, last: int) -> list[int]:
    """Follow the log as a page does, resuming by number after each cut, until fact ``last``."""
    seen: list[int] = []
    while not seen or seen[-1] < last:
        address = f"ws://127.0.0.1:{proxy.port}/live/zb-1?after={seen[-1] if seen else 0}"
        with suppress(ConnectionClosed, InvalidHandshake, OSError, EOFError, TimeoutError):
            async with connect(address, proxy=None, open_timeout=2, close_timeout=0.1) as socket:
                while seen[-1:] != [last]:
                    lines = str(await asyncio.wait_for(socket.recv(), 2)).split("\n")
                    seen += [json.loads(line)["n"] for line in lines if '"signal"' not in line]
        await asyncio.sleep(0.05)
    return seen


async def test_a_reader_whose_line_flaps_hears_every_fact_once_and_in_order(tmp_path: Path) -> None:
    async with behind_a_proxy(tmp_path) as (hall, proxy):
        supervisor = await hall.house.staff("supervisor")
        proxy.down.delay = 0.05
        reading = asyncio.create_task(facts(proxy, 20))
        for number in range(18):
            done = await hall.house.act(supervisor, "Note", text=f"note {number}")
            assert done.status_code == 200, done.text
            if number % 5 == 4:
                proxy.cut_all()
            await asyncio.sleep(0.1)
        assert await asyncio.wait_for(reading, 60) == list(range(1, 21))
        assert proxy.cuts


async def test_an_act_whose_answer_is_cut_off_is_done_once(tmp_path: Path) -> None:
    async with behind_a_proxy(tmp_path) as (hall, proxy):
        supervisor = await hall.house.staff("supervisor")
        cookie = "; ".join(f"{name}={value}" for name, value in supervisor.cookies.items())
        address = f"http://127.0.0.1:{proxy.port}{hall.house.path}/commands"
        for number in range(5):
            given = {"json": {"command": "Note", "text": f"note {number}"}}
            headers = {"x-kaibiao": "1", "cookie": cookie, **a_key()}
            proxy.up.when(b"POST ", proxy.cut_after_answer)
            async with httpx.AsyncClient(headers=headers, timeout=10) as client:
                with pytest.raises(httpx.TransportError):
                    await client.post(address, **given)
                proxy.up.well()
                assert (await client.post(address, **given)).status_code == 200
        log = await hall.house.services.sessions.events(hall.house.session)
        texts = [record.event.private["text"] for record in log if isinstance(record.event, SupervisorNoted)]
    assert texts == [f"note {number}" for number in range(5)]
    assert proxy.cuts == 5


async def test_a_bid_over_a_slow_line_that_breaks_is_resumed_and_received_once(tmp_path: Path) -> None:
    bidder = a_bidder()
    sealed = a_bid(bidder)
    async with behind_a_proxy(tmp_path) as (hall, proxy):
        program = await hall.house.bidder(bidder)
        cookie = "; ".join(f"{name}={value}" for name, value in program.cookies.items())
        common = {"x-kaibiao": "1", "cookie": cookie}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{proxy.port}", headers=common, timeout=60) as client:
            created = await client.post(f"{hall.house.path}/uploads", headers=tus(upload_length=len(sealed.data)))
            place, tries = created.headers["location"], 0

            async def slowly(start: int) -> AsyncIterator[bytes]:
                for at in range(start, len(sealed.data), 1024):
                    if tries < 3 and at >= len(sealed.data) * (tries + 1) // 4:
                        proxy.cut_all()
                    yield sealed.data[at : at + 1024]
                    await asyncio.sleep(0.01)

            answer = None
            while answer is None or answer.status_code == 409:  # what was cut off is still being put away
                try:
                    offset = int((await client.head(place, headers=tus())).headers["upload-offset"])
                    answer = await client.patch(place, headers=patch(offset), content=slowly(offset))
                except httpx.TransportError:
                    tries += 1
                    await asyncio.sleep(0.2)
        assert (answer.status_code, tries) == (200, 3)
        intake = await hall.house.services.sessions.events(hall.house.session, Stream.INTAKE)
    assert [type(record.event).__name__ for record in intake] == ["IntakeOpened", "BidReceived"]
