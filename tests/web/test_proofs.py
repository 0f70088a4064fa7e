"""What a reader gets to check a row of the read-out for itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crypto.container import read_header
from crypto.digest import sha256_hex
from crypto.encoding import unb64u
from crypto.envelope import open_published
from crypto.header import QUOTE
from tests.support.bidders import Bidder, Sealed
from tests.support.house import House, a_house
from tests.support.unlocking import bids_are_unlocked, the_window_opens


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(tmp_path) as opened:
        yield opened


@pytest.fixture
async def bids(house: House) -> list[tuple[Bidder, Sealed]]:
    await house.announce()
    return await house.receive_bids(3)


async def test_nothing_of_a_bid_is_given_before_it_is_opened(house: House, bids: list[tuple[Bidder, Sealed]]) -> None:
    async with house.client() as client:
        assert (await client.get(f"{house.path}/bids/1/proof")).status_code == 404  # nobody is listed yet
        await the_window_opens(house)
        refused = await client.get(f"{house.path}/bids/1/proof")
        assert (refused.status_code, refused.json()["code"]) == (409, "not_decided")
        await bids_are_unlocked(house, bids[:2])
        refused = await client.get(f"{house.path}/bids/1/proof")
        assert (refused.status_code, refused.json()["code"]) == (409, "not_decided")


async def test_the_proof_of_a_row_opens_its_quote_and_nothing_else_of_the_bid(
    house: House, bids: list[tuple[Bidder, Sealed]]
) -> None:
    await the_window_opens(house)
    await bids_are_unlocked(house, bids)
    async with house.client() as client:
        view = await house.view(client)
        sent = {bidder.id: sealed for bidder, sealed in bids}
        for row in (1, 2, 3):
            sealed = sent[view["bids"][str(row)]["bidder"]]
            form = (await client.get(f"{house.path}/bids/{row}/proof")).json()
            assert form.keys() == {"row", "header", "sealed", "key"}
            container = read_header(sealed.file)
            assert unb64u(form["header"]) == container.header_bytes
            plain = open_published(container.header, QUOTE, unb64u(form["key"]), unb64u(form["sealed"]))
            assert sha256_hex(plain) == view["bids"][str(row)]["quote_sha256"]
        assert (await client.get(f"{house.path}/bids/4/proof")).status_code == 404


async def test_a_bid_that_is_lost_is_said_to_be_lost(house: House, bids: list[tuple[Bidder, Sealed]]) -> None:
    await the_window_opens(house)
    await bids_are_unlocked(house, bids)
    async with house.client() as client:
        bidder = (await house.view(client))["bids"]["1"]["bidder"]
        (answer,) = await house.services.stores.intake.answers(house.session, bidder)
        files = (house.services.settings.data_dir / "bids").rglob(f"*{answer.blob}*")
        next(files).write_bytes(b"something else")
        refused = await client.get(f"{house.path}/bids/1/proof")
    assert (refused.status_code, refused.json()["code"]) == (409, "bid_lost")
