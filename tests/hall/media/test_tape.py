"""What a source sends is kept as it came in, and whatever it sends, every file of it can be played."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

av = pytest.importorskip("av", reason="needs the extra `media`")

from hall.media.edge.keyframes import Video  # noqa: E402
from hall.media.edge.sdp import Kind  # noqa: E402
from hall.media.edge.tape import BURST, FILES, LARGEST, PATIENCE, SOUND_DELAY, Tape  # noqa: E402
from hall.media.mp4.boxes import Fragment, FragmentSink, Init, cut  # noqa: E402
from hall.media.mp4.record import Recorder  # noqa: E402
from tests.support.camera import Sent, both, pictures, sounds  # noqa: E402

ZERO = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
LONG_AGO = 1_000.0


class File:
    """A FragmentSink that holds a file."""

    def __init__(self, anchor: datetime) -> None:
        self.anchor = anchor
        self.init: Init | None = None
        self.fragments: list[Fragment] = []
        self.ended = False

    def begin(self, init: Init) -> None:
        self.init = init

    def take(self, fragment: Fragment) -> None:
        self.fragments.append(fragment)

    def end(self) -> None:
        self.ended = True

    @property
    def data(self) -> bytes:
        assert self.init is not None
        return self.init.data + b"".join(one.data for one in self.fragments)

    def played(self) -> dict[str, list[float]]:
        """Decode everything; return the seconds of what is seen and heard. Fails on any damage."""
        times: dict[str, list[float]] = {"video": [], "audio": []}
        with av.open(io.BytesIO(self.data)) as file:
            for packet in file.demux():
                for frame in packet.decode():
                    times[packet.stream.type].append(float(frame.time))
        return times


class Shelf:
    """A tape and its files."""

    def __init__(self, video: Video | None = Video.H264, *, sound: bool = True) -> None:
        self.files: list[File] = []
        self.tape = Tape(self._opened, video, sound=sound)

    def _opened(self, anchor: datetime) -> FragmentSink:
        self.files.append(File(anchor))
        return self.files[-1]

    def play(
        self,
        sent: Iterable[Sent],
        *,
        after: float = 0.0,
        ends: bool = True,
        told: Callable[[Sent], float | None] = lambda _: None,
    ) -> None:
        at = after
        for one in sent:
            at = after + one.at
            moment = ZERO + timedelta(seconds=at)
            self.tape.take(one.kind, one.data, one.timestamp, LONG_AGO + at, moment, told(one))
        if ends:
            self.tape.end(LONG_AGO + at)


@pytest.mark.parametrize(("video", "codec"), [(Video.H264, "avc1.42"), (Video.VP8, "vp08")])
def test_every_picture_and_sound_is_in_the_file_at_its_time(video: Video, codec: str) -> None:
    sent, shelf = both(video, 3), Shelf(video)
    shelf.play(sent)
    (file,) = shelf.files
    assert file.ended
    assert file.init is not None
    assert file.init.codecs.startswith(codec)
    assert file.init.codecs.endswith(",opus")
    times = file.played()
    assert times["video"] == pytest.approx([n / 20 for n in range(60)], abs=0.06)
    assert len(times["video"]) == 60
    assert len(times["audio"]) == 150
    assert times["audio"][-1] == pytest.approx(2.98, abs=0.06)
    assert abs(file.anchor - ZERO) < timedelta(milliseconds=60)


def test_what_is_cut_again_is_what_was_told(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.play(both(Video.H264, 3))
    (file,) = shelf.files
    init, fragments = cut(file.data)
    assert file.init is not None
    assert (init.data, init.codecs, init.lead.timescale) == (file.init.data, file.init.codecs, 90_000)
    assert fragments == file.fragments
    assert [one.decode_ms for one in fragments] == [0, 500, 1000, 1500, 2000, 2500]
    assert [one.keyframe for one in fragments] == [True, False, False, False, True, False]
    at = 0
    for one in fragments:  # as the rules of the recording want it
        assert one.decode_ms >= at - 1
        at = one.decode_ms + one.duration_ms


def test_nothing_is_kept_before_the_first_picture_that_stands_by_itself() -> None:
    sent, shelf = list(pictures(Video.VP8, 2, every=20)), Shelf(Video.VP8, sound=False)
    shelf.play(sent[5:])
    (file,) = shelf.files
    assert len(file.played()["video"]) == 20
    assert file.anchor == pytest.approx(ZERO + timedelta(seconds=1), abs=timedelta(milliseconds=60))


def test_sound_from_before_the_first_picture_is_in_the_file() -> None:
    video = [replace(one, at=one.at + 1, timestamp=one.timestamp + 90_000) for one in pictures(Video.H264, 1)]
    shelf = Shelf()
    shelf.play(sorted([*video, *sounds(2)], key=lambda one: one.at))
    (file,) = shelf.files
    times = file.played()
    assert (len(times["video"]), len(times["audio"])) == (20, 100)
    assert times["video"][0] - times["audio"][0] == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("video", [Video.H264, None])
def test_a_microphone_alone_is_kept(video: Video | None) -> None:
    """Also where a picture was promised: then after it was waited for."""
    shelf = Shelf(video)
    shelf.play(sounds(PATIENCE + 1))
    (file,) = shelf.files
    assert file.init is not None
    assert file.init.codecs == "opus"
    assert len(file.played()["audio"]) == 50 * (PATIENCE + 1)
    assert cut(file.data)[1] == file.fragments
    assert shelf.tape.wants_keyframe is (video is not None)  # a picture would still be welcome


def test_a_picture_that_comes_after_all_begins_a_file_of_its_own() -> None:
    shelf = Shelf()
    late = [replace(one, at=one.at + 4.5) for one in pictures(Video.H264, 1)]
    shelf.play(sorted([*late, *sounds(6)], key=lambda one: one.at))
    assert [file.init.codecs.partition(",")[0][:4] for file in shelf.files if file.init] == ["opus", "avc1"]
    assert all(file.ended for file in shelf.files)
    assert sum(len(file.played()["audio"]) for file in shelf.files) == pytest.approx(300, abs=5)


@pytest.mark.parametrize("video", list(Video))
def test_another_size_begins_another_file(video: Video) -> None:
    shelf = Shelf(video, sound=False)
    shelf.play(pictures(video, 2), ends=False)
    second = pictures(video, 2, size=(160, 96))
    shelf.play((replace(one, timestamp=one.timestamp + 180_000) for one in second), after=2)
    first, last = shelf.files
    assert len(first.played()["video"]) == len(last.played()["video"]) == 40
    with av.open(io.BytesIO(last.data)) as file:
        assert (file.streams.video[0].width, file.streams.video[0].height) == (160, 96)
    assert last.anchor - first.anchor == pytest.approx(timedelta(seconds=2), abs=timedelta(milliseconds=60))


@pytest.mark.parametrize("jump", [-60.0, -3600.0, 60.0, 3600.0])
def test_times_that_jump_begin_another_file_where_the_clock_on_the_wall_is(jump: float) -> None:
    sent = list(pictures(Video.H264, 4, every=20))
    jumped = [replace(one, timestamp=one.timestamp + int(jump * 90_000) * (n >= 40)) for n, one in enumerate(sent)]
    shelf = Shelf(sound=False)
    shelf.play(jumped)
    assert [len(file.played()["video"]) for file in shelf.files] == [40, 20]  # one keyframe shows that it jumped
    assert shelf.files[1].anchor - shelf.files[0].anchor < timedelta(seconds=4)


def test_what_comes_in_another_order_or_twice_is_left_out() -> None:
    sent = list(pictures(Video.H264, 2))
    sent[10], sent[11] = sent[11], sent[10]
    shelf = Shelf(sound=False)
    shelf.play([*sent[:20], *sent[15:]])
    (file,) = shelf.files
    assert [one.decode_ms for one in file.fragments] == [0, 550, 1050, 1550]
    assert len(file.played()["video"]) == 39


def test_a_camera_that_stands_still_lets_go_what_was_held() -> None:
    shelf = Shelf(sound=False)
    *before, last = pictures(Video.H264, 0.3)
    shelf.play(before, ends=False)
    shelf.tape.tick(LONG_AGO + 0.5)
    assert not shelf.files[0].fragments
    shelf.tape.tick(LONG_AGO + 1.5)
    assert len(shelf.files[0].fragments) == 1
    shelf.play([replace(last, at=10)], ends=False)  # whole when the next one begins
    later = (replace(one, timestamp=one.timestamp + 900_000) for one in pictures(Video.H264, 1))
    shelf.play(later, after=10)
    (file,) = shelf.files
    assert [one.decode_ms for one in file.fragments][:3] == [0, 250, 10_000]
    assert len(file.played()["video"]) == 26


def test_a_source_fills_no_disk() -> None:
    key = next(pictures(Video.H264, 1)).data
    huge = key + b"\0\0\1\x41" + b"\x80" * (LARGEST // 2)
    shelf = Shelf(sound=False)
    shelf.play(Sent(kind=Kind.VIDEO, data=huge, timestamp=n * 4500, at=n / 20) for n in range(400))
    kept = sum(len(file.data) for file in shelf.files)
    assert kept < BURST + 20 * 1_500_000 + LARGEST
    shelf.play([Sent(kind=Kind.VIDEO, data=key + b"\x80" * LARGEST, timestamp=0, at=100)])
    assert all(file.ended for file in shelf.files)


def test_a_source_makes_no_thousands_of_files() -> None:
    sizes = [next(pictures(Video.H264, 0.1, size=size)).data for size in ((160, 96), (96, 160))]
    shelf = Shelf(sound=False)
    shelf.play(Sent(kind=Kind.VIDEO, data=sizes[n % 2], timestamp=n * 4500, at=n / 20) for n in range(400))
    assert len(shelf.files) <= 21
    shelf.play(
        Sent(kind=Kind.VIDEO, data=sizes[n % 2], timestamp=n * 180_000, at=100 + n * 2) for n in range(2 * FILES)
    )
    assert len(shelf.files) == FILES


def test_a_disk_that_takes_nothing_is_tried_again_later() -> None:
    class Full(File):
        def take(self, fragment: Fragment) -> None:
            raise OSError(28, "No space left on device")

    files: list[File] = []

    def opened(anchor: datetime) -> FragmentSink:
        files.append(File(anchor) if files else Full(anchor))
        return files[-1]

    shelf = Shelf()
    shelf.tape = Tape(opened, Video.H264, sound=False)
    shelf.play(pictures(Video.H264, 15, every=20))
    assert len(files) == 2
    assert files[1].anchor - files[0].anchor > timedelta(seconds=9)
    assert files[1].played()["video"]


def seconds(one: Sent) -> float:
    """When it was sent, by the source's clock, which is years off."""
    return 1e8 + one.timestamp / (90_000 if one.kind is Kind.VIDEO else 48_000)


