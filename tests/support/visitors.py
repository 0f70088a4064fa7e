"""People at browsers of their own: what they see, what they press, and what their browser complained of."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, Page, expect

from tests.support.browsing import PATIENCE, complaints
from tests.support.real_time import PASSWORD, RealHall
from web.demo import cast

REPORT = """addEventListener("securitypolicyviolation", (violation) =>
  console.error(`policy: ${violation.effectiveDirective} ${violation.blockedURI}`))"""


class Visitor:
    """Somebody with a browser profile of their own, who notes complaints and where requests go."""

    def __init__(self, name: str, hall: RealHall, page: Page, shots: Path) -> None:
        self.name = name
        self.hall = hall
        self.page = page
        self._shots = shots
        self.complaints = complaints(page, ("error", "warning"))
        self.elsewhere: list[str] = []
        page.on("request", lambda request: self._note(request.url))
        page.on("websocket", lambda socket: self._note(socket.url))

    @classmethod
    async def arrive(
        cls, name: str, browser: Browser, hall: RealHall, shots: Path, *, language: str, scripts: bool = True
    ) -> Visitor:
        """Open a browser profile in this language."""
        context = await browser.new_context(
            locale=language, java_script_enabled=scripts, viewport={"width": 1280, "height": 900}
        )
        context.set_default_timeout(PATIENCE)
        await context.add_init_script(REPORT)
        return cls(name, hall, await context.new_page(), shots)

    def _note(self, url: str) -> None:
        address = urlsplit(url)
        if address.scheme not in ("blob", "data") and address.netloc != urlsplit(self.hall.url).netloc:
            self.elsewhere.append(url)

    async def goes_to(self, page: str) -> None:
        await self.page.goto(f"{self.hall.url}/{page}/{cast.SESSION}")

    async def is_connected(self) -> None:
        await expect(self.page.locator("#link")).to_have_attribute("data-value", "connected", timeout=PATIENCE)

    async def presses(self, name: str, within: str = "main") -> None:
        """Press the one visible button of this name."""
        await self.page.locator(within).get_by_role("button", name=name, exact=True).click()

    async def sees(self, *sentences: str, within: str = "main") -> None:
        for sentence in sentences:
            found = self.page.locator(within).get_by_text(sentence).filter(visible=True).first
            await expect(found).to_be_visible(timeout=PATIENCE)

    async def reads(self) -> str:
        """Return all that the page shows."""
        return await self.page.locator("main").inner_text()

    async def was_told(self, act: str) -> str:
        """Return what came of an act, once it is over."""
        outcome = self.page.locator(f'form[data-act="{act}"] [data-outcome]')
        await expect(outcome).to_have_attribute("data-value", "done", timeout=PATIENCE)
        return await outcome.inner_text()

    async def enters_as_staff(self, page: str, account: str) -> None:
        """Follow the way to a desk through the login form, with password and one-time code."""
        await self.goes_to(page)
        form = self.page.locator('form[data-act="staff"]')
        await form.locator('input[name="account"]').fill(account)
        await form.locator('input[name="password"]').fill(PASSWORD)
        await form.locator('input[name="code"]').fill(self.hall.code(account))
        await form.get_by_role("button").click()
        await self.page.wait_for_url(f"**/{page}/{cast.SESSION}")
        await self.is_connected()

    async def enters_as_bidder(self, keys: Sequence[Path]) -> None:
        """Follow the way to the seat through the login form, with the key files opened in the page."""
        await self.goes_to("seat")
        form = self.page.locator('form[data-act="bidder"]')
        await form.locator('input[name="files"]').set_input_files(list(keys))
        await form.locator('input[name="password"]').fill(cast.PASSWORD)
        await form.locator("button").filter(visible=True).click()
        await self.page.wait_for_url(f"**/seat/{cast.SESSION}")
        await self.is_connected()

    async def seals(self, quote: dict[str, str], file: dict[str, Any]) -> str:
        """Fill in the form and submit the bid that the page seals; return the tracker it shows."""
        form = self.page.locator('form[data-act="seal"]')
        for name, text in quote.items():
            await form.locator(f'input[name="quote.{name}"]').fill(text)
        await form.locator('input[name="files.A"]').set_input_files([file])  # type: ignore[list-item]
        await form.locator("button").filter(visible=True).click()
        return (await self.was_told("seal")).rstrip("。.").split()[-1]

    async def photographs(self, stage: str, width: int = 1280, height: int = 900) -> None:
        """Keep a picture of the whole page."""
        await self.page.set_viewport_size({"width": width, "height": height})
        name = f"{stage}-{self.name}-{width}.png"
        await self.page.screenshot(path=self._shots / name, full_page=True)


def album(otherwise: Path) -> Path:
    """Return the folder for pictures: ``KAIBIAO_SHOTS``, or one that goes with the test."""
    folder = Path(os.environ.get("KAIBIAO_SHOTS") or otherwise / "shots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
