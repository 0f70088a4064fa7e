"""The cheapest end of a WebRTC connection that every server takes for one: its own checks, aiortc's DTLS, no decoder.

What watches counts packets, so that forty of them leave a core to whom they watch; one of them also looks.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
from functools import cache
from typing import Any, Final, cast

import pylibsrtp
from aiortc import RTCCertificate, RTCDtlsTransport
from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters

from hall.media.edge import rtp, stun
from hall.media.edge.channel import sender_report
from sessions.clock import SystemClock
from web.bench.air.film import FPS, SOUND_MS, Eye, film

HERE: Final = "127.0.0.1"
OPUS, VP8 = 111, 96
SSRC: Final = {OPUS: 1001, VP8: 2001}
CLOCK: Final = {OPUS: 48_000, VP8: 90_000}
CHECK_AGAIN: Final = 0.1
CONSENT: Final = 5.0
CONTROLLING: Final = 0x802A  # RFC 8445 section 16.1
SINCE_1900: Final = 2_208_988_800


class Seat:
    """One end. ``role`` is what aiortc's transport asks its ICE."""

    role = "controlling"
    way = "recvonly"

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        self._socket.setblocking(False)
        self._socket.bind((HERE, 0))
        self._own = secrets.token_hex(4), secrets.token_hex(16)
        self._theirs = "", ""
        self._there = (HERE, 0)
        self._found = asyncio.Event()
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._again: asyncio.TimerHandle | None = None
        self.dtls = RTCDtlsTransport(cast(Any, self), [_certificate()])
        self.packets = 0
        asyncio.get_running_loop().add_reader(self._socket, self._readable)

    def offer(self) -> str:
        """Return what is posted."""
        lines = ["v=0", f"o=- 1 2 IN IP4 {HERE}", "s=-", "t=0 0", "a=group:BUNDLE 0 1", "a=msid-semantic:WMS *"]
        print_ = next(each for each in _certificate().getFingerprints() if each.algorithm == "sha-256")
        for mid, (kind, number, codec) in enumerate((("audio", OPUS, "opus/48000/2"), ("video", VP8, "VP8/90000"))):
            lines += [f"m={kind} 9 UDP/TLS/RTP/SAVPF {number}", f"c=IN IP4 {HERE}", f"a=mid:{mid}", f"a={self.way}"]
            lines += [f"a=candidate:1 1 udp 2130706431 {HERE} {self._socket.getsockname()[1]} typ host"]
            lines += ["a=end-of-candidates", f"a=ice-ufrag:{self._own[0]}", f"a=ice-pwd:{self._own[1]}"]
            lines += [f"a=fingerprint:sha-256 {print_.value}", "a=setup:actpass", "a=rtcp-mux"]
            lines += [f"a=rtpmap:{number} {codec}", f"a=ssrc:{SSRC[number]} cname:bench"]
            lines += [f"a=rtcp-fb:{number} {each}" for each in ("nack", "nack pli", "goog-remb") if kind == "video"]
        return "\r\n".join([*lines, ""])

    async def connect(self, answer: str) -> None:
        """Find the other side and shake hands."""
        await self.find(answer)
        setup, print_ = _said(answer, r"a=setup:(\w+)"), _said(answer, r"a=fingerprint:sha-256 (\S+)")
        self.dtls._set_role("server" if setup == "active" else "client")
        await self.dtls.start(RTCDtlsParameters(fingerprints=[RTCDtlsFingerprint("sha-256", print_)]))
        assert self.dtls.state == "connected"

    async def find(self, answer: str) -> None:
        """Have the other side answer a check (RFC 8445)."""
        self._there = HERE, int(_said(answer, rf"a=candidate:\S+ 1 [uU][dD][pP] \d+ {HERE} (\d+) typ host"))
        self._theirs = _said(answer, r"a=ice-ufrag:(\S+)"), _said(answer, r"a=ice-pwd:(\S+)")
        while not self._found.is_set():
            self._check()
            try:
                await asyncio.wait_for(self._found.wait(), CHECK_AGAIN)
            except TimeoutError:
                continue
        self._consent()

    async def send(self, data: bytes) -> None:
        """Send it as it is."""
        self._socket.sendto(data, self._there)

    async def leave(self) -> None:
        """Say goodbye and go."""
        await self.dtls.stop()
        self.close()

    def close(self) -> None:
        """Go without a word."""
        if self._again is not None:
            self._again.cancel()
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def took(self, data: bytes) -> None:
        """Take a packet of what is watched."""
        self.packets += 1

    def _consent(self) -> None:
        self._check()
        self._again = asyncio.get_running_loop().call_later(CONSENT, self._consent)

    def _check(self) -> None:
        user = f"{self._theirs[0]}:{self._own[0]}".encode()
        more = {stun.PRIORITY: bytes(4), CONTROLLING: bytes(8), stun.USE_CANDIDATE: b""}
        asking = stun.build(stun.REQUEST, secrets.token_bytes(12), {stun.USERNAME: user} | more, self._theirs[1])
        self._socket.sendto(asking, self._there)

    def _readable(self) -> None:
        for _ in range(256):
            try:
                data, peer = self._socket.recvfrom(2048)
            except BlockingIOError:
                return
            if data[0] > 127:
                self.took(data)
            elif data[0] > 19:
                self._queue.put_nowait(data)
            elif (message := stun.parse(data)).kind == stun.REQUEST:
                self._socket.sendto(stun.success(message, peer[0], peer[1], self._own[1]), peer)
            else:
                self._found.set()

    async def _recv(self) -> bytes:
        return await self._queue.get()

    _send = send


