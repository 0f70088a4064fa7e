"""Bidders who all hand over their keys the moment they may: ``python -m web.bench.bidders``, a process of their own.

They are engaged and certified, send their sealed bids and take their seats, all before T0; then each follows the
opening through its own seat, and answers the hall's challenge as soon as its seat says that keys are taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives.serialization import Encoding

from sessions.clock import SystemClock
from web.bench import machine
from web.bench.orders import ordered, say
from web.bench.stream import Lost, Reader, Stream, request
from web.demo import cast
from web.participant.remote import Hall, HallRefused

DOCUMENT: Final = 50_000  # bytes; opening reads the quote only, so documents of any size cost the same
AT_ONCE: Final = 16  # bidders who send their bids at the same time before T0
TRIES: Final = 20
SEED: Final = 20260417


@dataclass(kw_only=True)
class Room:
    """One session as its bidders see it."""

    session: str
    stream: Stream = field(init=False)
    keys_from: int = 0  # the fact from which on keys are taken

    def __post_init__(self) -> None:
        self.stream = Stream(self._see)

    def _see(self, fact: Mapping[str, Any], now: float) -> None:
        if fact["type"] == "StepEntered" and fact["data"]["step"] == "decrypt":
            self.keys_from = fact["n"]


class Seat(asyncio.Protocol):
    """A bidder's stream. ``may_release`` and ``finished`` end when it says so, or with what went wrong."""

    def __init__(self, room: Room, bids: int) -> None:
        loop = asyncio.get_running_loop()
        self.may_release: asyncio.Future[None] = loop.create_future()
        self.finished: asyncio.Future[float] = loop.create_future()
        self.inside: asyncio.Future[None] = loop.create_future()
        self._room, self._bids, self._reader = room, bids, Reader()

    def data_received(self, data: bytes) -> None:
        """Count."""
        try:
            self._room.stream.take(self._reader, data)
        except Lost as lost:
            self._fail(lost)
        facts = self._reader.facts
        if facts and not self.inside.done():
            self.inside.set_result(None)
        if 0 < self._room.keys_from <= facts and not self.may_release.done():
            self.may_release.set_result(None)
        if self._reader.prices == self._bids and not self.finished.done():
            self.finished.set_result(time.monotonic())

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail, if anything was still to come."""
        self._fail(exc or Lost("the hall cut a bidder off"))

    def _fail(self, error: Exception) -> None:
        for future in (self.inside, self.may_release, self.finished):
            if not future.done():
                future.set_exception(error)


@dataclass(kw_only=True)
class Bidder:
    """One bidder of one session."""

    hall: Hall
    member: cast.Member
    room: Room
    source: str
    thinks: float = 0.0  # seconds from when keys are taken until this one has entered its PIN
    took: float = 0.0
    sent: float = 0.0
    released: float = 0.0

    async def enter(self, gate: asyncio.Semaphore) -> None:
        """Log in."""
        async with gate:
            await _again(lambda: self.hall.login_certificate(self.member.signer))

    async def send(self, gate: asyncio.Semaphore, t0: datetime) -> None:
        """Seal the bid and hand it in."""
        async with gate:
            bid, length = await asyncio.to_thread(cast.sealed, self.member, t0, DOCUMENT)
            await _again(lambda: self.hall.submit(self.room.session, bid, length))

    async def sit(self, port: int, bids: int) -> Seat:
        """Take the seat."""
        loop = asyncio.get_running_loop()
        transport, seat = await loop.create_connection(
            lambda: Seat(self.room, bids), "127.0.0.1", port, local_addr=(self.source, 0)
        )
        transport.write(request(self.room.session, port, self.hall.cookie))
        await seat.inside
        return seat

    async def release(self, seat: Seat) -> None:
        """Hand the key over once that is asked for; again, where the hall says to come back."""
        await seat.may_release
        await asyncio.sleep(self.thinks)
        self.sent = time.monotonic()
        mine = self.member.signer, self.member.opener
        await _again(lambda: self.hall.release(self.room.session, "A", *mine))
        self.released = time.monotonic()
        self.took = self.released - self.sent


async def play(sessions: Sequence[str], bidders: int, anchors: str, port: int) -> None:
    """Play all bidders of all sessions."""
    troupe = cast.engage(bidders * len(sessions), SystemClock().now())
    await asyncio.to_thread(_trusted, Path(anchors), troupe)
    say({"bidders": len(troupe.bidders)})
    ordered()
    rooms = [Room(session=session) for session in sessions]
    async with contextlib.AsyncExitStack() as stack:
        everybody: list[Bidder] = []
        for number, member in enumerate(troupe.bidders):
            source = f"127.2.{number // 200}.{number % 200 + 1}"
            hall = await stack.enter_async_context(Hall(f"http://127.0.0.1:{port}", source=source))
            room = rooms[number // bidders]
            everybody.append(Bidder(hall=hall, member=member, room=room, source=source))
        gate = asyncio.Semaphore(AT_ONCE)
        say({"seconds": await _timed(bidder.enter(gate) for bidder in everybody)})
        told = ordered()
        t0 = {session: datetime.fromisoformat(moment) for session, moment in told["t0"].items()}
        chance = random.Random(SEED)  # noqa: S311  # how long people take: the same in every run
        for bidder in everybody:
            bidder.thinks = chance.uniform(0, told["thinking"][bidder.room.session])
        sent = await _timed(bidder.send(gate, t0[bidder.room.session]) for bidder in everybody)
        seats = [await bidder.sit(port, bidders) for bidder in everybody]
        say({"seconds": sent})
        await asyncio.gather(*(bidder.release(seat) for bidder, seat in zip(everybody, seats, strict=True)))
        finished = await asyncio.gather(*(seat.finished for seat in seats))
        say(
            {
                "last_key_sent": {
                    room.session: max(bidder.sent for bidder in everybody if bidder.room is room) for room in rooms
                },
                "release_seconds": sorted(round(bidder.took, 4) for bidder in everybody),
                "finished": max(finished),
            }
        )
        ordered()


async def _again(act: Callable[[], Awaitable[object]]) -> None:
    """Do something, again where the hall says to come back or the line breaks, as every client does."""
    for attempt in range(TRIES):
        try:
            await act()
        except (HallRefused, httpx.TransportError) as error:
            if attempt == TRIES - 1 or (isinstance(error, HallRefused) and error.status not in (429, 503)):
                raise
            await asyncio.sleep(0.2)
        else:
            return


def _trusted(anchors: Path, troupe: cast.Troupe) -> None:
    """Let the hall believe the bidders' authority."""
    anchors.mkdir(parents=True, exist_ok=True)
    (anchors / "bench.pem").write_bytes(troupe.authority.certificate.public_bytes(Encoding.PEM))


async def _timed(acts: Iterable[Awaitable[None]]) -> float:
    """Return how many seconds all of these took."""
    began = time.monotonic()
    await asyncio.gather(*acts)
    return time.monotonic() - began


if __name__ == "__main__":
    orders = ordered()
    machine.allow_descriptors(6 * len(orders["sessions"]) * orders["bidders"] + 100)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(play(**orders))
