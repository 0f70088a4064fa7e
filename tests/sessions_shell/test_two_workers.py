"""Two workers of one hall: each sees what the other wrote, and what one of them still does, the other waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from sessions.acts.submission import Progress, Submissions
from sessions.commands import Note
from sessions.errors import Fenced
from sessions.events import BidReceived, IntakeClosed, Stream
from sessions.ids import SessionId
from sessions.keys.hallkey import HallKeys
from sessions.opening import Opening
from sessions.outside.certifying import Certifying
from sessions.ports import Answer, WrongOffset
from sessions.service import Sessions, Stores
from sessions.store.database import Database
from sessions.store.members import SqlMembers
from sessions.store.migrations import migrate
from sessions.store.opened import stores
from sessions.watch.membership import Duties, Membership
from tests.support.bidders import Sealed
from tests.support.ceremony import MS, SECOND, SUPERVISOR, T0, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.shell import LIMITS, SESSION, Bell, a_bid_for_this, pieces, the_actor, the_trust
from tests.support.team import database_url

NAME = "华东建设有限公司"


@dataclass
class Process:
    """One worker, with connections and a memory of its own."""

    database: Database
    membership: Membership
    sessions: Sessions
    submissions: Submissions
    kept: Stores

    async def submit(self, sealed: Sealed) -> Progress:
        actor = the_actor(sealed.bidder)
        upload = await self.submissions.begin(SESSION, actor, len(sealed.data))
        return await self.submissions.receive(SESSION, upload.id, actor, 0, pieces(sealed.data))

    async def log(self, stream: Stream = Stream.OPENING) -> list[str]:
        return [type(record.event).__name__ for record in await self.sessions.events(SESSION, stream)]

    async def answers(self) -> tuple[Answer, ...]:
        return await self.kept.intake.answers(SESSION)

    async def dies(self) -> None:
        """Lose the place, as a process that was killed does when the others notice."""
        async with self.database.writing(checked=False) as connection:
            await connection.exec_driver_sql(f"DELETE FROM workers WHERE number = {self.membership.number}")


@asynccontextmanager
async def a_process(folder: Path, clock: FakeClock) -> AsyncIterator[Process]:
    database = Database(database_url(folder))
    await migrate(database)
    kept = stores(database, folder, clock)
    members = SqlMembers(database)
    membership = Membership(members, clock, alone=False)
    sessions = Sessions(kept, clock=clock, announcer=Bell(), leading=membership, holds=members)
    certifying = Certifying(the_trust, proofs=kept.proofs)
    keys = HallKeys.in_folder(folder)
    submissions = Submissions(sessions, kept, clock=clock, certifying=certifying, hall=keys, limits=LIMITS)
    await membership.start(Duties())
    try:
        yield Process(database, membership, sessions, submissions, kept)
    finally:
        await submissions.close()
        await sessions.close()
        await membership.close()
        await database.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def two(tmp_path: Path, clock: FakeClock) -> AsyncIterator[tuple[Process, Process]]:
    """The leader of the session, and another."""
    async with a_process(tmp_path, clock) as one, a_process(tmp_path, clock) as other:
        await one.sessions.create(a_plan())
        assert one.membership.leads(SESSION)
        yield one, other


class SlowCheck:
    """Checks of bids that wait until the test lets them go on."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        check = Submissions._check

        def slow(submissions: Submissions, *arguments: object) -> object:
            if not self.begun.is_set():
                self.begun.set()
                assert self.go_on.wait(60)
            return check(submissions, *arguments)  # type: ignore[arg-type]

        patch.setattr(Submissions, "_check", slow)


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_what_one_appended_the_other_knows_at_once(two: tuple[Process, Process]) -> None:
    one, other = two
    for number, process in enumerate((one, other, one, other), start=1):
        await process.sessions.handle(SESSION, Note(text=str(number)), SUPERVISOR)
        for each in two:
            assert len((await each.sessions.state(SESSION)).notes) == number


async def test_commands_of_both_at_once_all_happen_in_one_order(two: tuple[Process, Process]) -> None:
    one, other = two
    acts = [
        process.sessions.handle(SESSION, Note(text=f"{number}"), SUPERVISOR)
        for number in range(20)
        for process in (one, other)
    ]
    numbers = [record.number for records in await asyncio.gather(*acts) for record in records]
    assert sorted(numbers) == list(range(2, 42))
    assert await one.log() == await other.log()


