"""The WebSocket door on a real port: the server beneath it, handshakes, crowds, readers that stall or vanish."""

from __future__ import annotations

import asyncio
import inspect
import json
import random
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
import uvicorn
from httptools import HttpParserUpgrade
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from hall.door import Door
from hall.limits import LIMITS, Limits
from hall.wire.frames import Form
from tests.support.frames import lines_of
from web.bench import alone

FACTS = 250
KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 section 1.3's
OFFER = "permessage-deflate; client_max_window_bits"  # as browsers send it


class Alone:
    """A hub on a port, and a program that publishes."""

    def __init__(self, server: Any, client: httpx.AsyncClient, port: int) -> None:
        self.server, self.client, self.port = server, client, port
        self.published = 0

    async def publish(self, size: int = 0) -> None:
        self.published += 1
        body = json.dumps({"seq": self.published, "pad": "x" * size})
        assert (await self.client.post("/bench/publish", content=body)).status_code == 200

    def doors(self) -> list[Door]:
        return [each for each in self.server.server_state.connections if isinstance(each, Door)]

    async def left_with(self, count: int) -> None:
        """Return when so many readers are left."""
        for _ in range(2000):
            if len(self.doors()) == count:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("nobody was cut")

    def live(self, after: int = 0, **more: Any) -> connect:
        return connect(f"ws://127.0.0.1:{self.port}/live/bench?after={after}", proxy=None, **more)


@asynccontextmanager
async def a_hub(*, tick_ms: int = 0, limits: Limits = LIMITS) -> AsyncIterator[Alone]:
    server = alone.server("127.0.0.1", 0, tick_ms=tick_ms, limits=limits)
    running = asyncio.create_task(server.serve())
    while not server.started:
        assert not running.done(), "the server did not start"
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            yield Alone(server, client, port)
    finally:
        server.should_exit = True
        await running


def test_what_is_touched_of_the_server_is_as_it_was() -> None:
    """A new uvicorn that fails here needs a look at web.door.gate and web.door.patience before it is allowed."""
    made = HttpToolsProtocol(
        uvicorn.Config(lambda: None, http="httptools"), ServerState(), {}, asyncio.new_event_loop()
    )
    for name in ("connections", "parser", "transport", "headers", "scope", "client", "flow", "loop"):
        assert hasattr(made, name), name
    made.loop.close()
    assert ServerState().connections == set()
    source = inspect.getsource(HttpToolsProtocol.data_received)
    assert source.index("HttpParserUpgrade") < source.index("self.handle_websocket_upgrade()")
    assert HttpParserUpgrade is not None
    assert list(inspect.signature(HttpToolsProtocol.handle_websocket_upgrade).parameters) == ["self"]
    assert "connection.shutdown()" in inspect.getsource(uvicorn.Server.shutdown)
    assert "self.server_state.connections" in inspect.getsource(uvicorn.Server._wait_tasks_to_complete)
    assert "self.url = b" in inspect.getsource(HttpToolsProtocol.on_message_begin)


def upgrade(*more: str, without: str = "-", path: str = "/live/bench") -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {KEY}",
    ]
    kept = [line for line in lines if not line.startswith(without)]
    return "\r\n".join([*kept, *more, "", ""]).encode()


async def answered(hub: Alone, *pieces: bytes) -> tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(0.01)  # so that they come apart; if they do not, the answer is the same
    return await reader.readuntil(b"\r\n\r\n"), reader, writer


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (upgrade(), 101),
        (upgrade(without="Sec-WebSocket-Version"), 426),
        (upgrade("Sec-WebSocket-Version: 12", without="Sec-WebSocket-Version"), 426),
        (upgrade(without="Sec-WebSocket-Key"), 400),
        (upgrade(f"Sec-WebSocket-Key: {KEY}"), 400),
        (upgrade("Sec-WebSocket-Key: c2hvcnQ=", without="Sec-WebSocket-Key"), 400),
        (upgrade("Sec-WebSocket-Key: !!!", without="Sec-WebSocket-Key"), 400),
        (upgrade("Sec-WebSocket-Extensions: permessage-deflate; ="), 400),
        (upgrade().replace(b"GET", b"POST", 1), 400),
    ],
)
async def test_a_handshake_is_answered_by_the_book(request_: bytes, status: int) -> None:
    async with a_hub() as hub:
        head, _, writer = await answered(hub, request_)
        writer.close()
        in_pieces, _, writer = await answered(hub, request_[:30], request_[30:])
        writer.close()
    assert head == in_pieces
    assert head.startswith(b"HTTP/1.1 %d " % status)
    if status == 101:
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
        assert b"Extensions" not in head
    if status == 426:
        assert b"sec-websocket-version: 13" in head


