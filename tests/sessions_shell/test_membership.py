"""Who may write, and who leads: numbers that never come back, one leader at a time, and nothing after the fence."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import literal

from sessions.commands import Note
from sessions.errors import Fenced, Unanswered
from sessions.ids import SessionId
from sessions.store.database import Database
from sessions.store.members import SqlMembers
from sessions.watch import membership
from sessions.watch.membership import Duties, Membership, excess, share
from tests.support.ceremony import SUPERVISOR, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.shell import SESSION, Shell, a_shell
from tests.support.team import database_url

VALID = timedelta(seconds=8)


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Shell]:
    async with a_shell(tmp_path, FakeClock()) as shell:
        await shell.sessions.create(a_plan())
        yield shell


class Journal:
    """A leader's duties that only write down what they are told."""

    def __init__(self, fails: int = 0) -> None:
        self.told: list[tuple[str, tuple[SessionId, ...]]] = []
        self._fails = fails

    def duties(self) -> Duties:
        return Duties(catch_up=(self._catch_up,), begin=(self._begin,), stop=(self._stop,), lose=self._lose)

    async def _catch_up(self, sessions: Collection[SessionId]) -> None:
        self.told.append(("catch up", tuple(sessions)))
        if self._fails:
            self._fails -= 1
            raise OSError("not now")

    async def _begin(self, sessions: Collection[SessionId]) -> None:
        self.told.append(("begin", tuple(sessions)))

    async def _stop(self, sessions: Collection[SessionId]) -> None:
        self.told.append(("stop", tuple(sessions)))

    def _lose(self) -> None:
        self.told.append(("lose", ()))


def a_worker(hall: Shell, *, alone: bool = False, instead_of: str | None = None) -> tuple[Membership, Database]:
    """Return a worker with connections of its own, as another process would have them."""
    database = Database(database_url(hall.folder))
    return Membership(SqlMembers(database), hall.clock, alone=alone, instead_of=instead_of), database


async def until(true: object) -> None:
    async with asyncio.timeout(60):
        while not true():  # type: ignore[operator]  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_the_first_worker_leads_what_there_is_once_it_has_caught_up(hall: Shell) -> None:
    worker, database = a_worker(hall)
    journal = Journal()
    await worker.start(journal.duties())
    assert worker.leads(SESSION)
    assert journal.told == [("catch up", (SESSION,)), ("begin", (SESSION,))]
    await worker.close()
    assert not worker.leads(SESSION)
    await database.close()


async def test_a_worker_that_leaves_hands_over_at_once(hall: Shell) -> None:
    (one, first), (other, second) = a_worker(hall), a_worker(hall)
    await one.start(Duties())
    await other.start(Duties())
    assert (one.leads(SESSION), other.leads(SESSION)) == (True, False)
    await one.retire()
    await until(lambda: other.leads(SESSION))
    await one.close()
    await other.close()
    await first.close()
    await second.close()


async def test_who_stands_in_for_a_dead_worker_has_its_sessions_and_the_dead_write_nothing(hall: Shell) -> None:
    one, first = a_worker(hall)
    await one.start(Duties())
    hall.database.worker = first.worker  # the shell writes as that worker now
    await hall.sessions.handle(SESSION, Note(text="alive"), SUPERVISOR)
    other, second = a_worker(hall, instead_of=one.name)
    await other.start(Duties())
    assert other.leads(SESSION)
    with pytest.raises(Fenced):
        await hall.sessions.handle(SESSION, Note(text="dead"), SUPERVISOR)
    assert [note.text for note in (await hall.state()).notes] == ["alive"]
    for task in one._tasks:
        task.cancel()
    await other.close()
    await first.close()
    await second.close()


async def test_a_process_that_is_alone_fences_whoever_wrote_before(hall: Shell) -> None:
    one, first = a_worker(hall, alone=True)
    await one.start(Duties())
    other, second = a_worker(hall, alone=True)
    await other.start(Duties())
    assert other.leads(SESSION)
    with pytest.raises(Fenced):
        async with first.writing():
            pass
    for task in one._tasks:
        task.cancel()
    await other.close()
    await first.close()
    await second.close()


