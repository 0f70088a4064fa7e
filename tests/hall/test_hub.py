"""The hub on a real event loop: who hears what, what a slow reader costs, what happens when rings get lost."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from hall.buses.bus import LocalBus
from hall.hub import Hub
from hall.limits import Limits
from hall.views.audience import Audience
from hall.wire.errors import BadCursor, GoingAway, TooManyWatchers
from hall.wire.frames import Form
from sessions.errors import UnknownSession
from sessions.events import Recorded, SessionEnded, Stream
from sessions.ids import SessionId
from sessions.roles import Role
from tests.sim.virtual import VirtualLoop, run
from tests.support.fake_clock import FakeClock
from tests.support.following import follow
from tests.support.hall_story import SESSION, T0, Story, a_full_story, bidder_id

PUBLIC = Audience(Role.PUBLIC)
HOST = Audience(Role.HOST)

full_story = cache(a_full_story)


class MemoryLog:
    """A log that is durable as far as the hub can tell. ``fails`` makes the next reads fail."""

    def __init__(self, records: Sequence[Recorded] = ()) -> None:
        self.records = list(records)
        self.reads = 0
        self.fails = 0

    async def read(
        self, session: SessionId, stream: Stream, *, after: int = 0, limit: int | None = None
    ) -> Sequence[Recorded]:
        self.reads += 1
        await asyncio.sleep(0)
        if self.fails:
            self.fails -= 1
            raise OSError("the disk is away")
        return [record for record in self.records if record.session == session][after:]

    async def heads(self, sessions: Sequence[SessionId]) -> Mapping[SessionId, int]:
        return {session: sum(record.session == session for record in self.records) for session in sessions}


class World:
    """A hub, its log and its clock; ``happen`` appends like the service does: store first, then announce."""

    def __init__(
        self, records: Sequence[Recorded], *, limits: Limits | None = None, bus: LocalBus | None = None
    ) -> None:
        self.clock = FakeClock(T0)
        self.log = MemoryLog(records)
        self.hub = Hub(self.log, self.clock, bus=bus, limits=limits or Limits(tick=timedelta()))

    def happen(self, records: Sequence[Recorded], *, announced: bool = True) -> None:
        self.log.records.extend(records)
        if announced:
            self.hub.announce(SESSION, tuple(records))

    async def round(self) -> None:
        """One round of housekeeping."""
        for session, live in tuple(self.hub._live.items()):
            self.hub._tidy(session, live)
        if self.hub._bus.lossy:
            await self.hub.look()
        await asyncio.sleep(0)


@asynccontextmanager
async def a_world(upto: int, **options: Any) -> AsyncIterator[World]:
    world = World(full_story().records[:upto], **options)
    await world.hub.start()
    try:
        yield world
    finally:
        await world.hub.close()


def messages(chunk: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in chunk.splitlines()]


def numbers(chunk: bytes) -> list[int]:
    return [message["n"] for message in messages(chunk)]


async def test_a_stream_begins_with_what_was_missed_and_goes_on_live() -> None:
    async with a_world(5) as world:
        stream = await follow(world.hub, SESSION, PUBLIC, 3, form=Form.LINES)
        assert numbers(await anext(stream)) == [4, 5]
        world.happen(full_story().records[5:8])
        assert numbers(await anext(stream)) == [6, 7, 8]


async def test_what_happens_at_intake_is_told_to_nobody() -> None:
    async with a_world(5) as world:
        stream = await follow(world.hub, SESSION, PUBLIC, 5, form=Form.LINES)
        waiting = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        world.hub.announce(SESSION, (replace(full_story().records[5], stream=Stream.INTAKE),))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        world.happen(full_story().records[5:6])
        assert numbers(await waiting) == [6]


async def test_one_event_reaches_every_follower() -> None:
    async with a_world(5) as world:
        streams = [await follow(world.hub, SESSION, PUBLIC, 5, form=Form.LINES) for _ in range(50)]
        waiting = [asyncio.create_task(anext(stream)) for stream in streams]
        await asyncio.sleep(0)
        world.happen(full_story().records[5:6])
        chunks = await asyncio.gather(*waiting)
        assert {id(chunk) for chunk in chunks} == {id(chunks[0])}
        assert numbers(chunks[0]) == [6]


async def test_a_reader_that_takes_nothing_holds_up_nobody() -> None:
    async with a_world(5) as world:
        slow = await follow(world.hub, SESSION, PUBLIC, 0, form=Form.LINES)
        quick = await follow(world.hub, SESSION, PUBLIC, 5, form=Form.LINES)
        assert numbers(await anext(slow)) == [1, 2, 3, 4, 5]  # and now it sits on its chunk
        for record in full_story().records[5:40]:
            world.happen([record])
            assert numbers(await anext(quick)) == [record.number]
        assert numbers(await anext(slow)) == list(range(6, 41))


async def test_events_close_together_travel_in_one_write() -> None:
    async with a_world(5, limits=Limits(tick=timedelta(milliseconds=30))) as world:
        stream = await follow(world.hub, SESSION, PUBLIC, 5, form=Form.LINES)
        first = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        world.happen(full_story().records[5:6])
        assert numbers(await first) == [6]
        following = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        for record in full_story().records[6:16]:
            world.happen([record])
        assert numbers(await following) == list(range(7, 17))


def _written_at(due: Sequence[float]) -> list[float]:
    """Return when a reader was written to, in seconds, of facts that happened at ``due``, a tick being 100 ms."""

    async def story(loop: VirtualLoop) -> list[float]:
        written: list[float] = []
        async with a_world(5, limits=Limits(tick=timedelta(milliseconds=100))) as world:
            began = loop.time() + 0.3  # it has been quiet for a while
            seat = await world.hub.attach(
                SESSION, PUBLIC, 5, form=Form.LINES, write=lambda _: written.append(loop.time() - began), closed=print
            )
            seat.resume()
            for number, moment in enumerate(due, start=5):
                await asyncio.sleep(began + moment - loop.time())
                world.happen(full_story().records[number : number + 1])
            await asyncio.sleep(0.3)
        return [round(moment, 3) for moment in written]

    return run(story)


def test_facts_that_come_each_tick_are_not_all_as_late_as_the_latest() -> None:
    happened = [0.0, 0.11, 0.29, 0.31, 0.4, 0.5, 0.6, 0.7]  # the third was late
    assert _written_at(happened) == happened


def test_a_burst_is_two_writes_and_then_one_a_tick() -> None:
    assert _written_at([number / 100 for number in range(25)]) == [0.0, 0.01, 0.1, 0.2, 0.3]


async def test_what_an_announcement_left_out_is_read_from_the_log() -> None:
    async with a_world(5) as world:
        stream = await follow(world.hub, SESSION, PUBLIC, 5, form=Form.LINES)
        world.happen(full_story().records[5:9], announced=False)
        world.happen(full_story().records[9:10])
        taken: list[int] = []
        while len(taken) < 5:
            taken += numbers(await anext(stream))
        assert taken == [6, 7, 8, 9, 10]


async def test_a_ring_from_another_worker_is_enough() -> None:
    bus = LocalBus()
    async with a_world(5, bus=bus) as world:
        stream = await follow(world.hub, SESSION, PUBLIC, 5, form=Form.LINES)
        world.happen(full_story().records[5:7], announced=False)
        bus.ring(SESSION, 7)
        assert numbers(await anext(stream)) == [6, 7]


async def test_a_bus_that_loses_rings_only_delays() -> None:
    bus = LocalBus()
    bus.lossy = True
    async with a_world(5, bus=bus) as world:
        stream = await follow(world.hub, SESSION, PUBLIC, 5, form=Form.LINES)
        waiting = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        world.happen(full_story().records[5:7], announced=False)
        await world.round()
        chunk = await waiting  # who is watching may be told before the log was read
        while b'"n":7' not in chunk:
            chunk += await anext(stream)
        assert numbers(b"\n".join(line for line in chunk.splitlines() if b'"n":' in line)) == [6, 7]


async def test_a_log_that_cannot_be_read_is_asked_again() -> None:
    bus = LocalBus()
    async with a_world(5, bus=bus) as world:
        stream = await follow(world.hub, SESSION, PUBLIC, 5, form=Form.LINES)
        world.happen(full_story().records[5:7], announced=False)
        world.log.fails = 1
        bus.ring(SESSION, 7)
        while world.log.fails:  # noqa: ASYNC110  # it was asked, and failed
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)
        bus.ring(SESSION, 7)
        assert numbers(await anext(stream)) == [6, 7]


async def test_many_who_come_at_once_cost_one_reading() -> None:
    async with a_world(30) as world:
        await asyncio.gather(*(follow(world.hub, SESSION, PUBLIC, 0, form=Form.SSE) for _ in range(40)))
        assert world.log.reads == 2  # the room, and what may have come while it was furnished


async def test_what_happens_while_a_room_is_furnished_is_not_lost() -> None:
    async with a_world(5) as world:
        coming = asyncio.create_task(follow(world.hub, SESSION, PUBLIC, 0, form=Form.LINES))
        await asyncio.sleep(0)
        world.happen(full_story().records[5:8])
        stream = await coming
        assert numbers(await anext(stream)) == list(range(1, 9))


async def test_a_view_and_the_facts_after_it_fit_together() -> None:
    async with a_world(20) as world:
        snapshot = await world.hub.snapshot(SESSION, HOST)
        world.happen(full_story().records[20:25])
        answer = json.loads(await world.hub.facts(SESSION, HOST, snapshot.number))
        assert snapshot.view["n"] == 20
        assert answer["view_n"] == 25
        assert [fact["n"] for fact in answer["events"]] == [21, 22, 23, 24, 25]


async def test_a_poll_is_answered_in_pieces() -> None:
    async with a_world(30, limits=Limits(facts_per_call=10)) as world:
        assert len(json.loads(await world.hub.facts(SESSION, PUBLIC, 0))["events"]) == 10


# -- who may not come in -------------------------------------------------------------------------------------


async def test_a_session_nobody_announced_is_unknown() -> None:
    async with a_world(5) as world:
        with pytest.raises(UnknownSession):
            await follow(world.hub, SessionId("no-such"), PUBLIC, 0, form=Form.SSE)
        assert not world.hub._live


@pytest.mark.parametrize("after", [-1, 6, 2**63])
async def test_a_cursor_off_the_log_is_refused(after: int) -> None:
    async with a_world(5) as world:
        with pytest.raises(BadCursor):
            await follow(world.hub, SESSION, PUBLIC, after, form=Form.SSE)


async def test_a_full_house_takes_nobody_more() -> None:
    async with a_world(5, limits=Limits(watchers=2)) as world:
        streams = [await follow(world.hub, SESSION, PUBLIC, 0, form=Form.SSE) for _ in range(2)]
        for stream in streams:
            await anext(stream)
        with pytest.raises(TooManyWatchers):
            await follow(world.hub, SESSION, PUBLIC, 0, form=Form.SSE)
        await streams[0].aclose()
        await follow(world.hub, SESSION, PUBLIC, 0, form=Form.SSE)


async def test_one_address_has_its_share_and_no_more() -> None:
    async with a_world(5, limits=Limits(watchers_per_address=1)) as world:
        stream = await follow(world.hub, SESSION, PUBLIC, 0, form=Form.SSE, address="192.0.2.1")
        await anext(stream)
        with pytest.raises(TooManyWatchers):
            await follow(world.hub, SESSION, PUBLIC, 0, form=Form.SSE, address="192.0.2.1")
        await follow(world.hub, SESSION, PUBLIC, 0, form=Form.SSE, address="192.0.2.2")


async def test_a_bidder_has_three_devices_and_no_more() -> None:
    bidder = Audience(Role.BIDDER, bidder_id(1))
    async with a_world(30) as world:
        for _ in range(3):
            await anext(await follow(world.hub, SESSION, bidder, 0, form=Form.SSE))
        with pytest.raises(TooManyWatchers):
            await follow(world.hub, SESSION, bidder, 0, form=Form.SSE)


# -- who is here ---------------------------------------------------------------------------------------------


async def test_spectators_are_counted_and_told_at_most_once_a_round() -> None:
    async with a_world(5) as world:
        streams = [await follow(world.hub, SESSION, PUBLIC, 5, form=Form.LINES) for _ in range(3)]
        waiting = [asyncio.create_task(anext(stream)) for stream in streams]
        await asyncio.sleep(0)
        await world.round()
        assert [messages(chunk) for chunk in await asyncio.gather(*waiting)] == [
            [{"signal": "watching", "count": 3}]
        ] * 3


async def test_bidders_in_the_room_are_not_counted_before_t0_or_after() -> None:
    async with a_world(5) as world:
        stream = await follow(world.hub, SESSION, PUBLIC, 5, form=Form.LINES)
        waiting = asyncio.create_task(anext(stream))
        bidders = [
            await follow(world.hub, SESSION, Audience(Role.BIDDER, bidder_id(n)), 0, form=Form.LINES)
            for n in range(1, 6)
        ]
        for bidder in bidders:
            await anext(bidder)
        await world.round()
        assert messages(await waiting) == [{"signal": "watching", "count": 1}]


async def test_a_bidders_devices_are_told_to_it_and_the_staff_once_it_is_listed() -> None:
    bidder, rival = (Audience(Role.BIDDER, bidder_id(n)) for n in (1, 2))
    async with a_world(5) as world:
        seats = [await follow(world.hub, SESSION, bidder, 5, form=Form.LINES) for _ in range(2)]
        others = {a.key: await follow(world.hub, SESSION, a, 5, form=Form.LINES) for a in (PUBLIC, HOST, rival)}
        waiting = [asyncio.create_task(anext(stream)) for stream in (*seats, *others.values())]
        await asyncio.sleep(0)
        await world.round()
        assert not any(b"seats" in task.result() for task in waiting if task.done())
        world.happen(full_story().records[5:20])
        await asyncio.gather(*waiting)
        told = {bidder.key: asyncio.create_task(anext(seats[0]))}
        told |= {key: asyncio.create_task(anext(stream)) for key, stream in others.items()}
        await asyncio.sleep(0)
        await world.round()
        await asyncio.sleep(0.01)
        heard = {
            key
            for key, task in told.items()
            if task.done() and f'"{bidder_id(1)}","devices":2'.encode() in task.result()
        }
        assert heard == {bidder.key, "host"}
        for task in told.values():
            task.cancel()
        await asyncio.gather(*told.values(), return_exceptions=True)


async def test_a_quiet_stream_beats_and_says_what_time_it_is() -> None:
    async with a_world(5) as world:
        stream = await follow(world.hub, SESSION, HOST, 5, form=Form.LINES)
        waiting = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        world.clock.advance(timedelta(seconds=14))
        await world.round()
        assert not waiting.done()
        world.clock.advance(timedelta(seconds=1))
        await world.round()
        assert messages(await waiting) == [{"signal": "beat", "now": "2026-11-21T01:00:15.000Z"}]


async def test_while_the_log_cannot_be_read_everybody_is_told_of_when_what_they_see_is() -> None:
    async with a_world(5) as world:
        stream = await follow(world.hub, SESSION, HOST, 5, form=Form.LINES)
        since, beat = world.clock.now(), {"signal": "beat", "now": "2026-11-21T01:00:03.000Z"}
        world.clock.advance(timedelta(seconds=3))
        for as_of, told in ((since, {"as_of": "2026-11-21T01:00:00.000Z"}), (None, {})):
            world.hub.as_of = lambda as_of=as_of: as_of  # type: ignore[misc]
            waiting = asyncio.create_task(anext(stream))
            await asyncio.sleep(0)
            await world.round()
            assert messages(await waiting) == [beat | told]


async def test_a_room_nobody_needs_is_forgotten_and_comes_back_the_same() -> None:
    async with a_world(40) as world:
        stream = await follow(world.hub, SESSION, PUBLIC, 0, form=Form.SSE)
        before = await anext(stream)
        await stream.aclose()
        await world.round()
        world.clock.advance(timedelta(minutes=11))
        await world.round()
        assert not world.hub._live
        again = await follow(world.hub, SESSION, PUBLIC, 0, form=Form.SSE)
        assert await anext(again) == before


# -- seats that the hub writes to ----------------------------------------------------------------------------


class Transport:
    """A transport that may say stop."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.code = 0

    def close(self, code: int) -> None:
        self.code = code


