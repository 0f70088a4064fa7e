"""A whole opening through the API: real certificates, sealed files and HTTP; only the clock is turned by hand."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, suppress
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import select

from crypto.signing import peek, sign
from sessions.store import tables
from sessions.store.masterkey import MasterKeys
from sessions.verify import verify
from tests.support.bidders import Bidder, a_bidder
from tests.support.house import BEFORE, NAMES, PASSWORD, STAFF, T0, House, a_bid
from tests.support.logs import logging_to_text
from tests.support.served import Served, served
from tests.support.traces import Search
from web.participant.remote import Hall, HallRefused

pytestmark = pytest.mark.asyncio(loop_scope="module")
BIDDERS = [a_bidder(name) for name in NAMES[:3]]


@pytest_asyncio.fixture(loop_scope="module")
async def hall(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as hall:
        await hall.house.announce()
        yield hall


class People(AsyncExitStack):
    """Everyone of one opening, each at a program of their own."""

    def __init__(self, hall: Served) -> None:
        super().__init__()
        self.hall = hall
        self.staff: dict[str, Hall] = {}
        self.bidders: dict[str, Hall] = {}

    async def program(self) -> Hall:
        return await self.enter_async_context(Hall(self.hall.url))

    @property
    def house(self) -> House:
        return self.hall.house

    async def come(self) -> None:
        """Log everyone in and take every chair; each bidder sends a bid and checks in."""
        for account in STAFF:
            if account not in self.house.accounts:
                await self.house.account(account)
            self.staff[account] = await self.program()
            await self.staff[account].login_ticket(await self.house.services.identity.create_ticket(account=account))
            await self.staff[account].command("zb-1", "TakeChair")
        for bidder in BIDDERS:
            program = self.bidders[bidder.id] = await self.program()
            await program.login_certificate(bidder.sign)
            sealed = a_bid(bidder)
            await program.submit("zb-1", BytesIO(sealed.data), len(sealed.data))
            self.house.clock.turn(timedelta(seconds=1))  # rows stand in the order in which the bids came
            await self.sign(bidder, "CheckIn", "checkin", bidder=bidder.id, head=(await self.view())["head"])

    async def view(self) -> dict[str, Any]:
        return await self.staff["host"].view("zb-1")

    async def sign(self, by: Bidder, command: str, kind: str, **said: str) -> None:
        """Sign a statement and send it with its command."""
        statement = sign({"v": 1, "session": "zb-1", **said}, kind, by.sign)
        await self.bidders[by.id].command("zb-1", command, statement=statement)

    async def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for what the hall does by itself, in threads."""
        while not holds(view := await self.view()):  # noqa: ASYNC110  # what is waited for is in the server
            await asyncio.sleep(0.02)
        return view

    async def advance(self, step: str) -> None:
        await self.staff["host"].command("zb-1", "Advance", step=step)


async def bundle_of(hall: Served) -> bytes:
    async with Hall(hall.url) as anyone:
        return await anyone.download("/api/v1/sessions/zb-1/bundle.zip")


async def test_three_bids_are_received_opened_confirmed_signed_and_verified(hall: Served) -> None:
    async with People(hall) as people:
        await hold(people)
    bundle = await bundle_of(hall)
    report = verify(bundle)
    assert report.ok, [check for check in report.checks if not check.passed]
    assert await bundle_of(hall) == bundle


async def hold(people: People) -> None:
    """Hold the opening, from logging in to the last signature."""
    await people.come()
    await people.house.turn(T0)
    view = await people.until(lambda view: view["steps"]["check"]["state"] == "complete")
    assert [bid["name"] for bid in view["bids"].values()] == list(NAMES[:3])
    with pytest.raises(HallRefused, match="not_over"):
        await bundle_of(people.hall)
    view = await open_all(people)
    await people.house.turn(timedelta(minutes=1))
    await confirm_all(people, view)
    await sign_all(people)
    view = await people.until(lambda view: view["status"] == "ended")
    assert len(view["record"]["signatures"]) == 6


