"""The public page checks as it goes: a row's proof holds, the checkpoint is kept, a rewritten history is met."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from tests.support.bidders import a_bidder
from tests.support.browsing import PATIENCE, a_browser, complaints, served
from tests.support.hallkey import give_key
from tests.support.house import NAMES, House, TurnedClock, a_bid, a_house
from tests.support.ports import free_port
from tests.support.unlocking import bids_are_unlocked, the_window_opens
from web import assets
from web.demo.witnesses import NAMES as WITNESSES
from web.demo.witnesses import two_witnesses
from web.settings import Settings

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    assets.build()


@asynccontextmanager
async def an_opening(folder: Path, prices: tuple[str, ...]) -> AsyncIterator[tuple[House, asyncio.Event]]:
    """A hall with two witnesses and an opening of these bids, in its decrypt window; the event unlocks them."""
    (folder / "hall").mkdir(parents=True)
    give_key(folder / "hall")  # a hall that rewrites its history still signs with its own key
    clock = TurnedClock()
    async with (
        two_witnesses(folder, Settings(data_dir=folder / "hall"), clock) as policy,
        a_house(folder, clock=clock, witnesses_file=policy) as house,
    ):
        await house.announce()
        bids = []
        for name, price in zip(NAMES, prices, strict=False):
            bidder = a_bidder(name)
            sealed = a_bid(bidder, price)
            assert (await house.submit(await house.bidder(bidder), sealed)).status_code == 200
            bids.append((bidder, sealed))
        await the_window_opens(house)
        unlocked = asyncio.Event()

        async def unlock() -> None:
            await unlocked.wait()
            await bids_are_unlocked(house, bids)

        async with asyncio.TaskGroup() as group:
            task = group.create_task(unlock())
            yield house, unlocked
            task.cancel()


async def kept_size(page: Page) -> int:
    """Return how many events the checkpoint has that the browser keeps."""
    note = await page.evaluate("JSON.parse(localStorage.getItem('kaibiao-log/zb-1')).note")
    return int(note.split("\n")[1])


async def test_a_row_is_proved_in_the_page_and_a_rewritten_history_raises_the_alarm(tmp_path: Path) -> None:
    async with a_browser() as browser:
        context = await browser.new_context(locale="en-GB")
        page = await context.new_page()
        heard = complaints(page)
        first, second = tmp_path / "first", tmp_path / "second"
        async with (
            an_opening(first, ("1280000.00", "1190000.50", "1310000.00")) as (house, unlocked),
            served(house.app, free_port()) as origin,
        ):
            await page.goto(f"{origin}/s/{house.session}")
            await page.wait_for_selector("#held[data-value=held]")
            assert "First visit" in await page.inner_text("#held")
            assert await page.locator("[data-prove]:visible").count() == 0  # nothing is open yet
            early = await kept_size(page)
            unlocked.set()
            await page.wait_for_selector("text=1,190,000.50")
            await a_proof_holds(page, tmp_path)
            await page.reload()
            await page.wait_for_selector("#held[data-value=held]")
            assert "continues the" in await page.inner_text("#held")
            assert await kept_size(page) > early
            assert await page.is_hidden("#alarm")
            kept = await kept_size(page)
            assert heard == []
            await page.goto("about:blank")

        async with an_opening(second, ("1280000.00", "1090000.00", "1310000.00")) as (other, unlocked):
            unlocked.set()
            while len(await other.services.sessions.events(other.session)) < kept:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            async with served(other.app, urlsplit(origin).port or 0) as again:
                assert again == origin
                await page.goto(f"{origin}/s/{other.session}")
                await page.wait_for_selector("#alarm", state="visible")
                assert "This browser has seen two histories" in await page.inner_text("#alarm")
                async with page.expect_download() as saving:
                    await page.click("[data-alarm=save]")
                await (await saving.value).save_as(tmp_path / "both.txt")
                saved = (tmp_path / "both.txt").read_text("utf-8")
                assert saved.count(f"/s/{other.session}\n") >= 2  # both notes
                await page.screenshot(path=tmp_path / "alarm.png")
                assert "same length and different content" in await page.inner_text("#alarm")
                await page.reload()
                await page.wait_for_selector("#alarm", state="visible")  # it stays
        await context.close()


async def a_proof_holds(page: Page, shots: Path) -> None:
    """Open the proof of a row by keyboard, read it, look at it on a desk and on a phone, and close it."""
    mark = page.locator("[data-prove]").first
    await mark.focus()
    await page.keyboard.press("Enter")
    told = page.locator("#row-proof [data-told]")
    await page.wait_for_selector("#row-proof [data-told][data-value]:not([data-value=none])", timeout=PATIENCE)
    text = await page.inner_text("#row-proof")
    assert await told.get_attribute("data-value") == "ok", text
    assert "All 9 checks hold." in text
    for name in WITNESSES:
        assert name in text
    for words in ("sealed before the opening time", "word for word", "inclusion proof", "were recomputed here"):
        assert words in text
    results = await Axe().run(page)
    assert [one["id"] for one in results.response["violations"]] == []
    await page.screenshot(path=shots / "proof.png")
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.screenshot(path=shots / "proof-phone.png")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await page.set_viewport_size({"width": 1280, "height": 720})
    await page.keyboard.press("Escape")
    assert await page.locator("#row-proof").is_hidden()
    assert await mark.get_attribute("data-value") == "ok"