async def test_a_seat_gets_the_frames_that_a_stream_gets() -> None:
    async with a_world(5) as world:
        stream = await follow(world.hub, SESSION, PUBLIC, 0, form=Form.WEBSOCKET)
        transport = Transport()
        seat = await world.hub.attach(
            SESSION, PUBLIC, 0, form=Form.WEBSOCKET, write=transport.written.append, closed=transport.close
        )
        seat.resume()
        assert transport.written == [await anext(stream)]


async def test_a_paused_seat_gets_nothing_and_then_everything_it_missed() -> None:
    async with a_world(5) as world:
        transport = Transport()
        seat = await world.hub.attach(
            SESSION, PUBLIC, 5, form=Form.LINES, write=transport.written.append, closed=transport.close
        )
        seat.resume()
        seat.pause()
        for record in full_story().records[5:20]:
            world.happen([record])
            await asyncio.sleep(0)
        assert transport.written == []
        seat.resume()
        assert numbers(b"".join(transport.written)) == list(range(6, 21))


async def test_a_seat_that_left_is_written_to_no_more() -> None:
    async with a_world(5) as world:
        transport = Transport()
        seat = await world.hub.attach(
            SESSION, PUBLIC, 5, form=Form.LINES, write=transport.written.append, closed=transport.close
        )
        seat.resume()
        seat.leave()
        seat.leave()
        world.happen(full_story().records[5:6])
        await asyncio.sleep(0.01)
        assert transport.written == []
        assert world.hub._readers == 0


