"""How names are read aloud: the host prepares it, and nobody learns from it who bid before the list is public."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from hall.media.port.link import LinkServer
from hall.media.port.places import Places
from tests.support.bidders import a_bidder
from tests.support.house import SESSION, T0, House, a_bid, a_house

PLACE = f"/host/{SESSION}/names"
PUBLIC = f"/api/v1/sessions/{SESSION}/readings"


async def keep(house: House, client: object, name: str, reading: str) -> int:
    answer = await client.post(PLACE, data={"name": name, "reading": reading})  # type: ignore[attr-defined]
    return int(answer.status_code)


async def readings(house: House) -> dict[str, str]:
    async with house.client() as anybody:
        told: dict[str, str] = (await anybody.get(PUBLIC)).json()["readings"]
        return told


async def test_a_name_that_was_prepared_for_says_nothing_of_who_bid(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.announce()
        house.clock.turn(T0 - timedelta(minutes=10))
        comes = [a_bidder(f"单行{number}建设有限公司") for number in "甲乙丙"]
        for bidder in comes:
            await house.submit(await house.bidder(bidder), a_bid(bidder))
        host = await house.staff("host")
        assert (
            await keep(house, host, "单行甲建设有限公司", "shan4 hang2 jia3 jian4 she4 you3 xian4 gong1 si1") == 303
        )
        assert await keep(house, host, "未来建设", "wei4 lai2 jian4 she4") == 303
        page = (await host.get(PLACE)).text
        assert "shàn háng jiǎ" in page
        assert "单行乙" not in page  # who bid, the host does not learn either
        assert await readings(house) == {}
        await house.turn(T0 + timedelta(seconds=1))
        while not await readings(house):
            await house.turn(timedelta(seconds=1))
        assert await readings(house) == {
            "单行甲建设有限公司": "shan4 hang2 jia3 jian4 she4 you3 xian4 gong1 si1"
        }  # the other name stays the host's
        page = (await host.get(PLACE)).text
        assert "单行乙建设有限公司" in page


async def test_only_the_host_and_the_deputy_prepare_names(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.announce()
        supervisor = await house.staff("supervisor")
        assert (await supervisor.get(PLACE)).status_code == 403
        assert await keep(house, supervisor, "单行", "shan4 hang2") == 403
        async with house.client() as anybody:
            assert (await anybody.get(PLACE)).headers["location"].startswith("/login")
            assert await keep(house, anybody, "单行", "shan4 hang2") == 401


@pytest.mark.parametrize(("name", "reading"), [("单行", "shan4"), ("ABC", "a1"), ("<b>", "b1"), ("行" * 101, "")])
async def test_what_is_no_reading_is_told_and_not_kept(tmp_path: Path, name: str, reading: str) -> None:
    async with a_house(tmp_path) as house:
        await house.announce()
        host = await house.staff("host")
        answer = await host.post(PLACE, data={"name": name, "reading": reading})
        assert answer.status_code == 400
        assert 'role="alert"' in answer.text
        assert await house.services.readings.of(SESSION) == {}


async def test_an_empty_reading_goes_back_to_the_usual_one(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.announce()
        host = await house.staff("host")
        await keep(house, host, "单行", "shan4 hang2")
        await keep(house, host, "单行", "dan1 xing2")
        assert await house.services.readings.of(SESSION) == {"单行": "dan1 xing2"}
        await keep(house, host, "单行", "")
        assert await house.services.readings.of(SESSION) == {}


async def test_a_name_is_heard_and_without_a_voice_its_reading_stands_as_text(tmp_path: Path) -> None:
    async with a_house(tmp_path, media="on") as house:
        await house.announce()
        host = await house.staff("host")
        await keep(house, host, "单行", "shan4 hang2")
        page = (await host.get(PLACE)).text
        (sound,) = re.findall(rf'src="({PLACE}/[0-9a-f]{{16}}\.wav)"', page)
        assert "shàn háng" in page
        assert (await host.get(sound)).status_code == 503  # no process speaks
        places = Places(house.services.settings.data_dir)
        places.speech.mkdir(parents=True)
        (places.speech / "x.pcm").write_bytes(b"\1\0" * 48)

        async def say(name: str, reading: str, language: str) -> str:
            assert (name, reading, language) == ("单行", "shan4 hang2", "zh")
            return "x.pcm"

        async def usual(names: list[str]) -> list[str]:
            return ["dan1 hang2" for _ in names]

        voice = LinkServer(places.programme, {"say": say, "usual": usual})
        await voice.open()
        try:
            heard = await host.get(sound)
            assert heard.headers["content-type"] == "audio/wav"
            assert heard.content[:4] == b"RIFF"
            assert heard.content.endswith(b"\1\0" * 48)
            await keep(house, host, "未来", "")
            assert (await host.get(f"{PLACE}/{'0' * 16}.wav")).status_code == 404
        finally:
            await voice.close()