async def test_a_fenced_worker_forgets_everything_and_joins_again_under_a_higher_number(hall: Shell) -> None:
    one, first = a_worker(hall)
    journal = Journal()
    await one.start(journal.duties())
    number = one.number
    assert number is not None
    async with hall.database.writing() as connection:
        await connection.exec_driver_sql("DELETE FROM workers")
    await until(lambda: one.number not in (None, number) and one.leads(SESSION))
    assert one.number is not None
    assert one.number > number
    assert [what for what, _ in journal.told] == ["catch up", "begin", "stop", "lose", "catch up", "begin"]
    await one.close()
    await first.close()


async def test_what_cannot_be_taken_up_is_tried_again(hall: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "AFTER_FAILURE", 0.1)
    one, first = a_worker(hall)
    other, second = a_worker(hall)
    await one.start(Duties())
    journal = Journal(fails=1)
    await other.start(journal.duties())
    await one.close()
    await until(lambda: other.leads(SESSION))
    assert [what for what, _ in journal.told] == ["catch up", "stop", "catch up", "begin"]
    await other.close()
    await first.close()
    await second.close()


class Cut(SqlMembers):
    """Members whose line breaks once after a session was taken: whether it is, nobody knows here."""

    cut = True

    async def take(self, number: int, sessions: Sequence[SessionId]) -> tuple[SessionId, ...]:
        taken = await super().take(number, sessions)
        if taken and self.cut:
            self.cut = False
            raise Unanswered
        return taken


