"""Watchers by the thousand in one thread: raw sockets that count facts in the bytes and parse nothing."""

from __future__ import annotations

import os
import select
import socket
import struct
from typing import Final

PER_ADDRESS: Final = 150  # the hall takes 200 from one address
AT_ONCE: Final = 100  # watchers on their way in at a time
PATIENCE: Final = 30.0  # seconds without a byte after which a run fails
NEEDLE: Final = b'"prev":"'  # once in every fact, and nowhere else in it
_TAIL: Final = len(NEEDLE) - 1
_GONE: Final = struct.pack("ii", 1, 0)  # SO_LINGER: reset instead of closing, so that no TIME_WAIT piles up


class Crowd:
    """WebSocket and SSE readers of a server on this machine, from as many addresses as it takes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._epoll = select.epoll()
        self._sockets: list[socket.socket] = []
        self._tails: dict[int, bytes] = {}
        self._heard: dict[int, int] = {}

    def enter(self, count: int, target: str) -> None:
        """Let ``count`` watchers of ``target`` in; return when each had its first fact."""
        self._heard = dict.fromkeys(self._heard, 1)  # who is here already is not waited for
        asked = inside = 0
        while inside < count:
            while asked < count and asked - inside < AT_ONCE:
                self._ask(target)
                asked += 1
            inside += self._listen()

    def hear(self) -> None:
        """Return when everybody has had one more fact."""
        self._heard = dict.fromkeys(self._heard, 0)
        waiting = len(self._heard)
        while waiting:
            waiting -= self._listen()

    def close(self) -> None:
        """Leave, all at once. Harmless when everybody has left."""
        while self._sockets:
            each = self._sockets.pop()
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _GONE)
            each.close()
        self._epoll.close()

    def _ask(self, target: str) -> None:
        place = len(self._sockets) // PER_ADDRESS
        watcher = socket.socket()
        self._sockets.append(watcher)
        watcher.bind((f"127.1.{place // 200}.{place % 200 + 1}", 0))
        watcher.connect(("127.0.0.1", self._port))
        watcher.sendall(_request(target, self._port))
        watcher.setblocking(False)
        self._tails[watcher.fileno()], self._heard[watcher.fileno()] = b"", 0
        self._epoll.register(watcher, select.EPOLLIN)

    def _listen(self) -> int:
        """Read what has come; return how many watchers got their first fact since they were last counted."""
        ready = self._epoll.poll(PATIENCE)
        if not ready:
            raise TimeoutError(f"no watcher heard anything for {PATIENCE:g} s")
        first = 0
        for fd, _ in ready:
            new = os.read(fd, 65_536)
            if not new:
                raise ConnectionError(f"the server sent a watcher away: {self._tails[fd]!r}")
            data = self._tails[fd] + new
            if facts := data.count(NEEDLE):
                first += not self._heard[fd]
                self._heard[fd] += facts
            elif data.startswith(b"HTTP/1.1 ") and data[9:12] not in (b"101", b"200"):
                raise ConnectionError(f"the server let no watcher in: {data[:200]!r}")
            self._tails[fd] = data[-_TAIL:]
        return first


def _request(target: str, port: int) -> bytes:
    """Ask for a WebSocket where the path is one, else for a stream."""
    lines = [f"GET {target} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Origin: http://127.0.0.1:{port}"]
    if target.startswith("/live/"):
        lines += ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]  # RFC 6455 section 1.3's
    else:
        lines += ["Accept: text/event-stream"]
    return "\r\n".join([*lines, "", ""]).encode("ascii")
