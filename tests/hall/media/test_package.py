"""Fragments reach everybody once and in order, and an HLS folder is one at every moment."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import av

from hall.media.mp4.boxes import Fragment, cut
from hall.media.programme.package import BEHIND, KEPT, LISTED, MASTER, PLAYLIST, Crowd, Folder, Segment, playlist
from hall.wire.frames import binary_frame
from tests.support.muxed import muxed

BEGAN = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)
INIT, FRAGMENTS = cut(muxed(60, gop=10))


class _Viewer:
    def __init__(self) -> None:
        self.got = b""
        self.stuck = 0
        self.closed = 0

    def write(self, data: bytes) -> None:
        self.got += data

    def waiting(self) -> int:
        return self.stuck

    def close(self, code: int) -> None:
        self.closed = code


def _frames(fragments: list[Fragment]) -> bytes:
    return b"".join(binary_frame(fragment.data) for fragment in fragments)


def test_a_viewer_gets_the_head_and_everything_from_then_on() -> None:
    crowd, viewer = Crowd("full"), _Viewer()
    crowd.enter(viewer)
    crowd.begin(INIT)
    for fragment in FRAGMENTS:
        crowd.take(fragment)
    assert b'"mime": "video/mp4' in viewer.got
    assert viewer.got.endswith(binary_frame(INIT.data) + _frames(FRAGMENTS))


def test_who_comes_later_sees_a_picture_at_once() -> None:
    crowd, viewer = Crowd("full"), _Viewer()
    crowd.begin(INIT)
    for fragment in FRAGMENTS[:8]:
        crowd.take(fragment)
    crowd.enter(viewer)
    since = [fragment for fragment in FRAGMENTS[:8] if fragment.decode_ms >= 1000]
    assert since[0].keyframe
    assert viewer.got.endswith(_frames(since))
    crowd.take(FRAGMENTS[8])
    assert viewer.got.endswith(_frames([*since, FRAGMENTS[8]]))


def test_who_does_not_keep_up_is_left_out_until_the_next_keyframe() -> None:
    crowd, slow = Crowd("full"), _Viewer()
    crowd.begin(INIT)
    crowd.take(FRAGMENTS[0])
    crowd.enter(slow)
    before, slow.stuck = slow.got, BEHIND + 1
    crowd.take(FRAGMENTS[1])
    slow.stuck = 0
    crowd.take(FRAGMENTS[2])
    assert slow.got == before
    for fragment in FRAGMENTS[3:7]:
        crowd.take(fragment)
    assert slow.got == before + _frames([one for one in FRAGMENTS[3:7] if one.decode_ms >= 1000])
    assert crowd.left_out == 1


def test_who_comes_first_has_a_keyframe_asked_for() -> None:
    asked: list[str] = []
    crowd = Crowd("low", lambda: asked.append("low"))
    crowd.enter(_Viewer())
    assert asked == ["low"]


def test_nothing_is_sent_or_kept_that_nobody_can_begin_with(tmp_path: Path) -> None:
    crowd, viewer, folder = Crowd("full"), _Viewer(), Folder(tmp_path, BEGAN)
    crowd.enter(viewer)
    for sink in (crowd, folder):
        sink.begin(INIT)
        for fragment in FRAGMENTS[3:]:
            sink.take(fragment)
    first = next(place for place, one in enumerate(FRAGMENTS) if place >= 3 and one.keyframe)
    assert viewer.got.endswith(binary_frame(INIT.data) + _frames(FRAGMENTS[first:]))
    name = next(line for line in (tmp_path / PLAYLIST).read_text().splitlines() if line.endswith(".m4s"))
    assert cut(INIT.data + (tmp_path / name).read_bytes())[1][0].keyframe


def test_whoever_watches_to_the_end_is_sent_home() -> None:
    crowd, viewer = Crowd("full"), _Viewer()
    crowd.begin(INIT)
    crowd.enter(viewer)
    crowd.end()
    assert viewer.closed == 1000


def test_what_is_told_is_told_to_late_comers_too() -> None:
    crowd, viewer = Crowd("full"), _Viewer()
    crowd.tell("caption", {"zh": "开标"})
    crowd.enter(viewer)
    assert "开标".encode() in viewer.got
    crowd.leave(viewer)
    crowd.tell("caption", {"zh": "结束"})
    assert "结束".encode() not in viewer.got


def test_a_folder_is_a_stream_that_a_player_can_begin_anywhere(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "hls", BEGAN)
    folder.begin(INIT)
    for fragment in FRAGMENTS:
        folder.take(fragment)
    listed = [line for line in (tmp_path / "hls" / PLAYLIST).read_text().splitlines() if not line.startswith("#")]
    assert listed
    for name in listed:
        init, fragments = cut(INIT.data + (tmp_path / "hls" / name).read_bytes())
        assert fragments[0].keyframe
        with av.open(io.BytesIO(init.data + b"".join(one.data for one in fragments))) as file:
            assert sum(1 for _ in file.decode(video=0)) == 20


def test_a_folder_forgets_what_nobody_can_ask_for(tmp_path: Path) -> None:
    folder = Folder(tmp_path, BEGAN)
    folder.begin(INIT)
    keyed = [one for one in FRAGMENTS if one.keyframe]
    for _ in range(40):
        folder.take(keyed[0])
        for fragment in FRAGMENTS[1:10]:
            folder.take(fragment)
    segments = sorted(tmp_path.glob("*.m4s"))
    assert len(segments) == LISTED + KEPT
    text = (tmp_path / PLAYLIST).read_text()
    assert all((tmp_path / line).exists() for line in text.splitlines() if line.endswith(".m4s"))


def test_a_new_life_clears_the_old_one_away_and_says_so(tmp_path: Path) -> None:
    for life in (7, 9):
        folder = Folder(tmp_path, datetime.fromtimestamp(life, UTC))
        folder.begin(INIT)
        for fragment in FRAGMENTS:
            folder.take(fragment)
    assert not list(tmp_path.glob("*7*.m*"))
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:9" in (tmp_path / PLAYLIST).read_text()


def test_the_end_is_said(tmp_path: Path) -> None:
    folder = Folder(tmp_path, BEGAN)
    folder.begin(INIT)
    for fragment in FRAGMENTS:
        folder.take(fragment)
    folder.end()
    assert (tmp_path / PLAYLIST).read_text().endswith("#EXT-X-ENDLIST\n")


def test_no_segment_is_longer_than_the_playlist_says_and_all_lists_say_the_same() -> None:
    for lengths, said in (((2000, 2000), 4), ((2400, 4000), 4), ((2400, 5600), 6)):
        segments = [Segment(name=str(length), length_ms=length, at=BEGAN) for length in lengths]
        text = playlist(1, 0, "init.mp4", segments)
        assert f"#EXT-X-TARGETDURATION:{said}\n" in text
        assert f"#EXTINF:{lengths[1] / 1000:.3f},\n{lengths[1]}\n" in text


def test_the_first_folder_names_the_others_and_clears_none_of_them_away(tmp_path: Path) -> None:
    for life in (7, 9):
        for variant in ("", "low", "sound"):
            folder = Folder(tmp_path / variant, datetime.fromtimestamp(life, UTC), first=not variant)
            folder.begin(INIT)
            for fragment in FRAGMENTS:
                folder.take(fragment)
    named = [line for line in (tmp_path / MASTER).read_text().splitlines() if not line.startswith("#")]
    assert named == [PLAYLIST, f"low/{PLAYLIST}", f"sound/{PLAYLIST}"]
    assert all("s9-0.m4s" in (tmp_path / name).read_text() for name in named)
    assert not (tmp_path / "low" / MASTER).exists()


def test_sound_alone_lies_in_segments_too(tmp_path: Path) -> None:
    init, fragments = cut(muxed(100, picture=False))
    folder = Folder(tmp_path, BEGAN)
    folder.begin(init)
    for fragment in fragments:
        folder.take(fragment)
    listed = [line for line in (tmp_path / PLAYLIST).read_text().splitlines() if not line.startswith("#")]
    assert len(listed) == 4
    for name in listed:
        assert sum(one.duration_ms for one in cut(init.data + (tmp_path / name).read_bytes())[1]) in range(1900, 2300)