async def test_a_broken_connection_does_not_keep_the_news_from_the_others() -> None:
    async with a_world(5) as world:

        def broken(_: bytes) -> None:
            raise OSError("connection lost")

        good = Transport()
        for write in (broken, good.written.append):
            seat = await world.hub.attach(SESSION, PUBLIC, 5, form=Form.LINES, write=write, closed=good.close)
            seat.resume()
        world.happen(full_story().records[5:6])
        while not good.written:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert numbers(b"".join(good.written)) == [6]
        assert world.hub._readers == 1


# -- the end -------------------------------------------------------------------------------------------------


async def test_closing_ends_every_stream_and_tells_every_seat() -> None:
    async with a_world(5) as world:
        stream = await follow(world.hub, SESSION, PUBLIC, 5, form=Form.LINES)
        waiting = asyncio.create_task(anext(stream))
        transport = Transport()
        seat = await world.hub.attach(
            SESSION, PUBLIC, 5, form=Form.LINES, write=transport.written.append, closed=transport.close
        )
        seat.resume()
        await asyncio.sleep(0)
        await world.hub.close()
        with pytest.raises(StopAsyncIteration):
            await waiting
        assert transport.code == 1012
        with pytest.raises(GoingAway):
            await follow(world.hub, SESSION, PUBLIC, 0, form=Form.LINES)


