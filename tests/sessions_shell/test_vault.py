"""Secrets on the disk: sealed, bound to where they belong, written once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crypto.encoding import b64u
from sessions.ids import SessionId
from sessions.keys.keyfiles import KeyExposed
from sessions.keys.session_key import session_key
from sessions.store.database import Database
from sessions.store.masterkey import MasterKeys
from sessions.store.migrations import migrate
from sessions.store.vault import MasterKey, SecretDamaged, Vault
from tests.support.hallkey import hall_key
from tests.support.shell import SESSION, everything_in
from tests.support.team import by_hand, database_url

SECRET = b"thirty-two bytes that are secret"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(database_url(tmp_path))
    await migrate(database)
    yield database
    await database.close()


async def test_a_secret_is_not_on_the_disk_in_the_clear(tmp_path: Path, database: Database) -> None:
    vault = Vault(database, MasterKey(bytes(32)))
    await vault.keep(SESSION, "group-key-A/x", SECRET)
    assert await vault.get(SESSION, "group-key-A/x") == SECRET
    disk = everything_in(tmp_path)
    assert b"group-key-A/x" in disk  # the scan sees what is in the clear
    for form in (SECRET, SECRET.hex().encode(), b64u(SECRET).encode()):
        assert form not in disk


async def test_the_first_secret_of_a_name_stays(database: Database) -> None:
    vault = Vault(database, MasterKey(bytes(32)))
    assert await vault.keep(SESSION, "one", SECRET) == SECRET
    assert await vault.keep(SESSION, "one", b"another") == SECRET
    assert await vault.get(SESSION, "two") is None


async def test_a_secret_moved_to_another_place_does_not_open(tmp_path: Path, database: Database) -> None:
    vault = Vault(database, MasterKey(bytes(32)))
    await vault.keep(SESSION, "one", SECRET)
    with by_hand(tmp_path) as connection:
        connection.execute("INSERT INTO secrets SELECT 'gx-2', name, sealed FROM secrets")
        connection.execute("INSERT INTO secrets SELECT session, 'two', sealed FROM secrets WHERE session = 'gx-1'")
    assert await vault.get(SESSION, "one") == SECRET
    with pytest.raises(SecretDamaged):
        await vault.get(SessionId("gx-2"), "one")
    with pytest.raises(SecretDamaged):
        await vault.get(SESSION, "two")


async def test_another_master_key_opens_nothing(database: Database) -> None:
    await Vault(database, MasterKey(bytes(32))).keep(SESSION, "one", SECRET)
    with pytest.raises(SecretDamaged):
        await Vault(database, MasterKey(bytes(31) + b"\1")).get(SESSION, "one")


async def test_two_workers_agree_on_the_session_key(database: Database) -> None:
    one, two = Vault(database, MasterKey(bytes(32))), Vault(database, MasterKey(bytes(32)))
    keys = await asyncio.gather(*(session_key(vault, SESSION) for vault in (one, two, one, two)))
    assert len({key.private_numbers().private_value for key in keys}) == 1


def test_the_keys_of_the_hall_are_made_once_and_only_the_owner_reads_them(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert hall_key(folder).public == hall_key(folder).public
    with MasterKeys(folder).sealing() as key:
        sealed = key.seal("", "x", SECRET)
    assert MasterKeys(folder).open("", "x", sealed) == SECRET
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        "hall-key.pem": 0o600,
        "master.key": 0o600,
    }


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    MasterKeys(tmp_path)
    (tmp_path / "master.key").chmod(0o644)
    with pytest.raises(KeyExposed, match=r"master\.key may be read"):
        MasterKeys(tmp_path)


async def test_many_secrets_are_kept_together_and_the_first_of_a_name_stays(database: Database) -> None:
    vault = Vault(database, MasterKey(bytes(32)))
    await vault.keep(SESSION, "one", SECRET)
    await vault.keep_all(SESSION, {"one": b"another", "two": SECRET})
    await vault.keep_all(SESSION, {})
    assert [await vault.get(SESSION, name) for name in ("one", "two")] == [SECRET, SECRET]
