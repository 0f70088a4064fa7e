"""aiortc's own ways to show one camera to many, as servers that are asked like our edge.

``frames``: MediaRelay as in its examples: a picture is decoded once and encoded for everybody who watches.
``packets``: MediaRelay of encoded packets, one sender for everybody: the best it can do with one name of its inside
(``get_decoder``). Both drain every track from the first moment, so that nothing queues (aiortc#554).
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import aioice.ice
import aiortc.rtcrtpreceiver as rx
import av
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpCodecParameters, RTCSessionDescription
from aiortc.contrib.media import MediaRelay
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import MediaStreamError

from hall.media.port.link import LinkServer
from hall.media.port.places import Places
from web.bench.air.seat import HERE

CLOCK = {"audio/opus": Fraction(1, 48_000), "video/VP8": Fraction(1, 90_000)}


class Packets:
    """Stands where a decoder is, and lets the encoded frame through."""

    def __init__(self, codec: RTCRtpCodecParameters) -> None:
        self._base = CLOCK[codec.mimeType]

    def decode(self, frame: JitterFrame) -> list[Any]:
        """Return the frame as aiortc sends packets on."""
        packet = av.Packet(frame.data)
        packet.pts = packet.dts = frame.timestamp
        packet.time_base = self._base
        return [packet]


class Peer:
    """One camera, many who watch."""

    def __init__(self) -> None:
        self._relay = MediaRelay()
        self._tracks: list[MediaStreamTrack] = []
        self._connections: dict[str, RTCPeerConnection] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def publish(self, session: str, source: str, sdp: str, keep: bool = True) -> dict[str, str]:
        """Take what a camera sends."""
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))

        def track(track: MediaStreamTrack) -> None:
            self._tracks.append(track)
            self._tasks.append(asyncio.create_task(_drain(self._relay.subscribe(track))))

        connection.on("track", track)
        return await self._answer(connection, sdp)

    async def watch(self, session: str, show: str, sdp: str) -> dict[str, str]:
        """Show it."""
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        await connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        for track in self._tracks:
            connection.addTrack(self._relay.subscribe(track))
        return await self._answer(connection)

    async def close(self, media: str) -> None:
        """End a connection."""
        await self._connections.pop(media).close()

    async def _answer(self, connection: RTCPeerConnection, sdp: str = "") -> dict[str, str]:
        if sdp:
            await connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        name = secrets.token_hex(8)
        self._connections[name] = connection
        return {"id": name, "sdp": connection.localDescription.sdp}


async def _drain(track: MediaStreamTrack) -> None:
    try:
        while True:
            await track.recv()
    except MediaStreamError:
        return


async def serve(places: Places) -> None:
    """Serve until ended."""
    peer = Peer()
    link = LinkServer(places.edge, {"publish": peer.publish, "watch": peer.watch, "close": peer.close})
    await link.open()
    await asyncio.Event().wait()


if __name__ == "__main__":
    aioice.ice.get_host_addresses = lambda **_: [HERE]  # it leaves out the one address that every machine has
    if sys.argv[1] == "packets":
        rx.get_decoder = cast(Any, Packets)  # type: ignore[attr-defined]
    asyncio.run(serve(Places(Path(sys.argv[2]))))
