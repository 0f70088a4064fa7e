"""Spectators by the thousand, in one thread of a process of their own: ``python -m web.bench.spectators``.

Order: port, sessions, how many spectators of each, bids in each. They come in and answer so. Order: the last T0 by
the monotonic clock. They read until each has every price; the answer is what they saw and when.
"""

from __future__ import annotations

import select
import socket
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from web.bench import machine
from web.bench.orders import ordered, say
from web.bench.stream import Lost, Reader, Stream, request

PER_ADDRESS: Final = 150  # the hall takes 200 from one address
AT_ONCE: Final = 200  # on their way in at a time
PATIENCE: Final = 60.0  # seconds without a byte after which a run fails
PIECE: Final = 1 << 18
MARKS: Final = ("SetFrozen", "BiddersListed", "SealsChecked", "BarrierPassed")


class Marks:
    """When the first spectator of a session had what: seconds of the monotonic clock."""

    def __init__(self, bids: int) -> None:
        self.first: dict[str, float] = {}
        self._bids = bids
        self._seen: Counter[str] = Counter()

    def see(self, fact: Mapping[str, Any], now: float) -> None:
        """Note a fact that nobody had before."""
        kind = fact["type"]
        self._seen[kind] += 1
        if kind in MARKS:
            self.first[kind] = now
        elif kind == "StepEntered" and fact["data"]["step"] == "decrypt":
            self.first["DecryptEntered"] = now
        elif kind == "BidOpened" and self._seen[kind] == self._bids:
            self.first["FirstScreen"] = now


class House:
    """All spectators of all sessions."""

    def __init__(self, port: int, sessions: Sequence[str], each: int, bids: int) -> None:
        self.marks = {session: Marks(bids) for session in sessions}
        self._streams = {session: Stream(self.marks[session].see) for session in sessions}
        self.finished: dict[str, list[float]] = {session: [] for session in sessions}
        self._port, self._each, self._bids = port, each, bids
        self._epoll = select.epoll()
        self._seats: dict[int, tuple[socket.socket, Reader, str]] = {}

    @property
    def readers(self) -> Iterable[Reader]:
        return (reader for _, reader, _ in self._seats.values())

    def enter(self) -> None:
        """Let everybody in; return when each has a fact."""
        coming = list(enumerate(session for session in self.marks for _ in range(self._each)))
        new: set[int] = set()
        while coming or new:
            while coming and len(new) < AT_ONCE:
                number, session = coming.pop()
                new.add(self._ask(session, number // PER_ADDRESS))
            new -= {fd for fd in self._read() if self._seats[fd][1].facts}

    def watch(self) -> None:
        """Read until everybody has every price."""
        waiting = {fd for fd, (_, reader, _) in self._seats.items() if reader.prices < self._bids}
        while waiting:
            for fd in self._read():
                _, reader, session = self._seats[fd]
                if reader.prices == self._bids and fd in waiting:
                    waiting.discard(fd)
                    self.finished[session].append(time.monotonic())

    def delays(self, since: float) -> Counter[int]:
        """Return milliseconds from a fact's decision to its arrival, over all spectators and facts ``since``."""
        return sum((stream.delays(since) for stream in self._streams.values()), Counter())

    def _ask(self, session: str, place: int) -> int:
        seat = socket.socket()
        seat.bind((f"127.1.{place // 200}.{place % 200 + 1}", 0))
        seat.connect(("127.0.0.1", self._port))
        seat.sendall(request(session, self._port))
        seat.setblocking(False)
        self._seats[seat.fileno()] = seat, Reader(), session
        self._epoll.register(seat, select.EPOLLIN)
        return seat.fileno()

    def _read(self) -> list[int]:
        ready = self._epoll.poll(PATIENCE)
        if not ready:
            raise TimeoutError(f"no spectator heard anything for {PATIENCE:g} s")
        for fd, _ in ready:
            seat, reader, session = self._seats[fd]
            data = seat.recv(PIECE)
            if not data:
                raise Lost(f"the hall cut a spectator off at fact {reader.facts}")
            self._streams[session].take(reader, data)
        return [fd for fd, _ in ready]


def main() -> None:
    """Play."""
    orders = ordered()
    house = House(**orders)
    machine.allow_descriptors(len(orders["sessions"]) * orders["each"] + 100)
    begun = time.monotonic()
    house.enter()
    say({"seconds": time.monotonic() - begun})
    t0 = ordered()["t0"]
    house.watch()
    say(
        {
            "marks": {session: marks.first for session, marks in house.marks.items()},
            "finished": house.finished,
            "facts": sorted({reader.facts for reader in house.readers}),
            "delays": sorted(house.delays(t0).items()),
            "bytes": sum(reader.received for reader in house.readers),
        }
    )
    ordered()


if __name__ == "__main__":
    main()
