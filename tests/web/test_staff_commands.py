"""``kaibiao account``: from an empty hall to a member of staff who logs in."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.commands import kaibiao
from tests.support.house import PASSWORD, House, a_house


@pytest.fixture
def hall(tmp_path: Path) -> Path:
    """A migrated hall's data folder, with a password in a file beside it."""
    (tmp_path / "password").write_text(PASSWORD + "\n", encoding="utf-8")
    assert kaibiao(tmp_path, "migrate", data_dir="hall").returncode == 0
    return tmp_path


def add(hall: Path, account: str = "host", role: str = "host", password: str = "password") -> tuple[int, str, str]:
    words = ("account", "add", account, "--name", "王主持", "--role", role, "--password-file", password)
    ran = kaibiao(hall, *words, data_dir="hall")
    return ran.returncode, ran.stdout, ran.stderr


async def logs_in(house: House, password: str = PASSWORD) -> bool:
    form = {"account": "host", "password": password, "code": house.one_time_code("host")}
    async with house.client() as client:
        return (await client.post("/login", json=form)).status_code == 200


async def test_an_account_that_was_added_logs_in_until_it_is_shut_out(hall: Path) -> None:
    code, uri, _ = await asyncio.to_thread(add, hall)
    assert code == 0
    assert uri.startswith("otpauth://totp/")
    async with a_house(hall) as house:
        house.accounts["host"] = uri.strip()
        assert await logs_in(house)
    shut_out = await asyncio.to_thread(kaibiao, hall, "account", "disable", "host", data_dir="hall")
    assert shut_out.returncode == 0
    async with a_house(hall) as house:
        house.clock.turn(house.clock.now().replace(minute=45))
        house.accounts["host"] = uri.strip()
        assert not await logs_in(house)
    listed = await asyncio.to_thread(kaibiao, hall, "account", "list", data_dir="hall")
    assert listed.stdout == "host\thost\t王主持  (disabled)\n"


async def test_another_password_takes_the_place_of_the_first(hall: Path) -> None:
    _, uri, _ = await asyncio.to_thread(add, hall)
    (hall / "other").write_text("another long password", encoding="utf-8")
    words = ("account", "password", "host", "--password-file", "other")
    assert (await asyncio.to_thread(kaibiao, hall, *words, data_dir="hall")).returncode == 0
    async with a_house(hall) as house:
        house.accounts["host"] = uri.strip()
        assert not await logs_in(house)
        assert await logs_in(house, "another long password")


def test_an_account_is_added_once(hall: Path) -> None:
    add(hall)
    assert add(hall)[0] == 1
    assert "already" in add(hall)[2]


def test_a_short_password_is_refused(hall: Path) -> None:
    (hall / "short").write_text("short", encoding="utf-8")
    code, _, said = add(hall, password="short")
    assert (code, len(said.splitlines())) == (1, 2)


def test_a_bidder_is_no_staff(hall: Path) -> None:
    assert add(hall, role="bidder")[0] == 1
    assert add(hall, role="king")[0] == 2


def test_somebody_unknown_can_neither_be_shut_out_nor_get_a_password(hall: Path) -> None:
    for words in (("disable", "nobody"), ("password", "nobody", "--password-file", "password")):
        ran = kaibiao(hall, "account", *words, data_dir="hall")
        assert (ran.returncode, "kaibiao account list" in ran.stderr) == (1, True)


def test_without_a_hall_there_are_no_accounts(tmp_path: Path) -> None:
    ran = kaibiao(tmp_path, "account", "list")
    assert (ran.returncode, "kaibiao migrate" in ran.stderr) == (1, True)
