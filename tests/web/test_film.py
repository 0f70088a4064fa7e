"""The record page with a recording: film, captions, search; and what is told where there is no picture."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from hall.media.mp4.record import Recorder
from sessions.commands import Gap
from sessions.events import RecordDrawn
from sessions.ids import Digest
from sessions.opening.record import record_digest
from sessions.recording import Part, Recording
from sessions.recording.mp4 import chapters_in, opened
from tests.support.browsing import a_browser, complaints, served
from tests.support.ceremony import MINUTE, SECOND, T0, Ceremony
from tests.support.film import HERE, kept
from tests.support.house import SESSION, House, a_house
from web.media.film import missing

FILM = f"/s/{SESSION}/recording/programme-1.mp4"


async def recorded(house: House) -> None:
    """Two seconds of nothing, a film of four, and an end before it is over."""
    await house.announce()
    await house.turn(T0 - 30 * MINUTE)
    init, fragments = kept()
    services = house.services
    recorder = Recorder(services.settings.data_dir / "media" / SESSION, "programme", house.clock.now() + 2 * SECOND)
    recorder.begin(init)
    for fragment in fragments:
        recorder.take(fragment)
    recorder.end()
    host = Recorder(services.settings.data_dir / "media" / SESSION, "host", house.clock.now() + 3 * SECOND)
    host.begin(init)
    for fragment in fragments[:3]:
        host.take(fragment)
    host.end()
    while (await services.sessions.recording(SESSION)).fragments < len(fragments) + 3:  # noqa: ASYNC110 - see the tail
        await asyncio.sleep(0.01)
    await house.turn(T0 - 30 * MINUTE + 5 * SECOND)
    for account, act, fields in (
        ("host", "Abort", {"reason": "演练结束"}),
        ("supervisor", "Approve", {"proposal": 1}),
    ):
        answer = await house.act(await house.staff(account), act, **fields)
        assert answer.status_code == 200, answer.text
    assert await services.tail.finished(SESSION, 60)


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr("sessions.recording.tail.LOOK", 0.01)
    monkeypatch.setattr("sessions.recording.tail.BATCH", 0.0)
    async with a_house(tmp_path, media="on") as house:
        yield house


async def test_the_record_shows_the_film_its_captions_and_its_gaps(house: House) -> None:
    await recorded(house)
    async with house.client() as client:
        page = (await client.get(f"/s/{SESSION}/record?lang=en")).text
        assert f'src="{FILM}"' in page
        assert "No picture from" in page
        assert "the opening went on" in page
        film = await client.get(FILM)
        assert film.headers["content-type"] == "video/mp4"
        init, at = opened(film.content)
        assert init + film.content[at:] == HERE.read_bytes()
        assert [chapter.title for chapter in chapters_in(film.content)] == ["签到"]
        some = await client.get(FILM, headers={"range": "bytes=100-199"})
        assert (some.status_code, some.content) == (206, film.content[100:200])
        captions = await client.get(f"/s/{SESSION}/recording/captions.zh.vtt")
        assert captions.headers["content-type"].startswith("text/vtt")
        assert "演练结束" in captions.text
        assert (await client.get(f"/s/{SESSION}/recording/programme-2.mp4")).status_code == 404
        assert (await client.get(f"/s/{SESSION}/recording/..%2Fkaibiao.db")).status_code == 404


def test_what_is_missing_after_the_record_was_drawn_is_told_beside_it_and_cannot_stand_in_it() -> None:
    ceremony = Ceremony().signing()
    (drawn,) = ceremony.named(RecordDrawn)
    begins, at = ceremony.it.runs[0].entered_at, ceremony.it.at
    part = Part(
        track="programme", part=1, codec="avc1", init_length=9, init_sha256=Digest("0" * 64), utc=begins, size=10
    )
    lasted = round((at - begins).total_seconds() * 1000)
    told = Recording(parts=(replace(part, fragments=1, end_ms=lasted),), closed=True)
    ceremony.tick(at + 60 * MINUTE)  # nobody signs, and it ends
    assert ceremony.it.at > at
    assert missing(told, ceremony.it) == (Gap(since=at, until=ceremony.it.at),)
    assert record_digest(ceremony.it) == drawn.record_sha256


async def test_the_record_offers_what_each_source_sent(house: House) -> None:
    await recorded(house)
    async with house.client() as client:
        for language, who in (("en", "Host"), ("zh", "主持人")):
            page = (await client.get(f"/s/{SESSION}/record?lang={language}")).text
            row = page.partition(f"{SESSION}/recording/host-1.mp4")[0].rpartition("<tr>")[2]
            assert f'<th scope="row">{who}</th>' in row
            assert "08:30:03" in row
        film = await client.get(f"/s/{SESSION}/recording/host-1.mp4")
        init, at = opened(film.content)
        assert HERE.read_bytes().startswith(init + film.content[at:])
        assert (await client.get(f"/s/{SESSION}/recording/host-2.mp4")).status_code == 404


async def test_the_page_stands_while_the_recording_of_an_opening_that_is_over_is_not_closed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions.recording.tail.PATIENCE", 600.0)
    monkeypatch.setattr("sessions.recording.tail.UNBEGUN", 600.0)
    await house.announce()
    await house.turn(T0 - 30 * MINUTE)
    for account, act, fields in (
        ("host", "Abort", {"reason": "演练结束"}),
        ("supervisor", "Approve", {"proposal": 1}),
    ):
        await house.turn(SECOND)
        assert (await house.act(await house.staff(account), act, **fields)).status_code == 200
    async with house.client() as client:
        page = (await client.get(f"/s/{SESSION}/record?lang=en")).text
        assert "No picture from" in page
        assert "data-film>" not in page


async def test_what_was_read_out_is_found_by_its_words(house: House) -> None:
    await recorded(house)
    async with house.client() as client:
        page = (await client.get(f"/s/{SESSION}/record?lang=en&q=aborted")).text
        assert page.count("data-at=") == page.count("data-n=") > 0
        assert "data-replay-play" in page
        assert "data-film-words" in page


async def test_nothing_is_shown_before_the_end(house: House) -> None:
    await house.announce()
    await house.turn(T0 - 30 * MINUTE)
    async with house.client() as client:
        assert "data-film" not in (await client.get(f"/s/{SESSION}/record")).text
        assert (await client.get(FILM)).status_code == 404


async def test_without_javascript_the_server_searches(house: House) -> None:
    await recorded(house)
    async with house.client() as client:
        found = (await client.get(f"/s/{SESSION}/record?lang=en&q=ABORT")).text
        assert found.count("data-n=") == 2
        nothing = (await client.get(f"/s/{SESSION}/record?lang=en&q=%3Cb%3Ezzz")).text
        assert "data-n=" not in nothing
        assert "&lt;b&gt;zzz" in nothing
        assert '<p role="status" data-found-none>' in nothing


async def test_an_opening_without_a_recording_has_no_film(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.announce()
        async with house.client() as client:
            assert 'id="film"' not in (await client.get(f"/s/{SESSION}/record")).text


@pytest.mark.slow
async def test_a_browser_plays_film_timeline_and_table_on_one_clock(house: House) -> None:
    await recorded(house)
    async with a_browser() as browser, served(house.app) as origin:
        page = await browser.new_page()
        wrong = complaints(page)
        await page.goto(f"{origin}/s/{SESSION}/record?lang=en#t=2")
        at_second_two = "() => Math.abs(document.querySelector('[data-film]').currentTime - 2) < 0.01"
        await page.wait_for_function(at_second_two)  # the link to a second
        assert (await page.locator("[data-replay-link]").get_attribute("href")) == "#t=2"
        await page.fill("[data-search]", "aborted")
        await page.click("[data-found] a")  # an event is clicked: its second is shown
        await page.wait_for_function("() => document.querySelector('[data-film]').currentTime === 3")
        assert "aborted" in await page.inner_text("[data-replay-label]")
        await page.click("[data-replay-back]")
        await page.wait_for_function(
            "() => !document.querySelector('[data-replay-label]').textContent.includes('aborted')"
        )
        await page.evaluate("() => void document.querySelector('[data-film]').play()")
        await page.wait_for_function("() => document.querySelector('[data-film]').ended")
        await page.wait_for_function(
            "() => document.querySelector('[data-replay-label]').textContent.includes('aborted')"
        )
        assert await page.evaluate("() => document.querySelector('[data-film]').error") is None
        assert wrong == []
