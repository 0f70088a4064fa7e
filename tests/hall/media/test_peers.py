"""What is touched of aiortc's inside (hall/media/edge/peers.py), each name by what it is needed for."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import aiortc
import aiortc.rtcrtpreceiver as rx
import pytest
from aiortc import RTCCertificate, RTCDtlsTransport, RTCRtpReceiver
from aiortc.rtcdtlstransport import RTCDtlsParameters
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters, RTCRtpSendParameters
from aiortc.rtp import (
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
    RtpPacket,
    wrap_rtx,
)

from hall.media.edge import rtp
from hall.media.edge.channel import Channel
from hall.media.edge.keyframes import Video
from hall.media.edge.moments import Moments
from hall.media.edge.mux import Mux, Path
from hall.media.edge.peers import Publisher, Undecoded, Viewer
from hall.media.edge.sdp import Chosen, Codec, Kind, Offer, Section
from hall.media.port.engine import Source

HOST = Source("host")
VP8 = Codec(number=96, name="VP8", clock=90000)
RTX = Codec(number=97, name="rtx", clock=90000, parameters={"apt": "96"})
SECTION = Section(
    media="video",
    protocol="UDP/TLS/RTP/SAVPF",
    formats="96 97",
    mid="0",
    direction="sendonly",
    codecs=(VP8, RTX),
    extensions={},
    streams=(1, 2),
    repairs={2: 1},
)
KEYFRAME, OTHER = bytes.fromhex("1050"), bytes.fromhex("1051")


class Wire:
    """Both ends of a connection, without a network: the mux of a path, and the transport of the other side."""

    role = "controlled"  # so aiortc begins the handshake

    def __init__(self) -> None:
        self.loses = False
        self.path = Path(cast(Mux, self), 0.0)
        self.path.nominate(("192.0.2.1", 1))
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()

    def send(self, data: bytes, _: object) -> None:
        if not self.loses:
            self._queue.put_nowait(data)

    def forget(self, _: Path) -> None:
        pass

    async def _recv(self) -> bytes:
        return await self._queue.get()

    async def _send(self, data: bytes) -> None:
        self.path.take(data, ("192.0.2.1", 1))


class Far:
    """The browser's side: keeps what it is told and what it receives."""

    _ssrc = 1

    def __init__(self, wire: Wire) -> None:
        self.certificate = RTCCertificate.generateCertificate()
        self.dtls = RTCDtlsTransport(cast(Any, wire), [self.certificate])
        self.told: asyncio.Queue[AnyRtcpPacket] = asyncio.Queue()
        self.got: asyncio.Queue[RtpPacket] = asyncio.Queue()
        self.dtls._register_rtp_sender(cast(Any, self), RTCRtpSendParameters())

    @property
    def offer(self) -> Offer:
        prints = [(each.algorithm, each.value) for each in self.certificate.getFingerprints()]
        return Offer(sections=(SECTION,), fragment="f", password="p", fingerprints=tuple(prints))

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        self.told.put_nowait(packet)

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        self.got.put_nowait(packet)

    def _handle_disconnect(self) -> None:
        pass

    async def hears(self, kind: type[Any], fmt: int) -> Any:
        while True:
            packet = await self.told.get()
            if isinstance(packet, kind) and packet.fmt == fmt:
                return packet

    async def send(self, packet: RtpPacket) -> None:
        await self.dtls._send_rtp(packet.serialize())


class Heard:
    def __init__(self) -> None:
        self.packets: asyncio.Queue[RtpPacket] = asyncio.Queue()
        self.reports: asyncio.Queue[tuple[Kind, int, int]] = asyncio.Queue()
        self.frames: asyncio.Queue[bytes] = asyncio.Queue()
        self.times: list[int] = []


async def _shake_hands(far: Far, certificate: RTCCertificate) -> None:
    await far.dtls.start(RTCDtlsParameters(fingerprints=certificate.getFingerprints()))
    assert far.dtls.state == "connected"


@asynccontextmanager
async def a_publisher() -> AsyncIterator[tuple[Publisher, Far, Heard]]:
    wire, heard, certificate = Wire(), Heard(), RTCCertificate.generateCertificate()
    far, there = Far(wire), asyncio.Event()
    publisher = Publisher(
        wire.path,
        certificate,
        far.offer,
        [(SECTION, Chosen(codec=VP8, repair=RTX))],
        packet=lambda _, packet: heard.packets.put_nowait(packet),
        report=lambda *report: heard.reports.put_nowait(report),
        frame=lambda _, data, at: (heard.times.append(at), heard.frames.put_nowait(data)),
    )
    publisher.on_begin = there.set
    publisher.start()
    await _shake_hands(far, certificate)
    await there.wait()
    try:
        yield publisher, far, heard
    finally:
        await publisher.close()
        await far.dtls.stop()


def a_packet(sequence: int, payload: bytes = KEYFRAME, **more: int) -> RtpPacket:
    given = {"payload_type": 96, "ssrc": 1, "timestamp": 3000 * sequence, "marker": 1} | more
    return RtpPacket(sequence_number=sequence, payload=payload, **given)


