"""Three real pages see the same fact, say how late it came, and show what all of them said."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import expect

from tests.support.browsing import a_browser, complaints, reached
from tests.support.house import BEFORE, House
from tests.support.served import served
from web import assets

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@asynccontextmanager
async def going(house: House) -> AsyncIterator[None]:
    """Let the hall's clock go, from where it stands, as clocks do."""
    began = time.monotonic()

    async def go() -> None:
        while True:
            house.clock.turn(BEFORE + timedelta(milliseconds=round((time.monotonic() - began) * 1000)))
            await asyncio.sleep(0.002)

    running = asyncio.create_task(go())
    yield
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_the_line_appears_once_three_pages_saw_a_fact(tmp_path: Path) -> None:
    assets.build()
    async with served(tmp_path) as hall, going(hall.house), a_browser() as browser:
        house = hall.house
        await house.announce()
        pages = []
        for locale in ("zh-CN", "en-GB", "en-GB"):
            page = await (await browser.new_context(locale=locale)).new_page()
            pages.append((page, complaints(page)))
            await page.goto(f"{hall.url}/s/{house.session}")
            await reached(page, "connected")
            await page.wait_for_function("() => document.querySelector('[data-offset]').textContent !== ''")
            assert await page.is_hidden("[data-lag]")
        host = await house.staff("host")
        assert (await house.act(host, "TakeChair")).status_code == 200
        lines = [page.locator("[data-lag]") for page, _ in pages]
        await expect(lines[0]).to_contain_text("3 位观众都在")
        await expect(lines[1]).to_contain_text("All 3 viewers within")
        await expect(lines[2]).to_contain_text("All 3 viewers within")
        await house.services.lags.flush()
        assert (await house.services.lags.of(house.session)).count == 3
        assert [heard for _, heard in pages] == [[], [], []]


async def test_while_the_hall_cannot_read_its_log_the_page_says_of_when_it_is(tmp_path: Path) -> None:
    assets.build()
    async with served(tmp_path) as hall, going(hall.house), a_browser() as browser:
        house = hall.house
        await house.announce()
        page = await (await browser.new_context(locale="en-GB", timezone_id="Asia/Shanghai")).new_page()
        heard = complaints(page)
        await page.goto(f"{hall.url}/s/{house.session}")
        await reached(page, "connected")
        since = BEFORE - timedelta(minutes=5)
        house.services.hub.as_of = lambda: since
        await reached(page, "stale")
        line = page.locator("#link")
        await expect(line).to_contain_text("Data may be behind")
        await expect(line).to_contain_text(f"data as of {since.astimezone(ZoneInfo('Asia/Shanghai')):%H:%M:%S}")
        house.services.hub.as_of = lambda: None
        await reached(page, "connected")
        await expect(line).not_to_contain_text("data as of")
        assert heard == []
