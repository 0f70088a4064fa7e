"""A bidder's browser is killed while it hands its key over; started again, the bidder comes back and finishes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Error, Playwright, Route, async_playwright

from tests.support.browsing import ARGUMENTS, CHROMIUM, PATIENCE
from tests.support.real_time import PASSWORD, RealHall, a_hall_in_real_time
from tests.support.visitors import Visitor, album
from web import assets
from web.demo import cast
from web.demo.people import BidderPerson, HostPerson, Person, WatchingPerson
from web.participant.remote import Hall

pytestmark = [pytest.mark.slow, pytest.mark.browser]

LEAD = timedelta(seconds=45)
WINDOWS = {"checkin": 3600, "decrypt": 300, "confirm": 300, "objection": 300, "sign": 300}
DRAWING = {"name": "图纸.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 drawing " * 4000}
QUOTE = {"price": "12345678.90", "duration": "270", "quality": "合格", "manager": "李明远", "bond": "电子保函"}
PAUSE = 0.1


@asynccontextmanager
async def at_a_browser(playwright: Playwright, hall: RealHall, folder: Path) -> AsyncIterator[Visitor]:
    """Start a browser of its own over the bidder's profile, as it was left; end it if it still runs."""
    assert CHROMIUM is not None
    context = await playwright.chromium.launch_persistent_context(
        folder / "profile", executable_path=CHROMIUM, args=list(ARGUMENTS), locale="zh-CN"
    )
    context.set_default_timeout(PATIENCE)
    try:
        yield Visitor("bidder1", hall, await context.new_page(), album(folder))
    finally:
        with suppress(Error):  # it was killed
            await context.close()


def browser_over(profile: Path) -> int:
    """Return the process that all others of this browser belong to."""
    (found,) = [
        int(place.name)
        for place in Path("/proc").iterdir()
        if place.name.isdigit() and _is_it(place, f"--user-data-dir={profile}".encode())
    ]
    return found


def _is_it(place: Path, profile: bytes) -> bool:
    try:
        words = (place / "cmdline").read_bytes()
    except OSError:  # it ended meanwhile
        return False
    return profile in words and b"--type=" not in words and b"crashpad" not in words.split(b"\0")[0]


async def enters(person: Visitor, keys: list[Path]) -> None:
    """Come to the seat, by the login form if the browser does not remember the login."""
    await person.goes_to("seat")
    if await person.page.locator('form[data-act="bidder"]').count():
        await person.enters_as_bidder(keys)
    else:
        await person.is_connected()


@asynccontextmanager
async def the_others(hall: RealHall) -> AsyncIterator[None]:
    """Host, supervisor and two more bidders take part by program."""
    async with AsyncExitStack() as stack:
        people: list[Person] = []
        for account, kind in (("host", HostPerson), ("supervisor", WatchingPerson)):
            line = await stack.enter_async_context(Hall(hall.url))
            await line.login_password(account, PASSWORD, hall.code(account))
            people.append(kind(hall=line, session=cast.SESSION, pause=PAUSE, account=account))
        for member in hall.troupe.bidders[1:]:
            line = await stack.enter_async_context(Hall(hall.url))
            await line.login_certificate(member.signer)
            await line.submit(cast.SESSION, *await asyncio.to_thread(cast.sealed, member, hall.t0))
            people.append(
                BidderPerson(
                    hall=line,
                    session=cast.SESSION,
                    pause=PAUSE,
                    bidder=member.identifier,
                    signer=member.signer,
                    opener=member.encrypter,
                )
            )
        taking_part = asyncio.gather(*(person.take_part() for person in people))
        yield
        await taking_part


async def test_a_bidder_whose_browser_is_killed_in_its_window_comes_back_to_its_seat_and_finishes(
    tmp_path: Path,
) -> None:
    assets.build()
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    async with async_playwright() as playwright, a_hall_in_real_time(tmp_path, lead=LEAD, windows=WINDOWS) as hall:
        member = hall.troupe.bidders[0]
        place = await asyncio.to_thread(cast.write_keys, member, tmp_path / "keys")
        keys = [place / "sign.p12", place / "encrypt.p12"]
        async with the_others(hall):
            async with at_a_browser(playwright, hall, tmp_path) as person:
                await person.enters_as_bidder(keys)
                await person.seals(QUOTE, DRAWING)
                await person.presses("签到")
                assert await person.was_told("checkin") == "完成"
                await hall.until(hall.t0)
                await killed_when_it_sends_its_key(person, tmp_path / "profile")
            async with at_a_browser(playwright, hall, tmp_path) as person:
                await enters(person, keys)
                await person.presses("立即解密")
                assert await person.was_told("unlock") == "完成"
                await person.presses("与我加密的一致")
                await person.presses("我没有异议")
                await person.presses("签字")
        events = [type(record.event).__name__ for record in await hall.services.sessions.events(cast.SESSION)]
        assert events[-1] == "SessionEnded"
        assert events.count("KeyReleased") == len(hall.troupe.bidders)
        assert "BidNotOpened" not in events


async def killed_when_it_sends_its_key(person: Visitor, profile: Path) -> None:
    """Press the button; the page unlocks the bid, and at the moment it would hand the key over it dies."""
    dead = asyncio.Event()

    async def kill(_: Route) -> None:
        os.kill(browser_over(profile), signal.SIGKILL)
        dead.set()

    await person.page.route("**/releases", kill)
    with suppress(Error):
        await person.presses("立即解密")
    async with asyncio.timeout(120):
        await dead.wait()
