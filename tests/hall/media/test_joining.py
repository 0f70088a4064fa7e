"""A crowd that comes at once costs the camera one keyframe, and only what was announced to be recorded is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hall.media.edge.channel import Channel
from hall.media.edge.edge import Change
from hall.media.edge.keeping import Kept
from hall.media.edge.keyframes import Video
from hall.media.edge.limiter import EVERY
from hall.media.edge.peers import Publisher
from hall.media.edge.sdp import Kind
from hall.media.port.engine import Show, Source
from sessions.ids import SessionId
from tests.support.media import SESSION, Stage, an_edge
from web.bench.air.seat import Camera, Looking

HOST, DEPUTY = Source("host"), Source("deputy")
CROWD = 24


def test_hundreds_who_come_within_a_moment_ask_for_one_keyframe_and_for_one_more_after_half_a_second() -> None:
    """The second is for those who came after the camera had begun the first."""
    asked: list[float] = []
    channel, now = Channel(Video.H264, lambda _: asked.append(now)), 100.0
    channel.select(HOST, now)
    asked.clear()
    for n in range(300):
        now = 100.0 + n / 1000
        channel.want_keyframe(now)
    assert asked == [100.0]
    for n in range(40):
        now = 100.3 + n / 10
        channel.streams[Kind.VIDEO].on_air = HOST  # the picture began
        channel.tick(now)
    assert asked[1:] == pytest.approx([100.5], abs=0.11)


@asynccontextmanager
async def sending(stage: Stage, source: Source, *, keep: bool = True) -> AsyncIterator[Camera]:
    """A camera that is up."""
    camera = Camera()
    await camera.connect((await stage.edge.publish(SESSION, source, camera.offer(), keep=keep)).sdp)
    running = asyncio.create_task(camera.run())
    try:
        while await stage.told.get() != (source, Change.UP):
            pass
        yield camera
    finally:
        running.cancel()
        await asyncio.wait({running})
        await camera.leave()


async def test_a_crowd_that_connects_at_once_asks_the_camera_as_often_as_one_viewer_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[float] = []
    ask, loop = Publisher.ask_keyframe, asyncio.get_running_loop()

    def counted(publisher: Publisher) -> None:
        asked.append(loop.time())
        ask(publisher)

    monkeypatch.setattr(Publisher, "ask_keyframe", counted)
    async with an_edge(Video.VP8) as stage, sending(stage, HOST) as camera:
        seats = [Looking(camera) for _ in range(CROWD)]
        asked.clear()
        began = loop.time()
        answers = [await stage.edge.watch(SESSION, Show.FLOOR, seat.offer()) for seat in seats]
        await asyncio.gather(*(seat.connect(answer.sdp) for seat, answer in zip(seats, answers, strict=True)))
        while not all(seat.late for seat in seats):  # noqa: ASYNC110 - the first picture of the last one
            await asyncio.sleep(0.02)
        assert 1 <= len(asked) <= 2 + (loop.time() - began) / EVERY
        for seat in seats:
            await seat.leave()


async def test_only_what_was_announced_to_be_recorded_is_kept() -> None:
    kept: list[Source] = []

    class Nothing:
        def take(self, *_: object) -> None: ...
        def asks(self) -> bool:
            return False

        def end(self) -> None: ...

    def keep(_: SessionId, source: Source, *__: object) -> Kept:
        kept.append(source)
        return Nothing()  # type: ignore[return-value]

    async with an_edge(Video.VP8, keep) as stage, sending(stage, HOST, keep=False), sending(stage, DEPUTY):
        assert kept == [DEPUTY]
