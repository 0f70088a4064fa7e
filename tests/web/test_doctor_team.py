"""What the doctor finds around a hall: proxy, certificates, descriptors, witnesses, a broken database."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sessions.clock import SystemClock
from tests.support import team
from tests.support.commands import kaibiao
from tests.support.doors import closed
from tests.support.house import T0, a_house
from tests.support.proxies import NAME, certificate
from tests.web.test_locks import LOCKS
from web.cli import doctor_team
from web.cli.doctor_team import about_openings, bus, clock_sources, proxy, readers, tls
from web.cli.finding import Finding
from web.settings import Settings

NOW = datetime(2026, 5, 1, tzinfo=UTC)
HTTPS = {"public_url": "https://hall.example.org"}


@pytest.mark.parametrize(
    ("settings", "fix"),
    [
        ({}, ""),
        ({"host": "0.0.0.0"}, "nginx or Caddy"),
        ({"host": "0.0.0.0", "rehearsal_allowed": True}, ""),
        (HTTPS, "trusted_proxies"),
        (HTTPS | {"trusted_proxies": ("10.0.0.0/8",)}, "only the proxies' own"),
        (HTTPS | {"trusted_proxies": ("127.0.0.1/32",)}, ""),
    ],
)
def test_people_reach_the_hall_over_tls_and_are_told_apart(settings: dict[str, Any], fix: str) -> None:
    found = proxy(Settings(**settings))
    assert fix in found.fix
    assert found.ok is (not fix)


def test_a_process_must_be_able_to_hold_the_readers_it_takes() -> None:
    assert readers(65_536, Settings()).ok
    assert "max_watchers to 3096" in readers(4096, Settings()).fix


async def test_what_people_are_shown_is_looked_at_as_they_see_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust = certificate(tmp_path)  # for two days
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(tmp_path / "fullchain.pem", tmp_path / "key.pem")
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=shown)
    port = server.sockets[0].getsockname()[1]
    real = doctor_team.socket.create_connection
    monkeypatch.setattr(
        doctor_team.socket, "create_connection", lambda at, **more: real(("127.0.0.1", at[1]), **more)
    )
    settings = Settings(public_url=f"https://{NAME}:{port}")
    async with server:
        stranger = await tls(settings, NOW)
        monkeypatch.setattr(doctor_team.ssl, "create_default_context", lambda: trust)
        soon = await tls(settings, datetime.now(UTC))
        await closed(server)
    gone = await tls(settings, NOW)
    assert [found is not None for found in (stranger, soon, gone)] == [True] * 3
    assert "browsers know" in stranger.fix  # type: ignore[union-attr]
    assert "Renew" in soon.fix  # type: ignore[union-attr]
    assert "does not answer" in gone.found  # type: ignore[union-attr]
    assert await tls(Settings(), NOW) is None


async def test_a_bus_that_is_away_is_named_without_its_password() -> None:
    gone = await bus(Settings(bus_url="redis://:geheim@127.0.0.1:1/0"))
    assert "127.0.0.1:1 does not answer" in gone.found
    assert "geheim" not in str(gone)
    assert (await bus(Settings())).ok


async def test_a_time_source_that_does_not_answer_is_named() -> None:
    (silent,) = await clock_sources(Settings(clock_sources=("127.0.0.1:1",)), SystemClock())
    assert "127.0.0.1:1 does not answer" in silent.found
    (none,) = await clock_sources(Settings(), SystemClock())
    assert none.ok


async def of(settings: Settings, now: datetime) -> dict[str, Finding]:
    return {finding.about: finding async for finding in about_openings(settings, now)}


async def test_officers_whose_certificates_end_before_the_day_are_named(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.announce(locks=LOCKS)
        settings = house.services.settings
        well = await of(settings, T0 - timedelta(days=1))
        late = await of(settings, T0 + timedelta(days=40_000))
    assert well["Officers"].ok
    assert "ending too early" in late["Officers"].found
    assert well["Outside"].ok


async def test_an_opening_without_its_hall_key_is_noticed_and_no_new_key_is_made(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.announce()
        settings = house.services.settings
        key = settings.data_dir / "hall-key.pem"
        kept = key.read_bytes()
        key.unlink()
        found = await of(settings, T0 - timedelta(days=1))
        assert not key.exists()
        key.write_bytes(kept)
        key.chmod(0o600)
    assert "from the backup" in found["Hall keys"].fix


@pytest.mark.skipif(team.TEAM, reason="PostgreSQL looks after its own pages")
@pytest.mark.parametrize("place", [0, 5])
def test_a_corrupt_page_keeps_the_hall_shut_and_says_what_to_do(tmp_path: Path, place: int) -> None:
    hall = tmp_path / "hall"
    asyncio.run(_an_announced_hall(tmp_path))
    with (hall / "kaibiao.db").open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(place * 4096 + 8 if place else 0)
        file.write(b"\xa5" * min(2048, size))
    for log in hall.glob("kaibiao.db-*"):
        log.unlink()
    before = (hall / "kaibiao.db").read_bytes()
    ran = kaibiao(tmp_path, "serve", data_dir=str(hall))
    assert ran.returncode == 1
    assert "restore the last backup" in ran.stderr
    looked = kaibiao(tmp_path, "doctor", data_dir=str(hall))
    assert "fix  Database: the database" in looked.stdout
    assert (hall / "kaibiao.db").read_bytes() == before


@pytest.mark.skipif(team.TEAM, reason="written for SQLite, where whoever has the file has the triggers")
def test_a_log_that_somebody_edited_keeps_the_hall_shut(tmp_path: Path) -> None:
    import sqlite3

    asyncio.run(_an_announced_hall(tmp_path))
    with sqlite3.connect(tmp_path / "hall" / "kaibiao.db") as database:
        database.execute("DROP TRIGGER events_never_change")
        database.execute("UPDATE events SET at = '2020-01-01T00:00:00.000Z' WHERE stream = 'opening' AND number = 1")
    database.close()
    ran = kaibiao(tmp_path, "serve", data_dir=str(tmp_path / "hall"))
    assert ran.returncode == 1
    assert "the chain of events is broken: zb-1" in ran.stderr


async def _an_announced_hall(folder: Path) -> None:
    async with a_house(folder) as house:
        await house.announce()