def test_the_minor_version_is_the_one_whose_inside_was_read() -> None:
    assert aiortc.__version__.startswith("1.16.")


async def test_a_packet_is_had_before_the_jitter_buffer_lets_go_of_its_frame() -> None:
    """``_handle_rtp_packet`` is looked up on the receiver; ``_recv``, ``_send`` and ``role`` are all a path needs."""
    async with a_publisher() as (_, far, heard):
        await far.send(a_packet(7))
        packet = await heard.packets.get()
        assert (packet.sequence_number, packet.payload) == (7, KEYFRAME)
        assert heard.frames.empty()


async def test_a_retransmission_is_the_packet_that_was_lost() -> None:
    async with a_publisher() as (_, far, heard):
        await far.send(wrap_rtx(a_packet(8), payload_type=97, sequence_number=1, ssrc=2))
        packet = await heard.packets.get()
        assert (packet.sequence_number, packet.ssrc, packet.payload_type) == (8, 1, 96)


async def test_padding_that_only_probes_is_no_packet_of_the_picture() -> None:
    async with a_publisher() as (_, far, heard):
        await far.send(a_packet(1, b"", payload_type=97, ssrc=2))
        await far.send(a_packet(9))
        assert (await heard.packets.get()).sequence_number == 9


async def test_a_sender_report_is_had() -> None:
    """``_handle_rtcp_packet`` is looked up on the receiver."""
    async with a_publisher() as (_, far, heard):
        await far.send(a_packet(1))
        info = RtcpSenderInfo(ntp_timestamp=1 << 40, rtp_timestamp=99, packet_count=1, octet_count=1)
        await far.dtls._send_rtp(bytes(RtcpSrPacket(ssrc=1, sender_info=info)))
        assert await heard.reports.get() == (Kind.VIDEO, 1 << 40, 99)


async def test_a_frame_has_the_time_that_its_packets_had() -> None:
    """``__timestamp_mapper`` would count from the first frame, and reports speak of the source's own times."""
    async with a_publisher() as (_, far, heard):
        for sequence in (1, 2, 3):
            await far.send(a_packet(sequence, timestamp=2**32 - 3000 * (2 - sequence) & 0xFFFFFFFF))
        await heard.frames.get()
        await heard.frames.get()
        assert heard.times == [2**32 - 3000, 2**32]


async def test_a_keyframe_is_asked_for_in_the_stream_of_the_picture() -> None:
    async with a_publisher() as (publisher, far, heard):
        await far.send(a_packet(1))
        await heard.packets.get()
        publisher.ask_keyframe()
        assert (await far.hears(RtcpPsfbPacket, RTCP_PSFB_PLI)).media_ssrc == 1


async def test_what_was_lost_on_the_way_in_is_asked_for_again() -> None:
    """``_set_rtcp_ssrc``: without a name of its own the receiver reports nothing."""
    async with a_publisher() as (_, far, __):
        await far.send(a_packet(1))
        await far.send(a_packet(4))
        assert (await far.hears(RtcpRtpfbPacket, RTCP_RTPFB_NACK)).lost == [2, 3]


async def test_whole_frames_come_undecoded() -> None:
    """``get_decoder`` and ``_track``."""
    assert rx.get_decoder is Undecoded  # type: ignore[attr-defined]
    async with a_publisher() as (_, far, heard):
        await far.send(a_packet(1))
        await far.send(a_packet(2, OTHER))
        assert await heard.frames.get() == b"\x50"


@asynccontextmanager
async def a_viewer() -> AsyncIterator[tuple[Channel, Viewer, Far, dict[Source, Moments]]]:
    wire, certificate, clocks = Wire(), RTCCertificate.generateCertificate(), dict[Source, Moments]()
    channel = Channel(Video.VP8, lambda _: None, clocks)
    channel.select(HOST, 0.0)
    far, there = Far(wire), asyncio.Event()
    stream = channel.streams[Kind.VIDEO]
    viewer = Viewer(wire.path, certificate, far.offer, [(SECTION, Chosen(codec=VP8, stream=stream.ssrc))], channel)
    viewer.on_begin = there.set
    receiving = RTCRtpReceiveParameters(codecs=[])
    far.dtls._register_rtp_receiver(cast(Any, far), receiving)
    far.dtls._rtp_router.payload_type_table[96] = {cast(Any, far)}
    far._ssrc = stream.ssrc
    viewer.start()
    await _shake_hands(far, certificate)
    while not stream.legs:  # noqa: ASYNC110 - two ends of one handshake
        await asyncio.sleep(0.01)
    try:
        yield channel, viewer, far, clocks
    finally:
        await viewer.close()
        await far.dtls.stop()


