"""The bells between workers over real servers, and G13: whatever becomes of Redis, every reader hears everything."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from hall.buses.buckets import SharedBuckets, Unreachable
from hall.buses.bus import Bus
from hall.buses.postgres import PostgresBus
from hall.buses.redis import RedisBus
from hall.hub import Hub
from hall.limits import Buckets, Limits, Rate
from hall.rooms.presence import Elsewhere, Here, heard
from hall.views.audience import Audience
from hall.wire.frames import Form
from sessions.events import Recorded, Stream
from sessions.ids import BidderId, SessionId
from sessions.roles import Role
from tests.support import postgres
from tests.support.fake_clock import FakeClock
from tests.support.following import follow
from tests.support.hall_story import SESSION, T0, a_full_story
from tests.support.redis import RedisServer, a_redis

A = SessionId("a")
PUBLIC = Audience(Role.PUBLIC)

full_story = cache(a_full_story)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with a_redis() as server:
        yield server


@pytest.fixture(params=["redis", "postgres"])
async def two(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Bus, Bus]]:
    """The buses of two workers of one hall."""

    def make() -> Bus:
        if request.param == "redis":
            return RedisBus(request.getfixturevalue("redis").url, "kaibiao/test")
        cluster = postgres.cluster()
        name = cluster.database(tmp_path)
        return PostgresBus(cluster.url(name).replace("+asyncpg", ""))

    buses = make(), make()
    yield buses
    for bus in buses:
        await bus.close()


async def until(true: Callable[[], object], *, again: Callable[[], object] = lambda: None) -> None:
    """Wait until it is so, doing something ``again`` meanwhile: nobody promises that the first ring is heard."""
    async with asyncio.timeout(60):
        while not true():
            again()
            await asyncio.sleep(0.05)


async def test_a_ring_is_heard_by_the_other_workers_and_by_oneself(two: tuple[Bus, Bus]) -> None:
    one, other = two
    here: list[tuple[SessionId, int]] = []
    there: list[tuple[SessionId, int]] = []
    one.listen(lambda session, number: here.append((session, number)))
    other.listen(lambda session, number: there.append((session, number)))
    await until(lambda: (A, 7) in here and (A, 7) in there, again=lambda: one.ring(A, 7))
    assert set(here) | set(there) == {(A, 7)}
    assert one.lossy


async def test_of_many_rings_at_once_the_newest_goes_out(two: tuple[Bus, Bus]) -> None:
    one, other = two
    there: list[int] = []
    other.listen(lambda session, number: there.append(number))
    one.listen(lambda session, number: None)
    await until(lambda: there, again=lambda: one.ring(A, 1))
    for number in (5, 9, 3):
        one.ring(A, number)
    await until(lambda: 9 in there)
    assert set(there) == {1, 9}


async def test_what_is_told_comes_to_the_others_as_it_was(two: tuple[Bus, Bus]) -> None:
    one, other = two
    there: list[tuple[SessionId, bytes]] = []
    other.hear(lambda session, what: there.append((session, what)))
    one.hear(lambda session, what: None)
    said = Here(spectators=3, devices={BidderId("华"): 2}, chairs={Role.HOST: 1}).told("w1", 0.0)
    await until(lambda: there, again=lambda: one.tell(A, said))
    assert there[0] == (A, said)


async def test_a_bus_whose_server_is_away_neither_raises_nor_waits(tmp_path: Path) -> None:
    bus = RedisBus(f"unix://{tmp_path / 'nobody.sock'}", "kaibiao/test")
    bus.listen(lambda session, number: None)
    for number in range(100):
        bus.ring(A, number)
    await asyncio.sleep(0.05)
    await bus.close()


def test_a_worker_that_falls_silent_has_nobody_in_the_room() -> None:
    elsewhere = Elsewhere()
    for worker, at in (("w1", 0.0), ("w2", 3.0)):
        said = Here(spectators=3, devices={BidderId("b"): 1}, chairs={Role.HOST: 1}).told(worker, at)
        elsewhere.hear(*heard(said, at), now=at)
    assert (elsewhere.spectators, elsewhere.devices(BidderId("b")), elsewhere.chairs()) == (6, 2, {Role.HOST: 2})
    elsewhere.forget(5.0)
    assert (elsewhere.spectators, elsewhere.devices(BidderId("b")), elsewhere.chairs()) == (3, 1, {Role.HOST: 1})


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"{}",
        b"[]",
        b'{"w":1,"s":"x","d":{},"c":{}}',
        b'{"w":1,"s":1,"d":[],"c":{}}',
        b'{"w":1,"s":1,"d":{},"c":{},"l":3}',
    ],
)
def test_nonsense_is_no_count_of_readers(said: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a count|Expecting value|invalid literal"):
        heard(said, 0.0)


MINUTE = Rate(count=5, per=timedelta(minutes=1), burst=3)


async def test_all_workers_together_have_one_bucket(redis: RedisServer) -> None:
    redis.say("FLUSHALL")
    one, other = (SharedBuckets(redis.url, "kaibiao/test") for _ in range(2))
    alone, now = Buckets(), T0
    for step in range(12):
        now = T0 + timedelta(seconds=3 * step)
        taken = await (one, other)[step % 2].take(("login", "host"), MINUTE, now)
        assert taken == alone.take(("login", "host"), MINUTE, now)
    assert await one.take(("login", "deputy"), MINUTE, now) is None
    assert "host" not in redis.say("KEYS", "*")
    await one.close()
    await other.close()


async def test_a_bucket_that_cannot_be_asked_says_so() -> None:
    with a_redis() as redis:
        buckets = SharedBuckets(redis.url, "kaibiao/test")
        assert await buckets.take("a", MINUTE, T0) is None
        redis.freeze()
        with pytest.raises(Unreachable):
            await buckets.take("a", MINUTE, T0)
        redis.thaw()
        await buckets.close()


class SharedLog:
    """The log that two workers have in common."""

    def __init__(self, records: Sequence[Recorded]) -> None:
        self.records = list(records)

    async def read(
        self, session: SessionId, stream: Stream, *, after: int = 0, limit: int | None = None
    ) -> Sequence[Recorded]:
        await asyncio.sleep(0)
        return self.records[after:]

    async def heads(self, sessions: Sequence[SessionId]) -> Mapping[SessionId, int]:
        return dict.fromkeys(sessions, len(self.records))


class TwoHubs:
    """Two workers' hubs over one log and one Redis."""

    def __init__(self, redis: RedisServer) -> None:
        self.log = SharedLog(full_story().records[:5])
        self.hubs = [
            Hub(self.log, FakeClock(T0), bus=RedisBus(redis.url, "kaibiao/g13"), limits=Limits(tick=timedelta()))
            for _ in range(2)
        ]
        self.got: list[list[int]] = []
        self._readers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> TwoHubs:
        for hub in self.hubs:
            await hub.start()
            for _ in range(3):
                got: list[int] = []
                self.got.append(got)
                self._readers.append(asyncio.create_task(self._read(hub, got)))
        return self

    async def __aexit__(self, *_: object) -> None:
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        for hub in self.hubs:
            await hub.close()

    async def _read(self, hub: Hub, got: list[int]) -> None:
        async for chunk in await follow(hub, SESSION, PUBLIC, 0, form=Form.LINES):
            messages = map(json.loads, chunk.splitlines())
            got += [message["n"] for message in messages if message.get("n") is not None and "type" in message]

    async def happen(self, count: int, rest: float = 0.02) -> None:
        """Let so many facts be appended by the one worker and the other in turn."""
        for _ in range(count):
            record = full_story().records[len(self.log.records)]
            self.log.records.append(record)
            self.hubs[record.number % 2].announce(SESSION, (record,))
            await asyncio.sleep(rest)

    async def healed(self) -> float:
        """Return after how many seconds every reader had everything; each fact once, in order."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        wanted = list(range(1, len(self.log.records) + 1))
        await until(lambda: all(len(got) >= len(wanted) for got in self.got))
        assert [got for got in self.got if got != wanted] == []
        return loop.time() - began


def killed_and_restarted(redis: RedisServer) -> None:
    redis.kill()
    redis.start()


def emptied(redis: RedisServer) -> None:
    redis.say("FLUSHALL")


def out_of_memory(redis: RedisServer) -> None:
    redis.say("CONFIG", "SET", "maxmemory", "1")


def subscribers_cut(redis: RedisServer) -> None:
    redis.say("CLIENT", "KILL", "TYPE", "pubsub")


@pytest.mark.parametrize("fault", [killed_and_restarted, emptied, out_of_memory, subscribers_cut])
async def test_whatever_becomes_of_redis_every_reader_hears_everything_once_and_in_order(
    fault: Callable[[RedisServer], None],
) -> None:
    with a_redis() as redis:
        async with TwoHubs(redis) as two:
            await two.happen(8)
            meanwhile = asyncio.create_task(two.happen(10))
            await asyncio.to_thread(fault, redis)
            await meanwhile
            sys.stdout.write(f"healed_seconds: {await two.healed():.3f}\n")
            await two.happen(5)
            await two.healed()


async def test_a_frozen_redis_holds_nobody_up() -> None:
    with a_redis() as redis:
        async with TwoHubs(redis) as two:
            await two.happen(8)
            redis.freeze()
            await two.happen(10, rest=0.3)
            sys.stdout.write(f"healed_seconds_while_frozen: {await two.healed():.3f}\n")
            redis.thaw()
            await two.happen(5)
            await two.healed()


async def test_who_watches_is_counted_over_all_workers() -> None:
    with a_redis() as redis:
        async with TwoHubs(redis) as two:
            rooms = [hub._live[SESSION] for hub in two.hubs if await hub.snapshot(SESSION, PUBLIC)]
            await until(lambda: [room._told_spectators for room in rooms] == [6, 6])
