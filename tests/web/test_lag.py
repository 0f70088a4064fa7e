"""Pages report how late facts came: two figures, the public's alone, at a bounded rate; the record shows them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hall.limits import RATES
from hall.rooms.lag import LONGEST
from hall.views.audience import PUBLIC, Audience
from hall.wire.frames import Form
from sessions.roles import Role
from tests.support.house import House, a_house

REPORT = {"lag_ms": 120, "within_ms": 30}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(tmp_path) as opened:
        await opened.announce()
        yield opened


async def report(house: House, client: httpx.AsyncClient | None = None, **changes: Any) -> httpx.Response:
    return await (client or house.client()).post(f"{house.path}/lag", json={**REPORT, **changes})


async def kept(house: House) -> int:
    await house.services.lags.flush()
    return (await house.services.lags.of(house.session)).count


async def test_a_report_is_counted_and_answered_with_nothing(house: House) -> None:
    answer = await report(house)
    assert (answer.status_code, answer.content) == (204, b"")
    assert "set-cookie" not in answer.headers
    assert await kept(house) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"lag_ms": -1},
        {"within_ms": -1},
        {"lag_ms": True},
        {"lag_ms": 1.5},
        {"lag_ms": "120"},
        {"lag_ms": None},
        {"lag_ms": LONGEST},
        {"lag_ms": 10**30},
        {"name": "x"},
    ],
)
async def test_figures_that_no_page_sends_are_refused(house: House, changes: dict[str, Any]) -> None:
    answer = await report(house, **changes)
    assert (answer.status_code, answer.json()["code"][:9]) == (400, "malformed")
    assert await kept(house) == 0


async def test_half_a_report_is_refused(house: House) -> None:
    answer = await house.client().post(f"{house.path}/lag", json={"lag_ms": 1})
    assert answer.status_code == 400


async def test_a_long_body_is_refused_unread(house: House) -> None:
    answer = await report(house, more="x" * 200)
    assert answer.status_code == 413


async def test_an_opening_that_is_not_there_has_no_lag(house: House) -> None:
    answer = await house.client().post("/api/v1/sessions/nowhere/lag", json=REPORT)
    assert answer.status_code == 404
    await house.services.lags.flush()


async def test_a_flood_from_one_address_is_refused_with_the_time_to_wait(house: House) -> None:
    client = house.client()
    codes = [(await report(house, client)).status_code for _ in range(RATES["lag"].burst)]
    assert set(codes) == {204}
    over = await report(house, client)
    assert (over.status_code, over.headers["retry-after"]) == (429, "1")


async def test_another_sites_page_reports_nothing(house: House) -> None:
    client = house.client(sec_fetch_site="cross-site", origin="https://elsewhere.example", x_kaibiao="")
    assert (await report(house, client)).status_code == 403
    assert await kept(house) == 0


async def test_before_t0_only_readers_without_a_login_are_counted(house: House) -> None:
    known = [await house.bidder(), await house.staff("host"), await house.staff("supervisor")]
    for client in known:
        answer = await report(house, client)
        assert (answer.status_code, answer.content) == (204, b"")
    assert await kept(house) == 0
    live = await house.services.hub.warm(house.session)
    live.rounds.settle(0, 1e12)
    assert live.rounds.last is None


async def told(house: House, audience: Audience) -> bytes:
    live = await house.services.hub.warm(house.session)
    live.presence()
    return live.room.signals_after(audience, -1, Form.LINES)


async def test_everyone_is_told_how_late_it_came_once_three_reported(house: House) -> None:
    live = await house.services.hub.warm(house.session)
    live.rounds.alone = True  # this is the only worker, whatever the bus: nobody has to wait for a round to end
    for _ in range(3):
        live.count(PUBLIC, Form.LINES, 1)
    for lag in (10, 120):
        await report(house, lag_ms=lag)
    assert b'"lag"' not in await told(house, PUBLIC)
    await report(house, lag_ms=350)
    said = b'{"signal":"lag","count":3,"of":3,"p50_ms":150,"p99_ms":400,"max_ms":400}'
    for audience in (PUBLIC, Audience(Role.HOST), Audience(Role.BIDDER)):
        assert said in await told(house, audience)


async def test_bidders_who_watch_are_not_among_the_viewers(house: House) -> None:
    live = await house.services.hub.warm(house.session)
    live.rounds.alone = True  # this is the only worker, whatever the bus: nobody has to wait for a round to end
    for audience in (PUBLIC, PUBLIC, PUBLIC, Audience(Role.BIDDER), Audience(Role.HOST)):
        live.count(audience, Form.LINES, 1)
    for _ in range(3):
        await report(house)
    assert b'"count":3,"of":3' in await told(house, PUBLIC)


async def test_the_record_shows_what_was_reported_and_that_it_proves_nothing(house: House) -> None:
    async def sheet(language: str) -> str:
        await house.services.lags.flush()
        return (await house.client().get(f"/s/{house.session}/record?lang={language}")).text

    await report(house)
    await report(house)
    assert 'id="lag"' not in await sheet("en")  # two are about somebody
    await report(house, lag_ms=70_000)
    shown = await sheet("en")
    assert "0.15 s" in shown
    assert "later than 60 s" in shown
    assert "Self-reported" in shown
    assert "由观众页面自行报告" in await sheet("zh")


async def test_what_was_reported_outlives_the_process(tmp_path: Path) -> None:
    async with a_house(tmp_path) as before:
        await before.announce()
        for _ in range(3):
            await report(before)
    async with a_house(tmp_path) as after:
        after.session = before.session
        await report(after)
        assert await kept(after) == 4
