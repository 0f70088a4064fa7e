"""An edge in this process, alone or of a hall, and browsers that send to it and watch it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright

from hall.media.edge.edge import Change, Edge, Keep, Told
from hall.media.edge.keyframes import Video
from hall.media.edge.mux import Mux
from hall.media.edge.sdp import Kind
from hall.media.edge.serving import serve
from hall.media.packets.onair import OnAir
from hall.media.port.engine import Show, Source
from hall.media.port.places import Places
from hall.media.port.processes import Processes
from sessions.clock import SystemClock
from sessions.ids import SessionId
from tests.support.browsing import ARGUMENTS, CHROMIUM
from tests.support.house import House
from web.bench.air.cameras import FLAGS

SESSION = SessionId("s-1")

SCRIPT = """
globalThis.gathered = peer => new Promise(done => {
  if (peer.iceGatheringState === 'complete') return done();
  peer.addEventListener('icegatheringstatechange', () => peer.iceGatheringState === 'complete' && done());
});
globalThis.offerTo = async (name, kind, codec, more = {}) => {
  const peer = (globalThis[name] = new RTCPeerConnection({ iceServers: [] }));
  if (kind === 'publish') {
    const size = { width: more.width ?? 640, height: more.height ?? 360, frameRate: 20 };
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: size });
    for (const track of stream.getTracks()) peer.addTransceiver(track, { direction: 'sendonly', streams: [stream] });
  } else {
    const video = document.createElement('video');
    video.muted = video.autoplay = true;
    document.body.append(video);
    const stream = (video.srcObject = new MediaStream());
    peer.addEventListener('track', event => stream.addTrack(event.track));
    for (const each of ['audio', 'video']) peer.addTransceiver(each, { direction: 'recvonly' });
  }
  await peer.setLocalDescription(await peer.createOffer());
  await gathered(peer);
  return peer.localDescription.sdp;
};
globalThis.answerTo = (name, sdp) => globalThis[name].setRemoteDescription({ type: 'answer', sdp });
globalThis.statsOf = async name => [...(await globalThis[name].getStats()).values()];
"""


class Stage:
    """An edge and what it told."""

    def __init__(self, edge: Edge, mux: Mux, told: asyncio.Queue[tuple[Source, Change]]) -> None:
        self.edge = edge
        self.mux = mux
        self.told = told
        self.on_air: list[OnAir] = []

    async def publish(self, page: Page, name: str, source: Source, *, only: str = "", **more: Any) -> str:
        """Have ``page`` send as ``source``, ``only`` over ``udp`` or ``tcp``; return once the edge says it is up."""
        sdp = await page.evaluate("([n, m]) => offerTo(n, 'publish', '', m)", [name, more])
        answer = await self.edge.publish(SESSION, source, sdp)
        await page.evaluate("([n, sdp]) => answerTo(n, sdp)", [name, _kept(answer.sdp, only)])
        while (said := await self.told.get()) != (source, Change.UP):
            assert said[0] != source, said
        return answer.id

    async def watch(self, page: Page, name: str, show: Any, *, only: str = "", port: int = 0) -> str:
        """Have ``page`` watch; ``only`` over ``udp`` or ``tcp``, and by way of another ``port`` of this machine."""
        sdp = await page.evaluate("n => offerTo(n, 'watch')", name)
        answer = await self.edge.watch(SESSION, show, sdp)
        given = answer.sdp.replace(f" {self.mux.port} typ host", f" {port or self.mux.port} typ host")
        await page.evaluate("([n, sdp]) => answerTo(n, sdp)", [name, _kept(given, only)])
        return answer.id

    def counting(self, show: Show) -> Counting:
        """Count from now on what is sent to everybody who watches ``show``."""
        leg = Counting()
        self.edge._rooms[SESSION].channels[show].streams[Kind.VIDEO].add(leg)
        return leg


class Counting:
    """Stands beside a viewer and counts the pictures that are sent to it."""

    number = 0
    started = False

    def __init__(self) -> None:
        self.pictures = 0

    def send(self, packet: bytes, size: int) -> None:
        """See Leg. The last packet of a picture is marked."""
        self.pictures += packet[1] >> 7


def _kept(sdp: str, only: str) -> str:
    return "\r\n".join(line for line in sdp.split("\r\n") if not line.startswith("a=candidate") or f" {only}" in line)


async def carried_by(page: Page, name: str) -> str:
    """Return by which protocol a connection of the page goes."""
    while (way := _carried(await page.evaluate("n => statsOf(n)", name))) is None:  # noqa: ASYNC110 - or it changes just now
        await asyncio.sleep(0.1)
    return way


def _carried(stats: list[dict[str, Any]]) -> str | None:
    """The protocol of the pair that is in use; None while there is none."""
    of = {each["id"]: each for each in stats}
    pair = next((of.get(s.get("selectedCandidatePairId", "")) for s in stats if s["type"] == "transport"), None)
    return None if pair is None else str(of[pair["remoteCandidateId"]]["protocol"])


async def decoded(page: Page, name: str, more: int) -> dict[str, Any]:
    """Wait until ``more`` pictures than now are decoded, and return the statistics of the incoming video."""
    first: int | None = None
    while True:
        stats = await page.evaluate("n => statsOf(n)", name)
        video = next((s for s in stats if s["type"] == "inbound-rtp" and s["kind"] == "video"), {})
        frames = video.get("framesDecoded", 0)
        first = frames if first is None else first
        if frames >= first + more and (way := _carried(stats)) is not None:
            codecs = {s["id"]: s["mimeType"] for s in stats if s["type"] == "codec"}
            sound = next((s for s in stats if s["type"] == "inbound-rtp" and s["kind"] == "audio"), {})
            return video | {
                "codec": codecs[video["codecId"]],
                "protocol": way,
                "sound": sound.get("packetsReceived", 0),
            }
        await asyncio.sleep(0.1)


@asynccontextmanager
async def an_edge(video: Video = Video.H264, keep: Keep | None = None) -> AsyncIterator[Stage]:
    mux = Mux("127.0.0.1", 0)
    await mux.open()
    queue: asyncio.Queue[tuple[Source, Change]] = asyncio.Queue()
    on_air: list[OnAir] = []
    told = Told(
        source=lambda _, source, change: queue.put_nowait((source, change)),
        keyframe=lambda _: None,
        on_air=on_air.append,
    )
    edge = Edge(mux, video=video, addresses=(ip_address("127.0.0.1"),), told=told, clock=SystemClock(), keep=keep)
    stage = Stage(edge, mux, queue)
    stage.on_air = on_air

    async def tick() -> None:
        while True:
            await asyncio.sleep(0.1)
            edge.tick()
            edge.report()

    ticking = asyncio.create_task(tick())
    try:
        yield stage
    finally:
        ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticking
        await edge.stop()
        await mux.close()


@asynccontextmanager
async def the_edge(house: House) -> AsyncIterator[None]:
    """The edge that this hall speaks to, until it is taken away."""
    settings = house.services.settings
    places = Places(settings.data_dir)
    places.make()
    video = Video[settings.media_video.upper()]
    serving = asyncio.create_task(serve(places, host="127.0.0.1", port=0, clock=SystemClock(), video=video))
    while not places.edge.exists():  # noqa: ASYNC110 - it listens as soon as it can
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        serving.cancel()
        await asyncio.wait({serving})


@asynccontextmanager
async def in_processes(house: House, *names: str, hall: str = "") -> AsyncIterator[Processes]:
    """The media processes of these names, of the hall that listens at ``hall``, until they are taken away."""
    data = ("--data-dir", str(house.services.settings.data_dir), "--hall", hall, "--lifeline")
    kept = Processes({name: (sys.executable, "-m", "web.cli", "media", name, *data) for name in names})
    running = asyncio.create_task(kept.run())
    try:
        yield kept
    finally:
        running.cancel()
        await asyncio.wait({running})


@asynccontextmanager
async def a_studio() -> AsyncIterator[Browser]:
    """A browser with a camera and a microphone that are made up."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *FLAGS])
        yield browser
        await browser.close()


async def a_page(browser: Browser) -> Page:
    """A page that can send and watch. Devices need a secure context: the page is of this machine."""
    page = await (await browser.new_context()).new_page()
    blank = "<!doctype html><body></body>"
    await page.route("**/*", lambda route: route.fulfill(body=blank, content_type="text/html"))
    await page.goto("http://127.0.0.1/")
    await page.add_script_tag(content=SCRIPT)
    return page
