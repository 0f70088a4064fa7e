"""The public programme from a machine without a camera: it plays in a browser, and its death is nobody else's.

The hall, its media processes and the browser are real; nothing waits for a time, only for what must come.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import pytest
from playwright.async_api import Browser, BrowserContext, Page, Route

from hall.media.mp4.boxes import Fragment, Init, cut
from hall.media.port.places import Places
from sessions.ids import SessionId
from tests.support.browsing import complaints
from tests.support.house import TENDER
from tests.support.media import a_studio, decoded
from tests.support.player import PATIENCE, WATCHED, plays, plays_by, told, until, without_a_freeze
from web.bench.air.lossy import LossyNetwork
from web.participant.remote import Hall

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(400)]

SESSION = SessionId("on-air-1")


@dataclass(frozen=True, slots=True, kw_only=True)
class OnAir:
    """A hall whose opening takes check-ins for hours."""

    url: str
    tickets: dict[str, str]
    process: int
    places: Places


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("on-air")


@asynccontextmanager
async def on_air(folder: Path) -> AsyncIterator[OnAir]:
    t0 = (datetime.now(UTC) + timedelta(minutes=20)).replace(microsecond=0)
    form = {**TENDER, "deadline": t0.isoformat(), "session": SESSION, "windows": {"checkin": 1800}}
    tender = folder / "tender.json"
    tender.write_text(json.dumps(form))
    command = [sys.executable, "-m", "tests.support.own_hall", str(folder / "hall"), str(tender)]
    environment = os.environ | {"KAIBIAO_MEDIA": "on", "KAIBIAO_MEDIA_PORT": "0"}
    hall = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment
    )
    try:
        assert hall.stdout is not None
        said = json.loads(await hall.stdout.readline())
        yield OnAir(url=said["url"], tickets=said["tickets"], process=hall.pid, places=Places(folder / "hall"))
    finally:
        hall.send_signal(signal.SIGINT)
        await hall.wait()


def _process(hall: int, name: str) -> int | None:
    """A media process, among the hall's own children."""
    for number in Path(f"/proc/{hall}/task/{hall}/children").read_text().split():
        with contextlib.suppress(OSError):
            if f"\0media\0{name}\0".encode() in Path(f"/proc/{number}/cmdline").read_bytes():
                return int(number)
    return None


async def test_it_plays_dies_alone_and_comes_back(folder: Path) -> None:
    async with on_air(folder) as hall, a_studio() as browser, Hall(hall.url) as host:
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        heard = complaints(page)
        await page.goto(f"{hall.url}/s/{SESSION}?lang=en")
        await plays(page)
        await plays_by(page, "whep-tcp", "WebRTC over TCP")
        await plays_by(page, "whep-udp", "WebRTC")
        await until(lambda: told(page), lambda said: re.search(r"\d\.\d s behind", said))
        assert [one for one in heard if "/media/" not in one] == []  # a programme that is just starting is no fault

        # The words come beside the picture.
        async with Hall(hall.url) as supervisor:
            await supervisor.login_ticket(hall.tickets["supervisor"])
            assert await supervisor.command(SESSION, "TakeChair")
        await page.wait_for_selector('[data-programme="caption"]:has-text("came in as")', timeout=PATIENCE)

        async def without_edge() -> str:
            said = await told(page)
            edge = _process(hall.process, "edge")
            if said.startswith("WebRTC") and edge is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(edge, signal.SIGKILL)
            return said

        await until(without_edge, lambda said: re.match("WebSocket|HLS", said))
        await plays(page)

        # One that hangs is worse than one that died, and nobody starts it again.
        killed = await until(lambda: _process(hall.process, "programme"), lambda found: found is not None)
        os.kill(killed, signal.SIGSTOP)
        await page.wait_for_selector('[data-programme="interrupted"]', state="visible", timeout=PATIENCE)
        # The ceremony goes on meanwhile: an act is taken, and the page shows it.
        await host.login_ticket(hall.tickets["host"])
        assert await host.command(SESSION, "TakeChair")
        await page.wait_for_selector("#log li:has-text('came in as host')", timeout=PATIENCE)

        os.kill(killed, signal.SIGKILL)
        await until(lambda: _process(hall.process, "programme"), lambda found: found not in (None, killed))
        await plays(page)
        await page.close()

        await _files_play(hall)
        await _where_no_udp_comes_through(browser, hall)
        await _where_three_packets_of_a_hundred_are_lost(browser, hall)
        await _a_phone_with_a_slow_line(browser, hall)
    _recorded(hall)


async def _files_play(hall: OnAir) -> None:
    """The HLS folder, read by somebody else's player (FFmpeg's)."""
    index = hall.places.hls(SESSION) / "index.m3u8"
    text = await until(lambda: index.read_text() if index.exists() else "", lambda text: ".m4s" in text)
    async with Hall(hall.url) as anybody:
        assert (await anybody.download(f"/media/{SESSION}/hls/index.m3u8")).startswith(b"#EXTM3U")
        head = await anybody.download(f"/media/{SESSION}/hls/" + re.findall(r'URI="([^"]+)"', text)[0])
        newest = await anybody.download(f"/media/{SESSION}/hls/" + re.findall(r"^s.*m4s$", text, re.M)[-1])
    init, fragments = cut(head + newest)
    assert fragments[0].keyframe
    assert _pictures(init, fragments) >= 10


