"""A camera and a microphone whose sound the network brings late: recorded, and composed, as they were sent."""

from __future__ import annotations

import asyncio
import fractions
import itertools
import json
import socket
from array import array
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from statistics import median

import aioice.ice
import av
import pytest
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from PIL import Image

from hall.media.edge import rtp
from hall.media.edge.keeping import Keeper
from hall.media.edge.keyframes import Video
from hall.media.mp4.boxes import Fragment, Init
from hall.media.port.engine import Source
from hall.media.port.places import Places
from hall.media.programme.broadcast import Broadcast
from hall.media.programme.lips import APART, Lips
from hall.media.voice.speaker import Speaker
from sessions.clock import SystemClock
from tests.support.media import SESSION, Stage, an_edge
from web.bench.air.lossy import HERE, LossyNetwork

pytestmark = pytest.mark.timeout(120)

HOST = Source("host")
LATE = 0.6
EVERY, LASTS = 1.5, 0.3
"""Seconds between two flashes, each with its tone, and how long they last."""

SEEN_AT = (1064, 331)
"""The middle of the small picture, in the programme."""

VIEWS = json.loads((Path(__file__).parents[2] / "vectors/wire/public.json").read_text())["views"]
LIVE = VIEWS[max(VIEWS, key=int)] | {"status": "live"}


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


def lag(file: str | BytesIO, at: tuple[int, int] = (0, 0)) -> float | None:
    """Return by how much the tones of a file come after its flashes at a place of its picture; None for too few."""
    found = []
    for kind in ("video", "audio"):
        onsets, on = [], True  # what the file begins with may have begun before
        if isinstance(file, BytesIO):
            file.seek(0)
        with av.open(file) as played:
            for frame in played.decode(**{kind: 0}):
                plane = frame.planes[0]
                place = at[1] * plane.line_size + at[0] if kind == "video" else 0
                was, on = on, bytes(plane)[place] > 128 if kind == "video" else max(array("f", bytes(plane))) > 0.1
                if on and not was:
                    onsets.append(float(frame.time or 0))
        found.append(onsets)
    flashes, tones = found
    if min(len(flashes), len(tones)) < 2:
        return None
    return median((tone - flash + EVERY / 2) % EVERY - EVERY / 2 for tone in tones for flash in flashes)


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
    late = lag(str(folder / f"host-{newest()[0]}.mp4"))
    assert late is not None
    assert abs(late) < LATE / 2


class Kept:
    """What the programme keeps, in memory."""

    def __init__(self, _: datetime) -> None:
        self.head = b""
        self.fragments: list[Fragment] = []

    def begin(self, init: Init) -> None:
        self.head = init.data

    def take(self, fragment: Fragment) -> None:
        self.fragments.append(fragment)

    def newest(self) -> BytesIO:
        """Return the last six seconds or so, as a file, and forget what was before the last two."""
        first = max(n for n, one in enumerate(self.fragments) if one.keyframe)
        data = self.head + b"".join(one.data for one in self.fragments)
        del self.fragments[:first]
        return BytesIO(data)

    def end(self) -> None:
        pass


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_the_programme_has_a_voice_with_its_picture_though_the_sound_comes_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the reports of the sender, once they are there, in the newest seconds of what is kept.

    Those of aiortc are as late as its pictures are, on a machine that is busy: so it is waited for until they agree.
    """
    kept: list[Kept] = []

    def keep(at: datetime) -> Kept:
        kept.append(Kept(at))
        return kept[-1]

    speaker = Speaker(tmp_path, ("false",))
    async with an_edge(Video.VP8) as stage:
        broadcast = Broadcast(
            SESSION,
            SystemClock(),
            speaker,
            folder=lambda _, at: Kept(at),
            kept=keep,
            ask_keyframe=lambda: stage.edge.want_keyframe(SESSION),
        )
        broadcast.shows(LIVE, [])
        running = asyncio.create_task(broadcast.run())
        late = None
        try:
            async with a_source(stage, monkeypatch):
                while late is None or abs(late) > LATE / 2:  # by when things came it would be LATE and more
                    while stage.on_air:
                        broadcast.camera.take(stage.on_air.pop(0))
                    if kept and len(kept[0].fragments) > 12:
                        late = lag(kept[0].newest(), SEEN_AT)
                    await asyncio.sleep(0.01)
        finally:
            running.cancel()
            await asyncio.wait({running})
            await speaker.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Which moment of the source was heard in the middle of a tick, and of which the picture was; None for none."""

    heard: float | None
    seen: float | None