@pytest.mark.parametrize(
    ("offer", "agreed"),
    [
        (OFFER, True),
        ("permessage-deflate", True),
        ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", True),
        ("permessage-deflate; server_max_window_bits=10, permessage-deflate", True),
        ("permessage-deflate; server_max_window_bits=10", False),
        ("permessage-deflate; client_max_window_bits=99", False),
        ("permessage-deflate; client_max_window_bits; client_max_window_bits", False),
        ("permessage-deflate; unheard_of", False),
        ("x-webkit-deflate-frame", False),
    ],
)
async def test_frames_are_packed_for_whom_they_can_be_shared_with(offer: str, agreed: bool) -> None:
    async with a_hub() as hub:
        head, reader, writer = await answered(hub, upgrade(f"Sec-WebSocket-Extensions: {offer}"))
        await hub.publish(5000)
        first = await reader.readexactly(1)
        writer.close()
    assert (b"no_context_takeover" in head) is agreed
    assert first == (b"\xc1" if agreed else b"\x81")


async def test_everybody_who_agreed_reads_the_same_packed_bytes() -> None:
    async with a_hub() as hub:
        readers = [await answered(hub, upgrade(f"Sec-WebSocket-Extensions: {OFFER}")) for _ in range(3)]
        await hub.publish(5000)
        heads = [await reader.readexactly(2) for _, reader, _ in readers]
        rest = [await reader.readexactly(head[1]) for head, (_, reader, _) in zip(heads, readers, strict=True)]
        for _, _, writer in readers:
            writer.close()
    assert len(set(rest)) == 1
    assert json.loads(lines_of(heads[0] + rest[0])[0])["pad"] == "x" * 5000


@pytest.mark.parametrize("tick_ms", [0, 50])
async def test_sixty_who_join_lag_leave_and_resume_miss_and_repeat_nothing(tick_ms: int) -> None:
    chance = random.Random(tick_ms)  # no secret: which reader does what
    small = replace(LIMITS, send_buffer=4096, write_buffer=4096, chunk=20_000)
    wrong: list[tuple[int, int]] = []
    resumed = 0

    async def reader(hub: Alone) -> None:
        nonlocal resumed
        last = 0
        while last < FACTS:
            line = socket.socket()
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)  # small: lagging happens soon
            line.setblocking(False)
            await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", hub.port))
            packing = chance.choice(["deflate", None])
            async with hub.live(last, sock=line, compression=packing, max_queue=2, close_timeout=0.1) as stream:
                resumed += 1
                leaves_at = last + chance.randrange(1, 150)
                async for data in stream:
                    for found in map(json.loads, str(data).split("\n")):
                        if "seq" in found:
                            wrong.extend([(last, found["seq"])] if found["seq"] != last + 1 else [])
                            last = found["seq"]
                    if last >= min(leaves_at, FACTS):
                        break
                    if chance.random() < 0.02:
                        await asyncio.sleep(chance.random() * 0.2)

    async with a_hub(tick_ms=tick_ms, limits=small) as hub, asyncio.timeout(60):
        readers = [asyncio.create_task(reader(hub)) for _ in range(60)]
        for _ in range(FACTS):
            await hub.publish(chance.choice([50, 300, 9000]))
        await asyncio.gather(*readers)
    assert wrong == []
    assert resumed > 60


async def test_readers_that_stall_cost_the_others_nothing_and_memory_little() -> None:
    async with a_hub() as hub, asyncio.timeout(60):
        stalled = []
        for _ in range(10):
            line = socket.socket()
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.setblocking(False)
            await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", hub.port))
            await asyncio.get_running_loop().sock_sendall(line, upgrade())
            stalled.append(line)
        async with hub.live() as reading:
            for _ in range(300):
                await hub.publish(16_000)
                assert json.loads(str(await reading.recv()))["seq"] == hub.published
            paused = [door for door in hub.doors() if door._seat is not None and door._seat.paused]
            assert len(paused) == 10
            # At most what the buffer holds and the chunk that filled it, of 4.8 MB that each has missed.
            assert all(door._transport.get_write_buffer_size() < 2 * LIMITS.write_buffer for door in paused)
        for line in stalled:
            line.close()


async def test_a_stream_of_events_that_stalls_is_caught_up_and_costs_the_others_nothing() -> None:
    async with a_hub() as hub, asyncio.timeout(60):
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.setblocking(False)
        await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", hub.port))
        asked = b"GET /bench/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        await asyncio.get_running_loop().sock_sendall(line, asked + asked)  # the second waits until the first ends
        async with hub.live() as reading:
            for _ in range(80):
                await hub.publish(16_000)
                assert json.loads(str(await reading.recv()))["seq"] == hub.published
        [(room, *_)] = [tuple(hub.server.hub._live.values())]
        [late] = [seat for seat in room.seats if seat.watcher.form is Form.CHUNKED]
        assert late.paused
        assert late.watcher.cursor < hub.published
        reader, writer = await asyncio.open_connection(sock=line)
        head = await reader.readuntil(b"\r\n\r\n")
        body = b""
        while b"id: 80\n" not in body:
            size = int(await reader.readline(), 16)
            body += (await reader.readexactly(size + 2))[:-2]
        writer.close()
        for _ in range(3000):
            if late not in room.seats:
                break
            await asyncio.sleep(0.01)
        else:
            raise AssertionError("nobody noticed that the reader left")
    assert b"transfer-encoding: chunked" in head
    facts = [each.partition(b"\ndata: ") for each in body.split(b"\n\n") if each.startswith(b"id: ")]
    assert [int(number[4:]) for number, _, _ in facts] == list(range(1, 81))
    assert [json.loads(fact)["seq"] for _, _, fact in facts] == list(range(1, 81))


