"""The bench's readers count every fact however its bytes come, and notice what is missing, doubled or cut off."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hall.wire.frames import PING, Form, close_frame, facts_frame, signal_frame
from web.bench.stream import Lost, Reader, Stream, request

GREETING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


def fact(number: int, kind: str = "BidOpened") -> bytes:
    message = {"n": number, "at": "2026-11-22T01:00:00.000Z", "type": kind, "data": {}, "filler": "x" * 3000}
    return json.dumps(message).encode()


def frames(first: int, last: int, form: Form = Form.DEFLATED) -> bytes:
    return facts_frame(form, first, [fact(number) for number in range(first, last + 1)])


def reading(stream: Stream, *pieces: bytes) -> Reader:
    reader = Reader()
    for piece in (GREETING, *pieces):
        stream.take(reader, piece)
    return reader


@pytest.mark.parametrize("form", [Form.DEFLATED, Form.WEBSOCKET])
@pytest.mark.parametrize("size", [1, 7, 191, 5000, 1 << 20])
def test_facts_are_counted_in_pieces_of_any_size(form: Form, size: int) -> None:
    whole = GREETING + frames(1, 2, form) + PING + signal_frame(form, b'{"signal":"beat"}') + frames(3, 30, form)
    stream = Stream()
    for _ in range(2):  # the second reader gets frames that are known
        reader = Reader()
        for start in range(0, len(whole), size):
            stream.take(reader, whole[start : start + size])
        assert (reader.facts, reader.prices, reader.received) == (30, 30, len(whole))


def test_each_fact_is_told_of_once_whoever_had_it_first() -> None:
    seen: list[Any] = []
    stream = Stream(lambda fact, now: seen.append(fact["n"]))
    reading(stream, frames(1, 3))
    reading(stream, frames(1, 2), frames(3, 4))
    assert seen == [1, 2, 3, 4]


@pytest.mark.parametrize("wrong", [frames(4, 5), frames(2, 4), frames(1, 1)])
def test_a_fact_that_is_missing_or_comes_twice_is_noticed(wrong: bytes) -> None:
    with pytest.raises(Lost):
        reading(Stream(), frames(1, 2), wrong)


def test_a_reader_that_is_sent_away_is_noticed() -> None:
    with pytest.raises(Lost, match="closed"):
        reading(Stream(), frames(1, 1), close_frame(1013))
    with pytest.raises(Lost, match="503"):
        Stream().take(Reader(), b"HTTP/1.1 503 Service Unavailable\r\n\r\n")


def test_delays_are_of_all_facts_since_a_moment_and_all_readers() -> None:
    stream = Stream()
    for _ in range(3):
        reading(stream, frames(1, 5))
    assert stream.delays(-1e12).total() == 15
    assert stream.delays(1e12).total() == 0


def test_a_request_is_one_that_the_hall_takes() -> None:
    from hall.wire.handshake import accept

    lines = request("zb-1", 8000, "session=x").decode().split("\r\n")[1:-2]
    headers = [
        tuple(line.lower().encode() if i == 0 else line.encode() for i, line in enumerate(each.split(": ", 1)))
        for each in lines
    ]
    assert accept("GET", headers).deflated  # type: ignore[arg-type]
