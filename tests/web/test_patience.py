"""Connections that never say what they want are closed; those that do are served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.served import Served, served
from web.door.patience import HEAD_BYTES, PatientProtocol

pytestmark = pytest.mark.asyncio(loop_scope="module")
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: hall\r\n\r\n"


@pytest_asyncio.fixture(loop_scope="module")
async def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setattr(PatientProtocol, "patience", 0.3)
    async with served(tmp_path) as hall:
        yield hall


async def said_to(hall: Served, *pieces: bytes) -> bytes:
    """Send pieces without closing, and return everything the hall says until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hall.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("head", [b"", b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: hall\r\nX: "])
async def test_a_head_that_never_ends_is_not_waited_for(hall: Served, head: bytes) -> None:
    assert await said_to(hall, head) == b""


async def test_a_second_request_is_not_waited_for_either(hall: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatientProtocol, "patience", 1.5)  # a slow machine is in time with the first
    answer = await said_to(hall, REQUEST, b"GET /healthz HTTP/1.1\r\nHost:")
    assert answer.count(b"HTTP/1.1 200 OK") == 1


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nX: " + b"x" * (HEAD_BYTES + 1),
        b"GET /" + b"x" * (HEAD_BYTES + 1),
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000,
    ],
    ids=["one long header", "a long address", "many headers"],
)
async def test_a_head_without_end_is_refused(hall: Served, head: bytes) -> None:
    answer = await said_to(hall, head)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")


async def test_two_lengths_for_one_body_are_refused(hall: Served) -> None:
    head = b"POST /login HTTP/1.1\r\nHost: hall\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    answer = await said_to(hall, head + REQUEST)
    assert b"200 OK" not in answer


async def test_a_crowd_that_says_nothing_keeps_nobody_out(hall: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", hall.port) for _ in range(100)]
    monkeypatch.setattr(PatientProtocol, "patience", 60.0)  # with whoever does speak
    async with hall.client() as client:
        assert (await client.get("/healthz")).status_code == 200
    for reader, writer in silent:
        assert await reader.read() == b""
        writer.close()


async def test_a_slow_answer_is_no_slow_question(hall: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatientProtocol, "patience", 1.5)
    await hall.house.announce()
    async with hall.live("/live/zb-1") as socket, hall.client() as client:
        await socket.recv()
        async with client.stream("GET", "/api/v1/sessions/zb-1/stream?after=1") as answer:
            await asyncio.sleep(2)  # longer than the patience of this test's server
            await hall.house.act(await hall.house.staff("host"), "TakeChair")
            lines = [line async for line in _until(answer.aiter_lines(), "ChairTaken")]
    assert lines


async def _until(lines: AsyncIterator[str], text: str) -> AsyncIterator[str]:
    async for line in lines:
        yield line
        if text in line:
            return