async def secrets_of(people: People, tickets: list[str]) -> dict[str, bytes]:
    """Return everything that nobody may find in a log, by a name."""
    house, found = people.house, {f"ticket {n}": path.encode() for n, path in enumerate(tickets)}
    for name, program in (people.staff | people.bidders).items():
        found |= {f"cookie of {name}": value.encode() for value in program._http.cookies.values()}
    for name, uri in house.accounts.items():
        (seed,) = parse_qs(urlsplit(uri).query)["secret"]
        found |= {
            f"TOTP of {name}": seed.encode(),
            f"raw TOTP of {name}": base64.b32decode(seed + "=" * (-len(seed) % 8)),
        }
    for bidder in BIDDERS:
        for part, credential in (("sign", bidder.sign), ("encrypt", bidder.encrypt)):
            key = credential.key
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            found[f"{part} key of {bidder.id}"] = key.private_numbers().private_value.to_bytes(32, "big")
    master = MasterKeys(house.services.settings.data_dir)
    async with house.services.database.reading() as connection:
        for row in await connection.execute(select(tables.secrets)):
            found[f"secret {row.name}"] = master.open(row.session, row.name, row.sealed)
    found["hall key"] = house.services.hall_keys.newest.private.private_bytes_raw()
    found["master key"] = (house.services.settings.data_dir / "master.key").read_bytes()
    return found | {"password": PASSWORD.encode(), "query": b"canary-of-a-query", "bearer": b"canary-of-a-bearer"}


async def visit(people: People) -> None:
    """Come the other ways that carry a secret: by password, with a query, with a bearer token, over a stream."""
    account, house = next(iter(people.staff)), people.house
    house.clock.turn(timedelta(minutes=1))
    anyone = await people.program()
    with suppress(HallRefused):
        await anyone.login_password(account, PASSWORD, "000000")
    await anyone.login_password(account, PASSWORD, house.one_time_code(account))
    await anyone._http.get("/?q=canary-of-a-query")
    await anyone._http.get("/readyz", headers={"authorization": "Bearer canary-of-a-bearer"})
    await anyone._http.get("/s/zb-1/none?token=canary-of-a-query")
    async with aclosing(people.staff[account].lines("zb-1")) as lines:
        assert await anext(lines)


