"""New keys beside the old: what was sealed and signed before stays good, what comes next is under the newest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crypto.encoding import canonical
from crypto.endorsements import read_keys
from crypto.signing import HallKey
from sessions.ids import SessionId
from sessions.keys import keyfiles
from sessions.keys.hallkey import HallKeys, KeysBroken
from sessions.roles import Role
from sessions.store.accounts import Accounts
from sessions.store.database import Database
from sessions.store.masterkey import MasterKeys
from sessions.store.migrations import migrate
from sessions.store.resealing import StillInUse, reseal, retire, under
from sessions.store.staff import SqlAccounts
from sessions.store.vault import SecretDamaged, Vault
from tests.support.fake_clock import FakeClock
from tests.support.shell import SESSION, everything_in
from tests.support.team import TEAM, by_hand, database_url

PASSWORD = "a long enough password"  # made up here


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(database_url(tmp_path))
    await migrate(database)
    yield database
    await database.close()


async def keep(database: Database, folder: Path, count: int, first: int = 0) -> None:
    vault = Vault(database, MasterKeys(folder))
    for number in range(first, first + count):
        await vault.keep(SESSION, f"share/{number}", f"secret {number}".encode())


async def test_a_serving_hall_seals_under_the_newest_master_key_and_opens_under_any(
    tmp_path: Path, database: Database
) -> None:
    serving = MasterKeys(tmp_path)
    vault = Vault(database, serving)
    await vault.keep(SESSION, "before", b"sealed before")
    assert MasterKeys(tmp_path).rotate() == 2  # by another process
    await vault.keep(SESSION, "after", b"sealed after")
    assert [await vault.get(SESSION, name) for name in ("before", "after")] == [b"sealed before", b"sealed after"]
    assert await under(database, serving) == {2: 1, 1: 1}
    assert (tmp_path / "master-2.key").stat().st_mode & 0o777 == 0o600


async def test_everything_is_sealed_anew_while_the_hall_serves_and_then_the_old_key_goes(
    tmp_path: Path, database: Database
) -> None:
    serving = MasterKeys(tmp_path)
    await keep(database, tmp_path, 5)
    accounts = Accounts(SqlAccounts(database), serving, FakeClock())
    await accounts.create("host", "王主持", PASSWORD, [Role.HOST])
    MasterKeys(tmp_path).rotate()
    keys = MasterKeys(tmp_path)
    done = await reseal(database, keys, batch=2)
    assert (done.anew, done.damaged) == (6, ())
    assert (await reseal(database, keys, batch=2)).anew == 0
    assert await retire(database, keys) == (1,)
    assert sorted(keyfiles.numbered(tmp_path, "master.key")) == [2]
    vault = Vault(database, serving)  # which has not been started again
    assert [await vault.get(SESSION, f"share/{n}") for n in range(5)] == [f"secret {n}".encode() for n in range(5)]
    assert await under(database, serving) == {2: 6}
    assert b"secret 3" not in everything_in(tmp_path)


@pytest.mark.parametrize("batches", [0, 1, 2])
async def test_resealing_that_was_killed_loses_nothing_and_goes_on(
    tmp_path: Path, database: Database, batches: int
) -> None:
    await keep(database, tmp_path, 7)
    keys = MasterKeys(tmp_path)
    keys.rotate()
    done = 0

    class Killed(BaseException):
        pass

    def count(_: int) -> None:
        nonlocal done
        if done == batches:
            raise Killed
        done += 1

    with pytest.raises(Killed):
        await reseal(database, keys, batch=2, progress=count)
    assert await under(database, keys) == {2: 2 * (batches + 1), 1: 7 - 2 * (batches + 1)}
    with pytest.raises(StillInUse, match=f"^{7 - 2 * (batches + 1)} stored"):
        await retire(database, keys)
    vault = Vault(database, MasterKeys(tmp_path))
    assert [await vault.get(SESSION, f"share/{n}") for n in range(7)] == [f"secret {n}".encode() for n in range(7)]
    assert (await reseal(database, keys, batch=2)).anew == 7 - 2 * (batches + 1)
    assert await retire(database, keys) == (1,)


async def test_a_batch_that_fails_on_its_way_is_undone_whole(tmp_path: Path, database: Database) -> None:
    await keep(database, tmp_path, 4)
    keys = MasterKeys(tmp_path)
    keys.rotate()
    breaks = "EXECUTE FUNCTION kaibiao_refuse('gone')" if TEAM else "BEGIN SELECT RAISE(ABORT, 'gone'); END"
    with by_hand(tmp_path) as connection:
        connection.execute(
            f"CREATE TRIGGER broken BEFORE UPDATE ON secrets FOR EACH ROW WHEN (OLD.name = 'share/1') {breaks}"
        )
    with pytest.raises(Exception, match="gone"):
        await reseal(database, keys)
    assert await under(database, keys) == {2: 0, 1: 4}


async def test_an_old_master_key_is_not_deleted_too_early(tmp_path: Path, database: Database) -> None:
    await keep(database, tmp_path, 1)
    keys = MasterKeys(tmp_path)
    assert await retire(database, keys) == ()  # the newest never goes
    keys.rotate()
    with pytest.raises(StillInUse):
        await retire(database, keys)
    await reseal(database, keys)
    with by_hand(tmp_path) as connection:
        connection.execute("INSERT INTO secrets VALUES ('gx-2', 'x', ?)", [bytes(16)])
    with pytest.raises(StillInUse, match="under no key"):
        await retire(database, keys)
    assert (await reseal(database, keys)).damaged == ("gx-2/x",)
    assert sorted(keys.every) == [1, 2]


async def test_what_is_being_sealed_holds_a_rotation_up_until_it_is_stored(tmp_path: Path) -> None:
    keys = MasterKeys(tmp_path)
    with keys.sealing():
        rotating = asyncio.create_task(asyncio.to_thread(MasterKeys(tmp_path).rotate))
        await asyncio.sleep(0.2)
        assert not rotating.done()
    assert await rotating == 2


async def test_bids_received_while_secrets_are_sealed_anew_are_kept(tmp_path: Path, database: Database) -> None:
    await keep(database, tmp_path, 30)
    MasterKeys(tmp_path).rotate()
    keys = MasterKeys(tmp_path)
    await asyncio.gather(reseal(database, keys, batch=3), keep(database, tmp_path, 30, first=30))
    assert await under(database, keys) == {2: 60, 1: 0}


def test_a_master_key_that_is_gone_opens_nothing_and_says_so(tmp_path: Path) -> None:
    keys = MasterKeys(tmp_path)
    with keys.sealing() as key:
        sealed = key.seal("", "x", b"secret")
    keys.rotate()
    (tmp_path / "master.key").unlink()
    with pytest.raises(SecretDamaged):
        MasterKeys(tmp_path).open("", "x", sealed)


def test_a_new_hall_key_is_endorsed_by_the_old_and_found_by_a_serving_hall(tmp_path: Path) -> None:
    serving = HallKeys.in_folder(tmp_path)
    first = serving.newest
    second = HallKeys.in_folder(tmp_path).rotate()
    third = HallKeys.in_folder(tmp_path).rotate()
    assert serving.newest.public == third.public
    assert serving.public == (first.public, second.public, third.public)
    assert read_keys(canonical(serving.document())) == serving.public
    assert read_keys(canonical(serving.document(until=second.public))) == (first.public, second.public)
    assert serving.named(None).public == first.public
    assert serving.named(second.public.kid).public == second.public
    with pytest.raises(KeysBroken, match="there is no hall key nobody"):
        serving.named("nobody")


def test_a_crash_between_endorsement_and_key_leaves_the_old_one_alone(tmp_path: Path) -> None:
    keys = HallKeys.in_folder(tmp_path)
    keys.rotate()
    (tmp_path / "hall-key-2.pem").unlink()  # the key is the last thing that is written
    again = HallKeys.in_folder(tmp_path)
    assert len(again.public) == 1
    assert again.rotate().public == HallKeys.in_folder(tmp_path).newest.public


@pytest.mark.parametrize("lost", ["hall-key.pem", "hall-key-2.pem", "hall-key-2.jws"])
def test_keys_that_do_not_go_together_are_refused(tmp_path: Path, lost: str) -> None:
    HallKeys.in_folder(tmp_path).rotate()
    HallKeys.in_folder(tmp_path).rotate()
    (tmp_path / lost).unlink()
    with pytest.raises(KeysBroken):
        HallKeys.in_folder(tmp_path)


def test_a_key_that_somebody_slipped_in_is_refused(tmp_path: Path) -> None:
    HallKeys.in_folder(tmp_path).rotate()
    (tmp_path / "hall-key-2.pem").write_bytes(HallKey.generate().pem())
    with pytest.raises(KeysBroken, match="not endorsed"):
        HallKeys.in_folder(tmp_path)


def test_the_files_of_other_things_are_no_keys(tmp_path: Path) -> None:
    for name in ("master.key", "master-1.key", "master-02.key", "master-3.key", "master-3.key.1f2e", "xmaster-4.key"):
        (tmp_path / name).write_bytes(b"")
    assert list(keyfiles.numbered(tmp_path, "master.key")) == [1, 3]


async def test_a_secret_is_found_in_its_own_session_alone(tmp_path: Path, database: Database) -> None:
    await keep(database, tmp_path, 1)
    keys = MasterKeys(tmp_path)
    keys.rotate()
    await reseal(database, keys)
    assert await Vault(database, keys).get(SessionId("another"), "share/0") is None
