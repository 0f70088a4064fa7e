"""One whole opening as people live it: five browsers, real keys, a real server, the archive checked at the end."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from sessions.verify import verify
from tests.support.browsing import a_browser
from tests.support.real_time import RealHall, a_hall_in_real_time
from tests.support.visitors import Visitor, album
from web import assets
from web.demo import cast
from web.demo.people import BidderPerson
from web.participant.remote import Hall

pytestmark = [pytest.mark.slow, pytest.mark.browser]

LEAD = timedelta(seconds=45)
WINDOWS = {"checkin": 3600, "decrypt": 300, "confirm": 300, "objection": 300, "sign": 300}
DRAWING = {"name": "图纸.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 drawing " * 4000}
QUOTES = (
    {"price": "12345678.90", "duration": "270", "quality": "合格", "manager": "李明远", "bond": "电子保函"},
    {"price": "12000000", "duration": "285", "quality": "合格", "manager": "周若兰", "bond": "银行保函"},
)
PRICES = ("12,345,678.90", "12,000,000.00", "12,978,361.93")
IN_WORDS = ("壹仟贰佰叁拾肆万伍仟陆佰柒拾捌元玖角", "壹仟贰佰万元整", "壹仟贰佰玖拾柒万捌仟叁佰陆拾壹元玖角叁分")
IN_ENGLISH = "twelve million three hundred forty-five thousand six hundred seventy-eight yuan and ninety fen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Everyone of this opening."""

    hall: RealHall
    host: Visitor
    supervisor: Visitor
    first: Visitor
    second: Visitor
    citizen: Visitor
    program: BidderPerson

    @property
    def visitors(self) -> tuple[Visitor, ...]:
        return self.host, self.supervisor, self.first, self.second, self.citizen

    async def pictures(self, stage: str) -> None:
        """Keep how it looks to each of them, and to the citizen on a phone."""
        await self.citizen.page.reload()
        for visitor in self.visitors:
            await visitor.photographs(stage)
        await self.citizen.photographs(stage, 390, 844)
        await self.citizen.page.set_viewport_size({"width": 1280, "height": 900})


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    assets.build()
    shots = album(tmp_path)
    async with a_browser() as browser, a_hall_in_real_time(tmp_path, lead=LEAD, windows=WINDOWS) as hall:
        third = hall.troupe.bidders[2]
        async with Hall(hall.url) as program:
            yield Room(
                hall=hall,
                host=await Visitor.arrive("host", browser, hall, shots, language="zh-CN"),
                supervisor=await Visitor.arrive("supervisor", browser, hall, shots, language="en-GB"),
                first=await Visitor.arrive("bidder1", browser, hall, shots, language="zh-CN"),
                second=await Visitor.arrive("bidder2", browser, hall, shots, language="en-GB"),
                citizen=await Visitor.arrive("citizen", browser, hall, shots, language="zh-CN", scripts=False),
                program=BidderPerson(
                    hall=program,
                    session=cast.SESSION,
                    pause=0.1,
                    bidder=third.identifier,
                    signer=third.signer,
                    opener=third.encrypter,
                ),
            )


async def test_a_whole_opening_in_real_browsers(room: Room) -> None:
    await asyncio.gather(staff_come(room), bidders_bid(room), the_program_bids(room))
    await room.pictures("1-before")
    before = await citizen_reloads(room)
    assert not any(member.name in before for member in room.hall.troupe.bidders), "names before T0"
    taking_part = asyncio.create_task(room.program.take_part())
    await room.hall.until(room.hall.t0)

    await the_list(room)
    await the_prices(room)
    await confirmations(room)
    await an_objection(room)
    await signatures(room)

    await taking_part
    await the_archive(room)
    for visitor in room.visitors:
        assert (visitor.name, visitor.complaints, visitor.elsewhere) == (visitor.name, [], [])


async def staff_come(room: Room) -> None:
    await room.host.enters_as_staff("host", "host")
    await room.host.presses("就位")
    await room.host.sees("李明")
    await room.supervisor.enters_as_staff("supervise", "supervisor")
    await room.supervisor.presses("Take my chair")
    await room.citizen.goes_to("s")


async def bidders_bid(room: Room) -> None:
    keys = room.hall.services.settings.data_dir.parent / "keys"
    for visitor, member, quote in zip((room.first, room.second), room.hall.troupe.bidders, QUOTES, strict=False):
        place = await asyncio.to_thread(cast.write_keys, member, keys)
        await visitor.enters_as_bidder([place / "sign.p12", place / "encrypt.p12"])
        tracker = await visitor.seals(quote, DRAWING)
        assert re.fullmatch(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}", tracker)
        await visitor.sees(tracker, within="[data-receipt]")
    await room.first.presses("签到")
    await room.second.presses("Check in")
    assert await room.first.was_told("checkin") == "完成"
    assert await room.second.was_told("checkin") == "Done"


