"""The edge: all sessions, who sends in them, who watches, and who is on air."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from aiortc import RTCCertificate
from aiortc.rtp import RtcpPacket, RtcpSrPacket, RtpPacket

from hall.media.edge import rtp
from hall.media.edge.channel import Channel
from hall.media.edge.keeping import Kept
from hall.media.edge.keyframes import Video
from hall.media.edge.moments import Moments
from hall.media.edge.mux import Mux, Path
from hall.media.edge.peers import Peer, Publisher, Viewer
from hall.media.edge.rtp import NotRtp
from hall.media.edge.sdp import Chosen, Kind, Offer, Own, SdpRefused, Section, choose, read_offer, write_answer
from hall.media.packets.datagrams import Payload
from hall.media.packets.onair import OnAir
from hall.media.packets.rtp import ntp
from hall.media.port.engine import PROGRAMME, Answer, EngineRefused, MediaId, Show, Source
from sessions.clock import Clock
from sessions.ids import SessionId

PUBLISHERS: Final = 8
"""Sources of a session."""

VIEWERS: Final = 1000
"""Viewers of all sessions: what one core carries, and a few more."""

CHECKS: Final = 16
"""Lines that are tried at the same time, of all sessions."""

CHECK_LIFE: Final = 20.0
"""Seconds that a trial of a line may last."""

SESSIONS: Final = 200
START_KBIT: Final = 1200
HOST: Final = Source("host")

NUMBERS: Final = {Payload.H264: Kind.VIDEO, Payload.VP8: Kind.VIDEO, Payload.OPUS: Kind.AUDIO}


class Change(StrEnum):
    """What became of a source."""

    UP = "up"
    DOWN = "down"


@dataclass(slots=True)
class Room:
    """One session."""

    channels: dict[Show, Channel]
    clocks: dict[Source, Moments]
    publishers: dict[Source, Publisher] = field(default_factory=dict)
    joining: dict[Source, Publisher] = field(default_factory=dict)  # let in, and not through yet
    kept: dict[Source, Kept] = field(default_factory=dict)
    wanted: Source = HOST


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Whom the edge tells what."""

    source: Callable[[SessionId, Source, Change], object]
    keyframe: Callable[[SessionId], object]  # the programme is asked for one
    on_air: Callable[[OnAir], object]  # a frame of who is on air, for the programme


Keep = Callable[[SessionId, Source, Video | None, bool], Kept]


