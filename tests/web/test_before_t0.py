"""Before T0 a bidder is told the same, letter for letter, whether nobody else or eleven others were there first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from crypto.encoding import b64u, unb64u
from crypto.signing import sign
from sessions.events import BidReceived, Stream
from tests.support.bidders import Bidder, Sealed, a_bidder
from tests.support.house import T0, House, a_bid, a_house, a_key, patch, tus

_RANDOM = {
    "salt": re.compile(r'(?<="leaf_salt":")[0-9a-f]{64}(?=")'),
    "key": re.compile(r'(?<=")(kid":"[A-Za-z0-9_-]{22}|x":"[A-Za-z0-9_-]{43})(?=")'),
    "tracker": re.compile(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){2}-[0-9A-HJKMNP-TV-Z]{2}"),
    "upload": re.compile(r"(?<=/uploads/)[0-9a-f]{32}"),
}
"""What is drawn anew for every bid or hall, and has one length. All else must be equal."""

_TOKEN = re.compile(r"([A-Za-z0-9_-]{4,})\.([A-Za-z0-9_-]{4,})\.([A-Za-z0-9_-]{86})")


@dataclass(frozen=True, slots=True)
class Told:
    """One answer: how it is called, how long it was on the wire, and what it said apart from what is random."""

    step: str
    status: int
    length: int
    headers: Mapping[str, str]
    body: str


def plain(text: str) -> str:
    """Return ``text`` with signed statements written out, and every random value as its name."""

    def opened(token: re.Match[str]) -> str:
        return ".".join(unb64u(piece).decode() for piece in token.groups()[:2]) + ".signature"

    text = _TOKEN.sub(opened, text)
    for name, pattern in _RANDOM.items():
        text = pattern.sub(name, text)
    return text


def told(step: str, answer: httpx.Response) -> Told:
    headers = {name: plain(value) for name, value in answer.headers.items()}
    return Told(step, answer.status_code, len(answer.content), headers, plain(answer.text))


async def a_bidders_day(house: House, bidder: Bidder, bids: tuple[Sealed, Sealed]) -> list[Told]:
    """Do all that a bidder can do before T0, and look everywhere it may look; return every answer."""
    client = await house.bidder(bidder)
    first, second = bids
    answers: list[Told] = []

    def keep(step: str, answer: httpx.Response) -> httpx.Response:
        answers.append(told(step, answer))
        return answer

    async def look(when: str) -> None:
        pages = (
            "/",
            f"/s/{house.session}",
            f"/seat/{house.session}",
            "/api/v1/sessions",
            house.path,
            f"{house.path}/events?after=0",
            f"{house.path}/uploads/mine",
            f"{house.path}/tender.json",
            f"{house.path}/bundle.zip",
            f"{house.path}/bids/1/proof",
            f"{house.path}/challenge?group=A",
        )
        for page in pages:
            keep(f"{when}: GET {page}", await client.get(page))

    async def send(what: str, data: bytes) -> None:
        created = keep(
            f"{what}: POST", await client.post(f"{house.path}/uploads", headers=tus(upload_length=len(data)))
        )
        place = created.headers["location"]
        keep(f"{what}: PATCH", await client.patch(place, headers=patch(0), content=data[:500]))
        keep(f"{what}: HEAD", await client.head(place, headers=tus()))
        keep(f"{what}: PATCH", await client.patch(place, headers=patch(500), content=data[500:]))

    async def act(name: str, kind: str, **said: Any) -> None:
        statement = sign({"v": 1, "session": house.session, "bidder": bidder.id, **said}, kind, bidder.sign)
        body = {"command": name, "statement": statement}
        keep(name, await client.post(f"{house.path}/commands", json=body, headers=a_key()))

    await look("nothing sent")
    await send("a bid", first.data)
    await look("received")
    await send("the same again", first.data)
    await send("no bid", b"%PDF-1.7" + b"x" * 992)
    await send("a later bid", second.data)
    head = (await house.view(client))["head"]
    await act("CheckIn", "checkin", head=head)
    await look("checked in")
    await act("WithdrawBid", "withdraw", header_sha256=second.bid.header_sha256)
    await look("withdrawn")
    return answers


async def others_come(house: House, count: int) -> None:
    """Let others bid, and some of them replace, withdraw or fail: every kind of event that intake has."""
    for number in range(count):
        bidder = a_bidder(f"第{number}投标人有限公司")
        client = await house.bidder(bidder)
        sealed = a_bid(bidder)
        assert (await house.submit(client, sealed)).status_code == 200
        if number % 3 == 0:
            broken = replace(sealed, data=b"%PDF-1.7" + b"x" * 992)
            assert (await house.submit(client, broken)).status_code == 409
        if number % 3 == 1:
            assert (await house.submit(client, a_bid(bidder, "1290000.00"))).status_code == 200


async def what_was_told(folder: Path, others: int, bidder: Bidder, bids: tuple[Sealed, Sealed]) -> list[Told]:
    async with a_house(folder) as house:
        await house.announce()
        house.clock.turn(T0 - timedelta(minutes=10))
        await house.services.sessions.settle(house.session)
        await others_come(house, others)
        answers = await a_bidders_day(house, bidder, bids)
        log = await house.services.sessions.events(house.session, Stream.INTAKE)
        assert sum(isinstance(record.event, BidReceived) for record in log) >= others + 2
        return answers


async def test_a_bidder_is_told_the_same_whoever_came_before_it(tmp_path: Path) -> None:
    bidder = a_bidder("华东建设有限公司")
    bids = (a_bid(bidder), a_bid(bidder, "1270000.00"))
    alone = await what_was_told(tmp_path / "alone", 0, bidder, bids)
    crowded = await what_was_told(tmp_path / "crowded", 11, bidder, bids)
    assert {answer.status for answer in alone} == {200, 201, 204, 404, 409}  # 404: no row is listed yet
    assert [answer for answer in alone if '"header_sha256":"' + bids[0].bid.header_sha256 in answer.body]
    for quiet, busy in zip(alone, crowded, strict=True):
        assert busy == quiet, quiet.step


@pytest.mark.parametrize("kind", ["receipt", "slip"])
def test_a_statement_is_compared_by_what_it_says(kind: str) -> None:
    bidder = a_bidder("华东建设有限公司")
    one, two = (sign({"v": 1, "n": number}, kind, bidder.sign) for number in (7, 8))
    assert plain(f'{{"statement":"{one}"}}') != plain(f'{{"statement":"{two}"}}')
    assert b64u(b'{"n":7,"v":1}') not in plain(one)
