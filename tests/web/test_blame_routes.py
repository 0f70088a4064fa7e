"""Evidence, certificates, rescues and ready slips over real HTTP, as a bidder's program meets them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from crypto.authority import to_pkcs12
from crypto.encoding import canonical
from crypto.errors import CryptoRefused
from crypto.rescue import Rescue
from crypto.signing import HallPublicKey, verify
from tests.support.bidders import Bidder, a_bidder, a_sealed_bid
from tests.support.house import T0, TENDER
from tests.support.served import Served, served
from tests.web.test_api_ceremony import BIDDERS, People
from web.cli import commands
from web.participant.remote import Hall, HallRefused

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def hall(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as hall:
        await hall.house.announce()
        yield hall


SALT = b"\x5a" * 32
FIGURES = {"price": "1280000.00"}


def a_bid_with_a_rescue(bidder: Bidder) -> bytes:
    sealed = a_sealed_bid(
        b"document", bidder=bidder, quote=FIGURES, tender=TENDER["id"], lot=TENDER["lot"], rescue_salt=SALT
    )
    return sealed.data


async def to_the_window(hall: Served, people: People) -> None:
    await people.come()
    program = people.bidders[BIDDERS[2].id]
    data = a_bid_with_a_rescue(BIDDERS[2])  # in place of the first
    await program.submit("zb-1", BytesIO(data), len(data))
    await hall.house.turn(T0)
    await people.until(lambda view: view["steps"]["check"]["state"] == "complete")
    await people.advance("decrypt")


async def test_signs_of_life_are_acknowledged_and_the_certificate_names_them(hall: Served) -> None:
    async with People(hall) as people:
        await to_the_window(hall, people)
        for bidder in BIDDERS[:2]:
            await people.bidders[bidder.id].release("zb-1", "A", bidder.sign, bidder.encrypt)
        silent = people.bidders[BIDDERS[2].id]
        cadence = await silent.beat("zb-1", BIDDERS[2].id, BIDDERS[2].sign, "locked", seen=9)
        assert cadence == timedelta(seconds=20)
        assert len(silent.acks) == 1
        assert await silent._json("GET", "/api/v1/sessions/zb-1/failures/mine") == {"failures": []}
        due = (await people.view())["due"]
        assert due is not None
        await hall.house.turn(timedelta(minutes=31))
        await people.until(lambda view: bool(view["steps"]["decrypt"]["state"] != "current"))
        (given,) = (await silent._json("GET", "/api/v1/sessions/zb-1/failures/mine"))["failures"]
        key = HallPublicKey.from_document(await silent._json("GET", "/api/v1/hall-key"))
        said = verify(given["statement"], "failure", key)
        assert (said["bidder"], said["evidence"]["beats"]) == (BIDDERS[2].id, "1")
        page = (await silent.download(f"/seat/zb-1/failure/{given['event']}")).decode()
        assert given["statement"] in page
        with pytest.raises(HallRefused):  # nobody else's
            await people.bidders[BIDDERS[0].id].download(f"/seat/zb-1/failure/{given['event']}")


async def test_the_host_hands_in_a_key_file_for_a_bidder(hall: Served) -> None:
    async with People(hall) as people:
        await to_the_window(hall, people)
        host = people.staff["host"]
        with pytest.raises(CryptoRefused):  # compared before it leaves
            await host.rescue("zb-1", bytes(32), BIDDERS[2].id)
        spare = Rescue(header_sha256="ab" * 32, salt=SALT, sheet=canonical(FIGURES)).encode()
        assert await host.rescue("zb-1", spare, BIDDERS[2].id)
        with pytest.raises(HallRefused, match="not_yours"):
            await people.bidders[BIDDERS[0].id].rescue("zb-1", spare, BIDDERS[2].id)
        for bidder in BIDDERS[:2]:
            await people.bidders[bidder.id].release("zb-1", "A", bidder.sign, bidder.encrypt)
        await hall.house.turn(timedelta(minutes=31))
        view = await people.until(lambda view: bool(view["steps"]["decrypt"]["state"] != "current"))
        rescued = [bid.get("rescued") for bid in view["bids"].values() if bid["bidder"] == BIDDERS[2].id]
        assert rescued == ["plain"]


@pytest.mark.parametrize(("wrong", "code"), [(False, 0), (True, 1)])
async def test_the_check_up_on_the_command_line(
    hall: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: bool, code: int
) -> None:
    monkeypatch.setattr("web.cli.preflight.SystemClock", lambda: hall.house.clock)  # this hall's clock stands still
    bidder = BIDDERS[0]
    opener = a_bidder("江南水利股份有限公司").encrypt if wrong else bidder.encrypt
    (tmp_path / "password").write_text("kaibiao")
    (tmp_path / "sign.p12").write_bytes(to_pkcs12(bidder.sign, "kaibiao", rounds=2048))
    (tmp_path / "encrypt.p12").write_bytes(to_pkcs12(opener, "kaibiao", rounds=2048))
    arguments = ["preflight", "--url", f"{hall.url}/s/zb-1", "--sign", str(tmp_path / "sign.p12")]
    arguments += ["--encrypt", str(tmp_path / "encrypt.p12"), "--password-file", str(tmp_path / "password")]
    done = await asyncio.to_thread(CliRunner().invoke, commands("preflight"), arguments)
    told = done.output
    assert done.exit_code == code, told
    assert ("fail  open" in told) is wrong
    async with Hall(hall.url) as program:
        await program.login_certificate(bidder.sign)
        assert ((await program._json("GET", "/api/v1/sessions/zb-1/ready"))["slip"] is None) is wrong
