"""One encoding feeds every way out, and each can be played."""

from __future__ import annotations

import io

import av
from PIL import Image

from hall.media.mp4.boxes import Fragment, Init, cut
from hall.media.packets.rtp import units
from hall.media.programme.encoder import FULL, LOW, Canvas, Encoder, Format, frame_of, smaller
from hall.media.programme.package import MASTER_TEXT, PICTURE, SOUND
from hall.media.voice.sound import SAMPLES, silence

SMALL = Format(width=160, height=96, fps=10, gop=10)


class _Kept:
    def __init__(self) -> None:
        self.data = b""
        self.fragments: list[Fragment] = []
        self.ended = False

    def begin(self, init: Init) -> None:
        self.data = init.data

    def take(self, fragment: Fragment) -> None:
        self.data += fragment.data
        self.fragments.append(fragment)

    def end(self) -> None:
        self.ended = True


class _Packets:
    def __init__(self) -> None:
        self.pictures: list[tuple[bytes, int, bool]] = []
        self.sounds: list[tuple[bytes, int]] = []

    def picture(self, data: bytes, timestamp: int, keyframe: bool) -> None:
        self.pictures.append((data, timestamp, keyframe))

    def sound(self, data: bytes, timestamp: int) -> None:
        self.sounds.append((data, timestamp))


def _encoded(ticks: int, *, keyframes: tuple[int, ...] = ()) -> tuple[_Kept, _Kept, _Packets]:
    live, kept, packets = _Kept(), _Kept(), _Packets()
    encoder = Encoder(SMALL, live=live, kept=kept, packets=packets)
    frame = frame_of(Image.new("RGB", (160, 96), (200, 30, 30)), SMALL)
    for tick in range(ticks):
        if tick in keyframes:
            encoder.want_keyframe()
        encoder.picture(frame, tick * 100)
        encoder.sound(silence(SAMPLES // 10), tick * SAMPLES // 10)
    encoder.end()
    return live, kept, packets


def test_every_file_holds_every_picture_and_all_the_sound() -> None:
    live, kept, _ = _encoded(24)
    for sink in (live, kept):
        with av.open(io.BytesIO(sink.data)) as file:
            assert [round(float(frame.pts * frame.time_base) * 10) for frame in file.decode(video=0)] == list(
                range(24)
            )
        with av.open(io.BytesIO(sink.data)) as file:
            assert 2.3 <= sum(frame.samples for frame in file.decode(audio=0)) / SAMPLES <= 2.5
        assert sink.ended


def test_who_watches_gets_short_fragments_and_the_disk_longer_ones() -> None:
    live, kept, _ = _encoded(24)
    assert max(fragment.duration_ms for fragment in live.fragments) == 200
    assert max(fragment.duration_ms for fragment in kept.fragments) == 500


def test_a_keyframe_comes_regularly_and_when_it_is_asked_for() -> None:
    live, _, packets = _encoded(24, keyframes=(13,))
    assert [fragment.decode_ms for fragment in live.fragments if fragment.keyframe] == [0, 1000, 1300, 2300]
    assert [timestamp // 9000 for _, timestamp, keyframe in packets.pictures if keyframe] == [0, 10, 13, 23]


def test_packets_for_webrtc_can_be_decoded_from_any_keyframe() -> None:
    _, _, packets = _encoded(24)
    for data, _, keyframe in packets.pictures:
        kinds = [unit[0] & 31 for unit in units(data)]
        assert (7 in kinds) == (8 in kinds) == (5 in kinds) == keyframe
    times = [timestamp for _, timestamp in packets.sounds]
    assert times == [960 * number for number in range(len(times))]


def test_sound_alone_is_the_sound_that_was_encoded_with_the_picture() -> None:
    live, heard = _Kept(), _Kept()
    encoder = Encoder(SMALL, live=live, heard=heard)
    frame = frame_of(Image.new("RGB", (160, 96)), SMALL)
    for tick in range(24):
        encoder.picture(frame, tick * 100)
        encoder.sound(silence(SAMPLES // 10), tick * SAMPLES // 10)
    encoder.end()
    with av.open(io.BytesIO(heard.data)) as file:
        assert [stream.type for stream in file.streams] == ["audio"]
        assert 2.3 <= sum(frame.samples for frame in file.decode(audio=0)) / SAMPLES <= 2.5
    assert all(fragment.keyframe for fragment in heard.fragments)
    assert len(heard.data) < len(live.data)


def test_a_picture_that_is_late_is_left_out_and_nothing_drifts() -> None:
    live = _Kept()
    encoder = Encoder(SMALL, live=live)
    frame = frame_of(Image.new("RGB", (160, 96)), SMALL)
    for at in (0, 100, 900, 1000):
        encoder.picture(frame, at)
    encoder.sound(silence(SAMPLES * 11 // 10), 0)
    encoder.end()
    with av.open(io.BytesIO(live.data)) as file:
        assert [round(float(one.pts * one.time_base) * 1000) for one in file.decode(video=0)] == [0, 100, 900, 1000]


def test_the_low_programme_carries_a_fraction_of_the_pictures() -> None:
    assert LOW.width * LOW.height * LOW.fps * 10 < FULL.width * FULL.height * FULL.fps
    made = smaller(frame_of(Image.new("RGB", (1280, 720), (200, 30, 30))), LOW)
    anew = frame_of(Image.new("RGB", (1280, 720), (200, 30, 30)), LOW)
    assert (made.width, made.height) == (LOW.width, LOW.height)
    for one, other in zip(made.planes, anew.planes, strict=True):
        assert max(abs(a - b) for a, b in zip(bytes(one), bytes(other), strict=True)) <= 2


def test_what_is_encoded_is_what_the_master_playlist_says_of_it() -> None:
    for form in (FULL, LOW):
        live, heard = _Kept(), _Kept()
        encoder = Encoder(form, live=live, heard=heard)
        encoder.picture(frame_of(Image.new("RGB", (1280, 720)), form), 0)
        encoder.sound(silence(SAMPLES), 0)
        encoder.end()
        codecs = [cut(sink.data)[0].codecs for sink in (live, heard)]
        assert codecs == [PICTURE, SOUND]
        assert f'CODECS="{PICTURE}",RESOLUTION={form.width}x{form.height},FRAME-RATE={form.fps}.000' in MASTER_TEXT
    assert f'CODECS="{SOUND}"' in MASTER_TEXT


def test_converting_what_changed_gives_the_picture_converted_anew() -> None:
    image = Image.effect_noise((1280, 720), 90).convert("RGB")
    canvas = Canvas(image)
    for box in ((888, 232, 1240, 430), (0, 0, 61, 33), (1201, 701, 1280, 720), (1000, 1, 1281, 59)):
        image.paste(Image.effect_noise((box[2] - box[0], box[3] - box[1]), 60).convert("RGB"), box[:2])
        made, anew = canvas.frame(image, [box]), frame_of(image)
        for one, other in zip(made.planes, anew.planes, strict=True):
            assert max(abs(a - b) for a, b in zip(bytes(one), bytes(other), strict=True)) <= 2
    assert [bytes(plane) for plane in canvas.frame(image, []).planes] == [bytes(plane) for plane in made.planes]
