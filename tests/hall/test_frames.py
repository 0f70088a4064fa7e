"""Messages on the doors: server-sent events and WebSocket frames, read back by the libraries that readers use."""

import pytest
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from hall.wire.frames import Form, facts_frame, signal_frame, text_frame


def read_frame(data: bytes) -> tuple[Frame, bytes]:
    """Parse one frame as a client does, and return what follows it."""
    reader = StreamReader()
    reader.feed_data(data)
    parser = Frame.parse(reader.read_exact, mask=False)
    try:
        next(parser)
    except StopIteration as done:
        return done.value, data[len(data) - len(reader.buffer) :]
    raise AssertionError("the frame is incomplete")


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 300_000])
def test_a_text_frame_of_any_size_is_read_back(size: int) -> None:
    frame, rest = read_frame(text_frame(b"x" * size))
    assert (frame.opcode, frame.fin, bytes(frame.data), rest) == (Opcode.TEXT, True, b"x" * size, b"")


def test_joined_frames_come_apart_again() -> None:
    joined = facts_frame(Form.WEBSOCKET, 1, [b'{"n":1}']) + signal_frame(Form.WEBSOCKET, b'{"signal":"beat"}')
    first, rest = read_frame(joined)
    second, rest = read_frame(rest)
    assert [bytes(first.data), bytes(second.data), rest] == [b'{"n":1}', b'{"signal":"beat"}', b""]


def test_a_fact_carries_its_number_as_the_event_id() -> None:
    assert facts_frame(Form.SSE, 58, [b'{"n":58}']) == b'id: 58\ndata: {"n":58}\n\n'


def test_a_signal_moves_no_event_id() -> None:
    assert facts_frame(Form.CHUNKED, 58, [b'{"n":58}']) == b'17\r\nid: 58\ndata: {"n":58}\n\n\r\n'
    assert signal_frame(Form.CHUNKED, b"{}") == b"18\r\nevent: signal\ndata: {}\n\n\r\n"
    assert signal_frame(Form.SSE, b"{}") == b"event: signal\ndata: {}\n\n"


def test_a_line_is_a_message() -> None:
    assert facts_frame(Form.LINES, 1, [b"{}"]) + signal_frame(Form.LINES, b"{}") == b"{}\n{}\n"
