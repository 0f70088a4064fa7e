"""Somebody goes on air by the page, with devices that are made up, and a watcher gets the pictures by WHEP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from hall.media.port import processes
from hall.media.port.engine import Source
from tests.support.browsing import complaints, served
from tests.support.house import T0, House, a_house
from tests.support.media import SCRIPT, a_studio, decoded, in_processes, the_edge
from web import assets

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

HOST = Source("host")
PATIENCE = 60_000
SEEN = """() => {
  const air = document.getElementById("air");
  globalThis.seen = [];
  new MutationObserver(() => seen.push(air.dataset.state)).observe(air, { attributeFilter: ["data-state"] });
}"""


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    assets.build()


async def passing(house: House) -> None:
    """Let time pass: what one person may ask is counted by the hall's clock."""
    while True:
        await asyncio.sleep(0.25)
        house.clock.turn(timedelta(seconds=1))


@contextlib.asynccontextmanager
async def a_hall(folder: Path, **settings: Any) -> AsyncIterator[tuple[House, str]]:
    with socket.socket() as door:  # the hall must know its own port: tickets and policies are of its origin
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    async with a_house(folder, media="on", port=port, **settings) as house:
        await house.announce()
        await house.turn(T0 - timedelta(minutes=20))
        async with served(house.app, port) as origin:
            turning = asyncio.create_task(passing(house))
            try:
                yield house, origin
            finally:
                turning.cancel()


async def logged_in(house: House, browser: Browser, origin: str, account: str, **given: Any) -> BrowserContext:
    if account not in house.accounts:
        await house.account(account)
    context = await browser.new_context(**given)
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    await page.goto(origin + await house.services.identity.create_ticket(account=account))
    await page.close()
    return context


async def the_page(context: BrowserContext, house: House, origin: str) -> Page:
    page = await context.new_page()
    await page.goto(f"{origin}/air/{house.session}?lang=en")
    return page


async def state(page: Page, wanted: str) -> None:
    await page.wait_for_selector(f'#air[data-state="{wanted}"]', timeout=PATIENCE)


async def choose(page: Page, *kinds: str) -> None:
    """Choose the first device of each kind, and wait until it is open."""
    for kind in kinds:
        await page.wait_for_selector(f"#air-{kind} option:nth-child(2)", state="attached")
        await page.select_option(f"#air-{kind}", index=1)
    if "microphone" in kinds:
        await page.wait_for_selector('[data-air="microphone-off"]:not([hidden])', state="attached")
    if "camera" in kinds:
        await page.wait_for_function("() => document.querySelector('[data-air=preview]').videoWidth > 0")


async def ask(page: Page) -> None:
    """Ask to go on air: by key, for what is said of the line just now may move the button from under a pointer."""
    await page.press('[data-air="go"]', "Enter")


async def go(page: Page) -> None:
    await page.check('input[name="consent"]')
    await ask(page)
    await state(page, "live")


async def sources(house: House, *wanted: Source) -> None:
    """Wait until exactly these send."""
    engine = house.services.media
    assert engine is not None
    async with asyncio.timeout(PATIENCE / 1000):
        while await engine.sources(house.session) != wanted:  # noqa: ASYNC110 - it is told nowhere else
            await asyncio.sleep(0.05)


async def watch(browser: Browser, house: House, origin: str) -> Page:
    """A seat that watches the floor, and has seen pictures of it."""
    context = await logged_in(house, browser, origin, "supervisor")
    seat = await context.new_page()
    await seat.goto(f"{origin}/healthz")
    await seat.evaluate(f"() => {{{SCRIPT}}}")
    sdp = await seat.evaluate("offerTo('floor', 'watch')")
    client = await house.staff("supervisor")
    asked = await client.post(f"{house.path}/media/tokens", json={"act": "watch", "show": "floor"})
    headers = {"authorization": f"Bearer {asked.json()['token']}", "content-type": "application/sdp"}
    answer = await client.post(asked.json()["url"], content=sdp, headers=headers)
    assert answer.status_code == 201, answer.text
    await seat.evaluate("sdp => answerTo('floor', sdp)", answer.text)
    return seat


async def test_the_host_goes_on_air_by_the_page_and_seats_see_the_host(tmp_path: Path) -> None:
    async with a_hall(tmp_path) as (house, origin), the_edge(house), a_studio() as browser:
        context = await logged_in(house, browser, origin, "host")
        page = await the_page(context, house, origin)
        heard = complaints(page)
        assert await page.input_value("#air-camera") == await page.input_value("#air-microphone") == ""
        await ask(page)
        assert "Choose a camera" in await page.inner_text('form[data-air="form"] [data-outcome]')
        await choose(page, "camera", "microphone")
        await page.wait_for_function("() => document.querySelector('meter').value > 0")
        await ask(page)
        assert "agree to it first" in await page.inner_text('form[data-air="form"] [data-outcome]')
        assert await house.services.media.sources(house.session) == ()  # type: ignore[union-attr]
        await go(page)
        seat = await watch(browser, house, origin)
        seen = await decoded(seat, "floor", 10)
        assert (seen["codec"], seen["frameWidth"]) == ("video/H264", 640)
        await page.click('[data-air="camera-off"]')
        await page.click('[data-air="microphone-off"]')
        await decoded(seat, "floor", 3)  # a card, twice a second, in the place of the camera
        await page.click('[data-air="camera-off"]')
        await decoded(seat, "floor", 30)
        await page.click('[data-air="stop"]')
        await state(page, "off")
        await sources(house)
        assert [
            one for one in heard if "/media/" not in one
        ] == []  # a line that was too slow for a trial is no fault


