"""What the doctor says of a database, and what a role that only serves may do in PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.exc import ProgrammingError

from sessions.commands import Note
from sessions.service import Sessions
from sessions.store.database import Database
from sessions.store.grants import Server, grant
from sessions.store.migrations import migrate
from sessions.store.opened import stores
from tests.support import postgres
from tests.support.ceremony import SUPERVISOR, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.shell import SESSION, Bell
from tests.support.team import by_hand, database_url
from web.cli.doctor_database import about_database, server
from web.settings import Settings

WELL = Server(
    version="15.1", number=150001, fsync=True, full_page_writes=True, encrypted=True, connections=100, owns=False
)


async def told(settings: Settings) -> dict[str, str]:
    return {finding.found: finding.fix async for finding in about_database(settings)}


@pytest.fixture
async def served_as(tmp_path: Path) -> str:
    """Give the address of a PostgreSQL database as a role that was only let serve."""
    cluster = postgres.cluster()
    name = cluster.database(tmp_path)
    cluster.sql("DO $$ BEGIN CREATE ROLE clerk LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    owner = Database(cluster.url(name))
    await grant(owner, "clerk")
    await owner.close()
    return cluster.url(name, user="clerk")


async def test_a_role_that_only_serves_holds_an_opening_and_may_not_touch_the_log(
    tmp_path: Path, served_as: str
) -> None:
    database, clock = Database(served_as), FakeClock()
    sessions = Sessions(stores(database, tmp_path, clock), clock=clock, announcer=Bell())
    await sessions.create(a_plan())
    await sessions.handle(SESSION, Note(text="one"), SUPERVISOR, "key")
    for attempt in (
        "DROP TRIGGER events_never_change ON events",
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "UPDATE events SET data = '{}'",
        "TRUNCATE events",
        "DELETE FROM checkpoints",
    ):
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
            async with database.writing() as connection:
                await connection.exec_driver_sql(attempt)
    await sessions.close()
    await database.close()


async def test_a_database_that_is_fit_is_said_to_be(tmp_path: Path, served_as: str) -> None:
    said = await told(Settings(data_dir=tmp_path, database_url=served_as))
    assert said.pop("fsync and full_page_writes is off")  # the tests' own needs none
    assert set(said.values()) == {""}, said
    assert "this role can add to the log, and nothing else" in said


async def test_the_owner_of_the_tables_is_told_to_serve_as_another(tmp_path: Path) -> None:
    url = postgres.cluster().url(postgres.cluster().database(tmp_path))
    found = "this role may drop the triggers that keep the log"
    assert "--serve-as" in (await told(Settings(data_dir=tmp_path, database_url=url)))[found]
    assert (await told(Settings(data_dir=tmp_path, database_url=url, rehearsal_allowed=True)))[found] == ""


async def test_a_trigger_that_is_gone_is_noticed(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_url=database_url(tmp_path, migrated=False))
    database = Database(settings.database)
    await migrate(database)
    await database.close()
    assert "triggers keep the log append-only" in await told(settings)
    with by_hand(tmp_path) as hand:
        hand.drop_triggers()
    [found] = [found for found in await told(settings) if "can be changed" in found]
    assert "events_never_change" in found
    assert "entries_come_in_order" in found


async def test_a_database_that_is_not_there_is_one_finding_without_its_password(tmp_path: Path) -> None:
    word = "geheim"
    url = f"postgresql+asyncpg://hall:{word}@127.0.0.1:1/kaibiao"
    said = await told(Settings(data_dir=tmp_path, database_url=url))
    assert len(said) == 1
    assert "does not answer" in next(iter(said))
    assert "geheim" not in str(said)


@pytest.mark.parametrize(
    ("changed", "found", "fix"),
    [
        ({"number": 130009, "version": "13.9"}, "13.9", "Upgrade"),
        ({"fsync": False}, "fsync is off", "Turn it on"),
        ({"full_page_writes": False}, "full_page_writes is off", "Turn it on"),
        ({"connections": 20}, "20 connections, 35 may be needed", "max_connections to 35"),
        ({"encrypted": False}, "the way to it is in the clear", "verify-full"),
    ],
)
def test_what_could_lose_or_show_something_is_to_be_put_right(
    tmp_path: Path, changed: dict[str, object], found: str, fix: str
) -> None:
    members = {name: getattr(WELL, name) for name in WELL.__slots__}
    settings = Settings(data_dir=tmp_path, database_url="postgresql+asyncpg://db.example/x", workers=2)
    said = {one.found: one.fix for one in server(Server(**members | changed), settings)}
    assert fix in said[found]
    assert sum(map(bool, said.values())) == 1
