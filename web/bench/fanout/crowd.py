"""Watchers by the thousand in one thread: raw sockets that count facts in the bytes and parse nothing.

Streams are in order and lose nothing, so the k-th fact that a watcher gets is the k-th that was sent. Whoever loses
one keeps everybody waiting, and the run fails.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

PER_ADDRESS: Final = 150  # the hall takes 200 from one address
PATIENCE: Final = 40.0  # seconds without a byte after which a run fails
NEEDLE: Final = b'"prev":"'  # once in every fact, and nowhere else in it
HELLO: Final = b"\x81\x82\x00\x00\x00\x0040"  # a masked text frame: socket.io waits to be greeted
BUFFER: Final = 262_144
_GONE: Final = struct.pack("ii", 1, 0)  # SO_LINGER: reset instead of closing, so that no TIME_WAIT piles up

Order = Callable[[], object]
"""Has one fact, or one burst of them, sent to everybody; does not wait for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What a watcher asks for, and how it looks when it is in.

    ``needle`` is once in each fact; ``hello`` is said after the handshake, and answered with ``welcome``.
    """

    target: str
    needle: bytes = NEEDLE
    deflate: bool = False
    hello: bytes = b""
    welcome: bytes = b"\r\n\r\n"

    def request(self, port: int) -> bytes:
        """Return the request for a WebSocket, or where the path says so for a stream of events."""
        lines = [f"GET {self.target} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Origin: http://127.0.0.1:{port}"]
        if "/stream" in self.target:
            lines += ["Accept: text/event-stream"]
        else:
            lines += ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
            lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]  # RFC 6455 section 1.3's
            lines += ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"] if self.deflate else []
        return "\r\n".join([*lines, "", ""]).encode("ascii")


class Crowd:
    """Readers of a server on this machine, from as many addresses as it takes. Close it."""

    def __init__(self, port: int, stream: Stream) -> None:
        self._port, self._stream, self._request = port, stream, stream.request(port)
        self._epoll = select.epoll()
        self._sockets: list[socket.socket] = []
        self._tail = max(len(stream.needle), len(stream.welcome)) - 1
        self._buffer = bytearray(self._tail + BUFFER)
        self._into = [memoryview(self._buffer)[self._tail :]]
        self._tails: dict[int, bytes] = {}
        self._connecting: set[int] = set()
        self._entering: set[int] = set()
        self._heard: dict[int, int] = {}
        self._total = 0
        self._sent: list[float] = []
        self.late: list[float] = []  # of every delivery, in seconds from the order or the moment it was due

    @property
    def size(self) -> int:
        """How many are listened to."""
        return len(self._heard)

    def enter(self, count: int, *, facts: int = 0, at_once: int = 0) -> None:
        """Let ``count`` more in, ``at_once`` at a time or all of them; return when each had so many facts."""
        asked, inside = 0, len(self._heard)
        due = inside + count
        total = self._total + count * facts
        while inside < due or self._total < total:
            while asked < count and (not at_once or len(self._entering) < at_once):
                self._ask()
                asked += 1
            self._listen(PATIENCE)
            inside = len(self._heard) - len(self._entering)
        self._total = 0
        self._heard = dict.fromkeys(self._heard, 0)

    def stall(self, count: int) -> None:
        """Let the last ``count`` who came read nothing any more."""
        for each in self._sockets[-count:]:
            self._epoll.unregister(each)
            del self._heard[each.fileno()]

    def follow(self, order: Order, *, rounds: int, seconds: float, facts: int = 1) -> list[float]:
        """Give orders of so many ``facts``, the next when everybody has the last; return how long each took.

        It ends after ``rounds``, or with the round in which ``seconds`` are over.
        """
        self._begin()
        lasts: list[float] = []
        ends = time.monotonic() + seconds
        while len(lasts) < rounds and time.monotonic() < ends:
            begun = time.monotonic()
            self._sent += [begun] * facts
            order()
            self._hear()
            lasts.append(time.monotonic() - begun)
        return lasts

    def keep_up(self, order: Order, *, rate: float, rounds: int) -> list[float]:
        """Give ``rate`` orders a second, come what may; return how long after its moment each fact was everywhere."""
        self._begin()
        lasts: list[float] = []
        first = time.monotonic() + 1 / rate
        while len(lasts) < rounds:
            due = first + len(self._sent) / rate
            left = due - time.monotonic()
            if left <= 0 and len(self._sent) < rounds:
                self._sent.append(due)  # not now: that we are late must not hide that the answer is
                order()
                continue
            self._listen(PATIENCE if len(self._sent) == rounds else left, patient=len(self._sent) == rounds)
            while len(lasts) < len(self._sent) and self._total >= (len(lasts) + 1) * len(self._heard):
                lasts.append(time.monotonic() - self._sent[len(lasts)])
        return lasts

    def close(self) -> None:
        """Leave, all at once. Harmless when everybody has left."""
        while self._sockets:
            each = self._sockets.pop()
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _GONE)
            each.close()
        self._epoll.close()

    def _begin(self) -> None:
        self._heard = dict.fromkeys(self._heard, 0)
        self._total, self._sent, self.late = 0, [], []

    def _hear(self) -> None:
        while self._total < len(self._sent) * len(self._heard):
            self._listen(PATIENCE)

    def _ask(self) -> None:
        place = len(self._sockets) // PER_ADDRESS
        watcher = socket.socket()
        self._sockets.append(watcher)
        watcher.setblocking(False)
        watcher.bind((f"127.1.{place // 200}.{place % 200 + 1}", 0))
        with suppress(BlockingIOError):
            watcher.connect(("127.0.0.1", self._port))
        self._heard[watcher.fileno()] = 0
        self._connecting.add(watcher.fileno())
        self._entering.add(watcher.fileno())
        self._tails[watcher.fileno()] = bytes(self._tail)
        self._epoll.register(watcher, select.EPOLLOUT)

    def _listen(self, seconds: float, *, patient: bool = True) -> None:
        """Read what has come, waiting at most so long for it."""
        ready = self._epoll.poll(seconds)
        if not ready and patient:
            raise TimeoutError(f"no watcher heard anything for {seconds:g} s")
        needle, tail, entering = self._stream.needle, self._tail, self._entering
        heard, tails, buffer, into = self._heard, self._tails, self._buffer, self._into
        for fd, _ in ready:
            if fd in self._connecting:
                self._stands(fd)
                continue
            try:
                size = os.readv(fd, into)
            except BlockingIOError:
                continue
            if not size:
                raise ConnectionError(f"the server sent a watcher away: {tails[fd]!r}")
            now = time.monotonic()
            buffer[:tail] = tails[fd]
            if fd in entering:
                self._is_in(fd, bytes(buffer[: tail + size]))
            tails[fd] = bytes(buffer[size : size + tail])
            if found := buffer.count(needle, tail - len(needle) + 1, tail + size):
                if self._sent:
                    last = heard[fd]
                    self.late += [now - sent for sent in self._sent[last : last + found]]
                heard[fd] += found
                self._total += found

    def _stands(self, fd: int) -> None:
        """Send the request: the connection stands."""
        os.write(fd, self._request)  # raises what the connection failed with
        self._epoll.modify(fd, select.EPOLLIN)
        self._connecting.discard(fd)

    def _is_in(self, fd: int, data: bytes) -> None:
        """Look whether a newcomer has been let in."""
        head = data.find(b"HTTP/1.1 ")
        if head >= 0 and data[head + 9 : head + 12] not in (b"101", b"200"):
            raise ConnectionError(f"the server let no watcher in: {data[head : head + 200]!r}")
        if self._stream.hello and head >= 0:
            os.write(fd, self._stream.hello)
        if self._stream.welcome in data:
            self._entering.discard(fd)
