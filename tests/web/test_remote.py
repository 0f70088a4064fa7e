"""The Python client on a line that breaks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.bidders import Sealed, a_bidder
from tests.support.house import a_bid, patch
from tests.support.served import Served, served
from web.participant import remote
from web.participant.remote import Hall, HallRefused

_ROOM = 20  # bytes that come in late


Given = tuple[Served, Hall, Sealed]
Send = Callable[[httpx.AsyncHTTPTransport, httpx.Request], Awaitable[httpx.Response]]

send: Send = httpx.AsyncHTTPTransport.handle_async_request


@asynccontextmanager
async def over(line: Send, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Given]:
    """Give a hall, a bidder's client that has logged in there and goes by ``line`` from now on, and its bid."""
    bidder = a_bidder()
    async with served(folder) as hall, Hall(hall.url) as client:
        await hall.house.announce()
        await client.login_certificate(bidder.sign)
        monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", line)
        yield hall, client, a_bid(bidder)


async def test_bytes_of_a_broken_request_that_come_in_late_are_not_sent_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def breaking(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        """Break the first PATCH; its bytes are with the hall only after it was asked how many it has."""
        asked.append(request.method)
        if asked.count("PATCH") == 1 and request.method == "PATCH":
            raise httpx.WriteError("the connection broke", request=request)
        answer = await send(self, request)
        if asked.count("HEAD") == 1 and request.method == "HEAD":
            headers = {**request.headers, **patch(0), "content-length": str(_ROOM)}
            late = httpx.Request("PATCH", request.url, headers=headers, content=sealed.data[:_ROOM])
            assert (await send(self, late)).status_code == 204
        return answer

    async with over(breaking, tmp_path, monkeypatch) as (hall, client, sealed):
        accepted = await client.submit(hall.house.session, sealed.file, len(sealed.data))
        assert asked == ["POST", "PATCH", "HEAD", "PATCH", "HEAD", "PATCH"]
        mine = await client._json("GET", f"{hall.house.path}/uploads/mine")
        assert mine["bid"]["tracker"] == accepted.tracker


async def test_a_hall_that_is_busy_for_a_moment_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def busy(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        if asked.count("PATCH") == 1 and request.method == "PATCH":
            return httpx.Response(503, json={"code": "unanswered"}, request=request)
        return await send(self, request)

    async with over(busy, tmp_path, monkeypatch) as (hall, client, sealed):
        assert (await client.submit(hall.house.session, sealed.file, len(sealed.data))).receipt
    assert asked == ["POST", "PATCH", "HEAD", "PATCH"]


async def test_a_refusal_is_final_at_once(tmp_path: Path) -> None:
    bidder = a_bidder()
    async with served(tmp_path) as hall, Hall(hall.url) as client:
        await hall.house.announce()
        await client.login_certificate(bidder.sign)
        foreign = a_bid(a_bidder("江南路桥有限公司"))
        with pytest.raises(HallRefused) as refused:
            await client.submit(hall.house.session, foreign.file, len(foreign.data))
        assert refused.value.code == "foreign_bidder"


async def test_a_hall_that_never_agrees_about_the_place_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def misplacing(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        if request.method == "PATCH":
            request.headers["Upload-Offset"] = "7"
        return await send(self, request)

    monkeypatch.setattr(remote, "TRIES", 2)
    async with over(misplacing, tmp_path, monkeypatch) as (hall, client, sealed):
        with pytest.raises(HallRefused) as refused:
            await client.submit(hall.house.session, sealed.file, len(sealed.data))
    assert refused.value.code == "wrong_offset"
    assert asked == ["POST", "PATCH", "HEAD", "PATCH", "HEAD", "PATCH"]
