"""A worker of an older version meets what only a newer one knows: it guesses nothing, and goes on elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sessions.commands import Note
from sessions.ids import SessionId
from sessions.shape import Misshapen
from tests.support.ceremony import SUPERVISOR, a_plan
from tests.support.shell import SESSION, Shell, a_shell
from tests.support.team import by_hand

OTHER = SessionId("gx-other")

NEWER = """INSERT INTO events (session, stream, number, at, role, actor, actor_name, type, data, prev, digest)
SELECT session, stream, number + 1, at, role, actor, actor_name, 'ComposedByLaterVersions', '{}', digest, ?
FROM events WHERE session = ? AND stream = 'opening' AND number = 2"""


async def two_openings(hall: Shell) -> None:
    for session in (SESSION, OTHER):
        await hall.sessions.create(replace(a_plan(), session=session))
        await hall.sessions.handle(session, Note(text="before the upgrade"), SUPERVISOR)


async def test_an_event_of_a_newer_version_is_refused_and_nothing_is_appended_behind_it(tmp_path: Path) -> None:
    async with a_shell(tmp_path) as hall:
        await two_openings(hall)
        with by_hand(tmp_path) as database:
            database.execute(NEWER, ("f" * 64, SESSION))
        for _ in range(2):
            with pytest.raises(Misshapen, match="ComposedByLaterVersions"):
                await hall.sessions.handle(SESSION, Note(text="after it"), SUPERVISOR)
        with by_hand(tmp_path) as database:
            told = database.execute(
                "SELECT count(*) FROM events WHERE session = ? AND stream = 'opening'", (SESSION,)
            )
        assert told == [(3,)]
        await hall.sessions.handle(OTHER, Note(text="after it"), SUPERVISOR)
        assert len((await hall.sessions.state(OTHER)).notes) == 2
    async with a_shell(tmp_path, start=False) as hall:
        with pytest.raises(Misshapen, match="ComposedByLaterVersions"):
            await hall.sessions.state(SESSION)
        assert len((await hall.sessions.state(OTHER)).notes) == 2
