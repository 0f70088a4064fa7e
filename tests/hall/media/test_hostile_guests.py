"""What somebody sends who was let in: garbage and floods harm nobody else, and not even the picture beside them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hall.media.edge import mux as mux_module
from hall.media.edge.edge import Change
from hall.media.edge.keyframes import Video
from hall.media.edge.mux import WAITING
from hall.media.port.engine import EngineRefused, Show, Source
from tests.support.media import SESSION, Stage, an_edge
from tests.support.offers import OFFER
from web.bench.air.seat import Camera, Looking, Seat

HOST = Source("host")
HELLO = bytes.fromhex("16feff000000000000000000300100002400000000000024fefd") + bytes(40)


@asynccontextmanager
async def on_air() -> AsyncIterator[tuple[Stage, Camera, Looking]]:
    """A camera, and somebody who sees it."""
    async with an_edge(Video.VP8) as stage:
        camera = Camera()
        await camera.connect((await stage.edge.publish(SESSION, HOST, camera.offer())).sdp)
        running, looking = asyncio.create_task(camera.run()), Looking(camera)
        await looking.connect((await stage.edge.watch(SESSION, Show.FLOOR, looking.offer())).sdp)
        try:
            await sees(looking)
            yield stage, camera, looking
        finally:
            running.cancel()
            await asyncio.wait({running})
            await camera.leave()
            await looking.leave()


async def sees(looking: Looking) -> None:
    """Wait for some more pictures."""
    enough = len(looking.late) + 5
    while len(looking.late) < enough:  # noqa: ASYNC110 - a picture, and another one
        await asyncio.sleep(0.02)


async def test_a_second_device_takes_the_place_of_the_first_once_it_is_through_and_not_before() -> None:
    async with on_air() as (stage, _, looking):
        while not stage.told.empty():
            stage.told.get_nowait()
        await stage.edge.publish(SESSION, HOST, OFFER)  # nobody comes of it
        await sees(looking)
        assert stage.edge.sources(SESSION) == [HOST]
        second = Camera()
        await second.connect((await stage.edge.publish(SESSION, HOST, second.offer())).sdp)
        assert [await stage.told.get() for _ in range(2)] == [(HOST, Change.DOWN), (HOST, Change.UP)]
        running = asyncio.create_task(second.run())
        await sees(looking)
        assert stage.edge.sources(SESSION) == [HOST]
        running.cancel()
        await asyncio.wait({running})
        await second.leave()


async def test_garbage_between_the_packets_of_a_camera_is_lost_and_its_picture_goes_on() -> None:
    """RTP, RTCP, DTLS and nothing of the kind, from the right address, by somebody without the keys."""
    async with on_air() as (stage, camera, looking):
        chance = random.Random(13)
        for begin in ("80e0", "90e0ffff", "80c8", "81c9", "8fce", "16fefd", "17fefd", "14feff", "ff", "40", "0101"):
            for length in (0, 1, 3, 11, 40, 1200):
                for _ in range(10):
                    await camera.send(bytes.fromhex(begin) + chance.randbytes(length))
                    await looking.send(bytes.fromhex(begin) + chance.randbytes(length))
                await asyncio.sleep(0)
            await sees(looking)
        assert stage.edge.sources(SESSION) == [HOST]


async def test_a_flood_of_handshakes_ends_in_its_own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_air() as (stage, _, looking):
        known = set(stage.mux._paths)
        flooding = Seat()
        await flooding.find((await stage.edge.watch(SESSION, Show.FLOOR, flooding.offer())).sdp)
        (name,) = set(stage.mux._paths) - known
        path, chance = stage.mux._paths[name], random.Random(7)
        for number in range(3000):
            await flooding.send(HELLO[: 11 + number % 50] + chance.randbytes(20))
            if number % 100 == 0:
                await asyncio.sleep(0)
                assert path._queue.qsize() <= WAITING + 1
        await sees(looking)
        monkeypatch.setattr(mux_module, "ANSWERED_WITHIN", 0.0)
        while name in stage.mux._paths:  # noqa: ASYNC110 - it is swept out
            await asyncio.sleep(0.05)
        assert set(stage.mux._paths) == known
        await sees(looking)
        flooding.close()


async def test_offers_with_any_byte_changed_are_answered_or_refused_and_nothing_stays() -> None:
    chance = random.Random(11)
    async with an_edge() as stage:
        answered, codes = 0, set[str]()
        for _ in range(400):
            text = list(OFFER)
            for _ in range(chance.choice((1, 3, 30))):
                text[chance.randrange(len(text))] = chr(
                    chance.choice((0, 10, 13, 32, 45, 48, 57, 58, 61, 97, 255, 0x7FFF))
                )
            try:
                await stage.edge.close((await stage.edge.publish(SESSION, HOST, "".join(text))).id)
                answered += 1
            except EngineRefused as refused:
                codes.add(refused.code)
        assert 0 < answered < 400
        assert codes == {"malformed_sdp"}
        assert not stage.mux._paths
        assert not stage.edge._peers
