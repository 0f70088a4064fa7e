"""A fence in PostgreSQL: what a paused worker left open holds nobody up."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from sessions.errors import Unanswered
from sessions.store.database import Database
from sessions.store.members import SqlMembers
from tests.support import postgres


async def test_a_transaction_that_a_paused_worker_left_open_holds_no_fence_up(tmp_path: Path) -> None:
    cluster = postgres.cluster()
    first, second = (Database(cluster.url(cluster.database(tmp_path))) for _ in range(2))
    mine, theirs = SqlMembers(first), SqlMembers(second)
    paused = await mine.join("paused", timedelta(seconds=1))
    number = await theirs.join("alive", timedelta(seconds=60))
    left_open = first.writing()
    await left_open.__aenter__()
    await asyncio.sleep(3.2)
    assert await theirs.fence(number) == (paused,)
    with pytest.raises(Unanswered):  # the server ended it
        await left_open.__aexit__(None, None, None)
    await first.close()
    await second.close()
