"""Locks in real browsers: a bidder seals and releases behind them, three officers remove them with their own keys."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.browsing import a_browser
from tests.support.real_time import RealHall, a_hall_in_real_time
from tests.support.visitors import Visitor, album
from web import assets
from web.demo import cast
from web.participant.remote import Hall

pytestmark = [pytest.mark.slow, pytest.mark.browser]

LEAD = timedelta(seconds=150)
WINDOWS = {"checkin": 3600, "decrypt": 300, "confirm": 300, "objection": 300, "sign": 300}
QUOTE = {"price": "12345678.90", "duration": "270", "quality": "合格", "manager": "李明远", "bond": "电子保函"}
DRAWING = {"name": "图纸.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 drawing " * 400}


async def opens_the_key(visitor: Visitor, file: Path, button: str, said: str) -> None:
    """Open the key to one's lock; the page tries it and tells the hall that it works."""
    box = visitor.page.locator("[data-lock-panel]")
    await box.locator('input[name="files"]').set_input_files(file)
    await box.locator('input[name="password"]').fill(cast.PASSWORD)
    await box.get_by_role("button", name=button).click()
    await visitor.sees(said, within='[data-lock="ready"]')


async def bids(hall: RealHall, number: int) -> Hall:
    """A bidder with a program instead of a browser."""
    member = hall.troupe.bidders[number]
    program = await Hall(hall.url).__aenter__()
    await program.login_certificate(member.signer)
    sealed = await asyncio.to_thread(cast.sealed, member, hall.t0, 2_000, troupe=hall.troupe)
    await program.submit(cast.SESSION, *sealed)
    return program


async def test_three_officers_remove_their_locks_in_their_own_browsers(tmp_path: Path) -> None:
    assets.build()
    shots = album(tmp_path)
    async with a_browser() as browser, a_hall_in_real_time(tmp_path, lead=LEAD, windows=WINDOWS, locked=True) as hall:
        keys = await asyncio.to_thread(cast.write_officers, hall.troupe, tmp_path / "officers")
        host = await Visitor.arrive("host", browser, hall, shots, language="zh-CN")
        supervisor = await Visitor.arrive("supervisor", browser, hall, shots, language="en-GB")
        tenderer = await Visitor.arrive("tenderer", browser, hall, shots, language="en-GB")
        first = await Visitor.arrive("bidder1", browser, hall, shots, language="en-GB")
        citizen = await Visitor.arrive("citizen", browser, hall, shots, language="en-GB")
        await host.enters_as_staff("host", "host")
        await host.presses("就位")
        await supervisor.enters_as_staff("supervise", "supervisor")
        await supervisor.presses("Take my chair")
        await tenderer.enters_as_staff("supervise", "tenderer")
        await opens_the_key(host, keys / "host.p12", "打开并试用密钥", "密钥已在本页试过")
        await opens_the_key(supervisor, keys / "supervisor.p12", "Open and try the key", "The key was tried")
        await opens_the_key(tenderer, keys / "tenderer.p12", "Open and try the key", "The key was tried")
        member = hall.troupe.bidders[0]
        place = await asyncio.to_thread(cast.write_keys, member, tmp_path / "keys")
        await first.enters_as_bidder([place / "sign.p12", place / "encrypt.p12"])
        await first.seals(QUOTE, DRAWING)
        programs = [await bids(hall, number) for number in (1, 2)]
        await citizen.goes_to("s")
        await citizen.sees("ready: the key was tried", within=".locks")

        await hall.until(hall.t0)
        await host.presses("准备执行")
        await host.presses("确认执行", within="dialog")
        await host.sees("解密", within=".next:not([hidden])")
        await host.sees("每把锁的掌锁人都已就绪", within=".next:not([hidden])")
        await host.presses("准备执行")
        await host.presses("确认执行", within="dialog")
        await first.presses("Unlock now")
        assert await first.was_told("unlock") == "Done"
        for number, program in enumerate(programs, 1):
            other = hall.troupe.bidders[number]
            await program.release(cast.SESSION, "A", other.signer, other.opener)
        await citizen.sees("on; waiting to be removed", within=".locks")
        await citizen.sees("Locks being removed")
        for visitor in (host, citizen, supervisor):
            await visitor.photographs("1-holding")
            await visitor.photographs("1-holding", 390, 844)
        await host.presses("移除我的锁")
        await citizen.sees("has removed the lock", within=".locks")
        await tenderer.presses("Remove my lock")
        assert "12,345,678.90" not in await citizen.reads()
        await supervisor.presses("Remove my lock")
        await citizen.sees("12,345,678.90", within="table.sheet")
        await citizen.photographs("2-open")
        for program in programs:
            await program.__aexit__()
        for visitor in (host, supervisor, tenderer, first, citizen):
            assert (visitor.name, visitor.complaints, visitor.elsewhere) == (visitor.name, [], [])
