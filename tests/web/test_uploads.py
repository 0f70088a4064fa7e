from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from crypto.signing import verify
from tests.support.bidders import a_bidder
from tests.support.house import NAMES, T0, House, a_bid, a_house, patch, tus
from web.answers.problems import Problem
from web.asking.tus import length, offset

pytestmark = pytest.mark.asyncio(loop_scope="module")
MS = timedelta(milliseconds=1)


@pytest_asyncio.fixture(loop_scope="module")
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(tmp_path, max_bid_bytes=200_000, max_bidder_bytes_a_day=1_000_000) as house:
        await house.announce()
        yield house


async def begun(house: House, client: httpx.AsyncClient, size: int) -> str:
    created = await client.post(f"{house.path}/uploads", headers=tus(upload_length=size))
    assert created.status_code == 201, created.text
    return str(created.headers["location"])


async def standing(client: httpx.AsyncClient, place: str) -> str:
    answer = await client.head(place, headers=tus())
    assert answer.status_code == 200
    assert answer.headers["tus-resumable"] == "1.0.0"
    return str(answer.headers["upload-offset"])


async def test_a_bid_in_one_piece_gets_a_receipt_that_the_hall_signed(house: House) -> None:
    bidder = a_bidder(NAMES[0])
    sealed = a_bid(bidder)
    client = await house.bidder(bidder)
    answer = (await house.submit(client, sealed)).json()
    assert answer["accepted"] is True
    receipt = verify(answer["receipt"], "receipt", house.services.hall_keys.newest.public)
    assert (receipt["bidder"], receipt["header_sha256"]) == (bidder.id, sealed.bid.header_sha256)
    mine = (await client.get(f"{house.path}/uploads/mine")).json()
    assert mine["bid"]["tracker"] == answer["tracker"]
    assert [one["statement"] for one in mine["answers"]] == [answer["receipt"]]


async def test_a_bid_in_many_pieces_is_resumed_from_what_is_durable(house: House) -> None:
    bidder = a_bidder(NAMES[0])
    sealed = a_bid(bidder)
    client = await house.bidder(bidder)
    place = await begun(house, client, len(sealed.data))
    for start in range(0, len(sealed.data), 1000):
        assert await standing(client, place) == str(start)
        answer = await client.patch(place, headers=patch(start), content=sealed.data[start : start + 1000])
    assert (answer.status_code, answer.json()["accepted"]) == (200, True)


@pytest.mark.parametrize("wrong", [0, 999, 1001, 10**9])
async def test_bytes_for_another_place_are_refused_and_change_nothing(house: House, wrong: int) -> None:
    bidder = a_bidder(NAMES[0])
    sealed = a_bid(bidder)
    client = await house.bidder(bidder)
    place = await begun(house, client, len(sealed.data))
    await client.patch(place, headers=patch(0), content=sealed.data[:1000])
    answer = await client.patch(place, headers=patch(wrong), content=b"x" * 10)
    assert (answer.status_code, answer.json()["code"], answer.json()["offset"]) == (409, "wrong_offset", 1000)
    assert await standing(client, place) == "1000"
    rest = await client.patch(place, headers=patch(1000), content=sealed.data[1000:])
    assert rest.json()["accepted"] is True


async def test_more_bytes_than_announced_are_refused(house: House) -> None:
    client = await house.bidder()
    place = await begun(house, client, 100)
    answer = await client.patch(place, headers=patch(0), content=b"x" * 101)
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_offset")


async def test_the_answer_to_a_complete_bid_can_be_asked_for_again(house: House) -> None:
    bidder = a_bidder(NAMES[0])
    sealed = a_bid(bidder)
    client = await house.bidder(bidder)
    place = await begun(house, client, len(sealed.data))
    first = await client.patch(place, headers=patch(0), content=sealed.data)
    again = await client.patch(place, headers=patch(len(sealed.data)), content=b"")
    assert first.json() == again.json()


async def test_somebody_elses_upload_is_as_unknown_as_one_that_never_was(house: House) -> None:
    place = await begun(house, await house.bidder(a_bidder(NAMES[0])), 100)
    other = await house.bidder(a_bidder(NAMES[1]))
    for address in (place, place[:-4] + "0000", f"{house.path}/uploads/x", f"{house.path}/uploads/..%2fx"):
        answers = [
            await other.head(address, headers=tus()),
            await other.patch(address, headers=patch(0), content=b"x"),
            await other.delete(address, headers=tus()),
        ]
        assert [answer.status_code for answer in answers] == [404, 404, 404]


async def test_an_upload_may_be_given_up(house: House) -> None:
    client = await house.bidder()
    place = await begun(house, client, 100)
    assert (await client.delete(place, headers=tus())).status_code == 204
    assert (await client.head(place, headers=tus())).status_code == 404


