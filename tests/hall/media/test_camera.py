"""The camera in the programme: decoded beside it, named, and gone when it goes; nothing it sends stops anything."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

pytest.importorskip("av", reason="needs the extra `media`")

from hall.media.edge.keyframes import Video
from hall.media.edge.moments import RATES
from hall.media.edge.sdp import Kind
from hall.media.packets.datagrams import Payload
from hall.media.packets.onair import OnAir
from hall.media.port.engine import Source
from hall.media.programme import camera as cameras
from hall.media.programme.camera import Camera
from hall.media.programme.decoder import Asked, Decoder, Heard, Made, Shown, read, written
from hall.media.programme.lips import Line
from hall.media.voice.sound import SAMPLES
from sessions.ids import SessionId
from tests.support.camera import Sent, both, pictures, sounds

SESSION, HOST, BIDDER = SessionId("s-1"), Source("host"), Source("bidder:a")


def frames(sent: Iterable[Sent], video: Video = Video.H264, source: Source = HOST) -> list[OnAir]:
    payloads = {Kind.AUDIO: Payload.OPUS, Kind.VIDEO: Payload[video.name]}
    return [
        OnAir(
            session=SESSION,
            source=source,
            payload=payloads[one.kind],
            timestamp=one.timestamp,
            sent=one.timestamp / RATES[one.kind],
            data=one.data,
        )
        for one in sent
    ]


def decoded(decoder: Decoder, given: Iterable[OnAir]) -> list[Made]:
    return [made for frame in given for made in decoder.take(frame)]


@pytest.mark.parametrize("video", list(Video))
def test_both_codecs_become_small_pictures_ten_a_second_and_sound(video: Video) -> None:
    made = decoded(Decoder(), frames(both(video, 2, fps=30), video))
    shown = [one for one in made if isinstance(one, Shown)]
    assert len(shown) == pytest.approx(20, abs=2)
    assert (shown[0].width, shown[0].height) == (316, 198)  # 128 x 80, as large as fits
    assert shown[0].data[0] == pytest.approx(214, abs=8)  # its brightness, of 200 in the range of television
    heard = b"".join(one.pcm for one in made if isinstance(one, Heard))
    assert len(heard) / 2 == pytest.approx(2 * SAMPLES, rel=0.02)
    assert not any(isinstance(one, Asked) for one in made)
    assert [read(written(one)[4:]) for one in made] == made


def test_a_camera_that_begins_in_the_middle_is_asked_for_a_keyframe() -> None:
    made = decoded(Decoder(), frames(list(pictures(Video.H264, 2, every=20))[5:]))
    assert made[0] == Asked(source=HOST)
    assert isinstance(made[-1], Shown)


def test_garbage_is_left_out_and_the_next_keyframe_is_shown() -> None:
    good = frames(pictures(Video.H264, 1))
    decoder = Decoder()
    decoded(decoder, good)
    for junk in (b"", b"\0\0\1", b"\0\0\1\x67\xff\xff", b"\xff" * 5000, good[0].data[:40], good[1].data[:9]):
        decoded(decoder, [replace(good[0], data=junk), replace(good[0], payload=Payload.OPUS, data=junk)])
        decoded(decoder, [replace(good[0], payload=Payload.VP8, data=junk)])
    later = [replace(frame, timestamp=frame.timestamp + 900_000) for frame in good]
    assert any(isinstance(one, Shown) for one in decoded(decoder, later))


def test_a_picture_that_is_too_large_is_not_decoded() -> None:
    huge = next(pictures(Video.VP8, 1)).data
    huge = huge[:6] + (16_000).to_bytes(2, "little") * 2 + huge[10:]
    made = decoded(Decoder(), frames([Sent(kind=Kind.VIDEO, data=huge, timestamp=0, at=0.0)], Video.VP8))
    assert made == [Asked(source=HOST)]


async def until(told: Callable[[], bool], camera: Camera, given: Iterable[OnAir] = ()) -> None:
    """Wait for something, sending and ticking as time goes on."""
    sending = iter(given)
    async with asyncio.timeout(60):
        while not told():
            if (frame := next(sending, None)) is not None:
                camera.take(frame)
            camera.tick()
            await asyncio.sleep(0.01)


async def shown_by(camera: Camera, source: Source, asked: list[int]) -> None:
    """Have ``source`` send, with a keyframe whenever it is asked for one, until it is seen and heard."""
    camera.take(frames(pictures(Video.H264, 0.1), source=source)[1])  # somebody is there
    await until(lambda: bool(asked), camera)
    await until(lambda: camera._process is not None, camera)
    for frame in frames(both(Video.H264, 3), source=source):
        camera.take(frame)
    await until(lambda: camera.source == source and camera.picture is not None, camera)


async def test_it_is_seen_and_heard_and_gone_at_once_when_nobody_is_on_air(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cameras, "WATCHED", 600.0)
    asked: list[int] = []
    camera = Camera(lambda: asked.append(1))
    try:
        assert (camera.source, camera.picture, camera.sound(4800)) == (None, None, None)
        await shown_by(camera, HOST, asked)
        picture = camera.picture
        assert picture is not None
        assert picture.size == (316, 198)
        await until(lambda: camera.sound(4800) is not None, camera)
        await shown_by(camera, BIDDER, asked)
        camera.take(OnAir(session=SESSION))
        assert (camera.source, camera.picture, camera.sound(4800)) == (None, None, None)
    finally:
        await camera.close()


async def test_without_frames_the_stage_is_alone_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cameras, "WATCHED", 600.0)
    asked: list[int] = []
    camera = Camera(lambda: asked.append(1))
    try:
        await shown_by(camera, HOST, asked)
        monkeypatch.setattr(cameras, "WATCHED", 0.0)
        assert (camera.source, camera.picture) == (None, None)
        monkeypatch.setattr(cameras, "IDLE", 0.0)
        await until(lambda: camera._process is None, camera)  # and its decoder is let go
    finally:
        await camera.close()


@pytest.mark.parametrize(
    "engine", [("false",), ("no-such-program",), (sys.executable, "-c", "print('\\xff' * 9999)")]
)
async def test_a_decoder_that_dies_or_talks_nonsense_is_begun_again_and_harms_nobody(
    engine: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cameras, "REST", 0.0)
    camera = Camera(lambda: None, engine)
    begun = 0
    try:
        for frame in frames(pictures(Video.H264, 0.2)):
            if camera._running is None:
                begun += 1
            camera.take(frame)
            await until(lambda: camera._running is None, camera)
        assert begun == 4
        assert camera.picture is None
    finally:
        await camera.close()


async def test_a_decoder_that_is_stuck_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cameras, "STUCK", 0.0)
    camera = Camera(lambda: None, ("sleep", "3600"))
    try:
        camera.take(frames(pictures(Video.H264, 0.1))[0])
        await until(lambda: camera._process is not None, camera)
        await until(lambda: camera._running is None, camera)
    finally:
        await camera.close()


async def test_a_decoder_that_reads_nothing_is_ended_when_too_much_waits() -> None:
    camera = Camera(lambda: None, ("sleep", "3600"))
    big = replace(frames(sounds(0.1))[0], data=bytes(500_000))
    try:
        camera.take(big)
        await until(lambda: camera._process is not None, camera)
        process = camera._process
        for _ in range(8):
            camera.take(big)
        await until(lambda: camera._process is not process, camera)
    finally:
        await camera.close()


def test_sound_waits_a_little_runs_even_and_never_piles_up() -> None:
    line, piece = Line(), b"\1\0" * 960
    line.add(piece)
    assert line.take(960) is None  # not yet
    for _ in range(12):
        line.add(piece)
    assert line.take(960) == piece
    assert line.take(SAMPLES) is not None  # it ran dry: the rest is silence
    assert line.take(960) is None
    for _ in range(500):
        line.add(piece)
    taken = 0
    while line.take(960) is not None:
        taken += 1
    assert taken < 40
