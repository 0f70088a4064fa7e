"""A camera and a microphone whose sound the network brings late: recorded, and told to viewers, as they were sent."""

from __future__ import annotations

import asyncio
import fractions
import socket
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import aioice.ice
import av
import pytest
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from hall.media.edge import rtp
from hall.media.edge.keeping import Keeper
from hall.media.edge.keyframes import Video
from hall.media.port.engine import Source
from hall.media.port.places import Places
from sessions.clock import SystemClock
from tests.support.media import SESSION, Stage, an_edge
from web.bench.air.lossy import HERE, LossyNetwork

pytestmark = pytest.mark.timeout(120)

HOST = Source("host")
LATE = 0.6
EVERY, LASTS = 1.5, 0.2
"""Seconds between two flashes, each with its tone, and how long they last."""


class LateSound(LossyNetwork):
    """Brings everything that belongs to the sound later than it could."""

    def __init__(self, there: int, sound: int) -> None:
        super().__init__(there, share=0.0, seed=1)
        self._sound = sound
        self._streams: set[bytes] = set()

    def _up(self, way: socket.socket, data: bytes) -> None:
        if 127 < data[0] < 192 and not rtp.is_rtcp(data) and data[1] & 0x7F == self._sound:
            self._streams.add(data[8:12])
        named = data[4:8] if rtp.is_rtcp(data) else data[8:12]
        if named in self._streams:
            asyncio.get_running_loop().call_later(LATE, self._deliver, way, data)
        else:
            way.send(data)

    def _deliver(self, way: socket.socket, data: bytes) -> None:
        if way.fileno() >= 0:
            way.send(data)


class Paced(MediaStreamTrack):
    """Gives frame after frame in the time of the loop."""

    def __init__(
        self, kind: str, begins: float, lasts: float, make: Callable[[float], av.VideoFrame | av.AudioFrame]
    ):
        super().__init__()
        self.kind = kind
        self._begins, self._lasts, self._make, self._n = begins, lasts, make, 0

    async def recv(self) -> av.VideoFrame | av.AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        at, self._n = self._n * self._lasts, self._n + 1
        await asyncio.sleep(self._begins + at - asyncio.get_running_loop().time())
        return self._make(at)


def flash(at: float) -> av.VideoFrame:
    bright = 235 if at % EVERY < LASTS else 16
    frame = av.VideoFrame(128, 80, "yuv420p")
    for plane, value in zip(frame.planes, (bright, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    frame.pts, frame.time_base = round(at * 90_000), fractions.Fraction(1, 90_000)
    return frame


def beep(at: float) -> av.AudioFrame:
    loud = 12_000 if at % EVERY < LASTS else 0
    frame = av.AudioFrame("s16", "mono", 960)
    frame.planes[0].update(array("h", [loud if n // 48 % 2 else -loud for n in range(960)]).tobytes())
    frame.sample_rate, frame.pts, frame.time_base = 48_000, round(at * 48_000), fractions.Fraction(1, 48_000)
    return frame


@asynccontextmanager
async def a_source(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """What a browser sends, without one: aiortc, through a network that holds the sound back."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda **_: [HERE])
    peer, begins = RTCPeerConnection(RTCConfiguration(iceServers=[])), asyncio.get_running_loop().time()
    peer.addTrack(Paced("audio", begins, 0.02, beep))
    peer.addTrack(Paced("video", begins, 0.05, flash))
    await peer.setLocalDescription(await peer.createOffer())
    offer = peer.localDescription.sdp
    sound = next(int(line[9:].split()[0]) for line in offer.split("\r\n") if line.endswith("opus/48000/2"))
    network = LateSound(stage.mux.port, sound)
    try:
        answer = await stage.edge.publish(SESSION, HOST, offer)
        sdp = answer.sdp.replace(f" {stage.mux.port} typ host", f" {network.port} typ host")
        sdp = "\r\n".join(line for line in sdp.split("\r\n") if " tcp " not in line)
        await peer.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="answer"))
        yield
    finally:
        await peer.close()
        network.close()


def lag(file: Path) -> float:
    """Return by how much the tones of a file come after their flashes."""
    found = []
    for kind in ("video", "audio"):
        onsets, on = [], True  # what the file begins with may have begun before
        with av.open(str(file)) as played:
            for frame in played.decode(**{kind: 0}):
                plane = frame.planes[0]
                was, on = on, bytes(plane)[0] > 128 if kind == "video" else max(array("f", bytes(plane))) > 0.1
                if on and not was:
                    onsets.append(float(frame.time or 0))
        found.append(onsets)
    flashes, tones = found
    assert len(flashes) >= 2
    assert len(tones) >= 2
    return median((tone - flashes[0] + EVERY / 2) % EVERY - EVERY / 2 for tone in tones)


async def test_the_recording_of_a_source_is_aligned_though_its_sound_comes_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first file by when things came, and the next by the reports of the sender, once they are there."""
    keeper = Keeper(Places(tmp_path), SystemClock())
    folder = Places(tmp_path).recordings(SESSION)

    def newest() -> tuple[int, int]:
        """Return which file is the newest, and how many lines its index has."""
        index = folder / f"host-{sum(1 for _ in folder.glob('host-*.jsonl'))}.jsonl"
        return int(index.stem.rpartition("-")[2]), index.read_bytes().count(b"\n") if index.exists() else 0

    async with an_edge(Video.VP8, lambda *told: keeper.keep(*told[:3], sound=told[3])) as stage:
        async with a_source(stage, monkeypatch):
            # One file that goes on so long was begun by the reports already: a slow machine may have had them first.
            while newest()[1] < (12 if newest()[0] > 1 else 40):
                await asyncio.sleep(0.1)
                keeper.tick()
        await keeper.close()
    assert abs(lag(folder / f"host-{newest()[0]}.mp4")) < LATE / 2
