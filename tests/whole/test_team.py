"""A city's hall: two workers on PostgreSQL and Redis, and an opening that outlives whichever of them dies."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from sessions.announcing.announcement import make_plan
from sessions.events import IntakeClosed, SetFrozen, Stream
from sessions.ids import SessionId
from sessions.verify import verify
from tests.support.team_hall import TeamHall, a_team_hall
from web.demo import cast
from web.demo.people import BidderPerson, HostPerson, OfficerPerson, Person, WatchingPerson
from web.participant.remote import Hall

pytestmark = pytest.mark.slow

SESSION = SessionId(cast.SESSION)


async def announce(hall: TeamHall, troupe: cast.Troupe, lead: float, *, speed: float, least: float) -> datetime:
    t0 = (hall.services.clock.now() + timedelta(seconds=lead)).replace(microsecond=0)
    tender = cast.tender(t0, troupe=troupe)
    await hall.services.sessions.create(
        make_plan(tender, session=SESSION, rehearsal=True, **cast.hastened(speed, least))
    )
    await hall.until(lambda: hall.leader(SESSION))
    return t0


def bidder(hall: Hall, member: cast.Member) -> Person:
    return BidderPerson(
        hall=hall,
        session=SESSION,
        pause=0.1 * (member.row % 3),
        bidder=member.identifier,
        signer=member.signer,
        opener=member.opener,
    )


def officer(hall: Hall, account: str, troupe: cast.Troupe) -> Person:
    alike = sum(role is cast.ROLES[account] for role in cast.ROLES.values())
    kind = {"host": HostPerson, "tenderer": OfficerPerson}.get(account)
    make = kind or partial(WatchingPerson, stands_by=account == "deputy")
    return make(  # type: ignore[operator,no-any-return]
        hall=hall, session=SESSION, account=account, key=troupe.officers[account], alike=alike, pause=0.1
    )


async def test_an_opening_outlives_the_worker_that_led_it(tmp_path: Path) -> None:
    troupe = await asyncio.to_thread(cast.engage, 4, datetime.fromisoformat("2026-11-01T00:00:00Z"))
    async with a_team_hall(tmp_path, troupe) as hall:
        t0 = await announce(hall, troupe, 45, speed=30, least=30)
        people: list[Person] = []
        halls: list[Hall] = []
        try:
            for account in cast.OFFICERS:
                halls.append(Hall(hall.url))
                await halls[-1].login_ticket(await hall.services.identity.create_ticket(account=account))
                people.append(officer(halls[-1], account, troupe))
            for member in troupe.bidders:
                halls.append(Hall(hall.url))
                await halls[-1].login_certificate(member.signer)
                bid, length = await asyncio.to_thread(cast.sealed, member, t0, 2_000, troupe=troupe)
                await halls[-1].submit(SESSION, bid, length)
                people.append(bidder(halls[-1], member))
            playing = asyncio.gather(*(person.take_part() for person in people))
            await hall.until(lambda: hall.sql("SELECT 1 FROM events WHERE type = 'KeyReleased' LIMIT 1"))
            led, process = await hall.led_by(SESSION)
            os.kill(process, signal.SIGKILL)
            took = await hall.until(lambda: hall.leader(SESSION) not in ("", led))
            sys.stdout.write(f"led_again_after_seconds: {took:.2f}\n")
            async with asyncio.timeout(200):
                await playing
            async with Hall(hall.url) as onlooker:
                view = await onlooker.view(SESSION)
                bundle = await onlooker.download(f"/api/v1/sessions/{SESSION}/bundle.zip")
        finally:
            for each in halls:
                await each.__aexit__()
        await hall.until(lambda: len(hall.workers()) == 2)  # somebody came in the place of who died
    assert view["status"] == "ended"
    assert [bid["state"] for bid in view["bids"].values()] == ["opened"] * 4
    (tmp_path / "session.zip").write_bytes(bundle)
    report = await asyncio.to_thread(verify, tmp_path / "session.zip")
    assert [check for check in report.checks if not check.passed] == []


async def test_a_worker_that_was_paused_appends_nothing_and_another_leads(tmp_path: Path) -> None:
    troupe = await asyncio.to_thread(cast.engage, 2, datetime.fromisoformat("2026-11-01T00:00:00Z"))
    async with a_team_hall(tmp_path, troupe) as hall:
        t0 = await announce(hall, troupe, 20, speed=1, least=60)
        paused, pid = await hall.led_by(SESSION)
        os.kill(pid, signal.SIGSTOP)
        try:
            took = await hall.until(lambda: hall.leader(SESSION) not in ("", paused))
            sys.stdout.write(f"led_again_after_seconds: {took:.2f}\n")
            await hall.until(
                lambda: hall.services.clock.now() > t0 and hall.sql("SELECT 1 FROM events WHERE type = 'SetFrozen'")
            )
        finally:
            os.kill(pid, signal.SIGCONT)
        # It notices, and joins again under a number of its own, higher than any before.
        await hall.until(lambda: hall.sql(f"SELECT 1 FROM workers WHERE name = '{paused}'"))
        assert hall.leader(SESSION) != paused
        assert b"this worker was fenced" in hall.log.read_bytes()
        for stream, kind in ((Stream.OPENING, SetFrozen), (Stream.INTAKE, IntakeClosed)):
            events = await hall.services.sessions.events(SESSION, stream)
            assert sum(isinstance(record.event, kind) for record in events) == 1


async def test_a_roll_hands_over_and_loses_nobody(tmp_path: Path) -> None:
    troupe = await asyncio.to_thread(cast.engage, 2, datetime.fromisoformat("2026-11-01T00:00:00Z"))
    async with a_team_hall(tmp_path, troupe) as hall:
        await announce(hall, troupe, 3600, speed=1, least=60)
        before = set(hall.workers())
        seen: list[int] = []

        async def follow(reader: Hall) -> None:
            async for view, _ in reader.follow(SESSION):
                seen.append(view["n"])

        async with Hall(hall.url) as reader:
            following = asyncio.create_task(follow(reader))
            await hall.until(lambda: seen)
            hall.supervisor.send_signal(signal.SIGHUP)
            await hall.until(lambda: len(hall.workers()) == 2 and not before & set(hall.workers()))
            await hall.until(lambda: hall.leader(SESSION))
            assert not following.done()
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
