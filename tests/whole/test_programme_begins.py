"""How soon the demo's programme plays after its page was asked for: told, not judged, for the machine decides."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.media import a_studio

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(300)]

PATIENCE = 120_000  # milliseconds
TIMES = 4
"""The first visit fetches the scripts and finds the way; later ones know it."""


async def test_the_page_of_the_demo_plays_its_programme(
    tmp_path: Path, record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "web.cli", "demo", "--speed", "1", "--port", "0", "--out", str(tmp_path)]
    environment = os.environ | {"KAIBIAO_MEDIA": "on", "KAIBIAO_MEDIA_PORT": "0"}
    demo = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment)
    assert demo.stdout is not None
    reading = None
    try:
        page_of = re.compile(rb"live page\s+(http://\S+)")
        while (found := page_of.search(line := await demo.stdout.readline())) is None:
            assert line, "the demo ended before it said where its page is"
        reading = asyncio.create_task(demo.stdout.read())
        took = []
        async with a_studio() as browser:
            context = await browser.new_context(viewport={"width": 1280, "height": 900})
            for _ in range(TIMES):
                page = await context.new_page()
                began = time.monotonic()
                await page.goto(f"{found[1].decode()}?lang=en", wait_until="commit")
                await page.wait_for_selector('#programme[data-state="playing"]', timeout=PATIENCE)
                took.append(time.monotonic() - began)
                video = page.locator("#programme video")
                shown = "({ videoWidth, paused }) => videoWidth === 1280 && !paused"
                while not await video.evaluate(shown):  # noqa: ASYNC110 - a way that breaks off leaves it to the next
                    await asyncio.sleep(0.1)
                before = await video.evaluate("video => video.getVideoPlaybackQuality().totalVideoFrames")
                await page.wait_for_function(
                    "before => document.querySelector('#programme video').getVideoPlaybackQuality().totalVideoFrames"
                    " > before + 5",
                    arg=before,
                    timeout=PATIENCE,
                )
                await page.close()
        seconds = ", ".join(f"{each:.2f}" for each in took)
        record_property("programme_plays_after_s", seconds)
        with capsys.disabled():
            sys.stdout.write(f"\nthe programme played {seconds} s after its page was asked for\n")
    finally:
        demo.send_signal(signal.SIGINT)
        await demo.wait()
        if reading is not None:
            await reading
