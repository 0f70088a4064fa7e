"""The programme process: puts every opening that is on before the public, and takes viewers in.

It reads the hall's public door and nothing else, so it can show nothing that a citizen may not know. When it dies the
opening goes on; started again, it goes on from the view as it stands.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import httpx

from hall.accepting import accept_no_more
from hall.media.mp4.boxes import FragmentSink
from hall.media.mp4.record import Recorder
from hall.media.packets.datagrams import Payload, pack
from hall.media.packets.onair import NotOnAir, OnAir, Reader
from hall.media.packets.rtp import Packetiser, report
from hall.media.port.engine import Away, EngineRefused
from hall.media.port.link import Link, LinkServer
from hall.media.port.places import Places, short
from hall.media.programme.broadcast import LINGER, Broadcast, Outlets
from hall.media.programme.encoder import VIDEO_CLOCK
from hall.media.programme.following import PublicDoor
from hall.media.programme.package import Crowd, Folder
from hall.media.programme.viewers import FULL, Reception
from hall.media.voice.sound import SAMPLES
from hall.media.voice.speaker import Speaker, methods
from sessions.clock import Clock
from sessions.ids import SessionId

LOOK_EVERY: Final = 1.0  # seconds between two looks at the calendar
ON: Final = frozenset({"checkin", "live"})

ASKED_AT: Final = frozenset({"BiddersListed", "StepEntered", "SessionResumed"})
"""Facts after which the programme asks how names are read."""

SOON: Final = 0.002
WAITING: Final = 1024
"""Packets that may wait for the edge: the kernel holds few (ten, net.unix.max_dgram_qlen), a keyframe is fifty."""

TRACK: Final = "programme"  # of the recording

_log = logging.getLogger(__name__)


class Edge:
    """Sends what was encoded to the edge, for WebRTC. The encoder never waits: what is too much is lost."""

    def __init__(self, places: Places, session: SessionId, out: socket.socket, began: datetime) -> None:
        """``began`` is the moment of timestamp 0: told once a second, so that a player knows how late it is."""
        self._places, self._session, self._out, self._began = places, session, out, began
        self._picture = Packetiser(Payload.H264, secrets.randbits(32))
        self._sound = Packetiser(Payload.OPUS, secrets.randbits(32))
        self._told: dict[Payload, int] = {}  # seconds of the newest report
        self._waiting: deque[bytes] = deque(maxlen=WAITING)
        self._later: asyncio.TimerHandle | None = None

    def picture(self, data: bytes, timestamp: int, keyframe: bool) -> None:
        """See Packets."""
        self._send(*self._picture.picture(data, timestamp), *self._report(Payload.H264, timestamp, VIDEO_CLOCK))

    def sound(self, data: bytes, timestamp: int) -> None:
        """See Packets."""
        packet = self._sound.packet(data, timestamp, marker=False)
        self._send(packet, *self._report(Payload.OPUS, timestamp, SAMPLES))

    def _report(self, of: Payload, timestamp: int, clock: int) -> list[bytes]:
        second = timestamp // clock
        if self._told.get(of) == second:
            return []
        self._told[of] = second
        return [report(of, self._began + timedelta(seconds=timestamp / clock), timestamp)]

    def _send(self, *packets: bytes) -> None:
        self._waiting.extend(packets)
        if self._later is None:
            self._drain()

    def _drain(self) -> None:
        self._later = None
        try:
            with short(self._places.rtp) as address:
                while self._waiting:
                    self._out.sendto(pack(self._session, self._waiting[0]), address)
                    self._waiting.popleft()
        except BlockingIOError:
            self._later = asyncio.get_running_loop().call_later(SOON, self._drain)
        except OSError:  # no edge
            self._waiting.clear()


class OnAirDoor:
    """Takes what the edge gives of whoever is on air (hall.media.packets.onair)."""

    def __init__(self, places: Places, take: Callable[[OnAir], object]) -> None:
        self._places = places
        self._take = take
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen, in the place of whoever listened there before."""
        self._places.on_air.unlink(missing_ok=True)
        with short(self._places.on_air) as address:
            self._server = await asyncio.start_unix_server(self._read, address)
        self._places.on_air.chmod(0o600)

    async def close(self) -> None:
        """Hang up."""
        if self._server is not None:
            await accept_no_more(self._server)
            self._server.close()
        for line in tuple(self._lines):
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)
        self._places.on_air.unlink(missing_ok=True)

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.current_task()
        assert line is not None  # asyncio runs this as one
        self._lines.add(line)
        try:
            frames = Reader()
            while data := await reader.read(1 << 16):
                for frame in frames.feed(data):
                    self._take(frame)
        except (OSError, NotOnAir):
            _log.warning("what the edge gave of the camera could not be read")
        finally:
            self._lines.discard(line)
            writer.close()