async def test_a_viewer_begins_with_a_keyframe_and_gets_what_was_lost_again() -> None:
    """``_tx_srtp`` encrypts alone; ``_register_rtp_sender`` brings what the viewer reports."""
    async with a_viewer() as (channel, _, far, __):
        stream = channel.streams[Kind.VIDEO]
        wire = cast(Wire, far.dtls.transport)
        for sequence, payload in ((1, OTHER), (2, KEYFRAME), (3, OTHER), (4, OTHER)):
            wire.loses = sequence == 3
            stream.push(HOST, sequence, 3000 * sequence, True, payload, 0.1 * sequence)
        first, last = await far.got.get(), await far.got.get()
        assert (first.payload, last.sequence_number) == (KEYFRAME, first.sequence_number + 2)
        lost = first.sequence_number + 1
        nack = RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=5, media_ssrc=stream.ssrc, lost=[lost])
        await far.dtls._send_rtp(bytes(nack))
        assert (await far.got.get()).sequence_number == lost
        asked = list[Source]()
        channel._ask = asked.append
        await far.dtls._send_rtp(bytes(RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=5, media_ssrc=stream.ssrc)))
        while not asked:
            channel.tick(asyncio.get_running_loop().time() + 1)
            await asyncio.sleep(0.01)
        assert asked == [HOST]


async def test_a_viewer_who_left_is_let_go_of_and_waits_for_no_collector() -> None:
    """``_unregister_rtp_sender``: else transport, leg and viewer would hold one another."""
    gc.disable()
    try:
        async with a_viewer() as (_, viewer, __, ___):
            gone = weakref.ref(viewer)
        del viewer
        while gone() is not None:  # noqa: ASYNC110 - its task has a last step
            await asyncio.sleep(0.01)
    finally:
        gc.enable()


async def test_a_viewer_is_told_which_moment_it_sees_in_the_time_of_its_stream() -> None:
    """By when it came before the source reported, by its reports from then on; always by the clock of the hall."""
    async with a_viewer() as (channel, viewer, far, clocks):
        stream = channel.streams[Kind.VIDEO]
        stream.push(HOST, 2, 6000, True, KEYFRAME, 5.0)
        shown = await far.got.get()
        routed: asyncio.Queue[AnyRtcpPacket] = asyncio.Queue()
        far.dtls._rtp_router.route_rtcp = lambda packet: routed.put_nowait(packet) or set()  # type: ignore

        async def reported() -> RtcpSenderInfo:
            viewer.legs[0].report(7 << 32, 6.5)
            report, named = await routed.get(), await routed.get()
            assert isinstance(report, RtcpSrPacket)
            assert isinstance(named, RtcpSdesPacket)
            return report.sender_info

        told = await reported()
        assert (told.ntp_timestamp, told.rtp_timestamp) == (7 << 32, shown.timestamp + 3 * 45000)
        assert told.packet_count == 1
        clocks[HOST] = Moments()
        clocks[HOST].reported(Kind.VIDEO, 1 << 40, 6000 + 90, 6.0)
        told = await reported()
        assert (told.ntp_timestamp, told.rtp_timestamp) == (7 << 32, shown.timestamp + 90 + 45000)


async def test_what_a_viewer_sends_proves_where_it_is_and_nothing_else_does() -> None:
    async with a_viewer() as (channel, viewer, far, _):
        path, elsewhere = viewer.path, ("198.51.100.9", 9)
        path.nominate(elsewhere)
        path.take(b"\x80\xc9garbage of a stranger", elsewhere)
        await far.dtls._send_rtp(bytes(_received(channel.streams[Kind.VIDEO].ssrc)))
        while path._queue.qsize():  # noqa: ASYNC110 - it is taken in its turn
            await asyncio.sleep(0.01)
        assert path.peer != elsewhere
        sealed = far.dtls._tx_srtp.protect_rtcp(bytes(_received(channel.streams[Kind.VIDEO].ssrc)))
        path.take(sealed, elsewhere)
        while path.peer != elsewhere:  # noqa: ASYNC110 - it is taken in its turn
            await asyncio.sleep(0.01)


def _received(ssrc: int) -> RtcpRrPacket:
    info = RtcpReceiverInfo(ssrc=ssrc, fraction_lost=0, packets_lost=0, highest_sequence=1, jitter=0, lsr=0, dlsr=0)
    return RtcpRrPacket(ssrc=5, reports=[info])


def test_a_header_is_what_aiortc_would_write() -> None:
    packet = RtpPacket(payload_type=96, marker=1, sequence_number=65535, timestamp=2**32 - 1, ssrc=7, payload=b"x")
    assert rtp.header(96, True, 65535, 2**32 - 1, 7) + b"x" == packet.serialize()


@pytest.mark.parametrize("name", ["_track", "_set_rtcp_ssrc", "_handle_rtp_packet", "_handle_rtcp_packet"])
def test_the_receiver_still_has_what_is_set_on_it(name: str) -> None:
    assert name in RTCRtpReceiver.__dict__ or f"self.{name}" in _source(RTCRtpReceiver)


def _source(thing: object) -> str:
    import inspect

    return inspect.getsource(cast(Any, thing))
