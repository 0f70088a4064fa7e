"""A bidder sends its bid by command line, keeps the receipt as a file, and completes it once it is logged."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from crypto.authority import to_pem
from crypto.receipt_file import ReceiptFile, read_receipt_file
from crypto.signing import HallKey
from tests.support.bidders import Bidder, a_bidder
from tests.support.house import T0, a_bid
from tests.support.served import served
from web.cli import submitting
from web.refused import Refused

APP = typer.Typer()
submitting.register(APP)


async def run(*words: object) -> Any:
    return await asyncio.to_thread(lambda: CliRunner().invoke(APP, [str(word) for word in words]))


def on_disk(folder: Path, bidder: Bidder) -> tuple[Path, Path]:
    """Write the bid and the signing key as the bidder has them."""
    bid, key = folder / "alpha.sbid", folder / "alpha.pem"
    bid.write_bytes(a_bid(bidder).data)
    key.write_bytes(to_pem(bidder.sign))
    return bid, key


async def test_the_receipt_is_kept_beside_the_bid_and_completed_when_it_is_logged(tmp_path: Path) -> None:
    bidder = a_bidder()
    bid, key = on_disk(tmp_path, bidder)
    async with served(tmp_path) as hall:
        await hall.house.announce()
        sent = await run("submit", "--url", hall.url, "--sign", key, bid)
        assert sent.exit_code == 0, sent.output
        kept = tmp_path / "alpha.receipt.json"
        early = read_receipt_file(kept.read_bytes())
        assert sent.stdout.strip() == early.token
        assert early.proof is None
        soon = await run("receipt", "--url", hall.url, "--sign", key, kept)
        assert isinstance(soon.exception, Refused)
        assert kept.read_bytes() == early.to_bytes()
        hall.house.clock.turn(T0 - timedelta(minutes=20))
        await hall.house.services.receipt_logs.settle(hall.house.session)
        done = await run("receipt", "--url", hall.url, "--sign", key, kept)
        assert done.exit_code == 0, done.output
        assert "one of 16 entries" in done.stderr
        checkpoint = read_receipt_file(kept.read_bytes()).checkpoint()
        assert checkpoint is not None
        assert checkpoint.size == 16


async def test_the_receipt_goes_where_it_is_asked_to(tmp_path: Path) -> None:
    bid, key = on_disk(tmp_path, a_bidder())
    async with served(tmp_path) as hall:
        await hall.house.announce()
        place = tmp_path / "elsewhere.json"
        sent = await run("submit", "--url", hall.url, "--sign", key, "--keep", place, bid)
        assert sent.exit_code == 0, sent.output
        assert read_receipt_file(place.read_bytes()).token == sent.stdout.strip()
        assert not (tmp_path / "alpha.receipt.json").exists()


async def test_another_receipt_than_the_one_held_does_not_replace_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bid, key = on_disk(tmp_path, a_bidder())
    async with served(tmp_path) as hall:
        await hall.house.announce()
        await run("submit", "--url", hall.url, "--sign", key, bid)
        kept = tmp_path / "alpha.receipt.json"
        held = read_receipt_file(kept.read_bytes())

        async def other(*_: object) -> bytes:
            return ReceiptFile(token=held.token, hall=HallKey.generate().public).to_bytes()

        monkeypatch.setattr(submitting, "_receipt_file", other)
        refused = await run("receipt", "--url", hall.url, "--sign", key, kept)
        assert isinstance(refused.exception, Refused)
        assert kept.read_bytes() == held.to_bytes()
