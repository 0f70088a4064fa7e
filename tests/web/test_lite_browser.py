"""Who has a slow line begins with less than everything: by a link, by the browser's wish, or as chosen before."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.support.browsing import a_browser
from tests.support.house import T0
from tests.support.served import served
from web import assets

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

PATIENCE = 60_000  # milliseconds
MEDIA = re.compile(r":\d+/media/[^/]+/(.*)")
SAVES = "Object.defineProperty(navigator, 'connection', { value: { saveData: true } });"


async def plays(page: Page, address: str, variant: str) -> None:
    """Open ``address`` (or load the page again), and expect this choice to be asked for first, and nothing more."""
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.on("framenavigated", lambda _: asked.clear())  # what the page before it asked for
    await (page.goto(address) if address else page.reload())
    await expect(page.locator(f'#programme input[value="{variant}"]')).to_be_checked()
    await expect(page.locator("#programme")).to_have_attribute("data-variant", variant)
    while not (media := [found[1] for url in asked if (found := MEDIA.search(url))]):  # noqa: ASYNC110 - its script is running
        await asyncio.sleep(0.05)
    assert media[0] == f"ws?variant={variant}"
    assert {way for way in media if way.startswith("hls/") and not way.startswith(f"hls/{variant}/")} == set()


async def test_little_is_loaded_where_little_is_wanted_and_it_is_remembered(tmp_path: Path) -> None:
    assets.build()
    async with served(tmp_path, media="on") as hall, a_browser() as browser:
        await hall.house.announce()
        await hall.house.turn(T0 - timedelta(minutes=20))
        address = f"{hall.url}/s/{hall.house.session}"
        context = await browser.new_context(locale="en-GB")
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        await page.goto(address)
        await expect(page.locator('#programme input[value="full"]')).to_be_checked()
        await page.get_by_role("link", name="Sound and captions without the picture").click()
        await expect(page).to_have_url(f"{address}?lite=1", timeout=PATIENCE)
        await plays(page, "", "sound")
        await plays(page, address, "sound")

        await page.goto(f"{address}?lite=1")
        await page.focus('#programme input[value="sound"]')
        await page.keyboard.press("ArrowUp")
        await expect(page).to_have_url(address, timeout=PATIENCE)  # the link's wish is over
        await plays(page, "", "low")
        await page.close()

        saving = await browser.new_context(locale="zh-CN")
        saving.set_default_timeout(PATIENCE)
        await saving.add_init_script(SAVES)
        await plays(await saving.new_page(), address, "low")
