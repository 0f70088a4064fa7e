"""By keyboard alone: a citizen gets everywhere, and a host begins a step."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.browsing import a_browser, complaints, served
from tests.support.house import STAFF, T0, House, a_house
from web import assets

pytestmark = pytest.mark.browser

WHERE = """() => {
  const one = document.activeElement;
  return [one.closest("section[aria-labelledby]")?.getAttribute("aria-labelledby") ?? "", one.textContent.trim()];
}"""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    assets.build()
    async with a_browser() as opened:
        yield opened


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A hall after T0, where the host may announce the ceiling next."""
    async with a_house(tmp_path) as house:
        await house.announce(ceiling="2000000.00")
        await house.receive_bids(3)
        for account in STAFF:
            assert (await house.act(await house.staff(account), "TakeChair")).status_code == 200
        await house.turn(T0)
        await house.services.sessions.idle()
        yield house


async def tab_to(page: Page, section: str, text: str) -> None:
    """Press Tab until the focus is on what says ``text`` in the section of this heading."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await page.evaluate(WHERE) == [section, text]:
            return
    raise AssertionError(f"Tab never reaches {text!r}")


async def test_tab_alone_reaches_table_timeline_and_language(browser: Browser, house: House) -> None:
    async with served(house.app) as origin:
        page = await browser.new_page(locale="zh-CN")
        heard = complaints(page)
        await page.goto(f"{origin}/s/{house.session}")
        await tab_to(page, "", "English")
        await tab_to(page, "sheet-title", "开标记录表")
        await tab_to(page, "log-title", "全部事实（JSON）")
        await page.goto(f"{origin}/s/{house.session}")
        await tab_to(page, "", "English")
        await page.keyboard.press("Enter")
        await expect(page.locator("#sheet-title")).to_have_text("Bids")
        assert heard == []


async def test_the_host_begins_a_step_without_a_mouse(browser: Browser, house: House) -> None:
    ticket = await house.services.identity.create_ticket(account="host")
    async with served(house.app) as origin:
        page = await browser.new_page(locale="en-GB")
        heard = complaints(page)
        await page.goto(f"{origin}{ticket}?next=/host/{house.session}")
        await expect(page.locator("#link")).to_have_attribute("data-value", "connected")
        await tab_to(page, "next-title", "Prepare this step")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_be_hidden()
        assert (await house.view(house.client()))["ceiling"] is None, "the dialog was left: nothing happened"
        assert await page.evaluate(WHERE) == ["next-title", "Prepare this step"], "the focus is where it was"
        await page.keyboard.press("Enter")
        await tab_to(page, "", "Confirm")
        await page.keyboard.press("Enter")
        # Under load this once took longer than the usual five seconds; why is not known.
        sheet = page.locator("table.sheet").locator("..").locator("..")
        await expect(sheet).to_contain_text("2,000,000.00", timeout=45_000)
        assert (await house.view(house.client()))["ceiling"]["grouped"] == "2,000,000.00"
        assert heard == []
