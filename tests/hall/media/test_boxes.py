"""Boxes come out of a muxer's bytes whole, in order, and with the times they say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hall.media.mp4.boxes import Cutter, DamagedBoxes, Fragment, Init, cut
from tests.support.muxed import muxed


def test_a_file_is_its_head_and_its_fragments_byte_for_byte() -> None:
    init, fragments = cut(muxed())
    assert init.data + b"".join(fragment.data for fragment in fragments) == muxed()
    assert init.data[4:8] == b"ftyp"
    assert all(fragment.data[4:8] == b"moof" for fragment in fragments)


def test_fragments_follow_one_another_in_time_without_a_gap() -> None:
    _, fragments = cut(muxed(25))
    now = 0
    for fragment in fragments:
        assert fragment.decode_ms == now
        now += fragment.duration_ms
    assert now == 2500


def test_a_keyframe_is_told_where_a_decoder_can_begin() -> None:
    _, fragments = cut(muxed(25, gop=10))
    assert [fragment.decode_ms for fragment in fragments if fragment.keyframe] == [0, 1000, 2000]


def test_the_head_names_its_codecs_as_a_page_asks_for_them() -> None:
    init, _ = cut(muxed())
    assert init.lead.kind == "vide"
    kinds = {track.kind: track.codec for track in init.tracks}
    assert kinds["soun"] == "mp4a.40.2"
    assert kinds["vide"].startswith("avc1.42")
    assert init.mime == f'video/mp4; codecs="{init.codecs}"'


def test_sound_alone_leads_its_own_file() -> None:
    init, fragments = cut(muxed(25, picture=False))
    assert init.lead.kind == "soun"
    assert init.mime.startswith("audio/mp4")
    assert all(fragment.keyframe for fragment in fragments)
    assert 2400 <= sum(fragment.duration_ms for fragment in fragments) <= 2700


@settings(max_examples=50)
@given(st.lists(st.integers(1, 3000), max_size=40))
def test_it_does_not_matter_in_which_pieces_bytes_come(sizes: list[int]) -> None:
    data, cutter, made = muxed(), Cutter(), list[Init | Fragment]()
    for size in sizes:
        made += cutter.feed(data[:size])
        data = data[size:]
    made += cutter.feed(data)
    init, fragments = cut(muxed())
    assert made == [init, *fragments]


class _Kept:
    def __init__(self) -> None:
        self.told: list[str] = []

    def begin(self, init: Init) -> None:
        self.told.append("begin")

    def take(self, fragment: Fragment) -> None:
        self.told.append("take")

    def end(self) -> None:
        self.told.append("end")


def test_every_sink_is_told_of_the_head_then_of_each_fragment_then_of_the_end() -> None:
    one, two = _Kept(), _Kept()
    cutter = Cutter(one, two)
    assert cutter.write(muxed()) == len(muxed())
    cutter.end()
    _, fragments = cut(muxed())
    assert one.told == two.told == ["begin", *["take"] * len(fragments), "end"]


def test_an_unfinished_end_is_not_told_of() -> None:
    whole = cut(muxed())[1]
    assert cut(muxed()[:-1])[1] == whole[:-1]


@pytest.mark.parametrize("length", [0, 2, 7, 1 << 31])
def test_a_box_of_no_possible_length_is_damage(length: int) -> None:
    with pytest.raises(DamagedBoxes):
        list(Cutter().feed(length.to_bytes(4, "big") + b"moof" + bytes(16)))


def test_media_without_a_head_is_damage() -> None:
    init, fragments = cut(muxed())
    with pytest.raises(DamagedBoxes):
        list(Cutter().feed(fragments[0].data))
    with pytest.raises(DamagedBoxes):
        cut(b"")
    assert init.tracks


@settings(max_examples=200)
@given(st.data())
def test_flipped_bytes_are_damage_or_boxes_and_nothing_else(data: st.DataObject) -> None:
    broken = bytearray(muxed(5))
    for _ in range(data.draw(st.integers(1, 8))):
        broken[data.draw(st.integers(0, min(2000, len(broken) - 1)))] ^= data.draw(st.integers(1, 255))
    try:
        init, fragments = cut(bytes(broken))
    except DamagedBoxes:
        return
    assert init.tracks
    assert all(fragment.duration_ms >= 0 for fragment in fragments)
