"""Limits that all workers share: while Redis is away logins are closed, and whoever is here goes on."""

from __future__ import annotations

from pathlib import Path

from tests.support.house import PASSWORD, a_house
from tests.support.redis import a_redis


async def test_while_redis_is_away_nobody_logs_in_and_seats_go_on(tmp_path: Path) -> None:
    with a_redis() as redis:
        async with a_house(tmp_path, bus_url=redis.url) as house:
            await house.announce()
            host = await house.staff("host")
            form = {"account": "host", "password": PASSWORD, "code": house.one_time_code("host")}
            redis.kill()
            refused = await house.client().post("/login", json=form)
            assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
            assert (await house.act(host, "TakeChair")).status_code in (200, 409)
            redis.start()
            assert (await house.client().post("/login", json=form)).status_code == 200


async def test_tries_at_two_workers_count_together(tmp_path: Path) -> None:
    with a_redis() as redis:
        async with (
            a_house(tmp_path / "one", bus_url=redis.url) as one,
            a_house(tmp_path / "b", bus_url=redis.url) as b,
        ):
            form = {"account": "nobody", "password": "x" * 12, "code": "000000"}
            answers = [await each.client().post("/login", json=form) for each in (one, b) * 3]
            assert [answer.status_code for answer in answers] == [401] * 5 + [429]
