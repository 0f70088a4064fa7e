"""The proxy configurations that are shipped, in front of a real hall."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.support.bidders import a_bidder
from tests.support.house import T0, patch, tus
from tests.support.ports import free_port
from tests.support.proxies import CONFIGURED, NAME, Front, in_front
from tests.support.served import Served, served

PIECE = 1 << 20
both = pytest.mark.parametrize("kind", list(CONFIGURED))


@asynccontextmanager
async def a_hall_behind(kind: str, folder: Path) -> AsyncIterator[tuple[Served, Front]]:
    port, plain = free_port(), free_port()
    settings = {"public_url": f"https://{NAME}:{port}", "trusted_proxies": ("127.0.0.1/32",)}
    async with (
        served(folder, **settings) as hall,
        in_front(kind, folder / "proxy", hall, port, plain) as front,
    ):
        await hall.house.announce()
        yield hall, front


@both
async def test_facts_come_through_as_they_happen(tmp_path: Path, kind: str) -> None:
    async with a_hall_behind(kind, tmp_path) as (hall, front), front.client() as client:
        path = f"{hall.house.path}/stream?after=0"
        async with front.live(f"/live/{hall.house.session}?after=0") as live, client.stream("GET", path) as events:
            assert events.headers["content-type"].startswith("text/event-stream")
            lines = events.aiter_lines()
            async with asyncio.timeout(60):
                first = json.loads((await live.recv()).splitlines()[0])
                while not (await anext(lines)).startswith("id: 1"):
                    pass
            hall.house.clock.turn(T0 - timedelta(minutes=10))
            await hall.house.act(await hall.house.staff("host"), "TakeChair")
            async with asyncio.timeout(60):  # with a buffer in between it would come when the stream ends: never
                while "ChairTaken" not in str(await live.recv()):
                    pass
                while "ChairTaken" not in await anext(lines):
                    pass
        assert first
        for _ in range(200):
            if not (here := hall.house.services.hub.census().readers.get(("sse", "public"))):
                break
            await asyncio.sleep(0.05)
        assert not here  # who has left is not counted any more


@both
async def test_a_bid_goes_in_as_it_comes_and_a_cut_line_loses_nothing(tmp_path: Path, kind: str) -> None:
    async with a_hall_behind(kind, tmp_path) as (hall, front):
        bidder = await hall.house.bidder(a_bidder())
        async with front.client(bidder) as client:
            created = await client.post(f"{hall.house.path}/uploads", headers=tus(upload_length=8 * PIECE))
            assert created.status_code == 201
            place = created.headers["location"]
            hold = asyncio.Event()

            async def dribble() -> AsyncIterator[bytes]:
                for _ in range(6):
                    yield bytes(PIECE)
                await hold.wait()

            headers = patch(0) | {"content-length": str(8 * PIECE)}
            sending = asyncio.create_task(client.patch(place, headers=headers, content=dribble()))
            durable = 0
            async with asyncio.timeout(60):
                while durable < 4 * PIECE:  # most of what was sent is on the disk while the request still goes on
                    await asyncio.sleep(0.1)
                    durable = int((await client.head(place, headers=tus())).headers["upload-offset"])
            assert not sending.done()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            await asyncio.sleep(0.3)
            assert int((await client.head(place, headers=tus())).headers["upload-offset"]) >= durable


@both
async def test_what_a_client_says_of_its_address_is_not_believed(tmp_path: Path, kind: str) -> None:
    async with a_hall_behind(kind, tmp_path) as (hall, front), front.client() as client:
        far = {"x-forwarded-for": "203.0.113.9"}
        through = (await client.get("/readyz", headers=far)).json()
        async with httpx.AsyncClient(base_url=hall.url) as direct:
            beside = (await direct.get("/readyz", headers=far)).json()
    assert through["database"] is True  # the proxy says who it is: this machine, which may know
    assert beside == {"ready": True}  # from the proxy's own address the header counts


async def _greeted(port: int, version: str) -> bool:
    """Whether a client that speaks no other version of TLS gets a session."""
    words = ["s_client", "-connect", f"127.0.0.1:{port}", "-servername", NAME, version, "-cipher", "ALL:@SECLEVEL=0"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), asyncio.subprocess.PIPE)
    client = await asyncio.create_subprocess_exec("openssl", *words, **pipes)  # type: ignore[arg-type]
    said, _ = await client.communicate(b"")
    return b"Cipher is (NONE)" not in said


@both
async def test_people_come_by_tls_alone_and_their_browsers_remember_it(tmp_path: Path, kind: str) -> None:
    async with a_hall_behind(kind, tmp_path) as (_, front), front.client() as client:
        page = await client.get("/", headers={"accept": "text/html"})
        async with httpx.AsyncClient(headers={"host": NAME}) as plain:
            sent = await plain.get(f"http://127.0.0.1:{front.plain}/s/zb-1")
        old, new = [await _greeted(front.port, version) for version in ("-tls1_1", "-tls1_2")]
    assert (old, new) == (False, True)
    assert page.status_code == 200
    assert "max-age=31536000" in page.headers["strict-transport-security"]
    assert "nginx/" not in page.headers.get("server", "")
    there = sent.headers["location"].replace(f":{front.port}", "")  # Caddy names the port that everybody knows
    assert (sent.status_code, there) == (308, f"https://{NAME}/s/zb-1")


async def test_nginx_keeps_what_is_public_and_nothing_of_anybody_who_is_logged_in(tmp_path: Path) -> None:
    async with a_hall_behind("nginx", tmp_path) as (hall, front), front.client() as client:
        path = f"/s/{hall.house.session}"
        html = {"accept": "text/html", "accept-language": "zh"}
        answers = [await client.get(path, headers=html) for _ in range(5)]
        static = next(part for part in answers[0].text.split('"') if part.startswith("/static/") and "." in part)
        parts = [await client.get(static) for _ in range(2)]
        host = await hall.house.staff("host")
        async with front.client(host) as inside:
            own = [await inside.get(path, headers=html) for _ in range(2)]
        english = await client.get(path, headers=html | {"accept-language": "en"})
    assert {answer.status_code for answer in answers} == {200}
    assert {"HIT", "UPDATING"} & {answer.headers["x-cache"] for answer in answers[1:]}
    assert [part.headers["x-cache"] for part in parts] == ["MISS", "HIT"]
    assert {answer.headers["x-cache"] for answer in own} == {"BYPASS"}
    assert english.text != answers[0].text


@both
async def test_when_the_hall_goes_down_readers_are_sent_to_resume_and_the_proxy_says_so(
    tmp_path: Path, kind: str
) -> None:
    async with (
        a_hall_behind(kind, tmp_path) as (hall, front),
        front.client() as client,
        front.live(f"/live/{hall.house.session}?after=0") as live,
    ):
        await live.recv()
        hall.stop()
        async with asyncio.timeout(60):
            await live.wait_closed()
        assert live.close_code == 1012  # come back, elsewhere or later
        for _ in range(300):
            answer = await client.get("/healthz")
            if answer.status_code == 502:
                break
            await asyncio.sleep(0.1)
    assert answer.status_code == 502
