"""Time servers: what counts as an answer, and what several of them come to."""

from __future__ import annotations

import struct
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest

from sessions.watch.steady import Comparison
from tests.support.ceremony import MS, SECOND, T0
from tests.support.fake_clock import FakeClock
from tests.support.time_server import a_time_server, reply, stamp
from web import sntp
from web.settings import Settings
from web.sntp import NotAnAnswer, Source, TimeSources, answered, question, read_source

NUMBER = 0x1234_5678_9ABC_DEF0


def test_a_question_tells_nothing_but_a_number() -> None:
    packet = question(NUMBER)
    assert len(packet) == 48
    assert packet[0] == 0b00_100_011
    assert packet[1:40] == bytes(39)


def test_the_offset_is_the_mean_of_both_ways_and_as_unsure_as_half_the_trip() -> None:
    packet = reply(question(NUMBER), T0 + 500 * MS)
    offset, unsure = answered(packet, NUMBER, T0, T0 + 40 * MS)
    assert abs(offset - 480 * MS) < MS
    assert 20 * MS <= unsure <= 22 * MS


@pytest.mark.parametrize(
    "at", [datetime(2036, 2, 7, 6, 28, 15, tzinfo=UTC), datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC)]
)
def test_the_years_in_which_seconds_run_over_are_years_like_others(at: datetime) -> None:
    offset, _ = answered(reply(question(NUMBER), at + 2 * SECOND), NUMBER, at, at)
    assert abs(offset - 2 * SECOND) < MS


def spoilt(**changes: int) -> bytes:
    return reply(question(NUMBER), T0, **changes)


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (spoilt()[:47], "short"),
        (spoilt(flags=0b00_100_011), "not from a server"),
        (spoilt(flags=0b00_111_100), "not from a server"),
        (spoilt(flags=0b11_100_100), "does not know"),
        (spoilt(stratum=0), "does not know"),
        (spoilt(stratum=16), "does not know"),
        (spoilt(distance=2 * 65536), "unsure"),
        (reply(question(NUMBER + 1), T0), "something else"),
        (spoilt()[:32] + bytes(8) + spoilt()[40:], "no times"),
        (spoilt()[:40] + bytes(8), "no times"),
        (spoilt()[:32] + struct.pack("!Q", stamp(T0 + SECOND)) + spoilt()[40:], "backwards"),
    ],
)
def test_a_packet_that_is_no_answer_is_left_aside(packet: bytes, why: str) -> None:
    with pytest.raises(NotAnAnswer, match=why):
        answered(packet, NUMBER, T0, T0 + MS)


def test_our_own_clock_going_back_proves_nothing() -> None:
    with pytest.raises(NotAnAnswer, match="backwards"):
        answered(reply(question(NUMBER), T0), NUMBER, T0, T0 - MS)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("ntp.ntsc.ac.cn:123", Source("ntp.ntsc.ac.cn:123", "ntp.ntsc.ac.cn", 123)),
        ("time.example", Source("time.example", "time.example", 123)),
        ("[2001:db8::1]:1123", Source("[2001:db8::1]:1123", "2001:db8::1", 1123)),
    ],
)
def test_a_source_is_host_and_port(text: str, source: Source) -> None:
    assert read_source(text) == source


@pytest.mark.parametrize(
    "text", ["", ":123", "host:0", "host:65536", "host:http", "a b:123", "2001:db8::1:123", "[x]:1"]
)
def test_what_is_no_source_is_refused_where_it_is_set(text: str) -> None:
    with pytest.raises(ValueError, match=r"port|host|address"):
        Settings(clock_sources=(text,))


def test_one_source_counts_once() -> None:
    with pytest.raises(ValueError, match="different"):
        Settings(clock_sources=("a:123", "a:123"))


async def test_real_servers_are_asked_side_by_side_and_a_liar_is_outvoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sntp, "SECONDS", 2.0)  # a slow machine is no silent server
    clock, told = FakeClock(), list[Comparison | None]()
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(a_time_server(clock, offset))
            for offset in (4 * MS, 6 * MS, timedelta(hours=1))
        ]
        silent = await stack.enter_async_context(a_time_server(clock, spoil=lambda _: None))
        foreign = await stack.enter_async_context(a_time_server(clock, spoil=lambda p: p[:24] + bytes(8) + p[32:]))
        sources = TimeSources([read_source(each) for each in (*servers, silent, foreign)], clock, tell=told.append)
        found = await sources.measure()
    assert found is not None
    assert found.sources == tuple(servers)
    assert abs(found.offset - 6 * MS) <= MS
    assert found.uncertainty < SECOND
    assert told == [found]


async def test_when_nobody_answers_that_is_what_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sntp, "SECONDS", 0.2)
    told: list[Comparison | None] = []
    clock = FakeClock()
    async with a_time_server(clock, spoil=lambda _: None) as silent:
        sources = TimeSources([read_source(silent)], clock, tell=told.append)
        await sources.start()
        await sources.close()
    assert told == [None]
