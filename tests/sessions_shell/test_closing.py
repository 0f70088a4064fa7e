"""A database that is closed while somebody is cut off in it."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from sessions.store import sqlite
from sessions.store.database import Database


async def test_who_is_cut_off_as_it_closes_leaves_no_connection_open(tmp_path: Path) -> None:
    async def write(database: Database) -> None:
        async with database.writing() as connection:
            await connection.execute(text("SELECT 1"))

    with warnings.catch_warnings(record=True) as left:
        warnings.simplefilter("always", ResourceWarning)
        for moment in range(40):
            database = Database(f"sqlite+aiosqlite:///{tmp_path}/hall.db")
            writers = [asyncio.create_task(write(database)) for _ in range(3)]
            for _ in range(moment):
                await asyncio.sleep(0.0001)
            for writer in writers:
                writer.cancel()
            await database.close()
            await asyncio.gather(*writers, return_exceptions=True)
            del database, writers
            gc.collect()
    assert not [str(each.message) for each in left if "before being closed" in str(each.message)]


async def test_once_it_is_closed_no_connection_answers_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, before = asyncio.get_running_loop(), set(threading.enumerate())
    answer, closed, late = loop.call_soon_threadsafe, False, []

    def answered(*what: Any, **more: Any) -> asyncio.Handle:
        if closed:
            late.append(what)
        return answer(*what, **more)

    monkeypatch.setattr(loop, "call_soon_threadsafe", answered)

    async def read(database: Database) -> None:
        async with database.reading() as connection:
            await connection.execute(text("SELECT 1"))

    for moment in range(60):
        database = Database(f"sqlite+aiosqlite:///{tmp_path}/{'hall.db' if moment % 2 else 'no/such/folder'}")
        reader = asyncio.create_task(read(database))
        for _ in range(moment // 2):
            await asyncio.sleep(0.0001)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        await database.close()
        closed = True
        for thread in set(threading.enumerate()) - before:
            thread.join()
        assert not late
        closed = False


@pytest.mark.solo("PostgreSQL has more than one writer")
async def test_who_is_cut_off_as_it_writes_keeps_nobody_else_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = tuple(each for each in sqlite.PRAGMAS if "busy_timeout" not in each)
    monkeypatch.setattr(sqlite, "PRAGMAS", (*impatient, "busy_timeout=0"))
    drivers = sqlite.Drivers(f"{tmp_path}/hall.db")
    one, other = await drivers.open(), await drivers.open()
    await one.execute("BEGIN IMMEDIATE")
    held = await one.execute("SELECT 1")  # as by a traceback, until it is thrown away
    await one.close()
    await other.execute("BEGIN IMMEDIATE")
    await drivers.end(10)
    del held
