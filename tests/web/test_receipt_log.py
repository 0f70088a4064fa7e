"""The log of receipts over HTTP: public, telling nobody anything before T0, and to each bidder its own proof."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from crypto.encoding import unhex
from crypto.receipt import decoy_leaf, log_leaf, tracker
from crypto.receipt_file import read_receipt_file
from crypto.tlog import Tree, open_checkpoint, read_entry_bundle, tiles
from tests.support.bidders import a_bidder
from tests.support.house import T0, House, a_bid, a_house

MINUTE = timedelta(minutes=1)
LOG = "log/intake"
_DRAWN = re.compile(r"[A-Za-z0-9+/]{42,}={0,2}")
"""Hashes, keys and signatures: drawn anew for each hall."""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(tmp_path) as opened:
        await opened.announce()  # half an hour before T0: ticks after ten minutes, after twenty, and T0
        yield opened


async def tick(house: House, minutes: int) -> None:
    """Turn the clock to so many minutes before T0, and let the log grow."""
    house.clock.turn(T0 - minutes * MINUTE)
    await house.services.receipt_logs.settle(house.session)


async def public(house: House, path: str) -> httpx.Response:
    return await house.client().get(f"{house.path}/{LOG}/{path}")


async def everything_public(folder: Path, bids: int) -> list[tuple[str, int, int, str]]:
    """Let so many bid, and return all that the public log says from the announcement to the last tick."""
    seen = []
    async with a_house(folder) as house:
        await house.announce()
        for minutes in (29, 20, 15, 10, 1):
            house.clock.turn(T0 - minutes * MINUTE)
            if minutes in (29, 15):
                for name in range(bids // 2 + bids % 2 * (minutes == 29)):
                    bidder = a_bidder(f"第{minutes}-{name}投标人有限公司")
                    assert (await house.submit(await house.bidder(bidder), a_bid(bidder))).status_code == 200
            await house.services.receipt_logs.settle(house.session)
            for path in (
                *("checkpoint", "checkpoint/16", "checkpoint/17", "checkpoint/32", "consistency?old=16&new=32"),
                *("tile/0/000.p/16", "tile/entries/000.p/16", "tile/entries/000.p/32", "tile/entries/000", "decoys"),
            ):
                answer = await public(house, path)
                text = (
                    answer.text
                    if answer.headers["content-type"].startswith(("text", "application/j", "application/p"))
                    else ""
                )
                plain = _DRAWN.sub("drawn", text)
                seen.append((f"{minutes} {path}", answer.status_code, len(answer.content), plain))
    return seen


async def test_before_t0_the_public_log_is_the_same_whether_nobody_bid_or_eleven_did(tmp_path: Path) -> None:
    nobody = await everything_public(tmp_path / "nobody", 0)
    eleven = await everything_public(tmp_path / "eleven", 11)
    assert nobody == eleven
    sizes = {
        path: text.split("\n")[1]
        for path, status, _, text in nobody
        if path.endswith(" checkpoint") and status == 200
    }
    assert sizes == {"20 checkpoint": "16", "15 checkpoint": "16", "10 checkpoint": "32", "1 checkpoint": "32"}
    assert {status for _, status, _, _ in nobody} == {200, 404, 409}


async def a_bidders_files(folder: Path, others: int) -> list[str]:
    """Return a bidder's receipt file before and after each tick, without what is drawn and its place in the log."""
    told = []
    async with a_house(folder) as house:
        await house.announce()
        for number in range(others):
            other = a_bidder(f"第{number}投标人有限公司")
            assert (await house.submit(await house.bidder(other), a_bid(other))).status_code == 200
        bidder = a_bidder()
        client = await house.bidder(bidder)
        code = (await house.submit(client, a_bid(bidder))).json()["tracker"]
        for minutes in (30, 20, 10):
            await tick(house, minutes)
            file = read_receipt_file((await client.get(f"{house.path}/uploads/mine/{code}")).content)
            told.append(re.sub(r"index \d+", "index", _DRAWN.sub("drawn", file.proof or "none")))
    return told