async def test_a_reader_that_takes_nothing_is_cut_and_a_slow_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hall.hub._ROUND", 0.05)
    impatient = replace(LIMITS, stall=timedelta(seconds=0.2), ping=timedelta(seconds=10))
    async with a_hub(limits=impatient) as hub, asyncio.timeout(60):
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.setblocking(False)
        await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", hub.port))
        await asyncio.get_running_loop().sock_sendall(line, upgrade())
        async with hub.live() as reading:
            for _ in range(20):
                await hub.publish(16_000)
                await reading.recv()
            await hub.left_with(1)
            await hub.publish()
            await reading.recv()
        line.close()


async def test_a_line_that_is_gone_is_given_up_by_tcp_and_asked_by_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hall.hub._ROUND", 0.05)
    async with a_hub(limits=replace(LIMITS, ping=timedelta(seconds=0.1))) as hub:
        head, reader, writer = await answered(hub, upgrade())
        assert head.startswith(b"HTTP/1.1 101")
        seen = b""
        while b"\x89\x00" not in seen:
            seen += await reader.read(100)
        (door,) = hub.doors()
        line = door._transport.get_extra_info("socket")
        assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 14_000
        assert (
            line.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * LIMITS.send_buffer
        )  # as socket(7) doubles it
        writer.write(b"\x8a\x80\x00\x00\x00\x00")
        await asyncio.sleep(0.1)
        assert door._inbound is None  # no parser for one who only answers
        writer.transport.abort()
        await hub.left_with(0)
    assert LIMITS.beat + LIMITS.unheard < timedelta(seconds=30)


async def read_on(stream: ClientConnection) -> None:
    while True:
        await stream.recv()


async def test_who_is_sent_home_comes_back_with_its_number() -> None:
    async with a_hub() as hub:
        await hub.publish()
        async with hub.live() as stream:
            last = json.loads(str(await stream.recv()))["seq"]
            hub.server.should_exit = True
            with pytest.raises(ConnectionClosed) as closed:
                await read_on(stream)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    async with a_hub() as hub:
        for _ in range(3):
            await hub.publish()
        async with hub.live(last) as stream:
            found = [json.loads(line) for line in str(await stream.recv()).split("\n")]
    assert [each["seq"] for each in found] == [2, 3]


@pytest.mark.parametrize("early", [b"\x81\x80\x00\x00\x00\x00", b"\x89\x80\x00\x00\x00\x00"])
async def test_what_follows_the_handshake_in_the_same_breath_harms_nobody(early: bytes) -> None:
    async with a_hub() as hub:
        head, _, writer = await answered(hub, upgrade() + early)
        writer.close()
        async with hub.live() as stream:
            await hub.publish()
            assert json.loads(str(await stream.recv()))["seq"] == 1
    assert head.startswith(b"HTTP/1.1 101")


async def test_seventeen_mebibytes_in_one_frame_are_refused_at_its_head() -> None:
    async with a_hub() as hub:
        _, reader, writer = await answered(hub, upgrade())
        writer.write(b"\x81\xff" + (17 << 20).to_bytes(8, "big") + bytes(4))
        data = await reader.read()
        writer.close()
    assert close_codes(data) == [1009]


def close_codes(data: bytes) -> Iterable[int]:
    at = data.rfind(b"\x88")
    return [int.from_bytes(data[at + 2 : at + 4], "big")] if at >= 0 else []


async def test_spectators_make_room_when_descriptors_run_out() -> None:
    async with a_hub() as hub, asyncio.timeout(60):
        streams = [await hub.live() for _ in range(40)]
        gate_of = hub.server.config.http(hub.server.config, ServerState(), {}).gate
        gate_of.descriptors = len(hub.server.server_state.connections) + 70
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{hub.port}") as another:
            assert (await another.get("/nowhere")).status_code == 404
        await hub.left_with(8)
        while sum(stream.state is State.CLOSED for stream in streams) < 32:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        codes = [stream.close_code for stream in streams if stream.state is State.CLOSED]
        gate_of.descriptors = 0
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{hub.port}") as another:
            refused = await another.get("/nowhere")
        gate_of.descriptors = 1000
        for stream in streams:
            await stream.close()
    assert codes == [1013] * 32
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
