"""Nobody opens a bid alone: a hall is robbed of all it has, just before the officers remove their locks.

The hall is a process of its own; bidders and officers are here, so their keys were never in it.
"""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.container import read_header
from crypto.envelope import open_group
from crypto.opening import unlock
from sessions.clock import SystemClock
from tests.support.loot import Loot, added, keys_among
from web.demo import cast
from web.participant.remote import Hall

pytestmark = pytest.mark.slow

STAFF = ("host", "deputy", "supervisor")
PATIENCE = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Robbed:
    """The loot of three moments of one opening, and what only its people had."""

    before: Loot  # the keys are released; no officer has acted
    half: Loot  # the host has removed its lock
    after: Loot  # both have, and the bids are open
    troupe: cast.Troupe
    values: dict[str, set[bytes]]  # what in each loot might be a key
    secrets: dict[str, bytes]  # K_b of each bid
    sealed: dict[str, bytes]


@contextmanager
def a_hall(folder: Path, tender: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    command = [sys.executable, "-m", "tests.support.own_hall", str(folder), str(tender)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()  # nothing it could still write matters, and a graceful stop takes its time


async def until(hall: Hall, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        while not holds(view := await hall.view(cast.SESSION)):
            assert view["status"] not in ("failed", "aborted")
            await asyncio.sleep(0.1)
        return view


async def rob(process: subprocess.Popen[str], folder: Path, to: Path) -> Loot:
    """Take a copy of everything: first what the process holds, then what is on its disk."""
    memory = to / "memory"
    await asyncio.to_thread(to.mkdir)
    assert process.stdin is not None
    process.stdin.write(f"{memory}\n")
    process.stdin.flush()
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(memory.exists):
            assert process.poll() is None, "the hall is gone"
            await asyncio.sleep(0.05)
    await asyncio.to_thread(shutil.copytree, folder, to / "data")
    return Loot(folder=to / "data", memory=await asyncio.to_thread(memory.read_bytes))


async def play(folder: Path, place: Path) -> Robbed:
    troupe = cast.engage(3, SystemClock().now())
    anchors = folder / "anchors"
    anchors.mkdir(parents=True)
    (anchors / "root.pem").write_bytes(troupe.authority.certificate.public_bytes(Encoding.PEM))
    t0 = (SystemClock().now() + timedelta(seconds=45)).replace(microsecond=0)  # slow machines are done by then
    tender = cast.tender(t0, troupe=troupe)
    tender = {name: value for name, value in tender.items() if name not in ("tenderer_share", "draws")}
    tender |= {"session": cast.SESSION, "windows": {"checkin": 3600, "decrypt": 300}, "ceiling": None}
    tender["seats"] = [seat for seat in tender["seats"] if seat["account"] in STAFF]
    (place / "tender.json").write_text(json.dumps(tender))
    sealed, secrets = {}, {}
    for member in troupe.bidders:
        file, _ = cast.sealed(member, t0, 2_000)
        sealed[member.identifier] = file.getvalue()
        secrets[member.identifier] = unlock(read_header(file), "A", member.encrypter)
    with a_hall(folder, place / "tender.json") as (process, told):
        async with Hall(told["url"]) as host, Hall(told["url"]) as supervisor, Hall(told["url"]) as bidder:
            for account, person in (("host", host), ("supervisor", supervisor)):
                await person.login_ticket(told["tickets"][account])
                await person.command(cast.SESSION, "TakeChair")
                await person.command(cast.SESSION, "ReadyOfficer", lock=account, passed=True)
            for member in troupe.bidders:
                await bidder.login_certificate(member.signer)
                data = sealed[member.identifier]

                await bidder.submit(cast.SESSION, io.BytesIO(data), len(data))
            await until(host, lambda view: view["steps"]["check"]["state"] == "complete")
            await host.command(cast.SESSION, "Advance", step="decrypt")
            for member in troupe.bidders:
                await bidder.login_certificate(member.signer)
                await bidder.release(cast.SESSION, "A", member.signer, member.opener)
            await until(host, lambda view: view["locks"]["host"]["state"] == "holding")
            before = await rob(process, folder, place / "before")
            assert await host.remove_lock(cast.SESSION, troupe.officers["host"]) == {}
            half = await rob(process, folder, place / "half")
            assert await supervisor.remove_lock(cast.SESSION, troupe.officers["supervisor"]) == {}
            await until(host, lambda view: all(bid["state"] == "opened" for bid in view["bids"].values()))
            after = await rob(process, folder, place / "after")
    return Robbed(
        before=before,
        half=half,
        after=after,
        values={
            "before": before.values(memory=True),
            "half": half.values(memory=False),
            "after": after.values(memory=False),
        },
        troupe=troupe,
        secrets=secrets,
        sealed=sealed,
    )


@pytest.fixture(scope="module")
def robbed(tmp_path_factory: pytest.TempPathFactory) -> Robbed:
    place = tmp_path_factory.mktemp("robbed")
    return asyncio.run(play(place / "hall", place))


def test_the_hall_alone_opens_no_bid(robbed: Robbed) -> None:
    assert keys_among(robbed.before.bids(), robbed.values["before"]) == {}
    assert not any(robbed.before.holds(secret) for secret in robbed.secrets.values())


@pytest.mark.parametrize("account", ["host", "supervisor"])
def test_the_hall_with_one_officer_s_key_opens_no_bid(robbed: Robbed, account: str) -> None:
    loot, headers = robbed.before, robbed.before.bids()
    pieces = loot.opened_with(robbed.troupe.officers[account])
    assert pieces.keys() == headers.keys()
    values = robbed.values["before"]
    for bidder, header in headers.items():
        assert keys_among({bidder: header}, pieces[bidder]) == {}
        assert keys_among({bidder: header}, added(values, pieces[bidder])) == {}
        for missing in added([robbed.secrets[bidder]], pieces[bidder]):  # what would make it the key
            assert not loot.holds(missing)


def test_the_hall_after_the_host_has_acted_opens_no_bid_without_the_supervisor(robbed: Robbed) -> None:
    loot, headers = robbed.half, robbed.half.bids()
    mine = loot.opened_with(robbed.troupe.officers["host"])
    values = robbed.values["half"]
    assert keys_among(headers, values) == {}
    for bidder, header in headers.items():
        assert mine[bidder] & values  # the host's share is in the vault, and found there
        assert keys_among({bidder: header}, added(values, mine[bidder])) == {}
        assert all(loot.holds(share) is False for share in added([robbed.secrets[bidder]], mine[bidder]))


def test_the_hall_with_both_keys_opens_every_bid(robbed: Robbed) -> None:
    loot, headers = robbed.before, robbed.before.bids()
    host, supervisor = (loot.opened_with(robbed.troupe.officers[name]) for name in ("host", "supervisor"))
    for member in robbed.troupe.bidders:
        bidder = member.identifier
        found = keys_among({bidder: headers[bidder]}, added(host[bidder], supervisor[bidder]))
        assert found == {bidder: robbed.secrets[bidder]}

        file = io.BytesIO(robbed.sealed[bidder])
        assert open_group(file, read_header(file), "A", found[bidder]).quote() == cast.quote(member.row)


def test_the_search_finds_the_keys_once_they_are_there(robbed: Robbed) -> None:
    found = keys_among(robbed.after.bids(), robbed.values["after"])
    assert found == robbed.secrets
