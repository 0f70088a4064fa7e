"""The pages as a whole hall serves them: kept, named, framed or not, and each desk for its own people only."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from crypto.receipt import verify_receipt
from crypto.signing import HallPublicKey
from tests.support.bidders import a_bidder
from tests.support.house import T0, TENDER, House, a_bid, a_house

HTML = {"accept": "text/html"}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(tmp_path) as opened:
        await opened.announce()
        yield opened


async def test_before_t0_the_public_pages_are_the_same_bytes_whatever_was_received(house: House) -> None:
    public = house.client(**HTML)
    addresses = ("/", f"/s/{house.session}", f"/s/{house.session}/record", "/openings.ics", "/openings.atom")
    empty = [(await public.get(address)).content for address in addresses]
    await house.receive_bids(3)
    assert [(await public.get(address)).content for address in addresses] == empty


async def test_after_t0_the_page_names_the_bidders(house: House) -> None:
    await house.receive_bids(3)
    await house.turn(T0 + timedelta(seconds=1))
    page = (await house.client(**HTML).get(f"/s/{house.session}")).text
    assert "华东建设有限公司" in page
    assert "江南路桥有限公司" in page


async def test_a_page_that_has_not_changed_is_not_sent_again(house: House) -> None:
    public = house.client(**HTML)
    first = await public.get(f"/s/{house.session}")
    again = await public.get(f"/s/{house.session}", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await house.act(await house.staff("host"), "TakeChair")).status_code == 200
    changed = await public.get(f"/s/{house.session}", headers={"if-none-match": first.headers["etag"]})
    assert (changed.status_code, "host 甲" in changed.text) == (200, True)


async def test_the_public_page_may_be_kept_for_a_second_and_is_sent_packed(house: House) -> None:
    answer = await house.client(**HTML).get(f"/s/{house.session}", headers={"accept-encoding": "gzip"})
    assert answer.headers["cache-control"] == "public, max-age=1"
    assert answer.headers["content-encoding"] == "gzip"
    assert len(gzip.compress(answer.content)) < 60_000


async def test_the_language_asked_for_is_remembered_and_that_answer_is_for_one_reader(house: House) -> None:
    public = house.client(**HTML)
    answer = await public.get(f"/s/{house.session}?lang=en")
    assert answer.headers["content-language"] == "en"
    assert answer.headers["cache-control"] == "no-store"
    assert "Drainage works" in (await public.get(f"/s/{house.session}")).text


async def test_only_the_embedded_page_may_be_framed_and_it_sets_no_cookie(house: House) -> None:
    public = house.client(**HTML)
    page = await public.get(f"/s/{house.session}")
    framed = await public.get(f"/embed/s/{house.session}")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "frame-ancestors *" in framed.headers["content-security-policy"]
    assert "x-frame-options" not in framed.headers
    assert "set-cookie" not in framed.headers


async def test_camera_and_microphone_are_allowed_on_one_page_alone(tmp_path: Path) -> None:
    async with a_house(tmp_path, media="on") as house:
        await house.announce()
        host = await house.staff("host")
        policy = (await host.get(f"/air/{house.session}")).headers["permissions-policy"]
        assert policy.startswith("camera=(self), microphone=(self), geolocation=()")
        assert "display-capture=(self)" in policy
        desk = await host.get(f"/host/{house.session}")
        assert "camera=()" in desk.headers["permissions-policy"]
        assert f'href="/air/{house.session}"' in desk.text


async def test_whoever_has_no_part_cannot_go_on_air(house: House) -> None:
    assert (await house.client(**HTML).get(f"/air/{house.session}")).status_code == 303
    for client in (await house.staff("supervisor"), await house.bidder()):
        assert (await client.get(f"/air/{house.session}")).status_code == 200
    await house.announce(session="zb-2", id="ZB-2026-002", seats=TENDER["seats"][:2])
    assert (await (await house.staff("supervisor")).get("/air/zb-2")).status_code == 403


async def test_a_hall_without_media_says_so_and_leads_nobody_there(house: House) -> None:
    host = await house.staff("host")
    page = (await host.get(f"/air/{house.session}?lang=en")).text
    assert "This hall has no picture and sound" in page
    assert "<video" not in page
    assert "/air/" not in (await host.get(f"/host/{house.session}")).text


@pytest.mark.parametrize("desk", ["seat", "host", "supervise"])
async def test_a_desk_without_a_login_leads_to_the_login_and_back(house: House, desk: str) -> None:
    answer = await house.client(**HTML).get(f"/{desk}/{house.session}")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/login?next=/{desk}/{house.session}"


@pytest.mark.parametrize(
    ("who", "open_to"),
    [("host", {"host"}), ("deputy", {"host"}), ("supervisor", {"supervise"}), ("bidder", {"seat"})],
)
async def test_each_desk_is_for_its_own_people(house: House, who: str, open_to: set[str]) -> None:
    client = await (house.bidder() if who == "bidder" else house.staff(who))
    found = {
        desk: (await client.get(f"/{desk}/{house.session}")).status_code for desk in ("seat", "host", "supervise")
    }
    assert {desk for desk, status in found.items() if status == 200} == open_to
    assert {status for desk, status in found.items() if desk not in open_to} == {403}


async def test_a_desk_is_never_kept(house: House) -> None:
    answer = await (await house.staff("host")).get(f"/host/{house.session}")
    assert answer.headers["cache-control"] == "no-store"


async def test_whoever_is_logged_in_finds_the_way_to_the_desk(house: House) -> None:
    answer = await (await house.staff("supervisor")).get("/me")
    assert f'href="/supervise/{house.session}"' in answer.text


async def test_only_a_host_is_shown_the_way_to_announce(house: House) -> None:
    assert (await (await house.staff("host")).get("/new")).status_code == 200
    assert (await (await house.staff("supervisor")).get("/new", headers=HTML)).status_code == 403


async def test_an_unknown_opening_is_a_page_that_says_so(house: House) -> None:
    answer = await house.client(**HTML).get("/s/nothing", headers={**HTML, "accept-language": "en"})
    assert answer.status_code == 404
    assert "There is no such opening." in answer.text


async def test_the_calendar_lists_filters_and_feeds_the_openings(house: House) -> None:
    public = house.client(**HTML)
    assert "排水改造" in (await public.get("/")).text
    assert "排水改造" not in (await public.get("/?q=别的")).text
    assert "排水改造" not in (await public.get("/?status=ended")).text
    assert "排水改造" in (await public.get("/?month=2026-11")).text
    calendar = (await public.get("/openings.ics")).content
    assert b"DTSTART:20261121T010000Z\r\n" in calendar
    assert max(len(line) for line in calendar.split(b"\r\n")) <= 75
    assert (await public.get(f"/s/{house.session}/opening.ics")).content.count(b"BEGIN:VEVENT") == 1
    feed = ElementTree.fromstring((await public.get("/openings.atom")).content)
    assert [title.text for title in feed.iterfind("{*}entry/{*}title")] == ["排水改造"]


async def test_the_verification_page_carries_the_hall_key(house: House) -> None:
    page = await house.client(**HTML).get("/verify")
    assert house.services.hall_keys.newest.public.kid in page.text


async def test_the_sheet_is_there_for_a_spreadsheet_and_names_nobody_before_t0(house: House) -> None:
    public = house.client(**HTML)
    await house.receive_bids(3)
    before = await public.get(f"/s/{house.session}/bids.csv")
    assert before.headers["content-type"] == "text/csv; charset=utf-8"
    assert before.text.count("\r\n") == 1
    await house.turn(T0 + timedelta(seconds=1))
    after = await public.get(f"/s/{house.session}/bids.csv")
    assert after.text.count("\r\n") == 4
    assert after.headers["content-disposition"].startswith(f'attachment; filename="{house.session}-')


async def test_the_hall_key_is_published_and_verifies_a_receipt(house: House) -> None:
    public = house.client(**HTML)
    answer = await public.get("/api/v1/hall-key")
    bidder = a_bidder()
    receipt = (await house.submit(await house.bidder(bidder), a_bid(bidder))).json()["receipt"]
    key = HallPublicKey.from_document(answer.json())
    assert verify_receipt(receipt, key).bidder == bidder.id
    assert 'href="/api/v1/hall-key"' in (await public.get("/verify")).text
