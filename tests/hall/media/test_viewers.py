"""A viewer's socket changes process, and the picture comes down the same line."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hall.media.mp4.boxes import cut
from hall.media.port.places import Places
from hall.media.programme.package import Crowd
from hall.media.programme.viewers import FULL, Handover, NobodyHome, Reception, hand_over
from sessions.ids import SessionId
from tests.support.muxed import muxed

SESSION = SessionId("s-1")
INIT, FRAGMENTS = cut(muxed())


@pytest.fixture
def places(tmp_path: Path) -> Places:
    made = Places(tmp_path)
    made.make()
    return made


@pytest.fixture
async def open_crowd(places: Places) -> AsyncIterator[Crowd]:
    crowd = Crowd(FULL)
    reception = Reception(places, lambda session, variant: crowd if session == SESSION else None)
    reception.open()
    yield crowd
    reception.close()
    await asyncio.sleep(0)


async def _viewer(places: Places, session: SessionId = SESSION) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    ours, theirs = socket.socketpair()
    hand_over(places, Handover(session=session, variant=FULL, answer=b"HTTP/1.1 101 S\r\n\r\n"), theirs.fileno())
    theirs.close()  # as the web process does
    return await asyncio.open_connection(sock=ours)


async def test_the_handshake_is_answered_and_the_picture_follows(places: Places, open_crowd: Crowd) -> None:
    open_crowd.begin(INIT)
    open_crowd.take(FRAGMENTS[0])
    reader, writer = await _viewer(places)
    async with asyncio.timeout(60):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 101 S\r\n\r\n"
        await reader.readuntil(FRAGMENTS[0].data)
        open_crowd.take(FRAGMENTS[1])
        await reader.readuntil(FRAGMENTS[1].data)
    writer.close()


async def test_a_viewer_that_hangs_up_is_forgotten(places: Places, open_crowd: Crowd) -> None:
    reader, writer = await _viewer(places)
    async with asyncio.timeout(60):
        await reader.readuntil(b"\r\n\r\n")
        assert len(open_crowd.viewers) == 1
        writer.close()
        while open_crowd.viewers:  # noqa: ASYNC110  # the line is told by the kernel, not by us
            await asyncio.sleep(0.01)


async def test_a_viewer_that_says_anything_is_sent_away(places: Places, open_crowd: Crowd) -> None:
    reader, writer = await _viewer(places)
    writer.write(b"\x81\x82\0\0\0\0hi")
    async with asyncio.timeout(60):
        data = await reader.read()
    assert b"\x03\xf0" in data[data.rindex(b"\x88") :]  # 1008, RFC 6455 section 7.4.1
    assert not open_crowd.viewers
    writer.close()


async def test_where_there_is_no_programme_a_viewer_is_asked_to_come_again(places: Places, open_crowd: Crowd) -> None:
    reader, writer = await _viewer(places, SessionId("other"))
    async with asyncio.timeout(60):
        assert (await reader.read()).endswith(b"\x88\x02\x03\xf4")
    writer.close()


async def test_nobody_home_is_said_at_once(places: Places) -> None:
    one, other = socket.socketpair()
    with one, other, pytest.raises(NobodyHome):
        hand_over(places, Handover(session=SESSION, variant=FULL, answer=b""), one.fileno())
