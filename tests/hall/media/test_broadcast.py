"""The programme of one session, with a camera in it and without."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("av", reason="needs the extra `media`")

from hall.media.mp4.boxes import Fragment, FragmentSink, Init
from hall.media.picture.scene import speaker_of
from hall.media.port.engine import Source
from hall.media.programme.broadcast import Broadcast
from hall.media.voice.speaker import Speaker
from sessions.clock import SystemClock
from sessions.ids import SessionId

VIEWS = json.loads((Path(__file__).parents[2] / "vectors/wire/public.json").read_text())["views"]
LAST = VIEWS[max(VIEWS, key=int)] | {"status": "live"}
RED = (200, 10, 10)


class Seen:
    """Who takes the programme, and counts."""

    def __init__(self, _: datetime) -> None:
        self.count = 0

    def begin(self, init: Init) -> None:
        pass

    def take(self, fragment: Fragment) -> None:
        self.count += 1

    def end(self) -> None:
        pass


class StandIn:
    """A camera whose picture is as the test says."""

    source: Source | None = None
    picture: Image.Image | None = None

    def tick(self) -> None:
        pass

    def sound(self, samples: int) -> bytes | None:
        return None

    async def close(self) -> None:
        pass


def red(broadcast: Broadcast) -> bool:
    return RED in {colour for _, colour in broadcast._stage.image.getcolors(1 << 20) or []}


async def until(told: bool, broadcast: Broadcast) -> None:
    async with asyncio.timeout(60):
        while red(broadcast) is not told:  # noqa: ASYNC110 - a picture is painted ten times a second
            await asyncio.sleep(0.02)


async def test_whoever_is_on_air_is_in_the_picture_as_long_as_there_is_one(tmp_path: Path) -> None:
    sinks: list[Seen] = []

    def folder(_: str, at: datetime) -> FragmentSink:
        sinks.append(Seen(at))
        return sinks[-1]

    speaker = Speaker(tmp_path, ("false",))
    broadcast = Broadcast(SessionId("s-1"), SystemClock(), speaker, folder=folder)
    camera = StandIn()
    broadcast.camera = camera  # type: ignore[assignment]
    broadcast.shows(LAST, [])
    running = asyncio.create_task(broadcast.run())
    try:
        camera.source, camera.picture = Source("host"), Image.new("RGB", (320, 180), RED)
        await until(True, broadcast)
        camera.picture = None  # heard, and not seen
        await until(False, broadcast)
        camera.picture = Image.new("RGB", (180, 320), RED)
        await until(True, broadcast)
        camera.source = camera.picture = None
        await until(False, broadcast)
        before = sinks[0].count
        async with asyncio.timeout(60):
            while sinks[0].count < before + 3:  # noqa: ASYNC110 - and the programme goes on
                await asyncio.sleep(0.02)
    finally:
        running.cancel()
        await asyncio.wait({running})
        await speaker.close()


def test_a_bidder_is_named_once_the_name_is_public() -> None:
    bid = next(iter(LAST["bids"].values()))
    assert speaker_of(LAST, f"bidder:{bid['bidder']}") == bid["name"]
    assert speaker_of({}, f"bidder:{bid['bidder']}") == "投标人 Bidder"
    assert speaker_of(LAST, "host") == "主持人 Host"
    assert speaker_of(LAST, "anything") == "投标人 Bidder"