async def test_a_bid_complete_a_millisecond_before_t0_is_in_time(house: House) -> None:
    bidder = a_bidder(NAMES[0])
    client = await house.bidder(bidder)
    house.clock.turn(T0 - MS)
    assert (await house.submit(client, a_bid(bidder))).json()["accepted"] is True


async def test_a_bid_begun_before_t0_and_complete_at_t0_is_late_and_gets_a_slip(house: House) -> None:
    bidder = a_bidder(NAMES[0])
    sealed = a_bid(bidder)
    client = await house.bidder(bidder)
    place = await begun(house, client, len(sealed.data))
    await client.patch(place, headers=patch(0), content=sealed.data[:-1])
    house.clock.turn(T0)
    answer = await client.patch(place, headers=patch(len(sealed.data) - 1), content=sealed.data[-1:])
    assert (answer.status_code, answer.json()["code"]) == (409, "late")
    slip = verify(answer.json()["slip"], "slip", house.services.hall_keys.newest.public)
    assert (slip["code"], slip["bidder"]) == ("late", bidder.id)


async def test_after_t0_no_upload_begins_and_a_slip_says_so(house: House) -> None:
    client = await house.bidder()
    house.clock.turn(T0)
    answer = await client.post(f"{house.path}/uploads", headers=tus(upload_length=100))
    assert (answer.status_code, answer.json()["code"]) == (409, "late")
    assert answer.json()["article"]["cite"]["zh"]
    verify(answer.json()["slip"], "slip", house.services.hall_keys.newest.public)


async def test_what_is_no_sealed_bid_is_refused_with_its_code_and_a_slip(house: House) -> None:
    client = await house.bidder()
    place = await begun(house, client, 500)
    answer = await client.patch(place, headers=patch(0), content=b"%PDF-1.7" + b"x" * 492)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_a_sealed_bid")
    assert answer.json()["title"]["zh"]
    verify(answer.json()["slip"], "slip", house.services.hall_keys.newest.public)


async def test_another_bidders_sealed_bid_is_refused(house: House) -> None:
    client = await house.bidder(a_bidder(NAMES[0]))
    answer = await house.submit(client, a_bid(a_bidder(NAMES[1])))
    assert (answer.status_code, answer.json()["code"]) == (409, "foreign_bidder")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        (tus(upload_length=200_001), 413, "too_large_bid"),
        (tus(upload_length=2**63), 413, "too_large_bid"),
        (tus(upload_length="-1"), 400, "malformed_request"),
        (tus(upload_length="1e3"), 400, "malformed_request"),
        (tus(upload_length="0"), 400, "malformed_request"),
        (tus(), 400, "malformed_request"),
        (tus(upload_defer_length="1"), 400, "malformed_request"),
        (tus(upload_length=5, upload_concat="final;/a /b"), 400, "malformed_request"),
        ({"upload-length": "5"}, 412, "wrong_tus_version"),
        ({"upload-length": "5", "tus-resumable": "0.2.2"}, 412, "wrong_tus_version"),
    ],
)
async def test_an_upload_that_cannot_be_is_not_begun(
    house: House, headers: dict[str, str], status: int, code: str
) -> None:
    answer = await (await house.bidder()).post(f"{house.path}/uploads", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_the_day_has_a_quota(house: House) -> None:
    client = await house.bidder()
    answers = [await client.post(f"{house.path}/uploads", headers=tus(upload_length=200_000)) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [201] * 5 + [409]
    assert answers[-1].json()["code"] == "quota_exceeded"


@pytest.mark.parametrize("who", ["public", "host"])
async def test_only_bidders_send_bids(house: House, who: str) -> None:
    client = house.client() if who == "public" else await house.staff(who)
    answer = await client.post(f"{house.path}/uploads", headers=tus(upload_length=100))
    assert answer.json()["code"] == ("no_login" if who == "public" else "not_your_role")


async def test_the_abilities_of_the_door_can_be_asked_for(house: House) -> None:
    answer = await house.client().options(f"{house.path}/uploads")
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-max-size"] == "200000"


@pytest.mark.parametrize(
    "headers",
    [
        {"upload-offset": "0", "content-type": "application/octet-stream"},
        {"upload-offset": "0", "content-type": "application/offset+octet-stream", "content-encoding": "gzip"},
    ],
)
async def test_bytes_come_as_bytes(headers: dict[str, str]) -> None:
    with pytest.raises(Problem, match="wrong_media_type"):
        offset(headers)


@pytest.mark.parametrize("digits", ["٣", "1_0", " 1", "+1", "0x1"])
async def test_a_length_is_plain_digits(digits: str) -> None:
    with pytest.raises(Problem, match="malformed_request"):
        length({"upload-length": digits}, 100)
