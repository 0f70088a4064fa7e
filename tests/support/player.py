"""The programme's player on a page of the hall, as somebody in front of it sees and hears it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from playwright.async_api import Page

from tests.support.media import SCRIPT, decoded

PATIENCE = 120_000  # milliseconds: a machine with two cores and eight things to do
PICTURES = "video => video.getVideoPlaybackQuality().totalVideoFrames"

WATCHED = (
    SCRIPT
    + """
globalThis.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) {
    super(...given);
    globalThis.player = this;
  }
};
"""
)
"""Before the page's own scripts: its newest connection is ``player``."""

SEEN = """(video, [x, y]) => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const brush = canvas.getContext("2d");
  brush.drawImage(video, x, y, 1, 1, 0, 0, 1, 1);
  return [...brush.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}"""
HEARD = """video => {
  if (globalThis.listened !== video.srcObject) {
    globalThis.listened = video.srcObject;
    const context = new AudioContext();
    globalThis.ear = new AnalyserNode(context, { fftSize: 4096 });
    context.createMediaStreamSource(video.srcObject).connect(ear);
  }
  const loud = new Float32Array(ear.frequencyBinCount);
  ear.getFloatFrequencyData(loud);
  return loud.indexOf(Math.max(...loud)) * ear.context.sampleRate / ear.fftSize;
}"""


async def until(look: Callable[[], Any], holds: Callable[[Any], bool]) -> Any:
    """Look again and again, until what is found is so; return it."""
    async with asyncio.timeout(PATIENCE / 1000):
        while True:
            found = look()
            found = await found if asyncio.iscoroutine(found) else found
            if holds(found):
                return found
            await asyncio.sleep(0.1)


async def told(page: Page) -> str:
    """Return what the player says of itself."""
    return await page.text_content('[data-programme="told"]') or ""


async def sees(page: Page, at: tuple[int, int], colour: str) -> None:
    """Wait until this place of the picture is mostly ``red``, ``green`` or ``blue``."""
    most = ("red", "green", "blue").index(colour)
    video = page.locator("#programme video")
    await until(lambda: video.evaluate(SEEN, at), lambda seen: seen[most] > sum(seen) - seen[most] + 50)


async def hears(page: Page, tone: float) -> None:
    """Wait until the loudest tone of what comes by WebRTC is this one, in Hz."""
    video = page.locator("#programme video")
    await until(lambda: video.evaluate(HEARD), lambda heard: abs(heard - tone) < 30)


async def plays(page: Page) -> None:
    """Wait until pictures have been shown for a while, and go on being shown."""
    video = page.locator("#programme video")

    async def look() -> tuple[int, int, int]:
        await page.wait_for_selector('#programme[data-state="playing"]', timeout=PATIENCE)
        before = await video.evaluate(PICTURES)
        await asyncio.sleep(3)  # more than there is between two keyframes
        return before, await video.evaluate(PICTURES), await video.evaluate("video => video.videoWidth")

    await until(look, lambda found: found[0] + 3 < found[1] and found[2] == 1280)


async def plays_by(page: Page, way: str, words: str) -> None:
    """Have it play by ``way``: a machine that was too slow for it once gets another chance."""

    async def look() -> str:
        await page.evaluate("way => localStorage.setItem('kaibiao.programme', way)", way)
        await page.reload()
        await page.wait_for_selector('#programme[data-state="playing"]', timeout=PATIENCE)
        return await told(page)

    await until(look, lambda said: said.startswith(words))
    await plays(page)


async def without_a_freeze(page: Page, act: Callable[[], Any]) -> None:
    """Do ``act`` while a WATCHED page plays by WebRTC, again where the machine itself stood still meanwhile.

    What froze the picture each time would never be found without. Nor was a new beginning asked for.
    """

    async def look() -> dict[str, int]:
        before = await decoded(page, "player", 1)
        await act()
        after = await decoded(page, "player", 10)
        return {
            name: after[name] - before[name] for name in ("freezeCount", "pliCount", "framesDecoded", "nackCount")
        }

    await until(look, lambda grown: grown["freezeCount"] == grown["pliCount"] == 0 and grown["framesDecoded"] >= 10)