async def test_devices_are_counted_while_a_session_is_under_way_and_dismissed_at_its_end() -> None:
    ends = place_of_the_end()
    async with a_world(ends) as world:
        host = await follow(world.hub, SESSION, HOST, ends, form=Form.LINES)
        assert (world.hub.seated(), world.hub.dismissed()) == ({SESSION: 1}, frozenset())
        world.happen(full_story().records[ends:])
        await anext(host)
        assert (world.hub.seated(), world.hub.dismissed()) == ({}, {SESSION})


async def test_whom_a_hall_that_closes_sends_away_it_has_dismissed() -> None:
    async with a_world(place_of_the_end()) as world:
        await world.hub.warm(SESSION)
        await world.hub.close()
        assert world.hub.dismissed() == {SESSION}


def place_of_the_end() -> int:
    return next(n for n, record in enumerate(full_story().records) if isinstance(record.event, SessionEnded))


async def test_closing_while_a_room_is_read_sends_the_reader_away() -> None:
    async with a_world(5) as world:
        coming = asyncio.create_task(follow(world.hub, SESSION, PUBLIC, 0, form=Form.LINES))
        await asyncio.sleep(0)
        await world.hub.close()
        with pytest.raises(GoingAway):
            await coming


async def test_a_reader_that_goes_away_while_a_room_is_read_takes_nothing_from_the_others() -> None:
    async with a_world(5) as world:
        first, second = (
            asyncio.create_task(follow(world.hub, SESSION, PUBLIC, 0, form=Form.LINES)) for _ in range(2)
        )
        await asyncio.sleep(0)
        first.cancel()
        assert numbers(await anext(await second)) == [1, 2, 3, 4, 5]
        assert first.cancelled()


