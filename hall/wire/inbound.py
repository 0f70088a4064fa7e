"""What a reader says into its stream: it answers pings, it leaves, and anything else ends the conversation. Sans-I/O.

========  ==================================================================================================
1000      it said goodbye, and is answered with its own code (RFC 6455 section 5.5.1)
1002      no frame of a client: unmasked, reserved bits, unknown opcodes, long or cut control frames
1007      the reason of its goodbye is no UTF-8
1008      a message, because commands are POSTs; or pings without end
1009      a message over ``limits.inbound_frame``
========  ==================================================================================================
"""

from __future__ import annotations

import logging
from typing import Final

from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import SEND_EOF, State
from websockets.server import ServerProtocol

from hall.limits import LIMITS, Limits

_SLICE: Final = 4096
_SILENT: Final = logging.getLogger("hall.wire.inbound.frames")
_SILENT.setLevel(logging.CRITICAL)  # what strangers send is no event of ours; debugging it costs a format a frame


class Inbound:
    """The parser of one reader's frames. Made when it first says something but a pong: most never do."""

    __slots__ = ("_full_at", "_limits", "_protocol", "over")

    def __init__(self, *, deflated: bool, limits: Limits = LIMITS) -> None:
        both = PerMessageDeflate(
            remote_no_context_takeover=True,
            local_no_context_takeover=True,
            remote_max_window_bits=15,
            local_max_window_bits=15,
        )
        self._protocol = ServerProtocol(state=State.OPEN, max_size=limits.inbound_frame, logger=_SILENT)
        self._protocol.extensions = [both] if deflated else []
        self._limits = limits
        self._full_at = 0.0
        self.over = False

    def receive(self, data: bytes, now: float) -> bytes:
        """Take ``data`` that came at ``now`` (seconds of any steady clock); return what to write.

        When ``over`` is set the conversation ended with that: read on only to let the other side see why.
        """
        protocol = self._protocol
        answer = b""
        for at in range(0, len(data), _SLICE):  # in slices: a flood is noticed before all of it is answered
            protocol.receive_data(data[at : at + _SLICE])
            for frame in protocol.events_received():
                if protocol.state is State.OPEN and isinstance(frame, Frame):
                    self._judge(frame, now)
            for piece in protocol.data_to_send():
                self.over = self.over or piece is SEND_EOF or protocol.state is not State.OPEN
                answer += piece
            if self.over:
                break
        return answer

    def _judge(self, frame: Frame, now: float) -> None:
        if frame.opcode in (Opcode.PING, Opcode.PONG):
            self._full_at = max(self._full_at, now) + 0.25
            if self._full_at - now > self._limits.pings / 4:
                self._protocol.fail(CloseCode.POLICY_VIOLATION, "too many pings")
        elif frame.opcode is not Opcode.CLOSE:
            self._protocol.fail(CloseCode.POLICY_VIOLATION, "commands are POSTs")


def is_lone_pong(data: bytes) -> bool:
    """Return whether ``data`` is one whole answer to our ping: it needs no parser, which takes 10 KiB."""
    return len(data) == 6 and data[0] == 0x8A and data[1] == 0x80
