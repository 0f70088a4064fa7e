"""The seat looks for its receipt in the log before a key leaves: contradicted it stays, unreachable it may go."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe

from crypto.receipt import issue, verify_receipt
from sessions.events import KeyReleased, ObjectionRaised
from tests.support.bidders import a_bidder
from tests.support.browsing import a_browser, complaints, open_certificate, reached, said, served
from tests.support.house import House, a_bid, a_house
from tests.support.unlocking import the_window_opens
from web import assets

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    assets.build()


async def happened(house: House, kind: type) -> list[Any]:
    return [one.event for one in await house.services.sessions.events(house.session) if isinstance(one.event, kind)]


async def test_a_key_stays_where_the_log_contradicts_the_receipt_and_leaves_where_it_cannot_be_read(
    tmp_path: Path,
) -> None:
    async with a_house(tmp_path) as house, a_browser() as browser, served(house.app) as origin:
        await house.announce()
        bidder = a_bidder("安澜水务有限公司")
        taken = await house.submit(await house.bidder(bidder), a_bid(bidder))
        await house.receive_bids(2)
        key = house.services.hall_keys.newest
        receipt = verify_receipt(taken.json()["receipt"], key.public)
        dropped = issue(replace(receipt, received_at="2099-01-01T00:00:00.000Z"), key)
        await the_window_opens(house)

        context = await browser.new_context(locale="en-GB")
        place = f"kaibiao-receipt-{house.session}"  # this device has the newest; what the hall gives now is older
        await context.add_init_script(f"localStorage.setItem({json.dumps(place)}, {json.dumps(dropped)})")
        seat = await context.new_page()
        heard = complaints(seat)
        await seat.goto(f"{origin}/seat/{house.session}")
        await open_certificate(seat, 'form[data-act="bidder"]', bidder, tmp_path)
        await seat.wait_for_url(f"{origin}/seat/{house.session}")
        await reached(seat, "connected")
        await seat.wait_for_selector("[data-receipt-file][href]")
        await seat.wait_for_load_state("networkidle")
        await seat.click("text=Unlock now")
        assert "older bid than the last" in await said(seat, "unlock")
        await seat.wait_for_selector("[data-contradicted]", state="visible")
        assert await happened(house, KeyReleased) == []
        async with seat.expect_download() as saving:
            await seat.click("[data-contradicted] a[download]")
        await (await saving.value).save_as(tmp_path / "evidence.json")
        evidence = json.loads((tmp_path / "evidence.json").read_bytes())
        assert (evidence["code"], evidence["newer_receipt"]) == ("older_bid", dropped)
        results = await Axe().run(seat)
        assert [one["id"] for one in results.response["violations"]] == []
        await seat.screenshot(path=tmp_path / "contradicted.png", full_page=True)
        await seat.click("[data-contradicted] button")
        await seat.click('form[data-command="Object"] button')
        await seat.wait_for_selector('form[data-command="Object"] [data-outcome][data-value="done"]')
        (objection,) = await happened(house, ObjectionRaised)
        assert objection.title == "The hall contradicts my receipt"
        assert heard == []

        await seat.evaluate("place => localStorage.removeItem(place)", place)
        for path in ("**/uploads/mine/*", "**/log/intake/**"):
            await seat.route(path, lambda route: route.abort())
        await seat.click("text=Unlock now")
        assert await said(seat, "unlock") == "Done"
        assert "could not be read just now" in await seat.inner_text("[data-logged-line]")
        await seat.wait_for_selector("[data-contradicted]", state="hidden")
        assert len(await happened(house, KeyReleased)) == 1
