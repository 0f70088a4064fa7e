"""A real camera through the edge's own process: kept as it came in, shown small in the programme, and killed once."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from playwright.async_api import Page

from hall.media.mp4.boxes import cut
from hall.media.mp4.record import recover
from hall.media.packets.onair import OnAir
from hall.media.port import processes
from hall.media.port.engine import Away, Source
from hall.media.port.link import LinkedEngine
from hall.media.port.places import Places
from hall.media.port.processes import Processes
from hall.media.programme.camera import Camera
from hall.media.programme.serving import OnAirDoor
from sessions.ids import SessionId
from tests.support.media import a_page, a_studio

SESSION, HOST = SessionId("s-1"), Source("host")

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]


async def until(told: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not told():  # noqa: ASYNC110 - files grow, and a picture comes
            await asyncio.sleep(0.05)


async def publish(engine: LinkedEngine, page: Page, name: str) -> None:
    sdp = await page.evaluate("name => offerTo(name, 'publish', '')", name)
    async with asyncio.timeout(60):
        while True:
            try:
                answer = await engine.publish(SESSION, HOST, sdp)
                break
            except Away:
                await asyncio.sleep(0.05)
    await page.evaluate("([n, sdp]) => answerTo(n, sdp)", [name, answer.sdp])


def parts(folder: Path) -> list[bytes]:
    """Return the line index of each part. There may be more than one a life: see hall.media.edge.tape."""
    found = sorted(folder.glob("host-*.jsonl"), key=lambda file: int(file.stem.partition("-")[2]))
    return [file.read_bytes() for file in found]


def lines(folder: Path, after: int = 0) -> int:
    return sum(part.count(b"\n") for part in parts(folder)[after:])


@pytest.mark.parametrize("video", ["h264", "vp8"])
async def test_it_is_kept_and_shown_and_a_kill_costs_one_fragment(
    tmp_path: Path, video: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "FIRST_REST", 0.05)
    for name, value in (("PORT", "0"), ("VIDEO", video)):
        monkeypatch.setenv(f"KAIBIAO_MEDIA_{name}", value)
    places = Places(tmp_path)
    places.make()
    folder, seen = places.recordings(SESSION), list[OnAir]()
    engine = LinkedEngine(places)
    camera = Camera(lambda: asked.append(asyncio.ensure_future(engine.link.ask("keyframe", session=SESSION))))
    asked: list[asyncio.Future[object]] = []

    def take(frame: OnAir) -> None:
        seen.append(frame)
        camera.take(frame)

    door = OnAirDoor(places, take)
    await door.open()
    command = [sys.executable, "-m", "web.cli", "media", "edge", "--data-dir", str(tmp_path), "--lifeline"]
    kept = Processes({"edge": command})
    running = asyncio.create_task(kept.run())
    try:
        async with a_studio() as browser:
            page = await a_page(browser)
            await publish(engine, page, "first")
            await until(lambda: camera.picture is not None and camera.sound(480) is not None)
            assert camera.source == HOST
            assert camera.picture is not None
            assert len(camera.picture.getcolors(1 << 20) or []) > 3  # Chromium's made-up camera: no plain colour
            await until(lambda: lines(folder) > 6)
            os.kill(kept.running["edge"].pid, 9)
            first, there = len(parts(folder)), lines(folder)
            await publish(engine, page, "second")
            await until(lambda: lines(folder, first) > 4)
            await page.evaluate("second.close()")
            await until(lambda: seen[-1].payload is None)
            await until(lambda: all(b'"closed"' in part for part in parts(folder)[first:]))
            assert camera.picture is None
    finally:
        running.cancel()
        await asyncio.wait({running})
        await camera.close()
        await door.close()
        await asyncio.gather(*asked, return_exceptions=True)
        await engine.hang_up()
    left = {one.part: one for one in recover(folder)}
    assert [left[n].closed for n in sorted(left)].count(False) == 1
    assert not left[first].closed
    # Every line that was there stands: each index has one of its head, and the closed ones one of their end.
    assert sum(left[n].fragments for n in left if n <= first) >= there - 2 * first
    assert not any(left[n].cut for n in left if n > first)
    seen = {life: [0, 0] for life in (True, False)}
    for part in left:
        file = folder / f"host-{part}.mp4"
        assert cut(file.read_bytes())[0].codecs.startswith({"h264": "avc1", "vp8": "vp08"}[video])
        for place, kind in enumerate(("video", "audio")):
            with av.open(str(file)) as played:
                seen[part <= first][place] += sum(1 for _ in played.decode(**{kind: 0}))
    for pictures, sounds in seen.values():
        assert pictures > 10
        assert sounds > 50