class Camera(Seat):
    """Sends the film until it is ended; ``sent`` is when each picture was."""

    way = "sendonly"

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[int, float] = {}
        self.pictures = 0
        self._film = film()  # before anybody waits for it
        self._clock = SystemClock()
        self._state = {kind: [0, 0, 0, 0] for kind in SSRC}  # sequence, timestamp, packets, bytes

    async def run(self) -> None:
        """Keep time for picture and sound, whatever comes in between."""
        loop, made = asyncio.get_running_loop(), self._film
        began, sounds = loop.time(), 0
        while True:
            due = loop.time() - began
            if sounds * SOUND_MS / 1000 <= due:
                await self._put(OPUS, (made.sounds[sounds % len(made.sounds)],), 48 * SOUND_MS)
                sounds += 1
            if self.pictures / FPS <= due:
                number = self.pictures % len(made.pictures)
                self.sent[number] = loop.time()
                await self._put(VP8, made.pictures[number], 90_000 // FPS)
                self.pictures += 1
                if self.pictures % FPS == 0:
                    await self._report()
            ahead = min(sounds * SOUND_MS / 1000, self.pictures / FPS) - (loop.time() - began)
            await asyncio.sleep(max(0.0, ahead))

    async def _put(self, kind: int, payloads: tuple[bytes, ...], step: int) -> None:
        state = self._state[kind]
        for place, payload in enumerate(payloads, 1):
            last = place == len(payloads) and kind == VP8
            head = rtp.header(kind, last, state[0], state[1], SSRC[kind])
            await self.dtls._send_rtp(head + payload)
            state[0], state[2], state[3] = state[0] + 1 & 0xFFFF, state[2] + 1, state[3] + len(payload)
        state[1] += step

    async def _report(self) -> None:
        now = round((self._clock.now().timestamp() + SINCE_1900) * 2**32)
        for kind, (_, timestamp, packets, octets) in self._state.items():
            await self.dtls._send_rtp(sender_report(SSRC[kind], now, timestamp, packets, octets))


class Looking(Seat):
    """Also looks: ``late`` is how long after it was sent each picture was here, in seconds."""

    def __init__(self, camera: Camera) -> None:
        super().__init__()
        self.late: list[float] = []
        self._camera = camera
        self._eye = Eye()

    def took(self, data: bytes) -> None:
        """See Seat."""
        self.packets += 1
        if rtp.is_rtcp(data) or self.dtls._rx_srtp is None:
            return
        now = asyncio.get_running_loop().time()
        try:
            packet = rtp.parse(self.dtls._rx_srtp.unprotect(data))
        except pylibsrtp.Error:
            return
        if packet.kind == VP8 and (number := self._eye.see(packet.payload, packet.marker)) is not None:
            self.late.append(now - self._camera.sent[number])


def _said(answer: str, pattern: str) -> str:
    found = re.search(pattern, answer)
    assert found is not None, answer
    return found[1]


@cache
def _certificate() -> RTCCertificate:
    return RTCCertificate.generateCertificate()
