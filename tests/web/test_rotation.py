"""Keys are changed under a serving hall: nobody is logged out, and nothing that was given stops to verify."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from crypto.encoding import canonical
from crypto.endorsements import read_keys
from crypto.receipt import verify_receipt
from crypto.signing import HallPublicKey
from sessions.ids import SessionId
from sessions.verify import verify
from tests.support.bidders import a_bidder
from tests.support.commands import kaibiao
from tests.support.house import NAMES, PASSWORD, T0, House, a_bid, a_house


async def keys(folder: Path, *words: str) -> str:
    ran = await asyncio.to_thread(kaibiao, folder, "keys", *words, data_dir="hall")
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


async def announced(house: House, session: str) -> str | None:
    await house.announce(session=session)
    return (await house.services.sessions.state(SessionId(session))).plan.hall_key


async def bundle(house: House, session: str) -> bytes:
    answer = await house.client().get(f"/api/v1/sessions/{session}/bundle.zip")
    assert answer.status_code == 200, answer.text
    return answer.content


async def test_an_opening_keeps_its_key_and_the_next_one_takes_the_newest(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        old = HallPublicKey.from_document((await house.client().get("/api/v1/hall-key")).json())
        assert await announced(house, "one") == old.kid
        assert (await keys(tmp_path, "rotate", "hall")).startswith("hall key ")
        new = HallPublicKey.from_document((await house.client().get("/api/v1/hall-key")).json())
        listed = (await house.client().get("/api/v1/hall-keys")).content
        assert read_keys(listed) == (old, new)
        assert await announced(house, "two") == new.kid
        bidder = a_bidder(NAMES[0])
        client = await house.bidder(bidder)
        for session, key in (("one", old), ("two", new)):
            house.session = SessionId(session)
            answer = await house.submit(client, a_bid(bidder))
            assert verify_receipt(answer.json()["receipt"], key).session == session
        page = (await house.client(accept="text/html").get("/verify")).text
        assert old.kid in page
        assert new.kid in page
        for session, key in (("one", old), ("two", new)):
            house.session = SessionId(session)
            await house.turn(T0 + timedelta(seconds=1))  # one bid is too few: it fails, and leaves an archive
            report = verify(await bundle(house, session), trusted=canonical(old.document()))
            assert report.ok, report.failed
            assert report.hall_key == key.kid


async def test_nobody_is_logged_out_and_no_secret_is_lost_by_another_master_key(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.announce()
        host, bidder = await house.staff("host"), await house.bidder()
        before = await house.services.stores.secrets.get(house.session, "intake-log")
        await keys(tmp_path, "rotate", "master")
        refused = await asyncio.to_thread(kaibiao, tmp_path, "keys", "retire", "master", data_dir="hall")
        assert (refused.returncode, "reseal" in refused.stderr) == (1, True)
        await keys(tmp_path, "reseal")
        await keys(tmp_path, "retire", "master")
        assert "master 2\t" in await keys(tmp_path, "list")
        assert "master 1\t" not in await keys(tmp_path, "list")
        assert await house.services.stores.secrets.get(house.session, "intake-log") == before
        for client in (host, bidder):
            assert (await client.get("/me", headers={"accept": "text/html"})).status_code == 200
        form = {"account": "host", "password": PASSWORD, "code": house.one_time_code("host")}
        assert (await house.client().post("/login", json=form)).status_code == 200


async def test_keys_are_changed_only_where_there_is_a_hall(tmp_path: Path) -> None:
    ran = await asyncio.to_thread(kaibiao, tmp_path, "keys", "rotate", "hall", data_dir="hall")
    assert (ran.returncode, len(ran.stderr.splitlines())) == (1, 2)
    assert not (tmp_path / "hall").exists()
