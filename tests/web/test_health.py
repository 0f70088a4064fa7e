from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from crypto.certificates import Usage
from sessions.clock import SystemClock
from sessions.notices.due import Contact, Held
from sessions.store.pulses import SqlPulses
from sessions.watch.steady import ClockGuard
from sessions.watch.vigil import Local, Vigil
from tests.support.house import a_house
from tests.support.mail import silent_port
from web import readiness

FAR = {"x-forwarded-for": "203.0.113.9"}


async def test_a_hall_is_alive_and_ready(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house, house.client() as here:
        assert (await here.get("/healthz")).text == "ok\n"
        answer = await here.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "ready": True,
            "database": True,
            "disk": True,
            "clock": True,
            "hall": True,
            "log": True,
            "bus": True,
            "mail": True,
            "worker": True,
            "serving": True,
        },
    )


async def test_without_its_database_a_hall_is_alive_and_not_ready(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house, house.client() as here:
        async with house.services.database.writing() as connection:
            await connection.exec_driver_sql("ALTER TABLE sessions RENAME TO gone")
        answer = await here.get("/readyz")
        assert (answer.status_code, answer.json()["database"]) == (503, False)
        assert (await here.get("/healthz")).status_code == 200
        async with house.services.database.writing() as connection:
            await connection.exec_driver_sql("ALTER TABLE gone RENAME TO sessions")
        assert (await here.get("/readyz")).status_code == 200


async def test_reasons_are_for_this_machine_and_whoever_has_the_token(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a-long-random-token\n", encoding="ascii")
    settings = {"trusted_proxies": ("127.0.0.0/8",), "readiness_token_file": token}
    async with a_house(tmp_path, **settings) as house, house.client() as client:
        far = await client.get("/readyz", headers=FAR)
        wrong = await client.get("/readyz", headers=FAR | {"authorization": "Bearer a-long-random-tokem"})
        right = await client.get("/readyz", headers=FAR | {"authorization": "Bearer a-long-random-token"})
    assert far.json() == wrong.json() == {"ready": True}
    assert right.json()["database"] is True


async def test_without_a_token_file_no_token_helps(tmp_path: Path) -> None:
    async with a_house(tmp_path, trusted_proxies=("127.0.0.0/8",)) as house, house.client() as client:
        answer = await client.get("/readyz", headers=FAR | {"authorization": "Bearer "})
    assert answer.json() == {"ready": True}


async def test_a_bus_that_is_away_is_told_and_sends_nobody_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_house(tmp_path) as house, house.client() as here:
        monkeypatch.setattr(type(house.services.bus), "away", True)
        answer = await here.get("/readyz")
    assert (answer.status_code, answer.json()["ready"], answer.json()["bus"]) == (200, True, False)
    assert "a second later" in answer.json()["reasons"][0]


async def test_a_mail_server_that_is_away_is_told_and_sends_nobody_away(tmp_path: Path) -> None:
    with silent_port() as port:
        mail = {"mail_url": f"smtp://127.0.0.1:{port}", "mail_from": "hall@example.org"}
        async with a_house(tmp_path, **mail) as house, house.client() as here:
            mailing = house.services.mailing
            assert mailing is not None
            ends = house.clock.now() + timedelta(days=3)
            held = (Held(usage=Usage.SIGN, serial="77A0", ends=ends),)
            await house.services.contacts.keep(Contact(account="x", address="secret@example.org", held=held))
            house.clock.turn(timedelta(days=1))
            await mailing.look()
            assert mailing.away is not None
            answer = await here.get("/readyz")
    assert (answer.status_code, answer.json()["ready"], answer.json()["mail"]) == (200, True, False)
    assert "SMTPConnectError" in answer.json()["reasons"][0]
    assert "secret" not in answer.text


async def test_a_clock_that_somebody_set_is_told_with_by_how_much(tmp_path: Path) -> None:
    class Stepped(SystemClock):
        def drift(self) -> timedelta:
            return timedelta(seconds=300)

    async with a_house(tmp_path) as house, house.client() as here:
        guard = ClockGuard(Stepped())
        vigil = Vigil(SqlPulses(house.services.database), guard, now=house.clock.now, worker="w", look=_nothing)
        object.__setattr__(house.services, "vigil", vigil)
        answer = await here.get("/readyz")
        object.__setattr__(house.services, "vigil", None)
    assert (answer.status_code, answer.json()["clock"]) == (503, False)
    assert answer.json()["reasons"] == ["the clock is not safe: somebody set it by +300.0 s"]


def _nothing() -> Local:
    return Local(present={}, dismissed=frozenset(), free_bytes=1 << 40)


async def test_a_fenced_worker_and_one_that_stops_take_nobody_new(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house, house.client() as here:
        number, house.services.membership.number = house.services.membership.number, None
        fenced = await here.get("/readyz")
        house.services.membership.number = number
        house.services.hub.closing = True
        leaving = await here.get("/readyz")
        house.services.hub.closing = False
    assert (fenced.status_code, fenced.json()["worker"]) == (503, False)
    assert (leaving.status_code, leaving.json()["serving"]) == (503, False)


async def test_a_database_that_does_not_answer_in_time_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def for_ever() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(readiness, "PATIENCE", 0.05)
    async with a_house(tmp_path) as house, house.client() as here:
        monkeypatch.setattr(house.services.sessions, "next_due", for_ever)
        answer = await here.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["the database did not answer within 0.05 s"]


async def test_crawlers_are_kept_to_what_is_public(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house, house.client() as client:
        rules = (await client.get("/robots.txt")).text.splitlines()
    assert rules[0] == "User-agent: *"
    assert "Disallow: /api/" in rules
    assert "Disallow: /" not in rules


async def test_the_interface_describes_itself_without_anything_from_elsewhere(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house, house.client() as client:
        page = (await client.get("/api/docs", headers={"accept": "text/html"})).text
        openapi = (await client.get("/api/openapi.json")).json()
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    for path in openapi["paths"]:
        assert path in page
    schema = openapi["paths"]["/api/v1/sessions/{session}/commands"]["post"]["requestBody"]
    names = {
        each["properties"]["command"]["const"] for each in schema["content"]["application/json"]["schema"]["oneOf"]
    }
    assert {"Advance", "CheckIn", "SignRecord"} <= names
    assert not names & {"Tick", "SubmitBid", "RecordOpenings"}
    assert all(name in page for name in names)
