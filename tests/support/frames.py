"""What a client of the WebSocket door reads: frames through the library's own parser, as lines."""

from __future__ import annotations

from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri


def lines_of(data: bytes) -> list[str]:
    """Return the messages in frames as the server wrote them, packed or not."""
    client = ClientProtocol(parse_uri("ws://hall"), state=State.OPEN, max_size=None)
    client.extensions = [PerMessageDeflate(True, True, 15, 15)]
    client.receive_data(data)
    frames = [frame for frame in client.events_received() if isinstance(frame, Frame)]
    assert client.parser_exc is None
    return [
        line for frame in frames if frame.opcode is Opcode.TEXT for line in bytes(frame.data).decode().split("\n")
    ]
