"""A database that is closed while somebody is cut off in it."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from pathlib import Path

from sqlalchemy import text

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


async def test_once_it_is_closed_no_thread_of_its_driver_answers_any_more(tmp_path: Path) -> None:
    before = set(threading.enumerate())

    async def read(database: Database) -> None:
        async with database.reading() as connection:
            await connection.execute(text("SELECT 1"))

    for moment in range(30):
        database = Database(f"sqlite+aiosqlite:///{tmp_path}/{'hall.db' if moment % 2 else 'no/such/folder'}")
        reader = asyncio.create_task(read(database))
        for _ in range(moment):
            await asyncio.sleep(0.0001)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        await database.close()
        assert set(threading.enumerate()) == before
