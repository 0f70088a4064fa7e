"""WHIP and WHEP at the hall's door: tokens that work once and for one thing, and an edge that may be away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import httpx
import pytest

from hall.media.edge.edge import Edge
from hall.media.port.engine import Answer, Away, MediaEngine
from tests.support.house import T0, House, a_house
from tests.support.media import the_edge
from tests.support.offers import OFFER
from web.media.tokens import LIFE, NOTICE, Ending

WATCH = OFFER.replace("a=sendonly", "a=recvonly")
SDP = {"content-type": "application/sdp"}
PUBLISH = {"act": "publish", "consent": NOTICE}


@contextlib.asynccontextmanager
async def a_hall(
    folder: Path, *, edge: bool = True, announced: bool = True, **settings: object
) -> AsyncIterator[House]:
    async with a_house(folder, media="on", **settings) as house:
        if announced:
            await house.announce()
        await house.turn(T0 - timedelta(minutes=1))
        async with the_edge(house) if edge else contextlib.nullcontext():
            yield house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_hall(tmp_path) as opened:
        yield opened


def a_program(house: House) -> httpx.AsyncClient:
    """A program without a cookie and without a header of ours."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(house.app), base_url=house.services.settings.origin)


async def token(house: House, account: str = "host", **asked: str) -> str:
    client = await house.staff(account)
    answer = await client.post(f"{house.path}/media/tokens", json=asked or PUBLISH)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


async def post(
    house: House, way: str, bearer: str | None = None, offer: str = OFFER, **headers: str
) -> httpx.Response:
    given = SDP | headers | ({"authorization": f"Bearer {bearer}"} if bearer is not None else {})
    return await a_program(house).post(f"/media/{house.session}/{way}", content=offer, headers=given)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_host_sends_with_a_token_that_works_once_and_ends_it_by_its_address(house: House) -> None:
    bearer = await token(house)
    answer = await post(house, "whip", bearer)
    assert answer.status_code == 201, answer.text
    assert answer.headers["content-type"] == "application/sdp"
    assert "a=ice-lite" in answer.text
    assert "x-google-start-bitrate" in answer.text
    assert "link" not in answer.headers
    assert code(await post(house, "whip", bearer)) == (401, "no_token")
    place, program = answer.headers["location"], a_program(house)
    assert (await program.patch(place)).status_code == 405
    assert (await program.delete(place)).status_code == 200
    assert code(await program.delete(place)) == (404, "unknown_media")