def delayed(sound: float, length: float, **more: int) -> list[Sent]:
    """Sound and picture of one moment, the sound brought ``sound`` seconds later."""
    late = (replace(one, at=one.at + sound * (one.kind is Kind.AUDIO)) for one in both(Video.H264, length, **more))
    return sorted(late, key=lambda one: one.at)


def lag(file: File) -> float:
    """By how much the sound lies too late in a file, as it is decoded: times of both count from one 0."""
    assert file.init is not None
    tracks = {track.kind: track for track in file.init.tracks}
    first = {}
    for fragment in file.fragments:
        for kind, track in tracks.items():
            if kind not in first and (at := _first_time(fragment.data, track.id)) is not None:
                first[kind] = at / track.timescale
    return first["soun"] - first["vide"]


def _first_time(fragment: bytes, track: int) -> int | None:
    at = fragment.find(b"tfhd\0\x02\0\0" + track.to_bytes(4, "big"))
    return None if at < 0 else int.from_bytes(fragment[fragment.index(b"tfdt", at) + 8 :][:8], "big")


@pytest.mark.parametrize("late", [0.4, 1.5, -0.4])
def test_sound_that_the_network_brought_late_lies_with_its_picture_where_reports_tell(late: float) -> None:
    shelf = Shelf()
    shelf.play(delayed(late, 3), told=seconds)
    (file,) = shelf.files
    assert lag(file) == pytest.approx(0, abs=0.06)
    times = file.played()
    assert (len(times["video"]), len(times["audio"])) == (60, 150)


