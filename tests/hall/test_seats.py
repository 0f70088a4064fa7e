"""Everyone gets every fact once and in order, however they join, lag, catch up, leave and come back."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hall.limits import LIMITS
from hall.rooms.seat import Seat, Seats
from hall.rooms.watcher import Watcher
from hall.views.audience import PUBLIC
from hall.wire.frames import FRAMED, Form
from tests.support.frames import lines_of
from web.bench.alone import Echo

FORMS = (Form.LINES, Form.SSE, Form.CHUNKED, Form.WEBSOCKET, Form.DEFLATED)
CLIENTS = 10


class Client:
    """One reader whose transport holds ``room_for`` more bytes before it says stop, and whose line may break."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.numbers: list[int] = []
        self.room_for = 0
        self.seat: Seat | None = None

    def write(self, data: bytes) -> None:
        assert self.seat is not None
        self.numbers += numbers(self.form, data)
        self.room_for -= len(data)
        if self.room_for < 0:
            self.seat.pause()

    def join(self, seats: Seats) -> None:
        if self.seat is None:
            after = self.numbers[-1] if self.numbers else 0
            watcher = Watcher(PUBLIC, self.form, after=after)
            self.seat = Seat(seats, watcher, self.write, lambda _: None, lambda: None)
            seats.behind[self.seat] = None

    def drain(self, size: int) -> None:
        if self.seat is not None:
            self.room_for = size
            self.seat.resume()

    def leave(self) -> None:
        if self.seat is not None:
            self.seat.leave()
            self.seat = None


def unchunked(data: bytes) -> bytes:
    """Take bytes out of their chunks (RFC 9112 section 7.1): whatever is written has whole ones only."""
    body = b""
    while data:
        size, _, rest = data.partition(b"\r\n")
        length = int(size, 16)
        assert length > 0, "this would end the response"
        assert rest[length : length + 2] == b"\r\n"
        body, data = body + rest[:length], rest[length + 2 :]
    return body


def numbers(form: Form, data: bytes) -> list[int]:
    if form in FRAMED:
        lines = lines_of(data)
    elif form in (Form.SSE, Form.CHUNKED):
        data = unchunked(data) if form is Form.CHUNKED else data
        lines = [line.removeprefix("data: ") for line in data.decode().split("\n") if line.startswith("data: ")]
    else:
        lines = data.decode().splitlines()
    return [message["seq"] for message in map(json.loads, lines) if "seq" in message]


what = st.sampled_from(["publish", "publish", "tell", "signal", "join", "drain", "drain", "leave"])


@given(st.lists(st.tuples(what, st.integers(0, CLIENTS - 1), st.sampled_from([0, 1, 300, 5000])), max_size=60))
def test_no_fact_is_missed_or_repeated(steps: list[tuple[str, int, int]]) -> None:
    room = Echo(replace(LIMITS, chunk=900))
    seats = Seats(room)
    clients = [Client(FORMS[n % len(FORMS)]) for n in range(CLIENTS)]
    for step, who, size in steps:
        client = clients[who]
        match step:
            case "publish":
                for _ in range(1 + who):
                    room.put(b'{"seq":%d,"pad":"%b"}' % (room.number + 1, b"x" * size))
            case "tell":
                seats.tell()
            case "signal":
                room.signal("watching", {"count": room.signalled})
            case "join":
                client.join(seats)
            case "drain":
                client.drain(size)
            case "leave":
                client.leave()
        for each in clients:
            assert each.numbers == list(range(1, len(each.numbers) + 1))
    for client in clients:
        client.join(seats)
        client.drain(1 << 30)
    seats.tell()
    for client in clients:
        assert client.numbers == list(range(1, room.number + 1))


def test_who_stands_level_gets_the_very_same_bytes_in_one_loop() -> None:
    room = Echo(LIMITS)
    seats = Seats(room)
    written: list[bytes] = []
    for _ in range(100):
        seat = Seat(seats, Watcher(PUBLIC, Form.WEBSOCKET), written.append, lambda _: None, lambda: None)
        seats.behind[seat] = None
        seat.resume()
    room.put(b"{}")
    seats.tell()
    assert len(written) == 100
    assert {id(data) for data in written} == {id(written[0])}


def test_who_takes_nothing_is_named_after_as_many_rounds() -> None:
    seats = Seats(Echo(LIMITS))
    seat = Seat(seats, Watcher(PUBLIC, Form.SSE), lambda _: None, lambda _: None, lambda: None)
    seats.behind[seat] = None
    assert [seats.stalled(3) for _ in range(3)] == [[], [], [seat]]
    seat.resume()
    assert seats.stalled(1) == []