async def test_t0_waits_for_a_bid_that_another_worker_is_checking(
    two: tuple[Process, Process], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two
    check = SlowCheck(monkeypatch)
    clock.set(T0 - MS)
    sending = asyncio.ensure_future(other.submit(a_bid_for_this(NAME)))
    assert await asyncio.to_thread(check.begun.wait, 60)
    clock.set(T0 + SECOND)
    settling = asyncio.ensure_future(one.sessions.settle(SESSION))
    await asyncio.sleep(0.2)
    assert not settling.done()
    assert "IntakeClosed" not in await one.log(Stream.INTAKE)
    check.go_on.set()
    progress = await sending
    await settling
    assert progress.answer is not None
    assert (progress.answer.code, progress.answer.at) == (None, T0 - MS)
    assert (await one.log(Stream.INTAKE))[-2:] == ["BidReceived", "IntakeClosed"]


async def test_a_bid_whose_worker_died_over_its_check_is_answered_by_the_leader_before_t0_closes(
    two: tuple[Process, Process], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two
    check = SlowCheck(monkeypatch)
    clock.set(T0 - MS)
    sending = asyncio.ensure_future(other.submit(a_bid_for_this(NAME)))
    assert await asyncio.to_thread(check.begun.wait, 60)
    clock.set(T0 + SECOND)
    settling = asyncio.ensure_future(one.sessions.settle(SESSION))
    for task in other.membership._tasks:
        task.cancel()  # it does not come back under another number
    await other.dies()
    await one.submissions.adopt(one.membership)
    await settling
    intake = await one.sessions.events(SESSION, Stream.INTAKE)
    assert [type(record.event) for record in intake[-2:]] == [BidReceived, IntakeClosed]
    assert intake[-2].at == T0 - MS
    check.go_on.set()  # the dead one goes on, writes nothing, and says what the leader answered
    told = (await sending).answer
    assert told is not None
    assert (told.code, told.at) == (None, T0 - MS)
    assert [answer.code for answer in await one.answers()] == [None]
    assert len(await one.sessions.events(SESSION, Stream.INTAKE)) == len(intake)


async def test_an_upload_is_taken_in_by_one_worker_at_a_time(two: tuple[Process, Process]) -> None:
    one, other = two
    one.database.shared = other.database.shared = True  # SQLite too can say who is at an upload
    sealed = a_bid_for_this(NAME)
    actor = the_actor(sealed.bidder)
    upload = await one.submissions.begin(SESSION, actor, len(sealed.data))
    came, go_on = asyncio.Event(), asyncio.Event()

    async def dragging() -> AsyncIterator[bytes]:
        yield sealed.data[:1000]
        came.set()
        await go_on.wait()
        yield sealed.data[1000:]

    sending = asyncio.ensure_future(one.submissions.receive(SESSION, upload.id, actor, 0, dragging()))
    await came.wait()
    with pytest.raises(WrongOffset):
        await other.submissions.receive(SESSION, upload.id, actor, 0, pieces(sealed.data))
    go_on.set()
    assert (await sending).answer is not None


async def test_bids_stay_shut_while_another_worker_answers_what_came_in_time(two: tuple[Process, Process]) -> None:
    one, other = two
    async with other.sessions.answering(SESSION):
        opening = asyncio.ensure_future(one.sessions._worker._answered(SESSION))
        await asyncio.sleep(0.2)
        assert not opening.done()
    await opening


async def test_whoever_leads_gives_a_session_up_only_when_what_it_began_to_answer_is_answered(
    two: tuple[Process, Process],
) -> None:
    one, _ = two
    async with one.sessions.answering(SESSION):
        assert not await SqlMembers(one.database).held(SESSION)  # it knows by itself
        stopping = asyncio.create_task(one.sessions.stop([SESSION]))
        for _ in range(5):
            await asyncio.sleep(0.01)
        assert not stopping.done()
    await stopping


async def test_the_leader_follows_what_another_appended_even_if_no_ring_came(two: tuple[Process, Process]) -> None:
    one, other = two
    heard: list[tuple[SessionId, int]] = []

    def listener(session: SessionId, opening: Opening) -> None:
        heard.append((session, len(opening.notes)))

    for process in two:
        process.sessions.on_commit(listener)
    await other.sessions.handle(SESSION, Note(text="there"), SUPERVISOR)
    assert heard == []  # it does not lead
    number, _ = await other.sessions.head(SESSION)
    one.sessions.heard(SESSION, number)
    await until(lambda: heard)
    assert heard == [(SESSION, 1)]
    one.sessions.heard(SESSION, number)
    await asyncio.sleep(0.05)
    assert heard == [(SESSION, 1)]


async def test_a_fenced_worker_tells_everybody_who_waits_to_ask_again(two: tuple[Process, Process]) -> None:
    one, _ = two
    await one.dies()
    with pytest.raises(Fenced):
        await one.sessions.handle(SESSION, Note(text="late"), SUPERVISOR, "key")
    await until(lambda: one.membership.leads(SESSION) or one.membership.number)
    async with asyncio.timeout(60):
        while True:
            try:
                await one.sessions.handle(SESSION, Note(text="late"), SUPERVISOR, "key")
            except Fenced:
                await asyncio.sleep(0.1)
            else:
                break
    assert [note.text for note in (await one.sessions.state(SESSION)).notes] == ["late"]
