"""Publishers and viewers: DTLS-SRTP and reception by aiortc 1.16, on a path of our own mux.

aiortc has no public way to a packet before its jitter buffer, nor to a send path that encrypts alone. What is touched
of its inside, and nowhere else: ``rtcrtpreceiver.get_decoder``; of ``RTCRtpReceiver`` ``_track``, ``_set_rtcp_ssrc``,
``_handle_rtp_packet``, ``_handle_rtcp_packet``; of ``RTCDtlsTransport`` ``_set_role``, ``_register_rtp_sender``,
``_unregister_rtp_sender``, ``_tx_srtp``, and that it runs on any object with ``_recv``, ``_send`` and ``role``. Each
has a test (tests/hall/media/test_peers.py); the minor version is pinned.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from typing import Any, Final, cast

import aiortc.rtcrtpreceiver as rx
import pylibsrtp
from aiortc import RTCCertificate, RTCDtlsTransport, RTCRtpReceiver
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters
from aiortc.rtcrtpparameters import (
    RTCRtcpFeedback,
    RTCRtpCodecParameters,
    RTCRtpDecodingParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpReceiveParameters,
    RTCRtpRtxParameters,
    RTCRtpSendParameters,
)
from aiortc.rtp import (
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    RtpPacket,
    unwrap_rtx,
)

from hall.media.edge.channel import Channel, Stream, sender_report
from hall.media.edge.mux import Path
from hall.media.edge.sdp import ABS_SEND_TIME, Chosen, Kind, Offer, Section

_log = logging.getLogger(__name__)

MIMES: Final = {"opus": "audio/opus", "h264": "video/H264", "vp8": "video/VP8", "rtx": "video/rtx"}


class Undecoded:
    """Stands where aiortc has a decoder: what comes in is not turned into pictures here."""

    def __init__(self, _: RTCRtpCodecParameters) -> None:
        pass

    def decode(self, frame: JitterFrame) -> list[JitterFrame]:
        """Return the encoded frame as it is."""
        return [frame]


rx.get_decoder = cast(Any, Undecoded)  # type: ignore[attr-defined]  # for this whole process, which decodes nothing


class Frames:
    """Where a receiver puts its whole frames: taken at once, so that nothing can pile up (aiortc#554)."""

    def __init__(self, take: Callable[[bytes, int], object] | None) -> None:
        self._queue = self
        self._take = take

    async def put(self, frame: JitterFrame | None) -> None:
        """Take a frame; None is the end."""
        if frame is not None and self._take is not None:
            self._take(frame.data, frame.timestamp)


class Peer:
    """A path with DTLS on it."""

    def __init__(self, path: Path, certificate: RTCCertificate, offer: Offer) -> None:
        self.path = path
        self.dtls = RTCDtlsTransport(cast(Any, path), [certificate])
        self.dtls._set_role("server")
        self._offer = offer
        self._running: asyncio.Task[None] | None = None
        self.on_begin: Callable[[], object] = lambda: None

    def start(self) -> None:
        """Wait for the other side, shake hands, and carry on until the path ends."""
        self._running = asyncio.create_task(self._run())

    async def close(self) -> None:
        """End it from this side."""
        with contextlib.suppress(Exception):
            await self.dtls.stop()
        self.path.close()
        if self._running is not None and self._running is not asyncio.current_task():
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        changed = asyncio.Event()
        self.dtls.on("statechange", changed.set)
        try:
            await self.set_up()
            prints = [RTCDtlsFingerprint(algorithm=name, value=value) for name, value in self._offer.fingerprints]
            await self.dtls.start(RTCDtlsParameters(fingerprints=prints))
            if self.dtls.state == "connected":
                self.path.connected = True
                _log.info("media connected", extra={"fingerprints": self._offer.fingerprints})
                self.begin()
                while self.dtls.state == "connected":
                    changed.clear()
                    await changed.wait()
        except Exception:
            _log.exception("a media connection failed")
        finally:
            with contextlib.suppress(Exception):
                await self.tear_down()
            self.path.close()

    async def set_up(self) -> None:
        """Prepare what receives."""

    def begin(self) -> None:
        """Begin, now that the other side is here."""
        self.on_begin()

    async def tear_down(self) -> None:
        """Stop what receives and sends."""


class Publisher(Peer):
    """A source: ``packet`` gets its packets, ``report`` its sender reports, ``frame`` its whole frames, if wanted."""

    def __init__(
        self,
        path: Path,
        certificate: RTCCertificate,
        offer: Offer,
        chosen: list[tuple[Section, Chosen]],
        *,
        packet: Callable[[Kind, RtpPacket], object],
        report: Callable[[Kind, int, int], object],
        frame: Callable[[Kind, bytes, int], object] | None = None,
    ) -> None:
        super().__init__(path, certificate, offer)
        self.chosen = chosen
        self._packet = packet
        self._report = report
        self._frame = frame
        self._receivers: list[RTCRtpReceiver] = []
        self._video: int | None = None
        self._own = secrets.randbelow(2**32 - 1) + 1

    async def set_up(self) -> None:
        """Prepare a receiver for each section."""
        for section, chosen in self.chosen:
            kind = Kind(section.media)
            receiver = RTCRtpReceiver(kind, self.dtls)
            take = None if self._frame is None else _bound(self._frame, kind)
            receiver._track = cast(Any, Frames(take))
            receiver._set_rtcp_ssrc(self._own)
            mapper = receiver._RTCRtpReceiver__timestamp_mapper  # type: ignore[attr-defined]
            mapper._origin = mapper._last = 0  # frames by the source's own times, as its reports have them
            self._tap(receiver, kind, section, chosen)
            await receiver.receive(_receiving(section, chosen))
            self._receivers.append(receiver)

    async def tear_down(self) -> None:
        """Stop the receivers."""
        for receiver in self._receivers:
            await receiver.stop()
        self._receivers.clear()

    def ask_keyframe(self) -> None:
        """Ask for a picture that needs none before it."""
        if self._video is not None and self.path.connected:
            asking = RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=self._own, media_ssrc=self._video)
            self.path.send(self.dtls._tx_srtp.protect_rtcp(bytes(asking)))

    def _tap(self, receiver: RTCRtpReceiver, kind: Kind, section: Section, chosen: Chosen) -> None:
        """Get at the packets before the jitter buffer, which holds each frame back until the next one begins."""
        take_packet, take_report = receiver._handle_rtp_packet, receiver._handle_rtcp_packet
        number, repair = chosen.codec.number, chosen.repair.number if chosen.repair is not None else None

        async def packet(packet: RtpPacket, arrival_time_ms: int) -> None:
            self.path.prove()
            if packet.payload_type == number:
                if kind is Kind.VIDEO:
                    self._video = packet.ssrc
                self._packet(kind, packet)
            elif packet.payload_type == repair and packet.ssrc in section.repairs and len(packet.payload) > 2:
                self._packet(kind, unwrap_rtx(packet, payload_type=number, ssrc=section.repairs[packet.ssrc]))
            await take_packet(packet, arrival_time_ms)

        async def report(packet: AnyRtcpPacket) -> None:
            self.path.prove()
            if isinstance(packet, RtcpSrPacket):
                self._report(kind, packet.sender_info.ntp_timestamp, packet.sender_info.rtp_timestamp)
            await take_report(packet)

        receiver._handle_rtp_packet = packet  # type: ignore[method-assign]
        receiver._handle_rtcp_packet = report  # type: ignore[method-assign]


