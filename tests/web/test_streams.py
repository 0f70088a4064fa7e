"""The doors outward over real sockets: the same bytes through each, resumed by number, closed with a reason."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hall.limits import LIMITS
from tests.support.bidders import a_bidder
from tests.support.house import NAMES, a_bid, patch, tus
from tests.support.served import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def hall(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, limits=replace(LIMITS, watchers_per_bidder=2, watchers_per_address=8)) as hall:
        await hall.house.announce()
        await hall.house.act(await hall.house.staff("host"), "TakeChair")
        yield hall


async def facts_by_websocket(hall: Served, after: int, count: int, who: httpx.AsyncClient | None = None) -> list[str]:
    """Return the first ``count`` facts after a number; signals are passed over."""
    found: list[str] = []
    async with hall.live(f"/live/zb-1?after={after}", who) as socket:
        async for frame in socket:
            found += [line for line in str(frame).split("\n") if "signal" not in json.loads(line)]
            if len(found) >= count:
                break
    return found[:count]


async def facts_by_events(
    hall: Served, after: int, count: int, who: httpx.AsyncClient | None = None, **headers: str
) -> list[str]:
    """Return the same through server-sent events."""
    found: list[str] = []
    async with (
        hall.client(who) as client,
        client.stream("GET", f"/api/v1/sessions/zb-1/stream?after={after}", headers=headers) as answer,
    ):
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        signal = False
        async for line in answer.aiter_lines():
            signal = line.startswith("event: signal") or (signal and bool(line))
            if line.startswith("data: ") and not signal:
                found.append(line.removeprefix("data: "))
            if len(found) == count:
                break
    return found


async def closed_with(socket: ClientConnection) -> int | None:
    """Read until the hall closes the socket, and return the code it gives."""
    try:
        while True:
            await socket.recv()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


async def test_both_doors_and_the_list_carry_the_same_bytes(hall: Served) -> None:
    async with hall.client() as client:
        body = (await client.get("/api/v1/sessions/zb-1/events")).text
    newest = json.loads(body)["view_n"]
    by_websocket = await facts_by_websocket(hall, 0, newest)
    assert by_websocket == await facts_by_events(hall, 0, newest)
    assert body == f'{{"view_n":{newest},"events":[{",".join(by_websocket)}]}}'


async def test_a_new_fact_reaches_both_doors(hall: Served) -> None:
    newest = (await hall.house.view(hall.house.client()))["n"]
    waiting = [asyncio.create_task(door(hall, newest, 1)) for door in (facts_by_websocket, facts_by_events)]
    await asyncio.sleep(0.2)
    await hall.house.act(await hall.house.staff("deputy"), "TakeChair")
    first, second = [json.loads(facts[0]) for facts in await asyncio.gather(*waiting)]
    assert first == second
    assert (first["n"], first["type"]) == (newest + 1, "ChairTaken")


async def test_a_reader_resumes_from_its_number(hall: Served) -> None:
    facts = [json.loads(fact)["n"] for fact in await facts_by_websocket(hall, 1, 2)]
    assert facts == [2, 3]


async def test_the_last_event_id_wins_over_the_address(hall: Served) -> None:
    facts = await facts_by_events(hall, 0, 1, **{"last-event-id": "2"})
    assert json.loads(facts[0])["n"] == 3


async def test_each_door_shows_what_the_login_may_see(hall: Served) -> None:
    supervisor, host = await hall.house.staff("supervisor"), await hall.house.staff("host")
    newest = (await hall.house.view(supervisor))["n"]
    assert (await hall.house.act(supervisor, "Note", text="只给监督人看")).status_code == 200
    for who, sees in ((supervisor, True), (host, False), (None, False)):
        for door in (facts_by_websocket, facts_by_events):
            (fact,) = await door(hall, newest, 1, who)
            assert ("只给监督人看" in fact) is sees


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/live/zb-1?after=99", 4400),
        ("/live/zb-1?after=-1", 4400),
        ("/live/zb-1?after=x", 4400),
        ("/live/zb-1?after=" + "9" * 40, 4400),
        ("/live/gone", 4404),
    ],
)
async def test_a_socket_that_cannot_be_is_closed_with_its_code(hall: Served, path: str, wanted: int) -> None:
    async with hall.live(path) as socket:
        code = await closed_with(socket)
    assert code == wanted


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1"])
async def test_another_sites_page_gets_no_socket(hall: Served, origin: Any) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with hall.live("/live/zb-1", origin=origin):
            pass
    assert refused.value.response.status_code == 403


async def test_the_halls_own_page_gets_one(hall: Served) -> None:
    async with hall.live("/live/zb-1", origin=hall.url) as socket:  # type: ignore[arg-type]
        assert json.loads(str(await socket.recv()).split("\n")[0])["n"] == 1


@pytest.mark.parametrize("said", ["hello", b"\x00", '{"command": "Advance", "step": "decrypt"}'])
async def test_whoever_speaks_into_a_stream_is_closed(hall: Served, said: str | bytes) -> None:
    async with hall.live("/live/zb-1") as socket:
        await socket.send(said)
        code = await closed_with(socket)
    assert code == 1008


async def test_a_frame_over_the_limit_is_closed(hall: Served) -> None:
    async with hall.live("/live/zb-1") as socket:
        await socket.send("x" * 5000)
        code = await closed_with(socket)
    assert code == 1009


async def test_packed_frames_stand_by_themselves_so_that_readers_share_them(hall: Served) -> None:
    async with hall.live("/live/zb-1") as one, hall.live("/live/zb-1", compression=None) as other:
        (packing,) = one.protocol.extensions
        assert (packing.local_no_context_takeover, packing.remote_no_context_takeover) == (True, True)  # type: ignore[attr-defined]
        assert other.protocol.extensions == []
        assert str(await one.recv()).split("\n")[0] == await other.recv()


async def test_a_bidder_has_only_so_many_streams(hall: Served) -> None:
    bidder = await hall.house.bidder(a_bidder(NAMES[0]))
    async with hall.live("/live/zb-1", bidder) as one, hall.live("/live/zb-1", bidder) as two:
        await one.recv()
        await two.recv()
        async with hall.live("/live/zb-1", bidder) as three:
            code = await closed_with(three)
        async with hall.client(bidder) as client:
            answer = await client.get("/api/v1/sessions/zb-1/stream")
    assert code == 1013
    assert (answer.status_code, answer.json()["code"]) == (503, "too_many_watchers")
    assert int(answer.headers["retry-after"]) > 0


async def test_whoever_leaves_makes_room(hall: Served) -> None:
    bidder = await hall.house.bidder(a_bidder(NAMES[0]))
    for door in (facts_by_websocket, facts_by_events) * 4:
        assert await door(hall, 0, 1, bidder)
        hall.house.clock.turn(hall.house.clock.now() + LIMITS.beat)


async def test_readers_are_sent_home_when_the_server_stops(hall: Served) -> None:
    async with hall.client() as client, client.stream("GET", "/api/v1/sessions/zb-1/stream") as events:
        lines = events.aiter_lines()
        assert await anext(lines) == "retry: 3000"
        async with hall.live("/live/zb-1?after=3") as socket:
            hall.stop()
            code = await closed_with(socket)
        assert [line async for line in lines][-1] == ""
    assert code == 1012


async def test_what_came_before_the_line_broke_is_kept(hall: Served) -> None:
    bidder = a_bidder(NAMES[0])
    sealed = a_bid(bidder)
    client = await hall.house.bidder(bidder)
    created = await client.post(f"{hall.house.path}/uploads", headers=tus(upload_length=len(sealed.data)))
    place = created.headers["location"]
    head = [f"PATCH {place} HTTP/1.1", f"Host: {hall.host}", "X-Kaibiao: 1", f"Content-Length: {len(sealed.data)}"]
    head += [f"Cookie: {name}={value}" for name, value in client.cookies.items()]
    head += [f"{name}: {value}" for name, value in patch(0).items()]
    _, writer = await asyncio.open_connection("127.0.0.1", hall.port)
    writer.write("\r\n".join([*head, "", ""]).encode() + sealed.data[:700])
    await writer.drain()
    await asyncio.sleep(0.2)
    writer.transport.abort()
    # A sender that comes back at once may find its broken request still being put away: it asks again, as tus says.
    for _ in range(100):
        standing = await client.head(place, headers=tus())
        assert standing.status_code == 200, standing.text
        done = int(standing.headers["upload-offset"])
        assert done in (0, 700)
        answer = await client.patch(place, headers=patch(700), content=sealed.data[700:])
        if answer.status_code == 200:
            break
        assert answer.json()["code"] == "wrong_offset"
        await asyncio.sleep(0.05)
    assert answer.json()["accepted"] is True


async def test_a_crowd_from_one_address_is_bounded(hall: Served) -> None:
    sockets = [await hall.live("/live/zb-1") for _ in range(8)]
    for socket in sockets:
        await socket.recv()
    async with hall.live("/live/zb-1") as ninth:
        code = await closed_with(ninth)
    for socket in sockets:
        await socket.close()
    assert code == 1013


# -- without a stream ----------------------------------------------------------------------------------------------


async def test_segments_hold_the_public_log_and_stay_once_they_are_full(hall: Served) -> None:
    staff = await hall.house.staff("supervisor")
    async with hall.client() as client:
        head = (await client.get("/api/v1/sessions/zb-1/log/head.json")).json()
        while head["n"] < 51:
            hall.house.clock.turn(hall.house.clock.now() + LIMITS.beat)
            assert (await hall.house.act(staff, "Note", text="一切正常")).status_code == 200
            head = (await client.get("/api/v1/sessions/zb-1/log/head.json")).json()
        assert head["segment"] == 50
        full, rest, none = [await client.get(f"/api/v1/sessions/zb-1/log/{k}.json") for k in (0, 1, 2)]
        streamed = await facts_by_websocket(hall, 0, head["n"])
    assert full.text == f'{{"segment":0,"events":[{",".join(streamed[:50])}]}}'
    assert rest.text == f'{{"segment":1,"events":[{",".join(streamed[50:])}]}}'
    assert (full.headers["cache-control"], rest.headers["cache-control"], none.status_code) == (
        "public, max-age=31536000, immutable",
        "public, max-age=1",
        404,
    )


async def test_segments_are_the_publics_whoever_asks(hall: Served) -> None:
    supervisor = await hall.house.staff("supervisor")
    assert (await hall.house.act(supervisor, "Note", text="只给监督人看")).status_code == 200
    async with hall.client(supervisor) as client:
        answer = await client.get("/api/v1/sessions/zb-1/log/0.json")
    assert "SupervisorNoted" in answer.text
    assert "只给监督人看" not in answer.text


async def test_the_head_is_asked_for_in_vain_until_something_happens(hall: Served) -> None:
    async with hall.client() as client:
        before = await client.get("/api/v1/sessions/zb-1/log/head.json")
        known = {"if-none-match": before.headers["etag"]}
        assert (await client.get("/api/v1/sessions/zb-1/log/head.json", headers=known)).status_code == 304
        await hall.house.act(await hall.house.staff("deputy"), "TakeChair")
        after = await client.get("/api/v1/sessions/zb-1/log/head.json", headers=known)
    assert after.json()["n"] == before.json()["n"] + 1


async def test_a_full_house_names_the_door_that_is_never_full(tmp_path: Path) -> None:
    async with served(tmp_path, max_watchers=1) as hall:
        await hall.house.announce()
        async with hall.live("/live/zb-1") as first:
            await first.recv()
            with pytest.raises(InvalidStatus) as refused:
                async with hall.live("/live/zb-1"):
                    pass
            async with hall.client() as client:
                events = await client.get("/api/v1/sessions/zb-1/stream")
            async with hall.live("/live/zb-1", await hall.house.bidder(a_bidder(NAMES[0]))) as bidder:
                assert json.loads(str(await bidder.recv()).split("\n")[0])["n"] == 1
    for answer in (refused.value.response, events):
        headers = answer.headers
        assert headers["retry-after"] == "5"
        assert headers["link"] == '</api/v1/sessions/zb-1/log/head.json>; rel="alternate"'
    assert (refused.value.response.status_code, events.status_code) == (503, 503)