async def _udp_goes_to(context: BrowserContext, way: Callable[[int], int]) -> None:
    """Let the answers to this browser name another UDP port of this machine than the edge's."""

    async def change(route: Route) -> None:
        answer = await route.fetch()
        kept = {name: value for name, value in answer.headers.items() if name != "content-length"}
        said = re.sub(
            r"(a=candidate:\S+ \d udp \d+ \S+ )(\d+)( typ host)",
            lambda found: f"{found[1]}{way(int(found[2]))}{found[3]}",
            await answer.text(),
        )
        await route.fulfill(status=answer.status, headers=kept, body=said)

    await context.route("**/whep", change)


async def _where_no_udp_comes_through(browser: Browser, hall: OnAir) -> None:
    """An answer whose UDP goes to somebody who is silent: the page finds TCP by itself, and remembers it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        context = await browser.new_context()
        await _udp_goes_to(context, lambda _: silent.getsockname()[1])
        page = await context.new_page()
        await page.goto(f"{hall.url}/s/{SESSION}?lang=en")

        async def look() -> tuple[str, str | None]:
            await page.evaluate("localStorage.clear()")
            await page.reload()
            await page.wait_for_selector('#programme[data-state="playing"]', timeout=PATIENCE)
            return await told(page), await page.evaluate("localStorage.getItem('kaibiao.programme')")

        # What plays after something that broke off is not remembered: a slow machine gets another chance.
        await until(look, lambda found: found[0].startswith("WebRTC over TCP") and found[1] == "whep-tcp")
        await plays(page)
        await context.close()


async def _where_three_packets_of_a_hundred_are_lost(browser: Browser, hall: OnAir) -> None:
    """What is lost is asked for, sent again and in time: the picture goes on, and needs no new beginning."""
    networks: list[LossyNetwork] = []

    def lossy(port: int) -> int:
        networks.append(LossyNetwork(port, share=0.03, seed=3))
        return networks[-1].port

    async def lose() -> None:
        asked, lost = (await decoded(page, "player", 1))["nackCount"], sum(network.lost for network in networks)
        while (seen := await decoded(page, "player", 5))["nackCount"] < asked + 5:
            assert seen["protocol"] == "udp"
        assert sum(network.lost for network in networks) > lost

    context = await browser.new_context()
    try:
        await context.add_init_script(WATCHED)
        await _udp_goes_to(context, lossy)
        page = await context.new_page()
        await page.goto(f"{hall.url}/s/{SESSION}?lang=en")
        await plays_by(page, "whep-udp", "WebRTC")
        await without_a_freeze(page, lose)
    finally:
        await context.close()
        for network in networks:
            network.close()


async def _a_phone_with_a_slow_line(browser: Browser, hall: OnAir) -> None:
    """Sound alone, by keyboard, and little by every way that carries it; then files, where that worked last time."""
    page = await browser.new_page(viewport={"width": 390, "height": 844})
    await page.goto(f"{hall.url}/s/{SESSION}?lang=zh")
    await plays_by(page, "whep-udp", "WebRTC")
    await page.focus('#programme input[value="full"]')
    async with page.expect_response(lambda answer: answer.request.method == "DELETE") as left:
        await page.keyboard.press("ArrowDown")
    assert (await left.value).status == 200
    await page.keyboard.press("ArrowDown")
    assert await page.is_checked('#programme input[value="sound"]')
    await _carries(page, "sound", "WebSocket", width=0)
    await page.route_web_socket(re.compile("/media/"), lambda socket: socket.close())
    await _carries(page, "sound", "WebRTC", width=0)
    await _carries(page, "low", "HLS", width=640)
    await page.route("**/whep", lambda route: route.abort())
    await _carries(page, "sound", "HLS", width=0)
    assert await page.evaluate("() => document.documentElement.scrollWidth") <= 390
    await page.check('#programme input[value="full"]')  # the choice is remembered, and files have everything
    await plays_by(page, "hls", "HLS")
    await page.close()


async def _carries(page: Page, variant: str, words: str, *, width: int) -> None:
    """Choose ``variant`` and expect it by a way of this name, in a picture so wide (0: none), going on."""
    video = page.locator("#programme video")
    await page.check(f'#programme input[value="{variant}"]')

    async def look() -> tuple[str, int, bool]:
        await page.evaluate("name => localStorage.removeItem(name)", f"kaibiao.programme.{variant}")
        await page.reload()
        await page.wait_for_selector('#programme[data-state="playing"]', timeout=PATIENCE)
        before = await video.evaluate("video => video.currentTime")
        await asyncio.sleep(3)
        after = await video.evaluate("video => [video.videoWidth, video.currentTime]")
        return await told(page), after[0], after[1] > before

    await until(look, lambda found: found[0].startswith(words) and found[1:] == (width, True))


def _recorded(hall: OnAir) -> None:
    """Both lives of the programme are on disk; the killed one lost at most what was not whole."""
    files = sorted(hall.places.recordings(SESSION).glob("programme-*.mp4"))
    assert len(files) == 2
    for file in files:
        init, fragments = cut(file.read_bytes())
        assert _pictures(init, fragments) > 5


def _pictures(init: Init, fragments: list[Fragment]) -> int:
    import io

    data = init.data + b"".join(fragment.data for fragment in fragments)
    with av.open(io.BytesIO(data)) as file:
        return sum(1 for _ in file.decode(video=0))
