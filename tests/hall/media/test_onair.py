"""Frames between the edge and the programme: whole, in any pieces, and garbage is known as such."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hall.media.packets.datagrams import Payload
from hall.media.packets.onair import LARGEST, NotOnAir, OnAir, Reader, pack, unpack
from hall.media.port.engine import Source
from sessions.ids import SessionId

FRAMES = st.builds(
    OnAir,
    session=st.text(min_size=1, max_size=60).map(SessionId),
    source=st.text(max_size=60).map(Source),
    payload=st.sampled_from([None, *Payload]),
    timestamp=st.integers(0, 2**64 - 1),
    sent=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    data=st.binary(max_size=300),
)


@settings(max_examples=40)
@given(st.lists(FRAMES, max_size=5), st.integers(1, 50))
def test_what_is_packed_comes_out_whole_in_whatever_pieces_it_came(frames: list[OnAir], size: int) -> None:
    stream, reader = b"".join(map(pack, frames)), Reader()
    pieces = (stream[at : at + size] for at in range(0, len(stream), size))
    assert [frame for piece in pieces for frame in reader.feed(piece)] == frames


@given(st.binary(max_size=64))
def test_garbage_is_a_frame_or_is_refused(data: bytes) -> None:
    with contextlib.suppress(NotOnAir):
        assert isinstance(unpack(data), OnAir)


def test_a_message_that_is_too_long_is_refused_before_it_is_there() -> None:
    with pytest.raises(NotOnAir):
        list(Reader().feed(b"\xff\xff\xff\xff"))
    with pytest.raises(NotOnAir):
        pack(OnAir(session=SessionId("s"), data=bytes(LARGEST + 1)))