@pytest.mark.parametrize("announced_by", ["on", "off"])
async def test_what_a_source_sends_is_kept_where_the_announcement_said_that_it_is_recorded(
    tmp_path: Path, announced_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hall that had no picture yet announced none; the camera works there too, and nothing of it is kept."""
    kept: list[bool] = []
    publish = Edge.publish

    async def watched(edge: Edge, *given: object, keep: bool) -> Answer:
        kept.append(keep)
        return await publish(edge, *given, keep=keep)  # type: ignore[arg-type]

    monkeypatch.setattr(Edge, "publish", watched)
    async with a_house(tmp_path, media=announced_by) as before:
        await before.announce()
    async with a_hall(tmp_path, announced=False) as house:
        house.accounts |= before.accounts
        assert (await post(house, "whip", await token(house))).status_code == 201
        listed = (await house.client().get("/api/v1/sessions")).json()["sessions"]
    assert kept == [announced_by == "on"]
    assert [line["recorded"] for line in listed] == kept


async def test_the_programme_is_for_everybody_and_the_floor_for_who_takes_part(house: House) -> None:
    assert (await post(house, "whep", offer=WATCH)).status_code == 201
    bidder = await house.bidder()
    asked = await bidder.post(f"{house.path}/media/tokens", json={"act": "watch", "show": "floor"})
    assert (await post(house, "whep", asked.json()["token"], WATCH)).status_code == 201
    public = await house.client().post(f"{house.path}/media/tokens", json={"act": "watch", "show": "floor"})
    assert code(public) == (401, "no_login")
    assert code(await post(house, "whep", "", WATCH)) == (401, "no_token")


async def test_a_bidder_cannot_send_without_the_floor_and_nobody_before_check_in_or_after_the_end(
    house: House,
) -> None:
    bidder = await house.bidder()
    assert code(await bidder.post(f"{house.path}/media/tokens", json=PUBLISH)) == (409, "no_floor")
    await house.turn(T0)
    await house.turn(timedelta(hours=1))
    assert (await house.view(house.client()))["status"] == "failed"
    host = await house.staff("host")
    assert code(await host.post(f"{house.path}/media/tokens", json=PUBLISH)) == (409, "media_closed")


async def test_nobody_is_on_air_who_did_not_accept_the_notice(house: House) -> None:
    host = await house.staff("host")
    for asked in ({"act": "publish"}, {"act": "publish", "consent": NOTICE - 1}, {"act": "publish", "consent": "1"}):
        assert code(await host.post(f"{house.path}/media/tokens", json=asked)) == (409, "no_consent")


async def test_a_line_is_tried_without_anybody_seeing_it(house: House) -> None:
    bidder = await house.bidder()
    asked = await bidder.post(f"{house.path}/media/tokens", json={"act": "check"})
    bearer = asked.json()["token"]
    assert asked.json()["url"] == f"/media/{house.session}/check"
    assert code(await post(house, "whip", bearer)) == (401, "no_token")
    asked = await bidder.post(f"{house.path}/media/tokens", json={"act": "check"})
    answer = await post(house, "check", asked.json()["token"])
    assert answer.status_code == 201, answer.text
    assert code(await post(house, "check", asked.json()["token"])) == (401, "no_token")
    assert await house.services.media.sources(house.session) == ()  # type: ignore[union-attr]
    assert (await a_program(house).delete(answer.headers["location"])).status_code == 200


class Heard:
    """An engine that is told what ends, and is away."""

    def __init__(self) -> None:
        self.ended: asyncio.Queue[str] = asyncio.Queue()

    async def end(self, session: str, source: str | None = None) -> None:
        self.ended.put_nowait(session)
        raise Away


async def test_cameras_end_with_their_opening_and_an_edge_that_is_away_holds_nothing_up(house: House) -> None:
    engine = Heard()
    house.services.sessions.on_commit(Ending(cast(MediaEngine, engine)).look)
    await house.turn(timedelta(seconds=30))
    assert engine.ended.empty()
    await house.turn(T0)
    assert (await house.view(house.client()))["status"] == "failed"
    assert await engine.ended.get() == house.session


async def test_a_token_is_for_one_opening_one_act_and_some_minutes(house: House) -> None:
    assert code(await post(house, "whip", await token(house, act="watch", show="floor"))) == (401, "no_token")
    bearer = await token(house)
    first = house.session
    await house.announce(session="zb-2", id="ZB-2026-002")
    assert code(await post(house, "whip", bearer)) == (401, "no_token")
    house.session = first
    late = await token(house)
    house.clock.turn(LIFE)
    assert code(await post(house, "whip", late)) == (401, "no_token")


@pytest.mark.parametrize(
    ("offer", "headers", "said"),
    [
        ("v=0", {}, (400, "malformed_sdp")),
        (OFFER.replace("H264", "H265").replace("opus", "speex"), {}, (422, "no_codec")),
        (OFFER, {"content-type": "text/plain"}, (415, "wrong_media_type")),
        (OFFER + "a=x\r\n" * 20_000, {}, (413, "too_large")),
    ],
)
async def test_what_is_no_offer_is_refused(
    house: House, offer: str, headers: dict[str, str], said: tuple[int, str]
) -> None:
    assert code(await post(house, "whep", offer=offer.replace("sendonly", "recvonly"), **headers)) == said


async def test_an_address_can_join_only_so_often(house: House) -> None:
    answers = [await post(house, "whep", offer="v=0") for _ in range(60)]
    assert {code(answer) for answer in answers} == {(400, "malformed_sdp"), (429, "too_many")}


async def test_what_can_be_asked_is_said(house: House) -> None:
    answer = await a_program(house).options(f"/media/{house.session}/whip")
    assert (answer.status_code, answer.headers["accept-post"]) == (204, "application/sdp")
    assert code(await post(house, "whap")) == (405, "wrong_method")


async def test_an_opening_that_does_not_exist_has_no_picture(house: House) -> None:
    house.session = "none"  # type: ignore[assignment]
    assert code(await post(house, "whep", offer=WATCH)) == (404, "unknown_session")


async def test_a_relay_is_told_beside_every_answer_and_with_no_refusal(tmp_path: Path) -> None:
    secret = tmp_path / "turn.secret"
    secret.write_text("north-of-the-river-2026")
    url = "turns:turn.example.org:443?transport=tcp"
    async with a_hall(tmp_path, turn_urls=(url,), turn_secret_file=secret) as house:
        said = [await post(house, "whep", offer=WATCH), await post(house, "whip", await token(house))]
        assert [(answer.status_code, answer.headers["link"].startswith(f"<{url}>; rel")) for answer in said] == [
            (201, True),
            (201, True),
        ]
        assert "link" not in (await post(house, "whep", offer="v=0")).headers


async def test_without_an_edge_the_ceremony_goes_on_and_it_is_said(tmp_path: Path) -> None:
    async with a_hall(tmp_path, edge=False) as house:
        answer = await post(house, "whep", offer=WATCH)
        assert code(answer) == (503, "media_away")
        assert answer.headers["retry-after"]
        host = await house.staff("host")
        assert (await house.act(host, "TakeChair")).status_code == 200


async def test_a_hall_without_media_has_none(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.announce()
        assert code(await post(house, "whep", offer=WATCH)) == (404, "no_media")
