"""A channel: one picture and one sound that go on whatever source is on air, written once for all who watch."""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Protocol

from hall.media.edge.continuity import Continuity, Kept
from hall.media.edge.keyframes import BEGINS, Video
from hall.media.edge.limiter import Limiter
from hall.media.edge.moments import RATES, Moments, since
from hall.media.edge.rtp import header
from hall.media.edge.sdp import Kind
from hall.media.port.engine import Source

WRAPS_SOON: Final = 1024
"""Nobody begins so near to the wrap: both ends of SRTP must begin in the same round of sequence numbers."""


class Leg(Protocol):
    """What one viewer has of a stream."""

    number: int  # its payload type
    started: bool

    def send(self, packet: bytes, size: int) -> None:
        """Send a packet with ``size`` bytes of payload."""


class Stream:
    """One outgoing RTP stream."""

    def __init__(self, kind: Kind, video: Video, clocks: Mapping[Source, Moments]) -> None:
        self.kind = kind
        self.ssrc = secrets.randbelow(2**32 - 1) + 1
        self.on_air: Source | None = None
        self.wanted: Source | None = None
        self._clocks = clocks
        self._newest: tuple[int, float] | None = None
        self._begins = BEGINS[video] if kind is Kind.VIDEO else lambda _: True
        self._continuity = Continuity(rate=RATES[kind], sequence=secrets.randbelow(1 << 15), timestamp=1)
        self._legs: dict[int, dict[Leg, None]] = {}

    @property
    def legs(self) -> list[Leg]:
        """Everybody who watches."""
        return [leg for legs in self._legs.values() for leg in legs]

    def add(self, leg: Leg) -> None:
        """Have ``leg`` get what is sent, from the next beginning on."""
        self._legs.setdefault(leg.number, {})[leg] = None

    def remove(self, leg: Leg) -> None:
        """Send no more to ``leg``."""
        self._legs.get(leg.number, {}).pop(leg, None)
        if not self._legs.get(leg.number, True):
            del self._legs[leg.number]

    def push(self, source: Source, sequence: int, timestamp: int, marker: bool, payload: bytes, now: float) -> None:
        """Take a packet. The old source stays on air until the one that is wanted has begun a picture."""
        begins = self._begins(payload)
        if source == self.wanted and source != self.on_air and begins:
            self._continuity.begin(sequence, timestamp, now)
            self.on_air, self._newest = source, None
        if source != self.on_air:
            return
        kept = self._continuity.put(sequence, timestamp, marker, payload, now)
        if kept is None:
            return
        if self._newest is None or since(kept.timestamp, self._newest[0]) > 0:
            self._newest = (kept.timestamp, now)
        may_begin = begins and kept.sequence < 0x10000 - WRAPS_SOON
        for number, legs in self._legs.items():
            packet = self._packet(number, kept)
            for leg in legs:
                if leg.started or may_begin:
                    leg.started = True
                    leg.send(packet, len(payload))

    def time_now(self, now: float) -> int | None:
        """Return which time of the stream is now: by the reports of who is on air, before them by when it came."""
        if self._newest is None or self.on_air is None:
            return None
        clock = self._clocks.get(self.on_air)
        if clock is not None and (timestamp := clock.timestamp(self.kind, now)) is not None:
            return self._continuity.timestamp(timestamp)
        return self._newest[0] + round((now - self._newest[1]) * RATES[self.kind]) & 0xFFFF_FFFF

    def again(self, leg: Leg, sequence: int) -> None:
        """Send a packet again that did not reach ``leg``."""
        if leg.started and (kept := self._continuity.again(sequence)) is not None:
            leg.send(self._packet(leg.number, kept), len(kept.payload))

    def renew(self, source: Source) -> None:
        """Take the next beginning of ``source`` for a new one: it went, and came back with other numbers."""
        if self.on_air == source:
            self.on_air = None

    def _packet(self, number: int, kept: Kept) -> bytes:
        return header(number, kept.marker, kept.sequence, kept.timestamp, self.ssrc) + kept.payload


class Channel:
    """Sound and picture of what is on air."""

    def __init__(
        self,
        video: Video,
        ask_keyframe: Callable[[Source], object],
        clocks: Mapping[Source, Moments] = MappingProxyType({}),
    ) -> None:
        """``clocks``: what is known of the clock of each source, as it grows."""
        self.streams = {kind: Stream(kind, video, clocks) for kind in Kind}
        self.wanted: Source | None = None
        self._ask = ask_keyframe
        self._limiter = Limiter()

    @property
    def empty(self) -> bool:
        """Whether nobody watches."""
        return not any(stream.legs for stream in self.streams.values())

    def select(self, source: Source | None, now: float) -> None:
        """Put ``source`` on air, at its next beginning."""
        self.wanted = source
        for stream in self.streams.values():
            stream.wanted = source
        if source is not None and self.streams[Kind.VIDEO].on_air != source:
            self._ask(source)  # whatever was asked of another one before

    def want_keyframe(self, now: float) -> None:
        """Ask for a beginning: somebody came, or lost too much."""
        if self._limiter.wish(now) and self.wanted is not None:
            self._ask(self.wanted)

    def tick(self, now: float) -> None:
        """Ask again for what was wished too early, and until the source that is wanted is on air."""
        waiting = self.wanted is not None and self.streams[Kind.VIDEO].on_air != self.wanted
        if (self._limiter.tick(now) or (waiting and self._limiter.wish(now))) and self.wanted is not None:
            self._ask(self.wanted)


def sender_report(ssrc: int, ntp: int, timestamp: int, packets: int, octets: int) -> bytes:
    """Return a sender report and the name that ties a channel's streams together (RFC 3550 sections 6.4.1, 6.5)."""
    report = struct.pack("!BBHLQLLL", 0x80, 200, 6, ssrc, ntp, timestamp, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF)
    named = struct.pack("!L", ssrc) + b"\x01\x07kaibiao"
    named += bytes(4 - len(named) % 4)
    return report + struct.pack("!BBH", 0x81, 202, len(named) // 4) + named
