"""kill -9 of the edge in the middle of an opening: the ceremony does not notice, and picture and sound come back."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from hall.media.port import processes
from hall.media.port.places import Places
from hall.media.port.processes import Processes
from tests.support.house import T0, House, a_house
from tests.support.offers import OFFER

WATCH = OFFER.replace("a=sendonly", "a=recvonly")


async def watch(house: House) -> int:
    place, headers = f"/media/{house.session}/whep", {"content-type": "application/sdp"}
    return (await house.client().post(place, content=WATCH, headers=headers)).status_code


async def until_watched(house: House) -> None:
    while (status := await watch(house)) != 201:
        assert status in (503, 429)
        house.clock.turn(timedelta(seconds=1))  # what an address may ask is counted by the hall's clock
        await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_the_ceremony_goes_on_while_the_edge_is_killed_and_it_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "FIRST_REST", 0.05)
    monkeypatch.setenv("KAIBIAO_MEDIA_PORT", "0")
    async with a_house(tmp_path, media="on") as house:
        await house.announce()
        sent = await house.receive_bids(3)
        places = Places(house.services.settings.data_dir)
        command = [sys.executable, "-m", "web.cli", "media", "edge", "--data-dir", str(places.data), "--lifeline"]
        kept = Processes({"edge": command})
        running = asyncio.create_task(kept.run())
        try:
            host = await house.staff("host")
            await house.turn(T0 - timedelta(minutes=5))
            await until_watched(house)
            os.kill(kept.running["edge"].pid, 9)
            assert (await house.act(host, "TakeChair")).status_code == 200
            await house.turn(T0)
            view = await house.view(house.client())
            assert (view["status"], view["received"]) == ("live", len(sent))
            await until_watched(house)
        finally:
            running.cancel()
            await asyncio.wait({running})
