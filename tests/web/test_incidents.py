"""The page of incidents, and many openings put off at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sessions.acts import postponing
from sessions.ids import SessionId
from tests.support.ceremony import DEPUTY, HOST, SECOND, SUPERVISOR, T0, a_plan
from tests.support.set_clock import SetClock
from tests.support.shell import a_shell

OTHER = SessionId("gx-2")
BOTH = {SessionId("gx-1"), OTHER}
TWO_HOURS = timedelta(hours=2)


async def test_two_persons_put_off_all_openings_at_once_each_in_its_own_log(tmp_path: Path) -> None:
    async with a_shell(tmp_path, SetClock(T0 - timedelta(days=1))) as hall:
        for session in sorted(BOTH):
            await hall.sessions.create(replace(a_plan(), session=session))
        done = await postponing.propose(hall.sessions, BOTH, HOST, TWO_HOURS, "机房停电")
        assert [one.refused for one in done] == [None, None]
        seen = await postponing.waiting(hall.sessions, DEPUTY.id)
        assert [(one.session, one.proposed, one.mine) for one in seen] == [
            (session, T0 + TWO_HOURS, False) for session in sorted(BOTH)
        ]
        assert await postponing.agree(hall.sessions, BOTH, HOST) == ()  # nobody agrees with itself
        agreed = await postponing.agree(hall.sessions, {OTHER}, SUPERVISOR)
        assert [(one.session, one.refused) for one in agreed] == [(OTHER, None)]
        assert (await hall.sessions.state(OTHER)).t0 == T0 + TWO_HOURS
        assert (await hall.state()).t0 == T0
        assert (await hall.sessions.intake(OTHER)).t0 == T0 + TWO_HOURS


async def test_what_cannot_be_put_off_is_told_and_hinders_no_other(tmp_path: Path) -> None:
    async with a_shell(tmp_path, SetClock(T0 - timedelta(days=1))) as hall:
        for session in sorted(BOTH):
            await hall.sessions.create(replace(a_plan(), session=session))
        done = await postponing.propose(hall.sessions, {OTHER}, SUPERVISOR, TWO_HOURS, "机房停电")
        assert [one.refused for one in postponing.refused(done)] == ["not_your_role"]
        assert await postponing.waiting(hall.sessions, "stranger") == ()
        late = await postponing.propose(hall.sessions, BOTH, HOST, SECOND / 2, "机房停电")
        assert {one.refused for one in late} == {"t0_not_whole_seconds"}