async def test_a_session_that_was_taken_unheard_is_given_up_and_led(
    hall: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a worker that lives would have it and not know, and nobody would ever lead it."""
    monkeypatch.setattr(membership, "AFTER_FAILURE", 0.05)
    database = Database(database_url(hall.folder))
    worker = Membership(Cut(database), hall.clock, alone=False)
    (one, first) = a_worker(hall)
    await one.start(Duties())
    await worker.start(Duties())
    await one.retire()
    await until(lambda: worker.leads(SESSION))
    await one.close()
    await worker.close()
    await first.close()
    await database.close()


async def test_what_cannot_be_given_up_while_another_is_given_back_is_given_back_in_its_turn(
    hall: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, database = a_worker(hall)
    await worker.start(Journal().duties())
    first, second = SessionId("gx-8"), SessionId("gx-9")
    given: list[Sequence[SessionId]] = []

    async def release(number: int, sessions: Sequence[SessionId] | None = None) -> None:
        given.append(tuple(sessions or ()))
        if len(given) == 1:
            worker._unsure.add(second)  # another task's, whose database did not answer

    with monkeypatch.context() as patch:
        patch.setattr(worker._members, "release", release)
        worker._unsure.add(first)
        await until(lambda: len(given) > 1)
    assert given[:2] == [(first,), (second,)]
    await worker.close()
    await database.close()


async def test_a_session_that_was_founded_here_is_led_here(hall: Shell) -> None:
    one, first = a_worker(hall)
    await one.start(Duties())
    await hall.sessions.create(replace(a_plan(), session=SessionId("gx-2")))
    await one.claim(SessionId("gx-2"))
    assert one.leads(SessionId("gx-2"))
    await one.close()
    await first.close()


async def test_acts_of_a_worker_that_is_gone_hold_nothing_shut(hall: Shell) -> None:
    (one, first), (other, second) = a_worker(hall), a_worker(hall)
    await one.start(Duties())
    await other.start(Duties())
    mine, theirs = SqlMembers(first), SqlMembers(second)
    await mine.hold("a", SESSION, timedelta(minutes=1))
    await theirs.hold("b", SESSION, timedelta(minutes=1))
    await mine.hold("over", SESSION, timedelta())
    await theirs.let_go("b")
    assert await theirs.held(SESSION)
    await one.close()
    assert not await theirs.held(SESSION)
    await other.close()
    await first.close()
    await second.close()


@pytest.mark.parametrize(
    ("free", "holders", "mine", "part"),
    [(7, {1: 0}, 1, 7), (7, {1: 0, 2: 0}, 1, 4), (4, {1: 4, 2: 0}, 1, 0), (4, {1: 4, 2: 0}, 2, 4), (0, {1: 9}, 1, 0)],
)
def test_each_worker_takes_an_equal_part(free: int, holders: dict[int, int], mine: int, part: int) -> None:
    assert share(free, holders, mine) == part


@pytest.mark.parametrize(
    ("holders", "mine", "much"), [({1: 5, 2: 0}, 1, 2), ({1: 5, 2: 0}, 2, 0), ({1: 3, 2: 2}, 1, 0), ({1: 9}, 1, 0)]
)
def test_what_is_beyond_it_is_given_away(holders: dict[int, int], mine: int, much: int) -> None:
    assert excess(holders, mine) == much


class Workers(RuleBasedStateMachine):
    """Any number of workers of one hall; time is the model's, and the store is the real one."""

    @initialize()
    def found(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.now = 1_000_000
        self.until: dict[int, int] = {}  # by number: as the rules have it
        self.known: dict[int, Database] = {}  # also those who do not know yet that they were fenced
        self.highest = 0
        self.leader: dict[SessionId, int] = {}
        self.sessions = [SessionId(f"gx-{number}") for number in range(3)]
        self.run(self._prepare())

    def run(self, awaited: object) -> object:
        return self.loop.run_until_complete(awaited)  # type: ignore[arg-type]

    async def _prepare(self) -> None:
        async with a_shell(Path(self.folder.name), FakeClock()) as shell:
            for session in self.sessions:
                await shell.sessions.create(replace(a_plan(), session=session))
        self.watching = self._connect()

    def _connect(self) -> Database:
        return Database(database_url(Path(self.folder.name)))

    def _members(self, database: Database) -> SqlMembers:
        return SqlMembers(database, now=lambda: literal(self.now))

    def _gone(self, number: int) -> None:
        del self.until[number]
        self.leader = {session: leads for session, leads in self.leader.items() if leads != number}

    @rule(seconds=st.integers(1, 9))
    def time_passes(self, seconds: int) -> None:
        self.now += 1000 * seconds

    @precondition(lambda self: len(self.known) < 6)
    @rule()
    def a_worker_joins(self) -> None:
        database = self._connect()
        number = self.run(self._members(database).join(f"w{self.highest + 1}", VALID))
        assert isinstance(number, int)
        assert number > self.highest
        self.highest = number
        self.known[number], self.until[number] = database, self.now + 8000

    def _someone(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from(sorted(self.known)))

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def one_renews(self, data: st.DataObject) -> None:
        number = self._someone(data)
        if number in self.until:  # also after its time, as long as nobody fenced it
            self.run(self._members(self.known[number]).renew(number, VALID))
            self.until[number] = self.now + 8000
        else:
            with pytest.raises(Fenced):
                self.run(self._members(self.known[number]).renew(number, VALID))

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def one_fences(self, data: st.DataObject) -> None:
        number = self._someone(data)
        overdue = {other for other, end in self.until.items() if end < self.now and other != number}
        if number in self.until:
            gone = self.run(self._members(self.known[number]).fence(number))
            assert set(gone) == overdue  # type: ignore[call-overload]
            for other in overdue:
                self._gone(other)
        elif overdue:  # who is fenced fences nobody
            with pytest.raises(Fenced):
                self.run(self._members(self.known[number]).fence(number))

    @precondition(lambda self: self.known)
    @rule(data=st.data(), wanted=st.sets(st.integers(0, 2)))
    def one_takes(self, data: st.DataObject, wanted: set[int]) -> None:
        number = self._someone(data)
        sessions = [self.sessions[index] for index in sorted(wanted)]
        members = self._members(self.known[number])
        if number not in self.until and sessions:
            with pytest.raises(Fenced):
                self.run(members.take(number, sessions))
            return
        free = set(sessions) - self.leader.keys()
        assert set(self.run(members.take(number, sessions))) == free  # type: ignore[call-overload]
        self.leader |= dict.fromkeys(free, number)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def one_leaves(self, data: st.DataObject) -> None:
        number = self._someone(data)
        self.run(self._members(self.known[number]).leave(number))
        if number in self.until:
            self._gone(number)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def one_writes(self, data: st.DataObject) -> None:
        number = self._someone(data)

        async def write() -> None:
            async with self.known[number].writing():
                pass

        if number in self.until:
            self.run(write())
        else:
            with pytest.raises(Fenced):
                self.run(write())

    @invariant()
    def the_store_says_what_the_rules_say(self) -> None:
        if not hasattr(self, "watching"):
            return
        holders = self.run(self._members(self.watching).holders())
        led = {number: sum(1 for leads in self.leader.values() if leads == number) for number in self.until}
        assert holders == led

    def teardown(self) -> None:
        if hasattr(self, "watching"):
            for database in (*self.known.values(), self.watching):
                self.run(database.close())
            self.loop.close()
            self.folder.cleanup()


TestWorkers = Workers.TestCase
TestWorkers.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