async def test_before_t0_a_bidders_own_file_is_the_same_whoever_came_before_it(tmp_path: Path) -> None:
    alone = await a_bidders_files(tmp_path / "alone", 0)
    assert alone == await a_bidders_files(tmp_path / "crowded", 11)
    assert [text.count("drawn") for text in alone] == [0, 4 + 2, 4 + 2]  # four hashes, a root and a signature


async def test_the_log_can_be_rebuilt_from_its_tiles(house: House) -> None:
    await house.receive_bids()
    await tick(house, 20)
    await tick(house, 10)
    note = (await public(house, "checkpoint")).text
    checkpoint = open_checkpoint(note, house.services.hall_keys.newest.public)
    assert checkpoint.size == 32
    (bundle,) = [path for path in tiles.tiles_of(32) if path.level is None]
    entries = read_entry_bundle((await public(house, f"tile/{bundle}")).content)
    assert Tree(entries).root() == checkpoint.root
    (hashes,) = [path for path in tiles.tiles_of(32) if path.level == 0]
    assert (await public(house, f"tile/{hashes}")).content == Tree(entries).hashes(0, 0, 32)
    assert (await public(house, "tile/entries/001")).status_code == 404
    assert (await public(house, "tile/nonsense")).status_code == 404


async def test_an_unknown_session_has_no_log(house: House) -> None:
    for path in ("checkpoint", "decoys", "tile/0/000.p/1", "consistency?old=0&new=0"):
        assert (await house.client().get(f"/api/v1/sessions/nobody/{LOG}/{path}")).status_code == 404


async def test_a_bidder_gets_its_receipt_as_a_file_and_nobody_elses(house: House) -> None:
    (bidder, _), (other, _), _ = await house.receive_bids()
    client = await house.bidder(bidder)
    mine = (await client.get(f"{house.path}/uploads/mine")).json()["answers"][0]
    place = f"{house.path}/uploads/mine/{mine['tracker']}"
    early = read_receipt_file((await client.get(place)).content)
    assert (early.token, early.proof) == (mine["statement"], None)
    await tick(house, 20)
    answer = await client.get(place)
    assert answer.headers["content-disposition"] == f'attachment; filename="receipt-{mine["tracker"]}.json"'
    assert answer.headers["cache-control"] == "no-store"
    file = read_receipt_file(answer.content)
    checkpoint = file.checkpoint()
    assert checkpoint is not None
    assert checkpoint.origin == f"{house.services.settings.hall_name}/s/{house.session}/intake"
    assert tracker(file.receipt().payload()) == mine["tracker"]
    assert (await client.get(place.lower())).content == answer.content
    assert (await (await house.bidder(other)).get(place)).status_code == 404
    assert (await house.client().get(place)).status_code == 401
    assert (await client.get(f"{house.path}/uploads/mine/nonsense")).status_code == 404


async def test_after_t0_anybody_can_count_the_receipts_and_not_before(house: House) -> None:
    sent = await house.receive_bids()
    await tick(house, 10)
    assert (await public(house, "decoys")).json()["code"] == "not_frozen"
    await house.turn(T0 + timedelta(seconds=1))
    shown = (await public(house, "decoys")).json()
    entries = await house.services.stores.events.entries(house.session)
    key = unhex(shown["decoy_key"], 32)
    real = [entry for i, entry in enumerate(entries) if entry != decoy_leaf(house.session, i, key)]
    assert len(real) == len(sent)
    client = await house.bidder(sent[0][0])
    token = (await client.get(f"{house.path}/uploads/mine")).json()["answers"][0]
    file = read_receipt_file((await client.get(f"{house.path}/uploads/mine/{token['tracker']}")).content)
    assert log_leaf(file.receipt()) in real