class ViewerLeg:
    """What a viewer has of one stream; to aiortc a sender, which hears what the viewer reports."""

    def __init__(self, viewer: Viewer, stream: Stream, chosen: Chosen) -> None:
        self.number = chosen.codec.number
        self.started = False
        self.stream = stream
        self._ssrc = stream.ssrc
        self._viewer = viewer
        self._counts = [0, 0]

    def send(self, packet: bytes, size: int) -> None:
        """Encrypt a packet and send it."""
        try:
            sealed = self._viewer.dtls._tx_srtp.protect(packet)
        except pylibsrtp.Error:  # too old for its key's window: lost, to this viewer alone
            return
        self._counts[0] += 1
        self._counts[1] += size
        self._viewer.path.send(sealed)

    def report(self, ntp: int, now: float) -> None:
        """Tell the viewer which moment it sees: ``ntp`` is what the clock on the wall says ``now``."""
        if self.started and (timestamp := self.stream.time_now(now)) is not None:
            packet = sender_report(self._ssrc, ntp, timestamp, *self._counts)
            self._viewer.path.send(self._viewer.dtls._tx_srtp.protect_rtcp(packet))

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        self._viewer.path.prove()
        if isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
            for sequence in packet.lost[:128]:
                self.stream.again(self, sequence & 0xFFFF)
        elif isinstance(packet, RtcpPsfbPacket) and packet.fmt in (RTCP_PSFB_PLI, RTCP_PSFB_FIR):
            self._viewer.channel.want_keyframe(asyncio.get_running_loop().time())


