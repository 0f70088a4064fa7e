"""A disk that fills up: new bids are refused early (507), and what runs closes, opens and signs all the same."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from sessions.store import blobs
from tests.support.bidders import a_bidder
from tests.support.house import T0, House, a_house, patch, tus

MEBIBYTE = 1 << 20


class Usage(NamedTuple):
    total: int
    used: int
    free: int


async def begin(house: House, client: httpx.AsyncClient, length: int) -> httpx.Response:
    return await client.post(f"{house.path}/uploads", headers=tus(upload_length=length))


async def test_at_the_reserve_a_bid_is_refused_before_its_first_byte_and_one_under_way_before_its_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 2 * blobs.RESERVE
    monkeypatch.setattr(blobs.shutil, "disk_usage", lambda _: Usage(total=1 << 40, used=0, free=free))
    async with a_house(tmp_path) as house, house.client() as here:
        await house.announce()
        client = await house.bidder(a_bidder())
        place = (await begin(house, client, 1000)).headers["location"]
        assert (await client.patch(place, headers=patch(0), content=bytes(500))).status_code == 204
        free = blobs.RESERVE
        refused = await begin(house, client, 1000)
        stopped = await client.patch(place, headers=patch(500), content=bytes(500))
        assert (await here.get("/readyz")).json()["disk"] is False
        free = 2 * blobs.RESERVE
        resumed = await client.patch(place, headers=patch(500), content=bytes(499))
    assert (refused.status_code, refused.json()["code"]) == (507, "storage_full")
    assert stopped.status_code == 507
    assert resumed.status_code == 204  # nothing was lost


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 40 MiB; where nobody may mount one there is no such test."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "kaibiao-test", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a disk")
async def test_on_a_full_disk_the_opening_still_closes_and_signs(small_disk: Path) -> None:
    async with a_house(small_disk) as house:
        await house.announce()
        bids = await house.receive_bids(3)
        client = await house.bidder(a_bidder("最后投标人有限公司"))
        begun = await begin(house, client, 24 * MEBIBYTE)
        assert begun.status_code == 201
        place = begun.headers["location"]
        while True:  # somebody else fills the disk meanwhile, down to less than the reserve
            left = shutil.disk_usage(small_disk).free
            if left <= 2 * MEBIBYTE:
                break
            with (small_disk / "other").open("ab") as other:
                other.write(bytes(min(MEBIBYTE, left - 2 * MEBIBYTE)))
        assert (await client.patch(place, headers=patch(0), content=bytes(MEBIBYTE))).status_code == 507
        assert (await begin(house, client, 1024)).status_code == 507
        await house.turn(T0 + timedelta(seconds=1))
        opening = await house.services.sessions.state(house.session)
        assert opening.frozen is not None
        assert len(opening.bids) == len(bids)
        for account in ("host", "supervisor"):
            assert (await house.act(await house.staff(account), "TakeChair")).status_code == 200
        signed = await house.services.opening_log.checkpoint(house.session, opening.plan.watch.origin)  # type: ignore[union-attr]
        assert signed.size == (await house.services.sessions.head(house.session))[0]