async def test_a_reader_that_goes_away_is_counted_out() -> None:
    async with a_world(5) as world:
        stream = await follow(world.hub, SESSION, PUBLIC, 5, form=Form.LINES, address="192.0.2.1")
        waiting = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        assert world.hub._readers == 1
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert world.hub._readers == 0
        assert not world.hub._addresses


async def test_readers_that_join_lag_and_resume_at_random_miss_and_repeat_nothing() -> None:
    story = Story(bids=5).to_decrypt()
    records = [*story.records]
    world = World(records[:1], limits=Limits(tick=timedelta(milliseconds=2), chunk=2000))
    await world.hub.start()

    async def reader(number: int) -> list[int]:
        got: list[int] = []
        while len(got) < len(records):
            stream = await follow(world.hub, SESSION, PUBLIC, len(got), form=Form.LINES)
            for _ in range(number % 4 + 1):
                got += [m["n"] for m in messages(await anext(stream)) if "n" in m]
                if len(got) >= len(records):
                    break
                await asyncio.sleep(number % 3 / 1000)
            await stream.aclose()
        return got

    readers = [asyncio.create_task(reader(number)) for number in range(30)]
    for record in records[1:]:
        world.happen([record], announced=record.number % 5 != 0)
        await asyncio.sleep(0.001)
    world.hub._heard(SESSION, len(records))
    assert await asyncio.gather(*readers) == [list(range(1, len(records) + 1))] * 30
    await world.hub.close()
