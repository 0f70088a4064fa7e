"""Where a picture begins: read from single payloads, of H.264 and of VP8, and from what real encoders write."""

import av
import pytest
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from hypothesis import given
from hypothesis import strategies as st

from hall.media.edge.keyframes import BEGINS, Video, h264, vp8


@pytest.mark.parametrize(
    ("payload", "begins"),
    [
        ("", False),
        ("6742e01f", True),  # the parameter set alone
        ("180004 6742e01f 000468ce3c80", True),  # first in an aggregate
        ("180004 68ce3c80", False),  # an aggregate without it
        ("18", False),
        ("6588", False),  # an IDR whose parameter set went ahead
        ("7c85 88", False),  # the same, in pieces
        ("4188", False),  # a picture that needs others
    ],
)
def test_h264(payload: str, *, begins: bool) -> None:
    assert h264(bytes.fromhex(payload)) is begins


@pytest.mark.parametrize(
    ("payload", "begins"),
    [
        ("", False),
        ("10 50", True),
        ("10 51", False),  # needs others
        ("00 50", False),  # not the first packet of its frame
        ("11 50", False),  # not the first partition
        ("90 80 05 50", True),  # picture id of seven bits
        ("90 80 8005 50", True),  # of fifteen
        ("90 e0 8005 07 00 50", True),  # and layers
        ("90 e0 8005 07 00 51", False),
        ("90", False),
        ("90 80", False),
        ("90 80 80", False),
    ],
)
def test_vp8(payload: str, *, begins: bool) -> None:
    assert vp8(bytes.fromhex(payload)) is begins


@pytest.mark.parametrize("video", Video)
def test_the_first_packet_of_a_real_keyframe_and_no_other(video: Video) -> None:
    encoder = H264Encoder() if video is Video.H264 else Vp8Encoder()
    found = []
    for number in range(6):
        frame = av.VideoFrame(320, 240, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes((number * 17 + place * 31) % 256 for place in range(plane.buffer_size)))
        frame.pts, frame.time_base = number * 3000, __import__("fractions").Fraction(1, 90000)
        payloads, _ = encoder.encode(frame, force_keyframe=number in (0, 4))
        assert not any(map(BEGINS[video], payloads[1:]))
        found.append(BEGINS[video](payloads[0]))
    assert found == [True, False, False, False, True, False]


@given(st.binary(max_size=8))
def test_no_payload_is_too_strange(payload: bytes) -> None:
    for begins in BEGINS.values():
        begins(payload)