def test_without_reports_it_lies_where_it_came() -> None:
    shelf = Shelf()
    shelf.play(delayed(0.4, 3))
    assert lag(shelf.files[0]) == pytest.approx(0.4, abs=0.06)


def test_reports_that_come_later_begin_another_file_and_nothing_is_lost() -> None:
    """At the next picture that stands by itself, which is asked for."""
    shelf = Shelf()
    sent = delayed(0.4, 6, every=20)
    shelf.play(sent, told=lambda one: seconds(one) if one.at > 2.5 else None, ends=False)
    assert not shelf.tape.wants_keyframe
    shelf.tape.end(LONG_AGO + 7)
    first, second = shelf.files
    assert lag(first) == pytest.approx(0.4, abs=0.06)
    assert second.init is not None
    played = [file.played() for file in shelf.files]
    assert sum(len(times["video"]) for times in played) == 120
    assert sum(len(times["audio"]) for times in played) == 300
    # The picture of second 3 begins it; the sound that came then is of second 2.6.
    assert played[1]["video"][0] - played[1]["audio"][0] == pytest.approx(0.4, abs=0.06)


def test_a_little_apart_is_left_as_it_is_and_a_wild_report_is_not_believed() -> None:
    for late, wrong in ((0.05, 0.0), (0.0, 3600.0), (0.0, -5.0)):
        shelf = Shelf()
        said: list[bool] = []

        def told(one: Sent, by: float = wrong, shelf: Shelf = shelf, said: list[bool] = said) -> float | None:
            said.append(shelf.tape.wants_keyframe)
            return None if one.at < 1 else seconds(one) + by * (one.kind is Kind.AUDIO)

        shelf.play(delayed(late, 3, every=20), told=told)
        assert len(shelf.files) == 1
        assert lag(shelf.files[0]) == pytest.approx(late, abs=0.06)
        assert not any(said[5:])


