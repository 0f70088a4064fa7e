"""What somebody sees in Chromium when the floor changes, and when a network loses three packets of a hundred."""

from __future__ import annotations

import asyncio
import os
import re
import statistics
from collections.abc import Iterator
from typing import Any, Final

from playwright.async_api import Browser, Page, async_playwright

from hall.media.port.engine import Show, Source
from hall.media.port.link import LinkedEngine
from web.bench import machine
from web.bench.air.forwarding import PATIENCE, SESSION, WAYS, carried
from web.bench.air.lossy import LossyNetwork
from web.bench.goal import Goal
from web.bench.verifying import CHROMIUM

FPS: Final = 15
CHANGES: Final = 4
AFTER: Final = 1.5  # seconds that are looked at after a change
LOSING: Final = 8.0
SHARE: Final = 0.03
FLAGS: Final = (
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
)
SCRIPT: Final = """
globalThis.offer = async (send, width, height, frameRate) => {
  const peer = (globalThis.peer = new RTCPeerConnection({ iceServers: [] }));
  if (send) {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width, height, frameRate } });
    for (const track of stream.getTracks()) peer.addTransceiver(track, { direction: 'sendonly', streams: [stream] });
  } else {
    const video = document.body.appendChild(document.createElement('video'));
    video.muted = video.autoplay = true;
    const stream = (video.srcObject = new MediaStream());
    peer.addEventListener('track', event => stream.addTrack(event.track));
    for (const each of ['audio', 'video']) peer.addTransceiver(each, { direction: 'recvonly' });
    globalThis.seen = { pictures: 0, longest: 0 };
    let last = NaN;
    const see = (_, { presentationTime: now }) => {
      seen.pictures += 1;
      if (now - last > seen.longest) seen.longest = now - last;
      last = now;
      video.requestVideoFrameCallback(see);
    };
    video.requestVideoFrameCallback(see);
  }
  await peer.setLocalDescription();
  return peer.localDescription.sdp;
};
globalThis.look = async () => {
  let freezes = 0;
  (await peer.getStats()).forEach(each => { freezes += each.freezeCount ?? 0; });
  const told = { ...seen, freezes };
  seen.longest = 0;
  return told;
};
"""


def goals() -> Iterator[Goal]:
    """Yield the longest gap at a change of the floor, and how often the picture froze."""
    _, theirs = machine.cores()
    yield from asyncio.run(_measure(theirs))


async def _measure(core: int) -> list[Goal]:
    alone = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has no sandbox for root
    async with carried(WAYS["edge"], core, "h264") as (engine, _), async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*alone, *FLAGS])
        sources = {Source("host"): (640, 360), Source("bidder:a"): (960, 540)}
        for source, size in sources.items():
            page = await _page(browser)
            offer = await page.evaluate("([w, h, f]) => offer(true, w, h, f)", [*size, FPS])
            await _answered(page, (await engine.publish(SESSION, source, offer)).sdp)
        while set(await engine.sources(SESSION)) != set(sources):  # noqa: ASYNC110  # a browser's camera
            await asyncio.sleep(0.1)
        changed = await _changes(browser, engine, list(sources))
        lost = await _losing(browser, engine)
        await browser.close()
    return [*changed, lost]


async def _changes(browser: Browser, engine: LinkedEngine, sources: list[Source]) -> list[Goal]:
    """Change the floor, and then do not, in turns: how busy the machine is shows in both."""
    seat = await _page(browser)
    await _watch(seat, engine)
    freezes = (await _seen(seat, 2 * FPS))["freezes"]
    gaps: dict[bool, list[float]] = {True: [], False: []}
    frozen = {True: 0, False: 0}
    for number in range(2 * CHANGES):
        if changing := number % 2 == 0:
            await engine.select(SESSION, sources[(number // 2 + 1) % 2])
        await asyncio.sleep(AFTER)
        seen = await seat.evaluate("() => look()")
        gaps[changing].append(seen["longest"])
        frozen[changing] += seen["freezes"] - freezes
        freezes = seen["freezes"]
    await seat.close()
    longest, without = statistics.median(gaps[True]), statistics.median(gaps[False])
    return [
        Goal(
            name="longest gap at a floor change, in pictures",
            measured=longest * FPS / 1000,
            limit=5.0,
            above=True,
            one=f"{longest:.0f} ms",
            other=f"{without:.0f} ms without one, {1000 / FPS:.0f} ms a picture",
        ),
        Goal(
            name="freezes at floor changes",
            measured=max(0, frozen[True] - frozen[False]),
            limit=0.0,
            above=True,
            one=f"{frozen[True]} in {CHANGES}",
            other=f"{frozen[False]} without",
        ),
    ]


async def _losing(browser: Browser, engine: LinkedEngine) -> Goal:
    """Lose packets to one seat and none to another beside it."""
    seat, beside = await _page(browser), await _page(browser)
    await _watch(beside, engine)
    offer = await seat.evaluate("() => offer(false)")
    answer = (await engine.watch(SESSION, offer, Show.FLOOR)).sdp
    there = re.search(r"a=candidate:\S+ \d udp \d+ \S+ (\d+)", answer)
    assert there is not None
    network = LossyNetwork(int(there[1]), share=SHARE, seed=3)
    lines = [line.replace(f" {there[1]} typ", f" {network.port} typ") for line in answer.split("\r\n")]
    await _answered(seat, "\r\n".join(line for line in lines if "candidate" not in line or " udp " in line))
    before = await _seen(seat, FPS), await _seen(beside, FPS)
    await asyncio.sleep(LOSING)
    after = await seat.evaluate("() => look()"), await beside.evaluate("() => look()")
    network.close()
    lossy, whole = (each["freezes"] - first["freezes"] for first, each in zip(before, after, strict=True))
    return Goal(
        name="freezes at 3 % loss",
        measured=max(0, lossy - whole),
        limit=0.0,
        above=True,
        one=f"{lossy}; {network.lost} of {network.carried} packets lost",
        other=f"{whole} beside it",
    )


async def _page(browser: Browser) -> Page:
    page = await (await browser.new_context()).new_page()
    await page.route("**/*", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    await page.goto("http://127.0.0.1/")  # devices need a secure context: this machine is one
    await page.add_script_tag(content=SCRIPT)
    return page


async def _watch(page: Page, engine: LinkedEngine) -> None:
    await _answered(page, (await engine.watch(SESSION, await page.evaluate("() => offer(false)"), Show.FLOOR)).sdp)


async def _answered(page: Page, sdp: str) -> None:
    await page.evaluate("sdp => peer.setRemoteDescription({ type: 'answer', sdp })", sdp)


async def _seen(page: Page, pictures: int) -> Any:
    """Wait until so many pictures were shown; return what was seen, and count gaps from now on."""
    async with asyncio.timeout(PATIENCE):
        while True:
            seen = await page.evaluate("() => look()")
            if seen["pictures"] >= pictures:
                return seen
            await asyncio.sleep(0.1)
