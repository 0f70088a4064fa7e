"""Reads live streams as cheaply as thousands in one thread must: facts are counted, and no frame is parsed twice.

All readers of a role get the same frames, so what a frame holds is looked up by its length and its beginning, which
has the number of its first fact; only the first reader that gets a frame unpacks and parses it. Each reader must get
every fact once and in order: anything else raises ``Lost``.
"""

from __future__ import annotations

import json
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sessions.clock import SystemClock

BEGINNING: Final = 192  # bytes that tell a frame from all others of its length; in a packed one 60 are its tables

Key = tuple[int, int, bytes]
"""First byte, length, beginning."""


class Lost(Exception):
    """A reader was sent away, or did not get every fact exactly once."""


@dataclass(slots=True, eq=False)
class Frame:
    """What a frame holds: facts ``first`` to ``last``, none if it is a signal. Times in ms of the monotonic clock."""

    first: int = 0
    last: int = 0
    prices: int = 0
    said: tuple[int, ...] = ()  # when each of its facts was decided
    heard: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True, eq=False)
class Reader:
    """One connection: what it has, and where it stands in its stream of bytes."""

    facts: int = 0
    prices: int = 0
    received: int = 0
    greeted: bool = False
    carry: bytes = b""
    left: int = 0
    key: Key = (0, 0, b"")
    frame: Frame | None = None
    body: list[bytes] | None = None


def request(session: str, port: int, cookie: str = "") -> bytes:
    """Return the handshake of a browser: it offers to take packed frames."""
    lines = [f"GET /live/{session}?after=0 HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Origin: http://127.0.0.1:{port}"]
    lines += ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
    lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]  # RFC 6455 section 1.3's
    lines += ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"]
    lines += [f"Cookie: {cookie}"] if cookie else []
    return "\r\n".join([*lines, "", ""]).encode("ascii")


class Stream:
    """The frames of one opening as one role gets them."""

    def __init__(self, saw: Callable[[Mapping[str, Any], float], object] = lambda fact, at: None) -> None:
        """``saw`` is told of each fact when the first reader has it, with the moment of the monotonic clock."""
        self._saw = saw
        self._newest = 0
        self._known: dict[Key, Frame] = {}
        self._ahead = SystemClock().now().timestamp() - time.monotonic()

    def take(self, reader: Reader, data: bytes) -> None:
        """Count what a reader got. Raises Lost."""
        reader.received += len(data)
        at = 0
        if reader.left:
            if len(data) < reader.left:
                reader.left -= len(data)
                if reader.body is not None:
                    reader.body.append(data)
                return
            at, reader.left = reader.left, 0
            if reader.body is not None:
                reader.body.append(data[:at])
            self._end(reader)
        elif reader.carry:
            data, reader.carry = reader.carry + data, b""
        if not reader.greeted:
            at = data.find(b"\r\n\r\n") + 4
            if at == 3:
                reader.carry = data
                return
            if not data.startswith(b"HTTP/1.1 101 "):
                raise Lost(f"the hall let no reader in: {data[:200]!r}")
            reader.greeted = True
        reader.carry = data[self._frames(reader, data, at) :]

    def delays(self, since: float) -> Counter[int]:
        """Return how often a reader had a fact so many milliseconds after it was decided, if that was ``since``."""
        found: Counter[int] = Counter()
        for frame in self._known.values():
            for said in (moment for moment in frame.said if moment >= int(1000 * since)):
                for heard, count in frame.heard.items():
                    found[max(heard - said, 0)] += count
        return found

    def _frames(self, reader: Reader, data: bytes, at: int) -> int:
        """Take the frames from ``at`` on; return where one begins of which too little is here, or the end."""
        size = len(data)
        while size - at >= 2:
            length, body = data[at + 1], at + 2
            if length > 125:
                body += 2 if length == 126 else 8
                length = int.from_bytes(data[at + 2 : body], "big")
            if size < body + min(length, BEGINNING):
                return at
            reader.key = data[at], length, data[body : body + min(length, BEGINNING)]
            reader.frame = self._known.get(reader.key)
            at = body + length
            reader.body = [data[body:at]] if reader.frame is None else None
            if at > size:
                reader.left = at - size
                return size
            self._end(reader)
        return at

    def _end(self, reader: Reader) -> None:
        frame = reader.frame or self._known.get(reader.key) or self._read(reader)
        reader.body = None
        if frame.first:
            if frame.first != reader.facts + 1:
                raise Lost(f"a reader at fact {reader.facts} got facts {frame.first} to {frame.last}")
            reader.facts = frame.last
            reader.prices += frame.prices
            frame.heard[int(1000 * time.monotonic())] += 1

    def _read(self, reader: Reader) -> Frame:
        first, payload = reader.key[0], b"".join(reader.body or ())
        if first & 0x0F == 8:
            raise Lost(f"the hall closed a stream: {payload!r}")
        frame = self._known[reader.key] = Frame()
        if first & 0x0F != 1:
            return frame
        if first & 0x40:  # RFC 7692 section 7.2.2
            payload = zlib.decompressobj(wbits=-15).decompress(payload + b"\x00\x00\xff\xff")
        facts = [message for message in map(json.loads, payload.split(b"\n")) if "n" in message]
        if not facts:
            return frame
        if [fact["n"] for fact in facts] != list(range(facts[0]["n"], facts[-1]["n"] + 1)):
            raise Lost(f"a frame has facts {[fact['n'] for fact in facts]}")
        frame.first, frame.last = facts[0]["n"], facts[-1]["n"]
        frame.prices = sum(fact["type"] == "BidOpened" for fact in facts)
        frame.said = tuple(self._moment(fact["at"]) for fact in facts)
        self._tell(facts)
        return frame

    def _tell(self, facts: Iterable[Mapping[str, Any]]) -> None:
        now = time.monotonic()
        for fact in facts:
            if fact["n"] > self._newest:
                self._newest = fact["n"]
                self._saw(fact, now)

    def _moment(self, at: str) -> int:
        return int(1000 * (datetime.fromisoformat(at).timestamp() - self._ahead))