class Viewer(Peer):
    """Somebody who watches a channel."""

    def __init__(
        self,
        path: Path,
        certificate: RTCCertificate,
        offer: Offer,
        chosen: list[tuple[Section, Chosen]],
        channel: Channel,
    ) -> None:
        super().__init__(path, certificate, offer)
        self.channel = channel
        self.legs = [ViewerLeg(self, channel.streams[Kind(section.media)], each) for section, each in chosen]

    def begin(self) -> None:
        """Take part in the channel."""
        for leg in self.legs:
            self.dtls._register_rtp_sender(cast(Any, leg), RTCRtpSendParameters())
            leg.stream.add(leg)
        self.channel.want_keyframe(asyncio.get_running_loop().time())

    async def tear_down(self) -> None:
        """Leave the channel, and let go of what holds one another: a crowd that left waits for no collector."""
        for leg in self.legs:
            leg.stream.remove(leg)
            self.dtls._unregister_rtp_sender(cast(Any, leg))
        self.legs.clear()

    def report(self, ntp: int, now: float) -> None:
        """Tell the viewer which moment it sees."""
        if self.path.connected and not self.path.closed:
            for leg in self.legs:
                leg.report(ntp, now)


def _bound(frame: Callable[[Kind, bytes, int], object], kind: Kind) -> Callable[[bytes, int], object]:
    return lambda data, timestamp: frame(kind, data, timestamp)


def _receiving(section: Section, chosen: Chosen) -> RTCRtpReceiveParameters:
    feedback = [RTCRtcpFeedback(type="nack"), RTCRtcpFeedback(type="nack", parameter="pli")]
    codecs = [
        RTCRtpCodecParameters(
            mimeType=MIMES[each.name.lower()],
            clockRate=each.clock,
            channels=2 if section.media == Kind.AUDIO else None,
            payloadType=each.number,
            rtcpFeedback=feedback if section.media == Kind.VIDEO else [],
            parameters={"apt": chosen.codec.number} if each is chosen.repair else {},
        )
        for each in (chosen.codec, chosen.repair)
        if each is not None
    ]
    backwards = {stream: repair for repair, stream in section.repairs.items()}
    encodings = [
        RTCRtpDecodingParameters(
            ssrc=ssrc,
            payloadType=chosen.codec.number,
            rtx=RTCRtpRtxParameters(ssrc=backwards[ssrc]) if ssrc in backwards else None,
        )
        for ssrc in section.streams
        if ssrc not in section.repairs
    ]
    extensions = [
        RTCRtpHeaderExtensionParameters(id=number, uri=uri)
        for uri, number in section.extensions.items()
        if uri == ABS_SEND_TIME
    ]
    return RTCRtpReceiveParameters(codecs=codecs, headerExtensions=extensions, muxId=section.mid, encodings=encodings)
