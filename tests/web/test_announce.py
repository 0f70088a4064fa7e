"""Announcing an opening on ``/new`` as a browser without scripts does it: typed, checked, told back, announced."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.house import STAFF, TENDER, House, a_house
from tests.web.test_tender_form import GOOD

HTML = {"accept": "text/html", "accept-language": "en"}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(tmp_path) as opened:
        for name in STAFF:
            await opened.staff(name)
        yield opened


async def post(client: httpx.AsyncClient, fields: Mapping[str, str]) -> httpx.Response:
    return await client.post("/new", data=dict(fields), headers=HTML)


def told_back(page: str) -> str:
    """Return the tender file that the page sends on when it is confirmed."""
    return unescape(re.search(r'name="tender" value="([^"]*)"', page)[1])  # type: ignore[index]


async def test_an_opening_is_announced_by_a_form_in_two_steps(house: House) -> None:
    host = await house.staff("host")
    page = await post(host, GOOD)
    assert page.status_code == 200
    assert "Tue 1 Dec 2026 09:30:00" in page.text
    assert (await house.client().get("/api/v1/sessions")).json() == {"sessions": []}  # nothing yet
    done = await post(host, {"do": "announce", "tender": told_back(page.text)})
    assert (done.status_code, done.headers["location"]) == (303, "/s/zb-2026-009-1")
    plan = (await house.services.sessions.state("zb-2026-009-1")).plan  # type: ignore[arg-type]
    assert [seat.name for seat in plan.seats] == ["host 甲", "deputy 甲", "supervisor 甲"]


async def test_a_fault_is_linked_to_its_input_and_what_was_typed_is_kept(house: House) -> None:
    typed = {**GOOD, "title.en": "", "tenderer.zh": '"><script>alert(1)</script>', "ceiling": "many"}
    page = await post(await house.staff("host"), typed)
    assert page.status_code == 400
    for anchor in ("i-title-en", "i-ceiling"):
        assert f'href="#{anchor}"' in page.text
        assert f'id="{anchor}" name=' in page.text
    assert 'value="many"' in page.text
    assert "<script>alert" not in page.text
    assert 'value="&#34;&gt;&lt;script&gt;' in page.text


async def test_a_text_that_turns_the_writing_direction_is_a_fault_of_its_input(house: House) -> None:
    page = await post(await house.staff("host"), {**GOOD, "title.en": "works \u202egnp.exe"})
    assert page.status_code == 400
    assert 'href="#i-title-en"' in page.text


async def test_rows_are_added_and_removed_without_a_script(house: House) -> None:
    host = await house.staff("host")
    more = (await post(host, {**GOOD, "do": "add quote.fields"})).text
    assert 'name="quote.fields[4].id"' in more
    less = (await post(host, {**GOOD, "do": "drop seats[1]"})).text
    assert 'name="seats[2].account"' not in less
    assert 'value="supervisor"' in less


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": 1.5}', '{"a": 1, "a": 2}'])
async def test_a_file_that_is_none_is_a_fault_and_stays_to_be_corrected(house: House, text: str) -> None:
    page = await post(await house.staff("host"), {"do": "check", "tender": text})
    assert page.status_code == 400
    assert 'href="#i-tender"' in page.text


async def test_a_file_is_checked_announced_and_refused_the_second_time(house: House) -> None:
    host = await house.staff("host")
    page = await post(host, {"do": "check", "tender": json.dumps(TENDER)})
    assert json.loads(told_back(page.text)) == TENDER
    send: Mapping[str, Any] = {"do": "announce", "tender": told_back(page.text)}
    assert (await post(host, send)).status_code == 303
    again = await post(host, send)
    assert again.status_code == 400
    assert 'href="#i-session"' in again.text


@pytest.mark.parametrize("account", ["deputy", "supervisor"])
async def test_only_a_host_announces(house: House, account: str) -> None:
    answer = await post(await house.staff(account), GOOD)
    assert answer.status_code == 403


async def test_nobody_announces_from_another_site(house: House) -> None:
    host = await house.staff("host")
    del host.headers["x-kaibiao"]
    answer = await host.post("/new", data=GOOD, headers={**HTML, "origin": "https://elsewhere.example"})
    assert answer.status_code == 403


async def test_a_form_of_endless_fields_is_refused(house: House) -> None:
    answer = await post(await house.staff("host"), {f"f{i}": "" for i in range(500)})
    assert answer.status_code == 400
