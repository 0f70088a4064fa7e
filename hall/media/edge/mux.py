"""One UDP and one TCP port for everybody: who sends a packet is told by its address, and addresses are earned.

A peer shows by a signed check (``stun``) that it knows what its SDP answer said; before that nothing of it is
looked at and nothing is sent to it. What is sent follows a change of address only after something came from there
that its DTLS session could verify, so that a forged check cannot turn a stream on a stranger.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections import deque
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from hall.accepting import accept_no_more
from hall.media.edge import stun
from hall.media.edge.stun import NotStun

ANSWERED_WITHIN: Final = 20.0
"""Seconds in which a peer must have come and shaken hands."""

CONSENT: Final = 30.0
"""Seconds without a check after which a peer is gone (RFC 7675)."""

WAITING: Final = 512
"""Packets of a peer that may wait; more are lost, as on any network."""

BACKLOG: Final = 8192
"""Datagrams that may wait for the card."""

TCP_PEERS: Final = 2000
TCP_STRANGERS: Final = 256
"""TCP connections that have shown nothing yet."""

TCP_BEHIND: Final = 1 << 20
ADDRESSES: Final = 16
"""Addresses that one peer may try."""

Address = IPv4Address | IPv6Address
UdpPeer = tuple[str, int] | tuple[str, int, int, int]


class Path:
    """The connection to one peer; what aiortc's DTLS transport runs on (``_recv``, ``_send``, ``role``)."""

    role = "controlled"

    def __init__(self, mux: Mux, now: float) -> None:
        self.fragment = secrets.token_urlsafe(9)
        self.password = secrets.token_urlsafe(24)
        self.began = self.heard_at = now
        self.connected = False
        self.closed = False
        self.on_close: Callable[[], object] = lambda: None
        self._mux = mux
        self._peer: UdpPeer | TcpPeer | None = None
        self._from: UdpPeer | TcpPeer | None = None
        self._nominated: UdpPeer | TcpPeer | None = None
        self._queue: asyncio.Queue[tuple[bytes, UdpPeer | TcpPeer] | None] = asyncio.Queue()
        self.known: dict[UdpPeer | TcpPeer, None] = {}

    @property
    def peer(self) -> UdpPeer | TcpPeer | None:
        """Where its packets go."""
        return self._peer

    def nominate(self, peer: UdpPeer | TcpPeer) -> None:
        """Note which address the peer has chosen, by a signed check."""
        self._nominated = peer
        if not self.connected:
            self._peer = peer

    def prove(self) -> None:
        """Say that what was received last was verified: its sender is where it says it is."""
        if self._from is not self._peer and self._from == self._nominated:
            self._peer = self._from

    def take(self, data: bytes, peer: UdpPeer | TcpPeer) -> None:
        """Take a packet of the peer."""
        if self._queue.qsize() < WAITING:
            self._queue.put_nowait((data, peer))

    def send(self, data: bytes) -> None:
        """Send a packet, or lose it."""
        if self._peer is not None and not self.closed:
            self._mux.send(data, self._peer)

    def close(self) -> None:
        """End it. Whoever waits for packets hears a ConnectionError."""
        if not self.closed:
            self.closed = True
            self._mux.forget(self)
            self._queue.put_nowait(None)
            told, self.on_close = self.on_close, lambda: None  # once, and it holds nobody any more
            told()

    async def _recv(self) -> bytes:
        got = None if self.closed and self._queue.empty() else await self._queue.get()
        if got is None:
            raise ConnectionError
        self._from = got[1]
        return got[0]

    async def _send(self, data: bytes) -> None:
        if self.closed:
            raise ConnectionError
        self.send(data)


