"""The timekeeper settles what is due, whatever fails, and stops when told."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest

from hall import timekeeper
from hall.timekeeper import Timekeeper
from sessions.ids import SessionId
from tests.support.fake_clock import FakeClock

START = FakeClock().now()
A, B = SessionId("a"), SessionId("b")


class Service:
    """Sessions with due times; settling one takes its due time away. ``before`` runs first and may fail or hang."""

    def __init__(self, dues: dict[SessionId, datetime]) -> None:
        self.dues = dues
        self.settled: Counter[SessionId] = Counter()
        self.looked = asyncio.Event()
        self.failures = 0
        self.before: dict[SessionId, Callable[[], object]] = {}

    async def falling_due(self) -> Sequence[tuple[SessionId, datetime]]:
        self.looked.set()
        if self.failures:
            self.failures -= 1
            raise OSError("the database is away")
        return list(self.dues.items())

    async def settle(self, session: SessionId) -> object:
        self.settled[session] += 1
        if session in self.before:
            result = self.before[session]()
            if asyncio.iscoroutine(result):
                await result
        self.dues.pop(session, None)
        return ()


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until ``condition`` holds; the suite's timeout is the limit."""
    while not condition():  # noqa: ASYNC110 - the condition is over the service's plain state
        await asyncio.sleep(0.005)


async def running(service: Service, clock: FakeClock) -> Timekeeper:
    keeper = Timekeeper(service, clock)
    keeper.start()
    await service.looked.wait()
    return keeper


async def test_what_is_due_is_settled_and_what_is_not_waits() -> None:
    service = Service({A: START, B: START + timedelta(hours=1)})
    keeper = await running(service, FakeClock())
    await until(lambda: service.settled[A] == 1)
    await keeper.stop()
    assert service.settled == {A: 1}


async def test_time_that_comes_is_noticed() -> None:
    clock = FakeClock()
    service = Service({A: START + timedelta(milliseconds=30)})
    keeper = await running(service, clock)
    assert not service.settled
    clock.advance(timedelta(milliseconds=30))
    await until(lambda: service.settled[A] == 1)
    await keeper.stop()


async def test_something_brought_forward_is_settled_when_stirred() -> None:
    service = Service({})
    keeper = await running(service, FakeClock())
    service.dues[A] = START
    keeper.stir()
    await until(lambda: service.settled[A] == 1)
    await keeper.stop()


async def test_one_session_that_hangs_delays_no_other() -> None:
    service = Service({A: START, B: START})
    never = asyncio.Event()
    service.before[A] = never.wait
    keeper = await running(service, FakeClock())
    await until(lambda: service.settled[B] == 1)
    await keeper.stop()
    assert service.settled[A] == 1


async def test_a_session_that_cannot_be_settled_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timekeeper, "AFTER_FAILURE", timedelta(milliseconds=1))
    service = Service({A: START})
    failures = [OSError("disk full"), OSError("disk full")]

    def fail() -> None:
        if failures:
            raise failures.pop()

    service.before[A] = fail
    keeper = await running(service, FakeClock())
    await until(lambda: A not in service.dues)
    await keeper.stop()
    assert service.settled[A] == 3


async def test_a_database_that_is_away_is_asked_again() -> None:
    service = Service({A: START})
    service.failures = 1
    keeper = Timekeeper(service, FakeClock())
    keeper.start()
    await until(lambda: service.settled[A] == 1)
    await keeper.stop()


async def test_stopping_before_starting_is_harmless() -> None:
    await Timekeeper(Service({}), FakeClock()).stop()


async def test_sessions_are_made_ready_for_what_falls_due_soon_and_one_failure_keeps_no_other_from_it() -> None:
    clock = FakeClock()
    service = Service({A: START + timedelta(seconds=5), B: START + timedelta(seconds=5)})
    made: list[SessionId] = []

    async def ready(session: SessionId) -> bool:
        made.append(session)
        if session == A:
            raise OSError("the database is away")
        return opens

    opens, calls = True, list[int]()
    keeper = Timekeeper(service, clock, ready=ready)
    keeper.before_t0 = lambda: calls.append(len(made))
    keeper.start()
    await until(lambda: calls == [2])
    for _ in range(3):
        service.looked.clear()
        keeper.stir()
        await service.looked.wait()
    assert made == [A, B]
    service.dues[B] = START + timedelta(seconds=7)  # put off
    opens = False  # what comes then is no opening time
    keeper.stir()
    await until(lambda: made == [A, B, B])
    clock.advance(timedelta(seconds=6, milliseconds=500))  # A's has passed; B is made ready a last time
    keeper.stir()
    await until(lambda: made == [A, B, B, B])
    clock.advance(timedelta(milliseconds=500))
    keeper.stir()
    await until(lambda: service.settled == Counter([A, B]))
    assert calls == [2]
    await keeper.stop()
