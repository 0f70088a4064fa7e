"""The edge as a process: what the hall may ask of it, over its socket, and the packets of the programme."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from hall.media.edge.edge import Change, Edge, Told
from hall.media.edge.keeping import Keeper, Kept
from hall.media.edge.keyframes import Video
from hall.media.edge.mux import Mux, listen_on, own_addresses
from hall.media.packets.datagrams import NotADatagram, unpack
from hall.media.packets.onair import NotOnAir, OnAir, pack
from hall.media.port.engine import MediaId, Show, Source
from hall.media.port.link import AGAIN, LinkServer, Method
from hall.media.port.places import Places, short
from sessions.clock import Clock
from sessions.ids import SessionId

TICK: Final = 0.1
REPORT: Final = 1.0
PORT_AGAIN: Final = 5.0
"""Seconds between two tries to have a port that somebody else has."""

BEHIND: Final = 1 << 21
"""Bytes that wait for the programme from which on frames are left out."""

_log = logging.getLogger(__name__)


async def serve(
    places: Places,
    *,
    host: str,
    port: int,
    clock: Clock,
    addresses: tuple[IPv4Address | IPv6Address, ...] = (),
    video: Video = Video.H264,
) -> None:
    """Serve until cancelled. ``addresses``: where browsers reach the port, if not at ``host``'s own.

    While somebody else has the port nobody is let in, so that players take another way at once.
    """
    mux = await _opened(listen_on(host, addresses), port)
    keeper = Keeper(places, clock)

    def source(session: SessionId, source: Source, change: Change) -> None:
        _log.info("a source came or went", extra={"session": session, "source": source, "change": change})

    def wanted(session: SessionId) -> None:
        edge.want_keyframe(session)

    def keep(session: SessionId, source: Source, video: Video | None, sound: bool) -> Kept:
        return keeper.keep(session, source, video, sound=sound)

    on_air = _Out(places, wanted)
    told = Told(source=source, keyframe=lambda session: link.tell("keyframe", session=session), on_air=on_air.send)
    edge = Edge(mux, video=video, addresses=addresses or own_addresses(host), told=told, clock=clock, keep=keep)
    link = LinkServer(places.edge, methods(edge))
    programme = _In(places, edge)
    await link.open()
    _log.info("the edge serves", extra={"port": mux.port})
    try:
        reported = 0.0
        while True:
            await asyncio.sleep(TICK)
            edge.tick()
            reported += TICK
            if reported >= REPORT:
                reported = 0.0
                edge.report()
                keeper.tick()
    finally:
        await link.close()
        await edge.stop()
        await mux.close()
        programme.close()
        on_air.close()
        await keeper.close()


async def _opened(host: str, port: int) -> Mux:
    """Wait for the port, and say so once."""
    told = False
    while True:
        mux = Mux(host, port)
        try:
            await mux.open()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            if not told:
                told = True
                _log.warning(
                    "the port is taken: no WebRTC until it is free; set media_port to another one, or to 0 for any",
                    extra={"port": port},
                )
            await asyncio.sleep(PORT_AGAIN)
        else:
            return mux


def methods(edge: Edge) -> dict[str, Method]:
    """Return what the hall may ask, by name."""

    async def publish(session: str, source: str, sdp: str, keep: bool = True) -> dict[str, str]:
        answer = await edge.publish(SessionId(session), Source(source), sdp, keep=keep)
        return {"id": answer.id, "sdp": answer.sdp}

    async def watch(session: str, show: str, sdp: str) -> dict[str, str]:
        answer = await edge.watch(SessionId(session), Show(show), sdp)
        return {"id": answer.id, "sdp": answer.sdp}

    async def check(sdp: str) -> dict[str, str]:
        answer = await edge.check(sdp)
        return {"id": answer.id, "sdp": answer.sdp}

    async def close(media: str) -> None:
        await edge.close(MediaId(media))

    async def select(session: str, source: str) -> None:
        await edge.select(SessionId(session), Source(source))

    async def sources(session: str) -> list[Source]:
        return edge.sources(SessionId(session))

    async def keyframe(session: str) -> None:
        edge.want_keyframe(SessionId(session))

    async def end(session: str, source: str | None = None) -> None:
        await edge.end(SessionId(session), None if source is None else Source(source))

    return {
        "publish": publish,
        "watch": watch,
        "check": check,
        "close": close,
        "select": select,
        "sources": sources,
        "keyframe": keyframe,
        "end": end,
    }


class _In:
    """Takes the programme's packets."""

    def __init__(self, places: Places, edge: Edge) -> None:
        self._edge = edge
        self._path = places.rtp
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        with short(self._path) as address:
            self._socket.bind(address)
        self._path.chmod(0o600)
        asyncio.get_running_loop().add_reader(self._socket, self._readable)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _readable(self) -> None:
        for _ in range(64):
            try:
                session, packet = unpack(self._socket.recv(4096))
            except BlockingIOError:
                return
            except (NotADatagram, OSError):
                continue
            self._edge.programme(session, packet)


class _Out:
    """Gives the programme the frames of who is on air, while it listens. Nobody waits for it."""

    def __init__(self, places: Places, ask: Callable[[SessionId], object]) -> None:
        """``ask`` asks for a keyframe: frames were left out, and what follows is no picture without."""
        self._path = places.on_air
        self._ask = ask
        self._socket: socket.socket | None = None
        self._waiting = bytearray()
        self._writing = False
        self._left_out: set[SessionId] = set()
        self._again = 0.0

    def send(self, frame: OnAir) -> None:
        """Send a frame, or leave it out: those before it have not left."""
        if self._socket is None and not self._connected():
            return
        if len(self._waiting) > BEHIND:
            self._left_out.add(frame.session)
            return
        try:
            self._waiting += pack(frame)
        except NotOnAir:
            self._ask(frame.session)
            return
        if not self._writing:
            self._drain()

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            if self._writing:
                asyncio.get_running_loop().remove_writer(self._socket)
            self._socket.close()
        self._socket, self._writing = None, False
        self._waiting.clear()
        self._left_out.clear()

    def _connected(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now < self._again:
            return False
        self._again = now + AGAIN
        out = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        out.setblocking(False)
        try:
            with short(self._path) as address:
                out.connect(address)
        except OSError:  # it does not listen
            out.close()
            return False
        self._socket = out
        return True

    def _drain(self) -> None:
        if self._socket is None:
            return
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                del self._waiting[: self._socket.send(self._waiting)]
        except BlockingIOError:
            if not self._writing:
                self._writing = True
                loop.add_writer(self._socket, self._drain)
            return
        except OSError:
            self.close()
            return
        if self._writing:
            self._writing = False
            loop.remove_writer(self._socket)
        left_out, self._left_out = self._left_out, set()
        for session in left_out:
            self._ask(session)
