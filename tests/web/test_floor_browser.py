"""The floor at real pages: asked for, given, seen by all, sent from a browser, and ended by the host."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.async_api import Browser, Page, expect

from hall.media.port.engine import Source
from tests.support.bidders import Bidder
from tests.support.browsing import complaints
from tests.support.house import NAMES, T0
from tests.support.media import a_studio, decoded, in_processes, the_edge
from tests.support.player import WATCHED, hears, plays_by, sees, without_a_freeze
from tests.support.served import Served, served
from tests.web.test_air_browser import ask, choose, go, sources, state, watch
from tests.web.test_api_ceremony import BIDDERS, People, open_all
from web import assets

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(240)]

PATIENCE = 60_000  # milliseconds
FIRST, HOST = BIDDERS[0], Source("host")
HOSTS_TONE, BIDDERS_TONE = 440.0, 880.0  # Hz
SMALL = (1064, 331)
"""The middle of the small picture, in the programme."""

MADE_UP = """([colour, tone]) => {
  globalThis.asked = 0;
  navigator.mediaDevices.getUserMedia = async ({ video }) => {
    asked++;
    if (!video) {
      const context = new AudioContext();
      const source = new OscillatorNode(context, { frequency: tone });
      const out = new MediaStreamAudioDestinationNode(context);
      source.connect(out);
      source.start();
      return out.stream;
    }
    const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
    const brush = canvas.getContext("2d");
    let at = 0;
    setInterval(() => {
      brush.fillStyle = colour;
      brush.fillRect(0, 0, 640, 360);
      brush.clearRect(at++ % 640, 0, 8, 8);
    }, 50);
    return canvas.captureStream(20);
  };
}"""
"""A camera of one colour and a microphone with one tone, so that a watcher knows whose they are."""


async def at(browser: Browser, hall: Served, place: str, who: str | Bidder | None = None) -> Page:
    """Open a page as somebody, and wait until it follows."""
    page = await (await browser.new_context(locale="en-GB")).new_page()
    page.set_default_timeout(PATIENCE)
    if who is not None:
        identity = hall.house.services.identity
        ticket = (
            await identity.create_ticket(account=who)
            if isinstance(who, str)
            else await identity.create_ticket(bidder=who.sign.certificate)
        )
        await page.goto(f"{hall.url}{ticket}")
    await page.goto(f"{hall.url}{place}")
    await expect(page.locator("#link")).to_have_attribute("data-value", "connected", timeout=PATIENCE)
    return page


async def test_a_bidder_speaks_from_its_seat_until_the_host_ends_it(tmp_path: Path) -> None:
    assets.build()
    async with (
        served(tmp_path, media="on") as hall,
        the_edge(hall.house),
        People(hall) as people,
        a_studio() as browser,
    ):
        await hall.house.announce()
        await people.come()
        await hall.house.turn(T0)
        await people.until(lambda view: view["steps"]["check"]["state"] == "complete")
        await open_all(people)
        await hall.house.turn(timedelta(minutes=1))
        await people.advance("confirm")
        async with in_processes(hall.house, "programme", hall=hall.url):
            await speak(browser, hall)


async def camera(by: Page, colour: str, tone: float) -> Page:
    """Open the page that goes on air, of whoever ``by`` is, and choose its devices."""
    air = await by.context.new_page()
    await air.add_init_script(f"({MADE_UP})({json.dumps([colour, tone])})")
    await air.goto(urljoin(by.url, "/air/zb-1"))
    await air.wait_for_selector("#air-camera option:nth-child(2)", state="attached")
    assert await air.evaluate("asked") == 0  # no device is asked for before one is chosen
    await choose(air, "camera", "microphone")
    return air


async def programme(browser: Browser, hall: Served) -> Page:
    """Somebody from the street, whose player has the programme by WebRTC."""
    context = await browser.new_context(locale="en-GB")
    await context.add_init_script(WATCHED)
    page = await context.new_page()
    await page.goto(f"{hall.url}/s/zb-1")
    await plays_by(page, "whep-udp", "WebRTC")
    return page


async def speak(browser: Browser, hall: Served) -> None:
    seat = await at(browser, hall, "/seat/zb-1", FIRST)
    host = await at(browser, hall, "/host/zb-1", "host")
    citizen = await programme(browser, hall)
    heard = [complaints(page) for page in (seat, host, citizen)]
    await go(await camera(host, "#c00", HOSTS_TONE))
    await sources(hall.house, HOST)
    await sees(citizen, SMALL, "red")
    await hears(citizen, HOSTS_TONE)

    await seat.get_by_role("button", name="Ask to speak").click()
    await expect(seat.get_by_text("Your place: 1 of 1.")).to_be_visible(timeout=PATIENCE)
    await host.get_by_role("button", name="Give the floor").click()
    await expect(seat.get_by_role("heading", name="You have the floor")).to_be_visible(timeout=PATIENCE)
    for page in (host, citizen):
        await expect(page.locator(".speaker").filter(visible=True)).to_contain_text(NAMES[0], timeout=PATIENCE)
    await expect(citizen.locator("#say")).to_contain_text(f"{NAMES[0]} has the floor.", timeout=PATIENCE)

    air = await camera(seat, "#00c", BIDDERS_TONE)
    tokens: list[str | None] = []
    air.on("request", lambda sent: sent.url.endswith("/media/tokens") and tokens.append(sent.post_data))
    await expect(air.get_by_role("heading", name="Before you are seen and heard")).to_be_visible()
    await ask(air)
    await expect(air.locator('form[data-air="form"] [data-outcome]')).to_contain_text("agree to it first")
    assert [sent for sent in tokens if "check" not in (sent or "")] == []  # and nothing is sent before the consent
    await sources(hall.house, HOST)
    await go(air)
    source = Source(f"bidder:{FIRST.id}")
    await sources(hall.house, HOST, source)
    watcher = await watch(browser, hall.house, hall.url)
    await decoded(watcher, "floor", 10)
    await sees(citizen, SMALL, "blue")
    await hears(citizen, BIDDERS_TONE)

    engine = hall.house.services.media
    assert engine is not None

    async def to_and_fro() -> None:
        for on_air, colour in ((HOST, "red"), (source, "blue")):
            await engine.select(hall.house.session, on_air)
            await sees(citizen, SMALL, colour)

    await without_a_freeze(citizen, to_and_fro)

    await host.get_by_text("End this turn", exact=True).first.click()
    form = host.locator('form[data-command="EndFloor"]').filter(visible=True)
    await form.locator("textarea").fill("Time is up")
    await form.get_by_role("button").click()
    await sources(hall.house, HOST)
    await sees(citizen, SMALL, "red")
    await state(air, "refused")
    await expect(air.get_by_text("You go on air when the host gives you the floor.")).to_be_visible(timeout=PATIENCE)
    await expect(seat.get_by_role("button", name="Ask to speak")).to_be_visible(timeout=PATIENCE)
    await expect(citizen.locator("#log")).to_contain_text("Time is up", timeout=PATIENCE)
    assert [one for each in heard for one in each if "/media/" not in one] == []