async def test_a_hall_that_is_set_to_vp8_has_it_from_the_page_to_the_seat_and_the_screen_in_place_of_the_camera(
    tmp_path: Path,
) -> None:
    async with a_hall(tmp_path, media_video="vp8") as (house, origin), the_edge(house), a_studio() as browser:
        page = await the_page(await logged_in(house, browser, origin, "host"), house, origin)
        await choose(page, "camera")
        await go(page)
        seat = await watch(browser, house, origin)
        seen = await decoded(seat, "floor", 10)
        assert (seen["codec"], seen["frameWidth"]) == ("video/VP8", 640)
        await page.click('[data-air="screen"]')
        await page.wait_for_selector('[data-air="screen"][aria-pressed="true"]')
        shown = await page.evaluate(
            "() => document.querySelector('[data-air=preview]').srcObject.getVideoTracks()[0].getSettings()"
        )
        assert shown["displaySurface"]  # a screen has one, a camera has none
        while (seen := await decoded(seat, "floor", 3))["frameWidth"] == 640:
            pass  # pictures of the camera that were on the way
        await page.click('[data-air="screen"]')
        while (seen := await decoded(seat, "floor", 3))["frameWidth"] != 640:
            pass
        assert seen["codec"] == "video/VP8"


async def test_who_is_on_air_comes_back_when_the_edge_was_killed_and_leaves_with_the_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "FIRST_REST", 0.05)
    monkeypatch.setenv("KAIBIAO_MEDIA_PORT", "0")
    async with a_hall(tmp_path) as (house, origin), a_studio() as browser:
        context = await logged_in(house, browser, origin, "host", viewport={"width": 390, "height": 844})
        page = await the_page(context, house, origin)
        await choose(page, "microphone")
        await page.evaluate(SEEN)
        async with in_processes(house, "edge") as kept:
            await go(page)
            os.kill(kept.running["edge"].pid, 9)
            await page.wait_for_function("() => seen.join().includes('live,again')", timeout=PATIENCE)
            await state(page, "live")
            await sources(house, HOST)
            second = await the_page(context, house, origin)
            await choose(second, "microphone")
            assert not await second.is_checked('input[name="consent"]')  # each tab asks
            await go(second)
            await state(page, "elsewhere")
            await house.turn(T0)
            await house.turn(timedelta(hours=1))
            await state(second, "refused")
            assert "Nothing can be sent" in await second.inner_text('form[data-air="form"] [data-outcome]')


async def test_the_line_is_tried_and_said_in_a_word(tmp_path: Path) -> None:
    async with a_hall(tmp_path) as (house, origin), a_studio() as browser:
        page = await the_page(await logged_in(house, browser, origin, "host"), house, origin)
        await page.click('[data-air="try"]')
        await page.wait_for_selector('[data-air="quality"][data-value="untold"]')
        assert "the opening goes on" in await page.inner_text('[data-air="line"]')
        async with the_edge(house):
            await page.click('[data-air="try"]')
            said = '[data-air="quality"]:is([data-value="good"], [data-value="fair"], [data-value="poor"])'
            await page.wait_for_selector(said, timeout=PATIENCE)
            assert "UDP works · TCP works" in await page.inner_text('[data-air="line"]')


async def test_a_browser_that_gives_no_device_is_told_plainly(tmp_path: Path) -> None:
    async with a_hall(tmp_path) as (house, origin), a_studio() as browser:
        context = await logged_in(house, browser, origin, "host")
        await context.add_init_script(
            "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', 'NotAllowedError'); };"
        )
        page = await the_page(context, house, origin)
        await page.wait_for_selector("#air-camera option:nth-child(2)", state="attached")
        await page.select_option("#air-camera", index=1)
        trouble = page.locator('[data-air="trouble"] p')
        await trouble.first.wait_for()
        assert await trouble.all_inner_texts() == [
            "The browser refuses the camera. Allow it beside the address of this page, then choose it again.",
            "The opening goes on regardless, and you act in writing as before.",
        ]
        assert await page.input_value("#air-camera") == ""
        await context.add_init_script("navigator.mediaDevices.enumerateDevices = async () => [];")
        await page.reload()
        option = page.locator("#air-camera option:disabled")
        await option.wait_for(state="attached")
        assert await option.text_content() == "The browser finds no camera on this device."