async def the_program_bids(room: Room) -> None:
    member = room.hall.troupe.bidders[2]
    await room.program.hall.login_certificate(member.signer)
    await room.program.hall.submit(cast.SESSION, *await asyncio.to_thread(cast.sealed, member, room.hall.t0))


async def citizen_reloads(room: Room) -> str:
    await room.citizen.page.reload()
    return await room.citizen.reads()


async def citizen_reads(room: Room, *sentences: str) -> str:
    """Reload, as a page without scripts does, until these sentences are there."""
    text = await citizen_reloads(room)
    async with asyncio.timeout(120):
        while not all(sentence in text for sentence in sentences):
            await asyncio.sleep(0.3)
            text = await citizen_reloads(room)
    return text


async def the_host_begins(room: Room, step: str) -> None:
    """Prepare the step, read what it will do, confirm."""
    await room.host.sees(step, within=".next:not([hidden])")
    await room.host.presses("准备执行")
    await room.host.sees(step, within="dialog")
    await room.host.presses("确认执行", within="dialog")


async def the_list(room: Room) -> None:
    names = [member.name for member in room.hall.troupe.bidders]
    await room.supervisor.sees(*names, within="table.sheet")
    text = await citizen_reads(room, *names)
    assert "密封中" in text
    await the_host_begins(room, "公布最高投标限价")
    await room.supervisor.sees("13,200,000.00")
    await room.pictures("2-list")


async def the_prices(room: Room) -> None:
    await the_host_begins(room, "解密")
    await room.first.presses("立即解密")
    assert await room.first.was_told("unlock") == "完成"
    text = await citizen_reads(room, "已解锁 2 / 3")
    await room.pictures("3-decrypt")
    for page in (text, *[await visitor.page.content() for visitor in room.visitors[:2]]):
        assert not any(price in page for price in PRICES), "a price before the barrier"
    await room.second.presses("Unlock now")
    await room.supervisor.sees(*PRICES, IN_ENGLISH, within="table.sheet")
    text = await citizen_reads(room, *PRICES)
    assert all(words in text for words in IN_WORDS)
    await room.pictures("4-readout")


async def confirmations(room: Room) -> None:
    await the_host_begins(room, "投标人确认")
    for side in ("[data-read]", "[data-sealed]"):
        await room.first.sees("12,345,678.90", "李明远", within=f'[data-panel="confirm"] {side}')
    await room.pictures("5-confirm")
    await room.first.presses("与我加密的一致")
    await room.second.presses("It is what I sealed")


async def an_objection(room: Room) -> None:
    await room.first.presses("我没有异议")
    await room.second.page.get_by_text("Raise an objection or ask somebody to step aside").click()
    form = room.second.page.locator('form[data-command="Object"]')
    await form.locator('input[name="title"]').fill("Order of reading")
    await form.locator("textarea").fill("Why was our bid read second?")
    await form.get_by_role("button").click()
    await room.host.sees("Why was our bid read second?")
    await room.pictures("6-objection")
    answer = room.host.page.locator('form[data-command="AnswerObjection"]').filter(visible=True)
    await answer.locator("textarea").fill("按收到的先后宣读。")
    await answer.get_by_role("button").click()
    await room.second.sees("按收到的先后宣读。")
    await room.second.presses("I have no objection")


async def signatures(room: Room) -> None:
    await the_host_begins(room, "签字确认")
    await room.first.presses("签字")
    await room.second.presses("Sign")
    await room.pictures("7-sign")
    await room.host.presses("签字")  # a rehearsal asks for no code here
    await room.supervisor.presses("Sign")
    await room.supervisor.sees("Ended")
    text = await citizen_reads(room, "开标结束，记录完整", "开标记录与回放")
    assert "Order of reading" in text
    await room.pictures("8-ended")
    await room.citizen.page.get_by_role("link", name="开标记录与回放").click()
    text = await room.citizen.reads()
    assert all(words in text for words in (*PRICES, *IN_WORDS))
    await room.citizen.photographs("9-record")
    await room.citizen.photographs("9-record", 390, 844)


async def the_archive(room: Room) -> None:
    async with httpx.AsyncClient(base_url=room.hall.url, timeout=60) as anyone:
        answer = await anyone.get(f"/api/v1/sessions/{cast.SESSION}/bundle.zip")
    assert answer.status_code == 200, answer.text
    report = await asyncio.to_thread(verify, answer.content)
    assert report.ok, [check for check in report.checks if not check.passed]