async def test_the_log_of_a_whole_opening_at_debug_holds_no_secret(
    hall: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets: list[str] = []
    enter = Hall.login_ticket

    async def noted(program: Hall, ticket: str) -> None:
        tickets.append(ticket.rpartition("/")[2])
        await enter(program, ticket)

    monkeypatch.setattr(Hall, "login_ticket", noted)
    async with People(hall) as people:
        with logging_to_text("debug") as said:
            logging.getLogger("web.test").debug("a line of our own at debug")
            await hold(people)
            await visit(people)
        search = Search(await secrets_of(people, tickets))
        assert "a line of our own at debug" in said.getvalue()
        assert search.in_bytes(said.getvalue().encode()) == set()
        assert "WebSocket" not in said.getvalue()
        with logging_to_text("debug") as said:  # what others would tell, if they were let
            logging.getLogger().setLevel(logging.DEBUG)
            await visit(people)
        assert "cookie of host" in search.in_bytes(said.getvalue().encode())


async def open_all(people: People) -> dict[str, Any]:
    """Let every bidder release its key; nothing opens before the last one is in."""
    await people.advance("decrypt")
    for bidder in BIDDERS[:2]:
        await people.bidders[bidder.id].release("zb-1", "A", bidder.sign, bidder.encrypt)
    view = await people.view()
    assert all(bid["quote"] is None for bid in view["bids"].values()), "one key is missing: nothing is opened"
    with pytest.raises(HallRefused, match="wrong_bid"):
        await release_for(people, BIDDERS[2], BIDDERS[0])
    await people.bidders[BIDDERS[2].id].release("zb-1", "A", BIDDERS[2].sign, BIDDERS[2].encrypt)
    view = await people.until(lambda view: bool(view["step"] == "readout"))
    assert {bid["amount"]["grouped"] for bid in view["bids"].values()} == {"1,280,000.00"}
    return view


async def confirm_all(people: People, view: dict[str, Any], *, entered: bool = False) -> None:
    """Let every bidder confirm its row and declare that it has no objection."""
    if not entered:
        await people.advance("confirm")
    for bidder in BIDDERS:
        row = next(bid for bid in view["bids"].values() if bid["bidder"] == bidder.id)
        await people.sign(bidder, "ConfirmRow", "confirm", bidder=bidder.id, quote_sha256=row["quote_sha256"])
    for bidder in BIDDERS:
        await people.bidders[bidder.id].command("zb-1", "NoObjection")


async def sign_all(people: People) -> None:
    """Let everyone sign the record: bidders by certificate, staff by a second factor that must be right."""
    await people.advance("sign")
    digest = (await people.view())["record"]["digest"]
    for bidder in BIDDERS:
        await people.sign(bidder, "SignRecord", "record", signer=bidder.id, record_sha256=digest)
    house = people.house
    for account, program in people.staff.items():
        with pytest.raises(HallRefused, match="wrong_code"):
            await program.command("zb-1", "SignRecord", code="000000")
        house.clock.turn(timedelta(seconds=30))
        assert await program.command("zb-1", "SignRecord", code=house.one_time_code(account))


async def release_for(people: People, bidder: Bidder, other: Bidder) -> None:
    """Let one bidder hand over another's key: signed by the right hand, for the wrong bid."""
    challenge = await people.bidders[bidder.id]._json("GET", "/api/v1/sessions/zb-1/challenge?group=A")
    theirs = await people.bidders[other.id]._json("GET", "/api/v1/sessions/zb-1/challenge?group=A")
    assert challenge["nonce"] != theirs["nonce"]
    assert peek(challenge["receipt"])[1]["bidder"] == bidder.id
    said = {
        "v": 1,
        "session": "zb-1",
        "group": "A",
        "header_sha256": theirs["header_sha256"],
        "nonce": challenge["nonce"],
        "kcb": "00" * 32,
        "hpke": "A" * 151,
    }
    release = sign(said, "release", bidder.sign)
    await people.bidders[bidder.id]._json("POST", "/api/v1/sessions/zb-1/releases", {"release": release})


async def test_fewer_bids_than_the_law_asks_for_are_never_opened(hall: Served) -> None:
    await hall.house.receive_bids(2)
    await hall.house.turn(T0)
    view = await hall.house.view(hall.house.client())
    failed = view["failed"]
    assert (view["status"], view["bids"]) == ("failed", {})
    assert (failed["received"], failed["minimum"], failed["article"]["id"]) == (2, 3, "ir-44-2")
    report = verify(await bundle_of(hall))
    assert report.ok, [check for check in report.checks if not check.passed]


@pytest.mark.parametrize("name", ["host", "public"])
async def test_only_bidders_are_challenged(hall: Served, name: str) -> None:
    client = hall.house.client() if name == "public" else await hall.house.staff(name)
    answer = await client.get("/api/v1/sessions/zb-1/challenge")
    assert answer.json()["code"] == ("no_login" if name == "public" else "not_your_role")


async def test_outside_the_window_nobody_is_challenged_and_no_key_is_taken(hall: Served) -> None:
    ((bidder, _),) = await hall.house.receive_bids(1)
    client = await hall.house.bidder(bidder)
    answers = [
        await client.get("/api/v1/sessions/zb-1/challenge"),
        await client.post("/api/v1/sessions/zb-1/releases", json={"release": "a.b.c"}),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(409, "window_closed")] * 2
    assert hall.house.clock.now() == BEFORE