def together(
    seconds: float,
    *,
    sound: float,
    picture: float,
    lost: Callable[[float], bool] = lambda _: False,
    known: bool = True,
    every: float = 0.1,
) -> list[Told]:
    """Run a source whose ``sound`` and ``picture`` come so much later than they were sent; a line for each tick."""
    lips, at, told = Lips(), {}, []
    came = [(n / 50 + 0.02 + sound, n / 50, True) for n in range(int(seconds * 50)) if not lost(n / 50)]
    came += [(n * every + picture, n * every, False) for n in range(int(seconds / every))]
    queue = deque(sorted(came))
    for tick in range(int(seconds * 10)):
        while queue and queue[0][0] <= tick / 10:
            _, sent, is_sound = queue.popleft()
            if is_sound:
                lips.hear(array("h", [round(sent * 50) + 1] * 960).tobytes(), sent if known else None)
            else:
                image = Image.new("RGB", (2, 2))
                at[id(image)] = image, sent
                lips.see(image, sent if known else None)
        pcm = array("h", lips.take(4800) or bytes(9600))[2400]
        shown = lips.picture
        told.append(Told(heard=(pcm - 1) / 50 + 0.01 if pcm else None, seen=at[id(shown)][1] if shown else None))
    return told


def apart(told: list[Told]) -> float:
    """Return by how much a picture was off its voice, at most."""
    return max(abs(one.heard - one.seen) for one in told if one.heard is not None and one.seen is not None)


@pytest.mark.parametrize(
    ("sound", "picture"), [(0.0, 0.0), (0.6, 0.0), (0.0, 0.6), (1.9, 0.1), (0.1, 1.8), (0.35, 0.3)]
)
def test_a_voice_and_its_picture_are_taken_together_whichever_comes_later(sound: float, picture: float) -> None:
    told = together(12, sound=sound, picture=picture)[50:]
    assert all(one.heard is not None and one.seen is not None for one in told)
    assert apart(told) <= 0.1 + APART
    assert all(after.seen >= before.seen for before, after in itertools.pairwise(told))  # type: ignore[operator]


def test_what_was_lost_on_the_way_is_silence_and_moves_nothing() -> None:
    told = together(20, sound=0.3, picture=0.0, lost=lambda at: at % 2 > 1.9 or 9 < at < 12.5)[30:]
    assert apart([one for one in told if one.heard is not None and not 9 < one.heard < 14]) <= 0.1 + APART
    assert sum(one.heard is None for one in told) > 30
    assert told[-1].heard == pytest.approx(20 - 0.3 - 0.2, abs=0.3)


def test_no_voice_waits_for_pictures_that_are_seldom() -> None:
    told = together(20, sound=0.1, picture=1.0, every=1.0)[20:]
    assert told[-1].heard == pytest.approx(20 - 0.1 - 0.2, abs=0.2)
    assert all(one.heard is not None for one in told)


def test_without_reports_everything_is_taken_as_it_comes() -> None:
    for one in range(2, 5):
        told = together(6, sound=one / 5, picture=0.0, known=False)
        assert told[-1].seen == pytest.approx(6, abs=0.11)
        assert told[-1].heard == pytest.approx(6 - one / 5 - 0.2, abs=0.2)


def test_a_clock_that_was_set_is_begun_with_anew() -> None:
    lips, piece = Lips(), bytes(9600)
    for n in range(5):
        lips.hear(piece, n / 10)
    assert lips.take(4800) is not None
    image = Image.new("RGB", (2, 2))
    lips.see(image, 3600.0)
    assert lips.picture is image
    lips.hear(piece, 3600.0)
    assert lips.take(4800) is None  # what was held is of another time
