"""What is said first decides who reads on: the hall's own door, or uvicorn."""

from __future__ import annotations

import asyncio

import pytest

from web.door.doorstep import LONGEST, Doorstep, Silent, live_head
from web.door.patience import PatientProtocol

LINES = (
    "GET /live/bench?after=7 HTTP/1.1",
    "Host: 127.0.0.1",
    "Connection: keep-alive, Upgrade",
    "UPGRADE:  WebSocket ",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def request(*more: str, lines: tuple[str, ...] = LINES) -> bytes:
    return "\r\n".join([*lines, *more, "", ""]).encode("latin-1")


def without(begin: str) -> bytes:
    return request(lines=tuple(line for line in LINES if not line.lower().startswith(begin)))


def test_a_whole_request_for_a_stream_is_read() -> None:
    head = live_head(request("X-Forwarded-For: 192.0.2.1\t"))
    assert head is not None
    assert head.target == b"/live/bench?after=7"
    assert head.headers[0] == (b"host", b"127.0.0.1")
    assert head.headers[-2:] == [
        (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        (b"x-forwarded-for", b"192.0.2.1"),
    ]
    assert (b"upgrade", b"WebSocket") in head.headers


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"G",
        request()[:-1],
        request() + b"\x81",
        request() + request(),
        without("connection"),
        without("upgrade"),
        request("Content-Length: 1"),
        request("Transfer-Encoding: chunked"),
        request("Expect: 100-continue"),
        request("X: a\x00b"),
        request("X : b"),
        request(" folded"),
        request("no colon"),
        request().replace(b"\r\n", b"\n"),
        request().replace(b"GET", b"POST"),
        request().replace(b"/live/", b"/media/"),
        request().replace(b"HTTP/1.1", b"HTTP/1.0"),
        request().replace(b"bench", b"be nch"),
        request().replace(b"bench", b"\xe5\xbc\x80"),
        request("X: " + "y" * LONGEST),
    ],
)
def test_whatever_is_unusual_is_uvicorns_to_read(data: bytes) -> None:
    assert live_head(data) is None


async def test_those_who_say_nothing_are_closed_in_the_order_they_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatientProtocol, "patience", 0.05)
    closed: list[str] = []
    everybody = asyncio.Event()

    class Named(Doorstep):
        def __init__(self, name: str) -> None:
            super().__init__(set(), silent)
            self.name = name

        def shutdown(self) -> None:
            closed.append(self.name)
            if len(closed) == 2:
                everybody.set()

    silent = Silent()
    first, second, third = (Named(name) for name in ("first", "second", "third"))
    for one in (first, second, third):
        silent.add(one)
    silent.discard(second)
    silent.discard(second)
    async with asyncio.timeout(60):
        await everybody.wait()
    assert closed == ["first", "third"]
    await asyncio.sleep(0)
    everybody.clear()
    closed.clear()
    silent.add(second)
    silent.add(first)
    async with asyncio.timeout(60):
        await everybody.wait()
    assert closed == ["second", "first"]
