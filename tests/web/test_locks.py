"""Officers over HTTP and at the command line: their own shares only, in their time only, and nothing malformed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crypto import authority
from tests.support.bidders import Bidder
from tests.support.commands import Ran, kaibiao
from tests.support.house import PASSWORD, T0, House
from tests.support.officers import a_lock, an_officer
from tests.support.served import Served, served
from web.participant.officer import open_all
from web.participant.remote import Hall

LOCKS = [a_lock("host", "host", "deputy"), a_lock("supervisor", "supervisor")]


class Officers:
    """The officers of one served hall, each with its key in a file of its own."""

    def __init__(self, hall: Served, folder: Path) -> None:
        self.hall = hall
        self.folder = folder
        self.house: House = hall.house

    async def officer(self, verb: str, account: str, key: str | None = None) -> Ran:
        """Run ``kaibiao officer VERB`` as a person at a terminal of its own does."""
        self.house.clock.turn(timedelta(seconds=31))  # a one-time code is good once
        (self.folder / f"{account}.login").write_text(f"{PASSWORD}\n{self.house.one_time_code(account)}\n")
        (self.folder / "password").write_text("kaibiao\n")
        (self.folder / f"{account}.p12").write_bytes(
            authority.to_pkcs12(an_officer(key or account), "kaibiao", rounds=1)
        )
        words = ["officer", verb, "--url", f"{self.hall.url}/s/{self.house.session}", "--account", account]
        words += ["--key", f"{account}.p12", "--password-file", "password", "--login-file", f"{account}.login"]
        return await asyncio.to_thread(kaibiao, self.folder, *words)


@asynccontextmanager
async def locked(folder: Path, *, released: bool = True) -> AsyncIterator[Officers]:
    """A hall behind two locks whose window has begun; with every key released, if wanted."""
    async with served(folder) as hall:
        house = hall.house
        await house.announce(locks=LOCKS)
        bidders = [bidder for bidder, _ in await house.receive_bids(3)]
        for account in ("host", "supervisor"):
            client = await house.staff(account)
            assert (await house.act(client, "TakeChair")).status_code == 200
        people = Officers(hall, folder)
        for account in ("host", "supervisor"):
            assert (await people.officer("ready", account)).returncode == 0
        await house.turn(T0 + timedelta(seconds=1))
        await house.services.sessions.idle()
        begun = await house.act(await house.staff("host"), "Advance", step="decrypt")
        assert begun.status_code == 200, begun.text
        for bidder in bidders if released else []:
            await release(hall, bidder)
        yield people


async def release(hall: Served, bidder: Bidder) -> None:
    async with Hall(hall.url) as client:
        await client.login_certificate(bidder.sign)
        await client.release(hall.house.session, "A", bidder.sign, bidder.encrypt)


async def test_two_officers_at_two_terminals_let_the_bids_open(tmp_path: Path) -> None:
    async with locked(tmp_path) as people:
        house = people.house
        first = await people.officer("unlock", "host")
        assert (first.returncode, first.stderr) == (0, "Your lock is removed.\n")
        assert (await house.view(house.client()))["bids"]["1"]["quote"] is None
        assert (await people.officer("unlock", "supervisor")).returncode == 0
        await house.services.sessions.idle()
        view = await house.view(house.client())
        assert [bid["quote"] for bid in view["bids"].values()] == [{"price": "1280000.00"}] * 3
        assert [lock["state"] for lock in view["locks"].values()] == ["off", "off"]
        async with house.client() as client:
            sheet = (await client.get(f"/s/{house.session}/record?lang=en")).text
        section = sheet.partition("Removed by")[2].partition("</table>")[0]
        assert section.count("<time") == 2
        for lock in (await house.services.sessions.state(house.session)).plan.locks:
            assert any(officer.name in section for officer in lock.officers)


async def test_before_the_barrier_no_share_goes_out(tmp_path: Path) -> None:
    async with locked(tmp_path, released=False) as people:
        host = await people.house.staff("host")
        answer = await host.get(f"{people.house.path}/shares")
        assert (answer.status_code, answer.json()["code"]) == (409, "locks_not_due")
        ran = await people.officer("unlock", "host")
        assert (ran.returncode, "not to be removed now" in ran.stderr) == (1, True)


async def test_another_certificate_than_the_announced_opens_nothing(tmp_path: Path) -> None:
    async with locked(tmp_path) as people:
        ran = await people.officer("unlock", "host", key="deputy")
        assert ran.returncode == 1
        assert "LockOpened" not in {
            type(r.event).__name__ for r in await people.house.services.sessions.events(people.house.session)
        }


async def test_a_bidder_or_a_stranger_gets_no_share(tmp_path: Path) -> None:
    async with locked(tmp_path) as people:
        house = people.house
        assert (await house.client().get(f"{house.path}/shares")).status_code == 401
        answer = await (await house.bidder()).get(f"{house.path}/shares")
        assert (answer.status_code, answer.json()["code"]) == (403, "not_your_role")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"shares": {}},
        {"shares": [], "lock": "host"},
        {"shares": [{"bidder": "x", "group": "A"}]},
        {"shares": [{"bidder": "x", "group": "C", "share": None}]},
        {"shares": [{"bidder": "x", "group": "A", "share": "AAAA"}]},
        {"shares": [{"bidder": "x", "group": "A", "share": 7}]},
        {"shares": [{"bidder": "x", "group": "A", "share": None}] * 2},
    ],
)
async def test_shares_of_another_form_are_refused(tmp_path: Path, body: Any) -> None:
    async with locked(tmp_path) as people:
        host = await people.house.staff("host")
        answer = await host.post(f"{people.house.path}/shares", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")


async def test_a_share_is_never_given_out_again(tmp_path: Path) -> None:
    async with locked(tmp_path) as people:
        house = people.house
        host = await house.staff("host")
        sealed = (await host.get(f"{house.path}/shares")).json()
        opened = open_all(sealed, an_officer("host"))
        answer = await host.post(f"{house.path}/shares", json={"shares": opened})
        assert (answer.status_code, answer.json()["failed"]) == (200, {})
        again = await host.post(f"{house.path}/shares", json={"shares": opened})
        assert again.json()["events"] == []
        told = [answer.text, (await host.get(f"{house.path}/shares")).text, (await host.get(house.path)).text]
        told.append((await host.get(f"{house.path}/events?after=0")).text)
        assert not any(one["share"] in text for one in opened for text in told)


def test_an_officer_s_certificate_is_printed_as_a_tender_file_wants_it(tmp_path: Path) -> None:
    (tmp_path / "key.p12").write_bytes(authority.to_pkcs12(an_officer("host"), "kaibiao", rounds=1))
    (tmp_path / "password").write_text("kaibiao\n")
    ran = kaibiao(tmp_path, "officer", "certificate", "--key", "key.p12", "--password-file", "password")
    assert ran.stdout.strip() == LOCKS[0]["officers"][0]["certificate"]
