"""What time is it elsewhere: time servers asked by SNTP, as a client (RFC 5905, section 14).

A request carries a random number in place of a time, so it tells nobody how this machine's clock stands, and only an
answer to just this request counts. Nothing here sets a clock.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Final, cast

from sessions.clock import Clock
from sessions.watch.steady import Comparison, Sample, compare

PORT: Final = 123
SECONDS: Final = 3.0
"""How long a source may take."""

EVERY: Final = 60.0
MOST: Final = 16

_FORM: Final = struct.Struct("!BBbbIIIQQQQ")
_CLIENT: Final = 0b00_100_011  # no warning, version 4, mode 3
_SERVER: Final = 4
_UNSYNCHRONIZED: Final = 3
_MAX_STRATUM: Final = 15
_MAX_DISTANCE: Final = timedelta(seconds=1.5)  # RFC 5905, MAXDIST and the measure behind it: the root distance
_EPOCH: Final = datetime(1900, 1, 1, tzinfo=UTC)
_ERA: Final = 1 << 32  # seconds
_READING: Final = timedelta(milliseconds=1)  # the hall's clock is read in whole milliseconds

_log = logging.getLogger(__name__)


class NotAnAnswer(Exception):
    """A packet that is no answer to the question, or from a server that does not know the time."""


@dataclass(frozen=True, slots=True)
class Source:
    """A time server. ``name`` is the setting as written."""

    name: str
    host: str
    port: int


def read_source(text: str) -> Source:
    """Return the server that a setting names (``host:port``, ``[2001:db8::1]:123``); raise ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon:
        host, port = text, str(PORT)
    if host.startswith("[") and host.endswith("]"):
        host = str(ip_address(host[1:-1]))
    if not host or (":" in host and not text.startswith("[")) or any(c.isspace() for c in host):
        raise ValueError(f"{text!r} is not host:port")
    if not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise ValueError(f"{text!r} has no port between 1 and 65535")
    return Source(text, host, int(port))


def question(number: int) -> bytes:
    """Return a request; ``number`` is random and stands in place of our time."""
    return _FORM.pack(_CLIENT, 0, 0, 0, 0, 0, 0, 0, 0, 0, number)


def answered(packet: bytes, number: int, sent: datetime, came: datetime) -> tuple[timedelta, timedelta]:
    """Return the offset of the server's clock against ours, and by how much that may be wrong.

    Raises:
        NotAnAnswer: RFC 5905's sanity checks, and nothing of it may be used.
    """
    if len(packet) < _FORM.size:
        raise NotAnAnswer("too short")
    flags, stratum, _, _, root_delay, root_dispersion, _, _, origin, received, transmitted = _FORM.unpack_from(packet)
    if flags & 0b111 != _SERVER or flags >> 3 & 0b111 not in (3, 4):
        raise NotAnAnswer("not from a server")
    if origin != number:
        raise NotAnAnswer("an answer to something else")
    if flags >> 6 == _UNSYNCHRONIZED or not 1 <= stratum <= _MAX_STRATUM:
        raise NotAnAnswer("the server does not know the time, or asks to be left alone")
    if not received or not transmitted:
        raise NotAnAnswer("it has no times in it")
    distance = _short(root_delay) / 2 + _short(root_dispersion)
    if distance > _MAX_DISTANCE:
        raise NotAnAnswer("the server is too unsure of the time")
    there, back = _moment(received, sent), _moment(transmitted, sent)
    if back < there or came < sent:
        raise NotAnAnswer("its times go backwards")
    delay = max((came - sent) - (back - there), timedelta())
    offset = ((there - sent) + (back - came)) / 2
    return offset, delay / 2 + distance + _READING


def _short(value: int) -> timedelta:
    return timedelta(seconds=value / 65536)


def _moment(stamp: int, near: datetime) -> datetime:
    """Return a timestamp of the era in which it is nearest to ``near``: the first one ends in February 2036."""
    seconds, fraction = stamp >> 32, stamp & 0xFFFFFFFF
    whole = (near - _EPOCH) // timedelta(seconds=1)
    era = round((whole - seconds) / _ERA)
    return _EPOCH + timedelta(seconds=seconds + era * _ERA, microseconds=fraction * 1_000_000 >> 32)


class _Asking(asyncio.DatagramProtocol):
    """One question to one server. The socket is connected, so strangers' packets do not arrive."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._number = secrets.randbits(64) or 1
        self._sent = now()
        self.answer: asyncio.Future[tuple[timedelta, timedelta]] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._sent = self._now()
        cast(asyncio.DatagramTransport, transport).sendto(question(self._number))

    def datagram_received(self, data: bytes, addr: object) -> None:
        came = self._now()
        try:
            found = answered(data, self._number, self._sent, came)
        except NotAnAnswer as error:
            _log.debug("a time server's packet was left aside", extra={"why": str(error)})
            return
        if not self.answer.done():
            self.answer.set_result(found)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


async def ask(source: Source, clock: Clock) -> Sample:
    """Return what one server says of our clock. Raises OSError or TimeoutError."""
    async with asyncio.timeout(SECONDS):
        loop = asyncio.get_running_loop()
        transport, asking = await loop.create_datagram_endpoint(
            lambda: _Asking(clock.now), remote_addr=(source.host, source.port)
        )
        try:
            offset, uncertainty = await asking.answer
        finally:
            transport.close()
    return Sample(source=source.name, offset=offset, uncertainty=uncertainty)


class TimeSources:
    """Asks every source at the start and each minute, and tells whoever judges the clock."""

    def __init__(
        self, sources: Sequence[Source], clock: Clock, *, tell: Callable[[Comparison | None], object]
    ) -> None:
        self.names = tuple(source.name for source in sources)
        self._sources = sources
        self._clock = clock
        self._tell = tell
        self._task: asyncio.Task[None] | None = None

    async def measure(self) -> Comparison | None:
        """Ask everybody once, side by side. A source that is silent or wrong in form is left out."""
        asked = await asyncio.gather(*(ask(source, self._clock) for source in self._sources), return_exceptions=True)
        silent = [name for name, said in zip(self.names, asked, strict=True) if isinstance(said, BaseException)]
        if silent:
            _log.warning("time sources did not answer", extra={"sources": ", ".join(silent)})
        found = compare([said for said in asked if isinstance(said, Sample)], self._clock.now())
        self._tell(found)
        return found

    async def start(self) -> None:
        """Measure once before anything falls due, then each minute."""
        if self._sources:
            await self.measure()
            self._task = asyncio.get_running_loop().create_task(self._watch(), name="time sources")

    async def close(self) -> None:
        """Stop asking."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.measure()
            except Exception:
                _log.exception("the time sources could not be asked")
