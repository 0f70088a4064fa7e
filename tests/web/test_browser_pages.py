"""The pages in a real browser: accessible, narrow, by keyboard, without scripts; and alive through an opening."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page

from crypto.receipt import issue
from sessions.events import BidReceived, Stream
from sessions.intake.receipts import receipt_of
from sessions.verify import Fate
from sessions.verify.events import cores, read
from sessions.verify.fates import FATES
from sessions.verify.sentences import SENTENCES
from sessions.zipped import pack, unpack
from tests.support.bidders import a_bidder
from tests.support.browsing import a_browser, complaints, open_certificate, reached, said, served
from tests.support.bundles import the_bundle
from tests.support.ceremony import a_plan
from tests.support.house import T0, House, a_bid, a_house
from tests.support.shell import SESSION
from tests.support.unlocking import unlock
from web import assets

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOWN = (
    "calendar",
    "login",
    "verify",
    "new",
    "problem",
    "s/scheduled",
    "s/decrypt",
    "s/readout",
    "s/incident",
    "s/failed",
    "s/ended",
    "record/ended",
    "seat/checkin",
    "seat/decrypt",
    "seat/confirm",
    "seat/objection",
    "host/ceiling",
    "host/objection",
    "deputy/decrypt",
    "supervise/sign",
    "air/checkin",
    "mine/objection",
)

TRILLIONS = "(one) => { if (/[0-9],/.test(one.textContent)) one.textContent = '9,876,543,210,987.65'; }"
RARE = ("names", "names-before", "incidents-out", "failure", "postpone", "me", "record/failed", "seat/retry")


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    assets.build()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(tmp_path) as opened:
        yield opened


@pytest.fixture
async def origin(house: House) -> AsyncIterator[str]:
    async with served(house.app) as address:
        yield address


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with a_browser() as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gallery(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Browser, str]]:
    """One browser and one hall, whose gallery shows every page and changes with nothing."""
    async with (
        a_house(tmp_path_factory.mktemp("gallery")) as house,
        served(house.app) as address,
        a_browser() as opened,
    ):
        yield opened, address


EACH_WAY = [(scheme, language) for scheme in ("light", "dark") for language in ("zh", "en")]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("shown", SHOWN + RARE)
async def test_every_page_is_accessible_and_reports_nothing(gallery: tuple[Browser, str], shown: str) -> None:
    browser, origin = gallery
    found = {}
    for scheme, language in EACH_WAY if shown in SHOWN else (("light", "zh"), ("dark", "en")):
        context = await browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
        context.set_default_timeout(60_000)
        page = await context.new_page()
        heard = complaints(page)
        await page.goto(f"{origin}/_/gallery/{shown}?lang={language}")
        results = await Axe().run(page)
        found[scheme, language] = [
            f"{one['id']}: {[node['target'] for node in one['nodes']][:3]}" for one in results.response["violations"]
        ] + heard
        await context.close()
    assert {way: faults for way, faults in found.items() if faults} == {}


async def test_no_page_scrolls_sideways_from_320_pixels_up(browser: Browser, origin: str) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    wide = {}
    for language in ("zh", "en"):
        for shown in SHOWN + RARE:
            await page.goto(f"{origin}/_/gallery/{shown}?lang={language}")
            await page.evaluate("document.querySelectorAll('[data-prove]').forEach((one) => (one.hidden = false))")
            await page.evaluate(f"document.querySelectorAll('.money, .sum > span').forEach({TRILLIONS})")
            for width in (320, 700, 1080, 1280):
                await page.set_viewport_size({"width": width, "height": 640})
                found = await page.evaluate("document.documentElement.scrollWidth")
                if found > width:
                    wide[shown, language, width] = found
    await context.close()
    assert wide == {}


async def test_what_can_be_clicked_is_large_enough(browser: Browser, origin: str) -> None:
    context = await browser.new_context(viewport={"width": 390, "height": 844})
    page = await context.new_page()
    small = {}
    for shown in SHOWN:
        await page.goto(f"{origin}/_/gallery/{shown}?lang=en")
        found = await page.evaluate(
            """() => [...document.querySelectorAll("a, button, input, select, textarea, summary")]
                 .filter((one) => one.checkVisibility() && one.type !== "hidden")
                 .filter((one) => !one.closest("p, dd, .log, label"))
                 .map((one) => [one.outerHTML.slice(0, 60), one.getBoundingClientRect()])
                 .filter(([, box]) => box.height < 24 || box.width < 24).map(([text]) => text)"""
        )
        if found:
            small[shown] = found
    await context.close()
    assert small == {}


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_no_row_moves_when_the_prices_appear(browser: Browser, origin: str, language: str) -> None:
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    page = await context.new_page()
    places = {}
    for state in ("decrypt", "readout", "confirm"):
        await page.goto(f"{origin}/_/gallery/s/{state}?lang={language}")
        places[state] = await page.evaluate(
            """() => [...document.querySelectorAll(".sheet > tbody > tr > *")]
                 .map((cell) => [cell.parentElement.offsetTop, cell.offsetLeft])"""
        )
    await context.close()
    assert places["decrypt"] == places["readout"] == places["confirm"]


async def test_without_scripts_the_public_page_is_whole(browser: Browser, house: House, origin: str) -> None:
    await house.announce()
    await house.receive_bids(3)
    await house.turn(T0 + timedelta(seconds=1))
    context = await browser.new_context(java_script_enabled=False, locale="zh-CN")
    page = await context.new_page()
    await page.goto(f"{origin}/s/{house.session}")
    text = await page.inner_text("main")
    await context.close()
    assert "华东建设有限公司" in text
    assert "09:00:00" in text
    assert "页面截至" in text


async def test_the_keyboard_reaches_everything_and_shows_where_it_is(browser: Browser, origin: str) -> None:
    page = await browser.new_page()
    await page.goto(f"{origin}/_/gallery/host/ceiling?lang=en")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(60):
        await page.keyboard.press("Tab")
        text, outline = await page.evaluate(
            """() => {
              const one = document.activeElement;
              const outline = getComputedStyle(one).outlineStyle;
              return one === document.body ? ["", "solid"] : [one.textContent.trim(), outline];
            }"""
        )
        reached.add(text)
        assert outline == "solid", text
    assert {"Prepare this step", "Pause", "Abort the opening", "How to check"} <= reached


async def test_a_dangerous_step_asks_first_and_escape_takes_it_back(browser: Browser, origin: str) -> None:
    page = await browser.new_page()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    await page.goto(f"{origin}/_/gallery/host/drawn?lang=en")
    await page.get_by_role("button", name="Prepare this step").press("Enter")
    dialog = page.get_by_role("dialog")
    assert "No price appears before it is over" in await dialog.inner_text()
    await page.keyboard.press("Escape")
    assert await dialog.count() == 0
    assert sent == []


async def test_a_bidder_takes_part_with_nothing_but_a_browser_and_everyone_sees_the_same(
    browser: Browser, house: House, origin: str, tmp_path: Path
) -> None:
    await house.announce()
    host, others = await house.staff("host"), await house.receive_bids(2)
    public = await (await browser.new_context(locale="en-GB")).new_page()
    heard = complaints(public)
    await public.goto(f"{origin}/s/{house.session}")
    await reached(public, "connected")

    seat = await (await browser.new_context(locale="en-GB")).new_page()
    heard_at_the_seat = complaints(seat)
    await seat.goto(f"{origin}/seat/{house.session}")  # leads to the login, and from there back
    await open_certificate(seat, 'form[data-act="bidder"]', a_bidder("安澜水务有限公司"), tmp_path)
    await seat.wait_for_url(f"{origin}/seat/{house.session}")
    await reached(seat, "connected")

    await seat.fill('input[name="quote.price"]', "1190000.50")
    drawing = {"name": "图纸.pdf", "mimeType": "application/pdf", "buffer": b"%PDF " * 4000}
    await seat.set_input_files('input[name="files.A"]', [drawing])
    await seat.click("text=Seal and submit >> nth=-1")
    tracker = await said(seat, "seal")
    assert tracker == f"Received. Receipt {await seat.inner_text('[data-tracker]')}."

    await seat.click('form[data-act="checkin"] button')
    assert await said(seat, "checkin") == "Done"

    assert (await house.act(host, "TakeChair")).status_code == 200
    await house.turn(T0 + timedelta(seconds=2))
    await house.services.sessions.idle()
    answer = await house.act(host, "Advance", step="decrypt")
    assert answer.status_code == 200, answer.text
    for bidder, sealed in others:
        await unlock(house, bidder, sealed)

    await seat.reload()  # the clock of this hall was turned, and the seat measures it again
    await reached(seat, "connected")
    await seat.click("text=Unlock now")
    assert await said(seat, "unlock") == "Done"
    assert "your receipt stands in the log of receipts" in await seat.inner_text("[data-logged-line]")
    await seat.wait_for_selector("#held[data-value=held]", state="attached")
    assert await seat.is_hidden("#alarm")
    await house.services.sessions.idle()

    await public.wait_for_selector("text=1,190,000.50")
    number = (await house.view(house.client()))["n"]
    await public.wait_for_selector(f"#e{number}", state="attached")
    await public.wait_for_selector(".reading", state="visible")
    fresh = await public.context.new_page()
    await fresh.goto(f"{origin}/s/{house.session}")
    await reached(fresh, "connected")
    await fresh.wait_for_selector(f"#e{number}", state="attached")
    await fresh.wait_for_selector(".reading", state="visible")
    lived = await words_of(public)
    assert lived == await words_of(fresh)
    assert "1,280,000.00" in lived
    assert (heard, heard_at_the_seat) == ([], [])


async def test_a_bidder_checks_up_withdraws_after_being_asked_and_seals_again(
    browser: Browser, house: House, origin: str, tmp_path: Path
) -> None:
    await house.announce()
    bidder = a_bidder("安澜水务有限公司")
    seat = await (await browser.new_context(locale="en-GB")).new_page()
    heard = complaints(seat)
    await seat.goto(f"{origin}/seat/{house.session}")
    await open_certificate(seat, 'form[data-act="bidder"]', bidder, tmp_path)
    await seat.wait_for_url(f"{origin}/seat/{house.session}")
    for check in ("link", "sign", "open", "expiry"):  # the hall's clock was turned, so this device's is off
        await seat.wait_for_selector(f'[data-check="{check}"][data-value="pass"]')
    await seat.wait_for_selector('[data-check="clock"][data-value="fail"] [data-fix]', state="visible")

    for price in ("1190000.50", "1180000.00"):
        await seat.fill('input[name="quote.price"]', price)
        await seat.click("text=Seal and submit >> nth=-1")
        await seat.wait_for_selector("[data-receipt]", state="visible")
        assert len((await house.services.sessions.intake(house.session)).bids) == 1
        if price == "1190000.50":
            await seat.click("summary:has-text('Withdraw my bid')")
            await seat.click('form[data-act="withdraw"] button')
            await seat.keyboard.press("Escape")
            assert len((await house.services.sessions.intake(house.session)).bids) == 1
            await seat.click('form[data-act="withdraw"] button')
            await seat.click("#confirm [data-yes]")
            await seat.wait_for_selector("[data-receipt]", state="hidden")
            assert (await house.services.sessions.intake(house.session)).bids == {}
    assert heard == []


async def words_of(page: Page) -> str:
    """Return what the page says, but for what the clock alone moves."""
    await page.evaluate("document.getElementById('say').replaceChildren()")  # told once, to a screen reader
    await page.evaluate("document.getElementById('held')?.remove()")  # what this one browser has checked so far
    await page.evaluate("document.querySelector('.reading')?.remove()")  # which row it is follows from its clock
    text = await page.inner_text("main")
    text = re.sub(r"±[\d.]+ s.*", "", text)
    text = re.sub(r"Watching now: \d+", "", text)
    return re.sub(r"\d{2}:\d{2}(:\d{2})?", "T", re.sub(r"\s+", " ", text))


async def test_the_verification_page_checks_a_receipt_and_sends_nothing(
    browser: Browser, house: House, origin: str
) -> None:
    await house.announce()
    bidder = a_bidder()
    receipt = (await house.submit(await house.bidder(bidder), a_bid(bidder))).json()["receipt"]
    page = await browser.new_page(locale="en-GB")
    await page.goto(f"{origin}/verify")
    await page.wait_for_selector("html[data-verifier=ready]")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.fill("textarea", receipt)
    assert "Signed by this hall's key" in await checked(page)
    assert "Every check made here holds." in await page.inner_text("[data-outcome]")
    signed, signature = receipt.rsplit(".", 1)
    await page.fill("textarea", f"{signed}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}")
    assert "The signature does not hold" in await checked(page)
    assert [
        address for address in asked if not address.endswith("/img/seal.svg")
    ] == []  # the tab's picture may come late


async def test_the_verification_page_checks_a_whole_bundle_with_the_network_cut(
    browser: Browser, origin: str
) -> None:
    bundle, _ = await asyncio.to_thread(the_bundle)
    files = dict(unpack(bundle))
    files["record.json"] = files["record.json"].replace(b"1000000.00", b"1000001.00", 1)
    page = await browser.new_page(locale="en-GB")
    heard = complaints(page)
    await page.goto(f"{origin}/verify")
    await page.wait_for_selector("html[data-verifier=ready]")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.context.set_offline(True)
    for content, told, first in (
        (bundle, "Every check made here holds.", "Every byte of the file is accounted for"),
        (pack(files), "A check failed", "This does not hold: The manifest lists every file"),
    ):
        file = {"name": "session.zip", "mimeType": "application/zip", "buffer": content}
        await page.set_input_files("input[type=file]", [file])
        await page.wait_for_selector("[data-found]:not([hidden])")
        assert told in await page.inner_text("[data-outcome]")
        assert first in await page.inner_text("[data-checks] li:first-of-type")
        assert await page.locator("[data-checks] > li").count() == len(SENTENCES)
        assert hashlib.sha256(content).hexdigest() in await page.inner_text("[data-facts]")
    assert [address for address in asked if not address.endswith("/img/seal.svg")] == []
    assert heard == []


async def test_a_bundle_and_a_receipt_together_tell_what_became_of_that_bid(browser: Browser, origin: str) -> None:
    bundle, key = await asyncio.to_thread(the_bundle)
    told = cores(unpack(bundle)["events/intake.jsonl"], SESSION, Stream.INTAKE).value
    log = read(told, {}, a_plan()).records
    receipts = [issue(receipt_of(r, a_plan()), key) for r in log if isinstance(r.event, BidReceived)]
    page = await browser.new_page(locale="en-GB")
    heard = complaints(page)
    await page.goto(f"{origin}/verify")
    await page.wait_for_selector("html[data-verifier=ready]")
    archive = {"name": "session.zip", "mimeType": "application/zip", "buffer": bundle}
    for receipt, fate in ((receipts[0], Fate.REPLACED), (receipts[1], Fate.WITHDRAWN), (receipts[-1], Fate.COUNTED)):
        kept = {"name": "receipt.jws", "mimeType": "text/plain", "buffer": receipt.encode()}
        await page.set_input_files("input[type=file]", [kept, archive])
        await page.wait_for_selector("[data-found]:not([hidden])")
        assert FATES[fate].en in await page.inner_text("[data-checks] li:first-of-type")
        assert "Every check made here holds." in await page.inner_text("[data-outcome]")
    assert heard == []


async def test_a_bundle_dropped_on_the_page_is_checked(browser: Browser, origin: str) -> None:
    page = await browser.new_page(locale="en-GB")
    await page.goto(f"{origin}/verify")
    dropped = await page.evaluate_handle(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["PK no zip file"], "session.zip"));
          return data;
        }"""
    )
    await page.dispatch_event(".drop", "drop", {"dataTransfer": dropped})
    await page.wait_for_selector("[data-found]:not([hidden])")
    assert "0 checks hold, 1 do not" in await page.inner_text("[data-facts]")


