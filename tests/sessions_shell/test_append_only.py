"""The log in the database itself refuses to be changed, and tells when somebody managed to."""

from __future__ import annotations

from pathlib import Path

import pytest

from crypto.errors import ChainBroken
from sessions.commands import Note
from tests.support.ceremony import SUPERVISOR, a_plan
from tests.support.shell import SESSION, a_shell
from tests.support.team import RefusedByHand, by_hand

COLUMNS = "session, stream, number, at, role, actor, actor_name, type, data, private, salt, prev, digest"


async def a_log(folder: Path) -> None:
    async with a_shell(folder) as hall:
        await hall.sessions.create(a_plan())
        for text in ("one", "two"):
            await hall.sessions.handle(SESSION, Note(text=text), SUPERVISOR)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE events SET data = '{}' WHERE number = 2", "an event is never changed"),
        ("UPDATE events SET actor_name = 'somebody' WHERE number = 2", "an event is never changed"),
        ("DELETE FROM events WHERE number = 3", "an event is never deleted"),
        ("DELETE FROM events", "an event is never deleted"),
        pytest.param(
            f"INSERT OR REPLACE INTO events SELECT {COLUMNS} FROM events WHERE stream = 'opening' AND number = 2",
            "an event follows the one before it",
            marks=pytest.mark.solo("only SQLite has REPLACE"),
        ),
        (
            f"INSERT INTO events SELECT {COLUMNS.replace('number', 'number + 2')} FROM events WHERE number = 2",
            "an event follows the one before it",  # the right number, behind another event than it says
        ),
        (
            f"INSERT INTO events SELECT {COLUMNS.replace('number', 'number + 5')} FROM events WHERE number = 2",
            "an event follows the one before it",
        ),
    ],
)
async def test_the_database_refuses(tmp_path: Path, statement: str, reason: str) -> None:
    await a_log(tmp_path)
    with by_hand(tmp_path) as database, pytest.raises(RefusedByHand, match=reason):
        database.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET at = '2026-11-20T01:00:00.001Z' WHERE stream = 'opening' AND number = 2",
        "UPDATE events SET actor = 'zhao' WHERE stream = 'opening' AND number = 2",
        """UPDATE events SET private = '{"text":"other"}' WHERE stream = 'opening' AND number = 2""",
        "UPDATE events SET salt = '00000000000000000000000000000000' WHERE stream = 'opening' AND number = 2",
        "DELETE FROM events WHERE stream = 'opening' AND number = 2",
    ],
)
async def test_a_log_that_was_changed_behind_the_triggers_is_not_served(tmp_path: Path, statement: str) -> None:
    await a_log(tmp_path)
    with by_hand(tmp_path) as database:
        database.drop_triggers()
        database.execute(statement)
    async with a_shell(tmp_path, start=False) as hall:
        with pytest.raises(ChainBroken):
            await hall.state()