class Mux:
    """The port. ``open`` it with the event loop running."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._wanted = port
        self._paths: dict[str, Path] = {}
        self._by_peer: dict[UdpPeer | TcpPeer, Path] = {}
        self._backlog: deque[tuple[bytes, UdpPeer]] = deque(maxlen=BACKLOG)
        self.tcp: set[TcpPeer] = set()
        self._udp: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self.port = port

    async def open(self) -> None:
        """Listen. Raises OSError if the port is taken."""
        loop = asyncio.get_running_loop()
        for attempt in range(20):
            udp = _udp(self._host, self._wanted)
            self.port = udp.getsockname()[1]
            try:
                self._server = await loop.create_server(
                    lambda: TcpPeer(self), self._host, self.port, reuse_address=True
                )
            except OSError:
                udp.close()
                if self._wanted or attempt == 19:
                    raise
            else:
                break
        self._udp = udp
        loop.add_reader(udp, self._readable)
        self._sweeping = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        """Send everybody away."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        if self._server is not None:
            await accept_no_more(self._server)
            self._server.close()
        for path in tuple(self._paths.values()):
            path.close()
        for peer in tuple(self.tcp):
            peer.end()
        if self._udp is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._udp)
            loop.remove_writer(self._udp)
            self._udp.close()
            self._udp = None

    def path(self) -> Path:
        """Return a path for a peer that is about to come."""
        path = Path(self, asyncio.get_running_loop().time())
        self._paths[path.fragment] = path
        return path

    def forget(self, path: Path) -> None:
        """Have no part of ``path`` any more."""
        self._paths.pop(path.fragment, None)
        for peer in path.known:
            self._by_peer.pop(peer, None)
            if isinstance(peer, TcpPeer):
                peer.end()

    def send(self, data: bytes, peer: UdpPeer | TcpPeer) -> None:
        """Send a packet, or lose it."""
        if isinstance(peer, TcpPeer):
            peer.send(data)
        elif self._udp is None:
            return
        elif self._backlog:
            self._backlog.append((data, peer))
        else:
            try:
                self._udp.sendto(data, peer)
            except (BlockingIOError, InterruptedError):
                self._backlog.append((data, peer))
                asyncio.get_running_loop().add_writer(self._udp, self._writable)
            except OSError:  # no route, or the peer's port is shut: it is lost
                pass

    def received(self, data: bytes, peer: UdpPeer | TcpPeer, host: str, port: int) -> None:
        """Take a packet from ``peer``, who is at ``host`` and ``port``."""
        if not data:
            return
        if data[0] < 4:
            self._check(data, peer, host, port)
        elif (path := self._by_peer.get(peer)) is not None:
            path.take(data, peer)

    def _check(self, data: bytes, peer: UdpPeer | TcpPeer, host: str, port: int) -> None:
        try:
            check = stun.parse(data)
        except NotStun:
            return
        path = self._paths.get(check.receiver or "")
        if check.kind != stun.REQUEST or path is None or not check.is_by(path.password):
            return
        if (owner := self._by_peer.get(peer)) is not path:
            if owner is not None or len(path.known) >= ADDRESSES:
                return
            self._by_peer[peer] = path
            path.known[peer] = None
        path.heard_at = asyncio.get_running_loop().time()
        if check.nominates or path.peer is None:
            path.nominate(peer)
        self.send(stun.success(check, host, port, path.password), peer)

    def _readable(self) -> None:
        assert self._udp is not None
        for _ in range(64):
            try:
                data, peer = self._udp.recvfrom(2048)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # what came back for something we sent
                continue
            self.received(data, peer, peer[0], peer[1])

    def _writable(self) -> None:
        assert self._udp is not None
        while self._backlog:
            data, peer = self._backlog[0]
            try:
                self._udp.sendto(data, peer)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                pass
            self._backlog.popleft()
        asyncio.get_running_loop().remove_writer(self._udp)

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1)
            now = loop.time()
            for path in tuple(self._paths.values()):
                late = not path.connected and now - path.began > ANSWERED_WITHIN
                if late or now - path.heard_at > CONSENT:
                    path.close()
            for peer in tuple(self.tcp):
                if peer not in self._by_peer and now - peer.began > ANSWERED_WITHIN:
                    peer.end()

    def strangers(self) -> int:
        """Return how many TCP connections have shown nothing yet."""
        return sum(peer not in self._by_peer for peer in self.tcp)


class TcpPeer(asyncio.Protocol):
    """A peer that came by TCP: packets in frames of RFC 4571."""

    def __init__(self, mux: Mux) -> None:
        self._mux = mux
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._at = ("", 0)
        self.began = asyncio.get_running_loop().time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take it in, if there is room."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._mux.tcp) >= TCP_PEERS or self._mux.strangers() >= TCP_STRANGERS:
            transport.abort()
            return
        self._at = transport.get_extra_info("peername")[:2]
        self._mux.tcp.add(self)

    def data_received(self, data: bytes) -> None:
        """Cut what came into packets."""
        self._buffer += data
        while len(self._buffer) >= 2:
            length = int.from_bytes(self._buffer[:2], "big")
            if length > 2048:
                self.end()
                return
            if len(self._buffer) < 2 + length:
                return
            packet = bytes(self._buffer[2 : 2 + length])
            del self._buffer[: 2 + length]
            self._mux.received(packet, self, *self._at)

    def connection_lost(self, _: Exception | None) -> None:
        """Leave its path to other addresses, or to its end."""
        self._mux.tcp.discard(self)

    def send(self, data: bytes) -> None:
        """Send a packet, or lose it when the peer does not read."""
        transport = self._transport
        if transport is not None and transport.get_write_buffer_size() < TCP_BEHIND:
            transport.write(len(data).to_bytes(2, "big") + data)

    def end(self) -> None:
        """Hang up."""
        self._mux.tcp.discard(self)
        if self._transport is not None:
            self._transport.abort()


def listen_on(host: str, addresses: tuple[Address, ...]) -> str:
    """Return where to listen: everywhere if browsers come by ``addresses``, as where a proxy serves the pages."""
    if not addresses:
        return host
    return "::" if any(address.version == 6 for address in addresses) else "0.0.0.0"  # noqa: S104  # asked for


def own_addresses(host: str) -> tuple[Address, ...]:
    """Return at which addresses a port on ``host`` is reached, if nobody says better. Nothing is sent for it."""
    try:
        address = ip_address(host)
    except ValueError:
        address = ip_address(socket.getaddrinfo(host, None)[0][4][0])
    if not address.is_unspecified:
        return (address,)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # for documentation (RFC 5737): only asks the routing table
        except OSError:
            return (IPv4Address("127.0.0.1"),)
        return (ip_address(probe.getsockname()[0]),)


def _udp(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    udp = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            udp.setsockopt(socket.SOL_SOCKET, buffer, 1 << 22)
        udp.setblocking(False)
        udp.bind((host, port))
    except OSError:
        udp.close()
        raise
    return udp