class Edge:
    """See above. ``mux`` must be open before anybody is let in."""

    def __init__(
        self,
        mux: Mux,
        *,
        video: Video,
        addresses: tuple[IPv4Address | IPv6Address, ...],
        told: Told,
        clock: Clock,
        keep: Keep | None = None,
    ) -> None:
        """``keep`` begins to keep a source on disk; without it nothing is kept."""
        self._mux = mux
        self._video = video
        self._addresses = addresses
        self._told = told
        self._clock = clock
        self._keep = keep
        # Valid for 30 days: a process that lives longer than that makes a new one for whoever comes then.
        self._certificate = RTCCertificate.generateCertificate()
        self._rooms: dict[SessionId, Room] = {}
        self._peers: dict[MediaId, Peer] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._checks: set[Peer] = set()

    async def publish(self, session: SessionId, source: Source, text: str, *, keep: bool = True) -> Answer:
        """Take what ``source`` sends, and ``keep`` it on disk. A connection it had is ended once this one stands.

        So a device that does not get through sends nobody off the air, and two do not chase each other off for ever.
        """
        offer = _read(text)
        chosen = self._chosen(offer, lambda section: section.sends)
        room = self._room(session)
        if source == PROGRAMME:
            raise EngineRefused("fault")
        if len({source, *room.publishers, *room.joining}) > PUBLISHERS:
            raise EngineRefused("too_many")
        if (old := room.joining.pop(source, None)) is not None:
            self._close(old)

        def packet(kind: Kind, got: RtpPacket) -> None:
            if room.publishers.get(source) is publisher:
                self._came(session, room, source, kind, got)

        def report(kind: Kind, ntp: int, timestamp: int) -> None:
            if room.publishers.get(source) is publisher:
                room.clocks[source].reported(kind, ntp, timestamp, _now())

        def frame(kind: Kind, data: bytes, timestamp: int) -> None:
            if room.publishers.get(source) is publisher:
                self._whole(session, room, source, kind, data, timestamp)

        path = self._mux.path()
        publisher = Publisher(path, self._certificate, offer, chosen, packet=packet, report=report, frame=frame)
        room.joining[source] = publisher

        def begin() -> None:
            if room.joining.get(source) is not publisher:
                return
            del room.joining[source]
            if (old := room.publishers.pop(source, None)) is not None:
                self._unkept(room, source)  # before the new one's first file begins
                self._told.source(session, source, Change.DOWN)
                self._close(old)
            room.publishers[source], room.clocks[source] = publisher, Moments()
            self._up(session, room, source, {Kind(section.media) for section, _ in chosen}, keep=keep)

        def gone() -> None:
            if room.joining.get(source) is publisher:
                del room.joining[source]
            elif room.publishers.get(source) is publisher:
                del room.publishers[source], room.clocks[source]
                self._unkept(room, source)
                self._settle(session, room)
                self._told.source(session, source, Change.DOWN)

        publisher.on_begin = begin
        return self._admit(publisher, path, offer, chosen, gone, start_kbit=START_KBIT)

    async def watch(self, session: SessionId, show: Show, text: str) -> Answer:
        """Show ``session``."""
        if sum(isinstance(peer, Viewer) for peer in self._peers.values()) >= VIEWERS:
            raise EngineRefused("too_many")
        offer = _read(text)
        chosen = self._chosen(offer, lambda section: section.receives)
        room = self._room(session)
        channel = room.channels[show]
        sent = [
            (section, Chosen(codec=each.codec, stream=channel.streams[Kind(section.media)].ssrc))
            for section, each in chosen
        ]
        path = self._mux.path()
        viewer = Viewer(path, self._certificate, offer, sent, channel)
        return self._admit(viewer, path, offer, sent, lambda: self._settle(session, room))

    async def check(self, text: str) -> Answer:
        """Receive as from a source, and do nothing with it: the sender's own statistics say how good its line is."""
        if len(self._checks) >= CHECKS:
            raise EngineRefused("too_many")
        offer = _read(text)
        chosen = self._chosen(offer, lambda section: section.sends)
        path = self._mux.path()
        peer = Publisher(path, self._certificate, offer, chosen, packet=lambda *_: None, report=lambda *_: None)
        self._checks.add(peer)
        ending = asyncio.get_running_loop().call_later(CHECK_LIFE, self._close, peer)

        def gone() -> None:
            self._checks.discard(peer)
            ending.cancel()

        return self._admit(peer, path, offer, chosen, gone, start_kbit=START_KBIT)

    async def close(self, media: MediaId) -> None:
        """End a connection."""
        peer = self._peers.get(media)
        if peer is None:
            raise EngineRefused("unknown_media")
        await peer.close()

    async def select(self, session: SessionId, source: Source) -> None:
        """Give ``source`` the floor; when it is not here, the host has it, and without a host the programme."""
        room = self._room(session)
        room.wanted = source
        self._settle(session, room)

    def sources(self, session: SessionId) -> list[Source]:
        """Return who is connected as a source."""
        room = self._rooms.get(session)
        return list(room.publishers) if room else []

    async def end(self, session: SessionId, source: Source | None = None) -> None:
        """End what ``source`` sends; without one, everything of a session that is over."""
        room = self._rooms.get(session)
        for some in (room.joining, room.publishers) if room else ():
            for each, publisher in tuple(some.items()):
                if source in (None, each):
                    await publisher.close()

    def want_keyframe(self, session: SessionId) -> None:
        """Ask who is on air for a picture that stands by itself: the programme begins to paint it."""
        room = self._rooms.get(session)
        if room is not None and room.channels[Show.FLOOR].wanted != PROGRAMME:
            room.channels[Show.FLOOR].want_keyframe(_now())

    def programme(self, session: SessionId, data: bytes) -> None:
        """Take a packet of the composed picture, or a report on it."""
        room = self._rooms.get(session)
        if room is None or all(channel.empty for channel in room.channels.values()):
            return
        now = _now()
        if rtp.is_rtcp(data):
            try:
                reports = [each for each in RtcpPacket.parse(data) if isinstance(each, RtcpSrPacket)]
            except ValueError:
                return
            for report in reports:  # the ssrc of a report is its payload type: the programme has one stream of each
                if report.ssrc in NUMBERS:
                    kind, info = NUMBERS[Payload(report.ssrc)], report.sender_info
                    # Its clock is this machine's: how long a picture took from there to here is told too.
                    late = (ntp(self._clock.now()) - info.ntp_timestamp) / 2**32
                    room.clocks[PROGRAMME].reported(kind, info.ntp_timestamp, info.rtp_timestamp, now - late)
            return
        try:
            packet = rtp.parse(data)
        except NotRtp:
            return
        if (known := NUMBERS.get(packet.kind)) is not None:  # type: ignore[call-overload]
            for channel in room.channels.values():
                channel.streams[known].push(
                    PROGRAMME, packet.sequence, packet.timestamp, packet.marker, packet.payload, now
                )

    def tick(self) -> None:
        """Do what is due, a few times a second."""
        now = _now()
        for room in self._rooms.values():
            for channel in room.channels.values():
                if not channel.empty:
                    channel.tick(now)

    def report(self) -> None:
        """Tell every viewer which moment it sees, about once a second."""
        now, told = _now(), ntp(self._clock.now())
        for peer in self._peers.values():
            if isinstance(peer, Viewer):
                peer.report(told, now)

    async def stop(self) -> None:
        """Send everybody away."""
        await asyncio.gather(*(peer.close() for peer in tuple(self._peers.values())), *self._closing)

    def _room(self, session: SessionId) -> Room:
        room = self._rooms.get(session)
        if room is None:
            for name, each in tuple(self._rooms.items()) if len(self._rooms) >= SESSIONS else ():
                if not (each.publishers or each.joining) and all(one.empty for one in each.channels.values()):
                    del self._rooms[name]
            if len(self._rooms) >= SESSIONS:
                raise EngineRefused("too_many")
            asks = {show: self._asks(session) for show in Show}
            clocks = {PROGRAMME: Moments()}
            room = Room({show: Channel(self._video, asks[show], clocks) for show in Show}, clocks)
            self._rooms[session] = room
            self._settle(session, room)
        return room

    def _asks(self, session: SessionId) -> Callable[[Source], object]:
        def ask(source: Source) -> None:
            room = self._rooms.get(session)
            if source == PROGRAMME:
                self._told.keyframe(session)
            elif room is not None and (publisher := room.publishers.get(source)) is not None:
                publisher.ask_keyframe()

        return ask

    def _came(self, session: SessionId, room: Room, source: Source, kind: Kind, packet: RtpPacket) -> None:
        channel, now = room.channels[Show.FLOOR], _now()
        marker = bool(packet.marker)
        channel.streams[kind].push(source, packet.sequence_number, packet.timestamp, marker, packet.payload, now)

    def _whole(self, session: SessionId, room: Room, source: Source, kind: Kind, data: bytes, timestamp: int) -> None:
        """A whole frame came, in order: to be kept, and to be painted into the programme if it is on air."""
        sent = room.clocks[source].sent(kind, timestamp)
        if (kept := room.kept.get(source)) is not None:
            kept.take(kind, data, timestamp, sent)
            if kind is Kind.VIDEO and kept.asks():
                room.publishers[source].ask_keyframe()
        if room.channels[Show.FLOOR].wanted == source:
            payload = Payload.OPUS if kind is Kind.AUDIO else Payload[self._video.name]
            self._told.on_air(
                OnAir(session=session, source=source, payload=payload, timestamp=timestamp, sent=sent, data=data)
            )

    def _up(self, session: SessionId, room: Room, source: Source, kinds: set[Kind], *, keep: bool) -> None:
        for stream in room.channels[Show.FLOOR].streams.values():
            stream.renew(source)
        if keep and self._keep is not None:
            video = self._video if Kind.VIDEO in kinds else None
            room.kept[source] = self._keep(session, source, video, Kind.AUDIO in kinds)
        self._settle(session, room)
        self._told.source(session, source, Change.UP)

    def _unkept(self, room: Room, source: Source) -> None:
        if (kept := room.kept.pop(source, None)) is not None:
            kept.end()

    def _settle(self, session: SessionId, room: Room) -> None:
        """Put on air who has the floor and is here."""
        on_air = next((source for source in (room.wanted, HOST) if source in room.publishers), PROGRAMME)
        now = _now()
        for show, source in ((Show.PROGRAMME, PROGRAMME), (Show.FLOOR, on_air)):
            if (before := room.channels[show].wanted) != source:
                room.channels[show].select(source, now)
                if show is Show.FLOOR and source == PROGRAMME and before is not None:
                    self._told.on_air(OnAir(session=session))

    def _chosen(self, offer: Offer, wanted: Callable[[Section], bool]) -> list[tuple[Section, Chosen]]:
        chosen = []
        for kind in Kind:
            section = offer.section(kind)
            if section is not None and wanted(section) and (each := choose(section, self._video)) is not None:
                chosen.append((section, each))
        if not chosen:
            raise EngineRefused("no_codec")
        return chosen

    def _admit(
        self,
        peer: Peer,
        path: Path,
        offer: Offer,
        chosen: list[tuple[Section, Chosen]],
        gone: Callable[[], object],
        start_kbit: int | None = None,
    ) -> Answer:
        media = MediaId(secrets.token_urlsafe(18))
        self._peers[media] = peer

        def closed() -> None:
            self._peers.pop(media, None)
            gone()

        path.on_close = closed
        own = Own(
            fragment=path.fragment,
            password=path.password,
            fingerprints=tuple(
                (each.algorithm, each.value)
                for each in self._certificate.getFingerprints()
                if each.algorithm == "sha-256"
            ),
            addresses=self._addresses,
            port=self._mux.port,
        )
        answer = write_answer(offer, {section.mid: each for section, each in chosen}, own, start_kbit=start_kbit)
        peer.start()
        return Answer(id=media, sdp=answer)

    def _close(self, peer: Peer) -> None:
        task = asyncio.create_task(peer.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _read(text: str) -> Offer:
    try:
        return read_offer(text)
    except SdpRefused as error:
        raise EngineRefused(error.code) from None


def _now() -> float:
    return asyncio.get_running_loop().time()