async def test_a_browser_that_lacks_ed25519_is_told_so(browser: Browser, origin: str) -> None:
    page = await browser.new_page(locale="en-GB")
    await page.add_init_script("crypto.subtle.importKey = () => Promise.reject(new Error('NotSupportedError'))")
    await page.goto(f"{origin}/verify")
    await page.fill("textarea", "a.b.c")
    await page.get_by_role("button", name="Check", exact=True).click()
    await page.wait_for_selector("[data-outcome][data-value=failed]")
    assert "cannot check Ed25519 signatures" in await page.inner_text("[data-outcome]")


async def test_a_bidder_saves_its_receipt_at_the_seat_and_the_verification_page_finds_it_logged(
    browser: Browser, house: House, origin: str, tmp_path: Path
) -> None:
    await house.announce()
    bidder = a_bidder()
    await house.submit(await house.bidder(bidder), a_bid(bidder))
    seat = await (await browser.new_context(locale="en-GB")).new_page()
    await seat.goto(f"{origin}/seat/{house.session}")
    await open_certificate(seat, 'form[data-act="bidder"]', bidder, tmp_path)
    await seat.wait_for_url(f"{origin}/seat/{house.session}")
    await seat.wait_for_selector("[data-unlogged]", state="visible")
    files = [await saved(seat)]
    house.clock.turn(T0 - timedelta(minutes=20))
    await house.services.receipt_logs.settle(house.session)
    await seat.reload()
    await seat.wait_for_selector("[data-logged]", state="visible")
    files.append(await saved(seat))
    page = await seat.context.new_page()
    await page.goto(f"{origin}/verify")
    found = []
    for name, content in files:
        assert name.startswith("receipt-")
        await page.set_input_files('input[name="file"]', {"name": name, "mimeType": "text/plain", "buffer": content})
        await page.wait_for_selector("[data-outcome][data-value=done]")
        found.append(await page.inner_text("[data-checks]"))
    assert "fetch the receipt again after the log's next tick" in found[0]
    assert "stands in the public log of receipts" in found[1]
    other = files[1][1].replace(b"index ", b"index 1", 1)
    await page.set_input_files('input[name="file"]', {"name": "x", "mimeType": "text/plain", "buffer": other})
    await page.wait_for_selector("[data-outcome][data-value=failed]")
    assert "The proof of the log does not hold" in await page.inner_text("[data-checks]")


async def saved(seat: Page) -> tuple[str, bytes]:
    """Press the link and return the name and content of what was saved."""
    async with seat.expect_download() as waiting:
        await seat.click("[data-receipt-file]")
    download = await waiting.value
    return download.suggested_filename, (await download.path()).read_bytes()


async def checked(page: Page) -> str:
    """Press the button and return the sentences."""
    await page.get_by_role("button", name="Check", exact=True).click()
    await page.wait_for_selector("[data-outcome]:not([data-value=working])")
    return await page.inner_text("[data-checks]")