Kept = Callable[[SessionId, datetime], FragmentSink]


class Programme:
    """All broadcasts of this machine."""

    def __init__(
        self,
        places: Places,
        door: PublicDoor,
        clock: Clock,
        speaker: Speaker,
        *,
        kept: Kept | None = None,
        linger: timedelta = LINGER,
    ) -> None:
        """``kept`` is who keeps what was announced to be recorded."""
        self._linger = linger
        self._places, self._door, self._clock, self._speaker, self._kept = places, door, clock, speaker, kept
        self._on: dict[SessionId, tuple[Broadcast, asyncio.Task[None]]] = {}
        self._out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._out.setblocking(False)
        self._reception = Reception(places, self._crowd)
        self._on_air = OnAirDoor(places, self._came)
        self._asking: set[asyncio.Task[None]] = set()
        self._edge = Link(places.edge)
        self._edge.on("keyframe", self._want_keyframe)

    async def run(self) -> None:
        """Look for openings that are on, and broadcast each, until cancelled."""
        self._reception.open()
        await self._on_air.open()
        self._edge.follow()
        try:
            while True:
                with suppress(httpx.HTTPError, ValueError, KeyError):
                    for line in await self._door.openings():
                        session = SessionId(line["id"])
                        if line["status"] in ON and session not in self._on:
                            self._begin(session, self._kept if line.get("recorded") else None)
                await asyncio.sleep(LOOK_EVERY)
        finally:
            self._reception.close()
            await self._on_air.close()
            await self._edge.close()
            tasks = [*(task for _, task in self._on.values()), *self._asking]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._out.close()

    def _crowd(self, session: SessionId, variant: str) -> Crowd | None:
        found = self._on.get(session)
        return found[0].crowds.get(variant) if found else None

    def _want_keyframe(self, session: str) -> None:
        if found := self._on.get(SessionId(session)):
            found[0].want_keyframe()

    def _came(self, frame: OnAir) -> None:
        if found := self._on.get(frame.session):
            found[0].camera.take(frame)

    def _ask_keyframe(self, session: SessionId) -> None:
        async def ask() -> None:
            with suppress(Away, EngineRefused):
                await self._edge.ask("keyframe", session=session)

        task = asyncio.get_running_loop().create_task(ask())
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    def _begin(self, session: SessionId, kept: Kept | None) -> None:
        broadcast = Broadcast(
            session,
            self._clock,
            self._speaker,
            folder=lambda variant, at: Folder(self._places.hls(session, variant), at, first=variant == FULL),
            kept=(lambda at: Outlets(kept(session, at))) if kept is not None else None,
            packets=partial(Edge, self._places, session, self._out),
            linger=self._linger,
            ask_keyframe=partial(self._ask_keyframe, session),
        )
        running = asyncio.get_running_loop().create_task(self._broadcast(broadcast))
        self._on[session] = broadcast, running
        running.add_done_callback(lambda _: self._on.pop(session, None))

    async def _broadcast(self, broadcast: Broadcast) -> None:
        async def read() -> None:
            async for view, facts in self._door.follow(broadcast.session):
                try:
                    # With the list the names are public, and so is how they are read; the host may mend it until then
                    # and later, and each step asks again.
                    if view.get("bids") and (not facts or any(fact["type"] in ASKED_AT for fact in facts)):
                        broadcast.reads(await self._door.readings(broadcast.session))
                    broadcast.shows(view, facts)
                except Exception:  # or the picture would stand still for good, and never hear of the end
                    _log.exception("a view could not be shown", extra={"session": broadcast.session})

        reading = asyncio.get_running_loop().create_task(read())
        try:
            await broadcast.run()
        except Exception:
            _log.exception("a broadcast failed and begins anew", extra={"session": broadcast.session})
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading


def _recorder(places: Places, session: SessionId, anchor: datetime) -> FragmentSink:
    return Recorder(places.recordings(session), TRACK, anchor)


async def serve(places: Places, hall: str, clock: Clock, *, linger: timedelta = LINGER) -> None:
    """Be the programme process until cancelled. ``hall``: where the hall is reached. ``linger``: see Broadcast."""
    door, speaker = PublicDoor(hall), Speaker(places.speech)
    asked = LinkServer(places.programme, methods(speaker))
    try:
        await asked.open()
        await Programme(places, door, clock, speaker, kept=partial(_recorder, places), linger=linger).run()
    finally:
        await asked.close()
        await speaker.close()
        await door.close()
