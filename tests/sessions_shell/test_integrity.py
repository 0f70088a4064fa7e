"""What is looked at, and written down, before a hall serves from a SQLite file."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from sessions.commands import Note
from sessions.store import failing, integrity
from sessions.store.database import Database
from sessions.store.integrity import DatabaseDamaged, readable, written_down
from tests.support.ceremony import SUPERVISOR, a_plan
from tests.support.shell import SESSION, a_shell
from tests.support.team import database_url

pytestmark = pytest.mark.solo("is about SQLite's file")


async def a_log(folder: Path) -> Database:
    """Leave a log of some events, most of it in the journal."""
    async with a_shell(folder) as hall:
        await hall.sessions.create(a_plan())
        for number in range(20):
            await hall.sessions.handle(SESSION, Note(text=f"note {number}"), SUPERVISOR)
        copy = {name: (folder / name).read_bytes() for name in ("kaibiao.db", "kaibiao.db-wal")}
    for name, data in copy.items():  # as a process leaves them that ended at once
        (folder / name).write_bytes(data)
    (folder / "kaibiao.db-shm").unlink(missing_ok=True)
    return Database(database_url(folder))


async def test_what_the_journal_holds_is_written_into_the_file_before_a_hall_serves(tmp_path: Path) -> None:
    database = await a_log(tmp_path)
    journal = tmp_path / "kaibiao.db-wal"
    assert journal.stat().st_size > 0
    await written_down(database)
    assert journal.stat().st_size == 0
    await database.close()
    (tmp_path / "kaibiao.db-wal").unlink(missing_ok=True)  # the file alone has everything
    async with a_shell(tmp_path) as hall:
        assert len((await hall.sessions.state(SESSION)).notes) == 20


async def test_a_disk_that_does_not_keep_it_this_time_either_ends_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, ended = await a_log(tmp_path), []
    execute = aiosqlite.Connection.execute

    async def fails(self: aiosqlite.Connection, statement: str, *more: Any) -> Any:
        if "wal_checkpoint" in statement:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        return await execute(self, statement, *more)

    monkeypatch.setattr(aiosqlite.Connection, "execute", fails)
    monkeypatch.setattr(failing.os, "_exit", ended.append)
    with pytest.raises(DatabaseDamaged):  # the real exit does not come back
        await written_down(database)
    assert ended == [74]
    await database.close()


async def test_a_file_that_is_whole_is_looked_at_to_its_end_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    database = await a_log(tmp_path)
    assert await readable(database)
    await written_down(database)
    await database.close()
    file = tmp_path / "kaibiao.db"
    data = bytearray(file.read_bytes())
    data[4096 * 3 : 4096 * 8] = b"\xff" * (4096 * 5)
    file.write_bytes(data)
    damaged = Database(database_url(tmp_path))
    with pytest.raises(DatabaseDamaged):
        await readable(damaged)
    await damaged.close()


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "kaibiao.db").write_bytes(b"not a database at all" * 1000)
    database = Database(database_url(tmp_path))
    with pytest.raises(DatabaseDamaged):
        await readable(database)
    await database.close()


async def test_looking_ends_when_its_time_is_over_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    database = await a_log(tmp_path)
    monkeypatch.setattr(integrity, "STEPS", 1)
    assert not await readable(database, within=0)
    assert "kaibiao doctor" in caplog.text
    assert await readable(database)
    await database.close()