def test_a_sound_card_that_drifts_costs_a_file_now_and_then() -> None:
    """Ten times faster than any does, for 4 minutes: sound is a quarter of a second ahead at the end."""
    drift = 1e-3
    key = next(pictures(Video.H264, 1)).data
    tone = next(sounds(1)).data
    shelf = Shelf()
    for n in range(0, 240 * 50):
        at = n / 50
        sound = Sent(kind=Kind.AUDIO, data=tone, timestamp=round(at * (1 + drift) * 48_000), at=at + SOUND_DELAY)
        shelf.play([sound], ends=False, told=lambda _, at=at: at)
        if n % 50 == 0:
            picture = Sent(kind=Kind.VIDEO, data=key, timestamp=round(at * 90_000), at=at + SOUND_DELAY)
            shelf.play([picture], ends=False, told=lambda _, at=at: at)
    assert 3 <= len(shelf.files) <= 5


@cache
def some() -> list[Sent]:
    return both(Video.H264, 1, every=7)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_whatever_is_sent_every_file_follows_from_its_index(data: st.DataObject) -> None:
    good = some()
    shelf = Shelf()
    at = 0.0
    for _ in range(data.draw(st.integers(1, 15))):
        one = data.draw(st.sampled_from(good))
        at += data.draw(st.sampled_from([0.0, 0.02, 0.3, 2.0]))
        broken = data.draw(st.sampled_from([one.data, one.data[:9], b"", b"\0\0\1\x67\x42", data.draw(st.binary())]))
        timestamp = one.timestamp + data.draw(st.sampled_from([0, 0, 0, 1 << 33, -(1 << 33), 12_345]))
        told = data.draw(st.sampled_from([None, seconds(one), 0.0, at, at + 1.5]))
        shelf.play([replace(one, data=broken, timestamp=timestamp, at=at)], ends=False, told=lambda _, it=told: it)
        shelf.tape.tick(LONG_AGO + at)
    shelf.tape.end(LONG_AGO + at)
    for file in shelf.files:
        told, fragments = cut(file.data)
        assert file.init is not None
        assert (told.data, fragments) == (file.init.data, file.fragments)
        reached = 0
        for fragment in fragments:
            if fragment.duration_ms:
                assert fragment.decode_ms >= reached - 1
                reached = fragment.decode_ms + fragment.duration_ms


def test_a_recorder_takes_it_and_its_index_says_the_same(tmp_path: Path) -> None:
    tape = Tape(lambda at: Recorder(tmp_path, "host", at), Video.H264, sound=True)
    for one in both(Video.H264, 2):
        tape.take(one.kind, one.data, one.timestamp, one.at, ZERO + timedelta(seconds=one.at))
    tape.end(2.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["host-1.jsonl", "host-1.mp4"]
    assert len(cut((tmp_path / "host-1.mp4").read_bytes())[1]) == 4
