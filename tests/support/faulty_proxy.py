"""A TCP proxy on loopback that fails as networks do: cuts, delays, freezes, throttles, half-closes, refuses.

Each direction of all its connections is a ``Way``: ``up`` towards the server, ``down`` towards the client. What
passes can be watched, so that a fault comes at an exact place:

    async with faulty_proxy(("127.0.0.1", 5432)) as proxy:
        proxy.up.when(b"COMMIT;", proxy.cut_after_answer)
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from hall.accepting import accept_no_more

PIECE = 65_536


@dataclass(eq=False)
class Way:
    """One direction. What is set holds from the next piece on, for every connection."""

    delay: float = 0.0
    """Seconds that every piece comes later; their order stays."""
    rate: float | None = None
    """Bytes a second, if there is a limit."""
    moving: asyncio.Event = field(default_factory=asyncio.Event)
    watchers: list[tuple[bytes, Callable[[Pair], Awaitable[bool]]]] = field(default_factory=list)
    passed: int = 0
    """Bytes that went through."""

    def __post_init__(self) -> None:
        self.moving.set()

    def freeze(self) -> None:
        """Let nothing through, and tell nobody: the connections stay open."""
        self.moving.clear()

    def thaw(self) -> None:
        """Let what waits through."""
        self.moving.set()

    def when(self, sign: bytes, act: Callable[[Pair], Awaitable[bool]]) -> None:
        """Call ``act`` before each piece that has ``sign`` in it; the piece goes on only if it returns True."""
        self.watchers.append((sign, act))

    def well(self) -> None:
        """Take every fault away."""
        self.delay, self.rate = 0.0, None
        self.watchers.clear()
        self.thaw()


@dataclass(eq=False)
class Pair:
    """A connection of a client and its connection to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    answer: asyncio.Event = field(default_factory=asyncio.Event)
    mute: bool = False
    """Whether what the server says from now on is only noticed (``answer``), not passed on."""

    def cut(self) -> None:
        """Reset both ends, as when a machine between them dies."""
        for writer in (self.client, self.server):
            if (sock := writer.get_extra_info("socket")) is not None and sock.family != socket.AF_UNIX:
                with suppress(OSError):  # SO_LINGER 0: RST instead of FIN
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            writer.transport.abort()


class FaultyProxy:
    """A running proxy at ``host``:``port``."""

    def __init__(self, host: str, port: int, target: str | tuple[str, int]) -> None:
        self.host, self.port = host, port
        self.up, self.down = Way(), Way()
        self.refuses = False
        self.pairs: set[Pair] = set()
        self.cuts = 0
        self._target = target
        self._running: set[asyncio.Task[None]] = set()

    def cut_all(self) -> None:
        """Reset every connection there is."""
        for pair in list(self.pairs):
            self.cut(pair)

    def cut(self, pair: Pair) -> None:
        """Reset one connection."""
        self.cuts += 1
        pair.cut()

    async def cut_before(self, pair: Pair) -> bool:
        """For ``Way.when``: reset instead of passing it on, so that it never arrives."""
        self.cut(pair)
        return False

    async def cut_after_answer(self, pair: Pair) -> bool:
        """For ``up.when``: pass it on, wait until the server has answered, then reset instead of saying so."""
        pair.mute = True
        pair.answer.clear()

        async def wait() -> None:
            await pair.answer.wait()
            self.cut(pair)

        self._start(wait())
        return True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either end is done with it."""
        if self.refuses:
            writer.transport.abort()
            return
        try:
            if isinstance(self._target, str):
                far_reader, far = await asyncio.open_unix_connection(self._target)
            else:
                far_reader, far = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        pair = Pair(client=writer, server=far)
        self.pairs.add(pair)
        try:
            await asyncio.gather(
                self._carry(self.up, pair, reader, far), self._carry(self.down, pair, far_reader, writer)
            )
        finally:
            self.pairs.discard(pair)
            for end in (writer, far):
                end.transport.abort()

    async def close(self) -> None:
        """End every connection and every task."""
        for pair in list(self.pairs):
            pair.cut()
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection (asyncio.start_server)."""
        self._start(self.serve(reader, writer))

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _carry(self, way: Way, pair: Pair, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one direction. A reader apart from the writer, so that a delay moves pieces and not their number."""
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)

        async def read() -> None:
            while True:
                with suppress(ConnectionError):
                    data = await reader.read(PIECE)
                    await pieces.put((loop.time(), data))
                    if data:
                        continue
                await pieces.put((loop.time(), b""))
                return

        reading = asyncio.ensure_future(read())
        try:
            while True:
                came, data = await pieces.get()
                await asyncio.sleep(max(0.0, came + way.delay - loop.time()))
                await way.moving.wait()
                if not data:
                    break
                if way is self.down and pair.mute:
                    pair.answer.set()
                    continue
                if not all([await act(pair) for sign, act in list(way.watchers) if sign in data]):
                    return
                if way.rate:
                    await asyncio.sleep(len(data) / way.rate)
                writer.write(data)
                way.passed += len(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
        except OSError:
            pass
        finally:
            reading.cancel()


@asynccontextmanager
async def faulty_proxy(target: str | tuple[str, int], *, host: str = "127.0.0.1") -> AsyncIterator[FaultyProxy]:
    """Stand between clients on a free loopback port and ``target``: a host and port, or the path of a Unix socket."""
    proxies: list[FaultyProxy] = []
    server = await asyncio.start_server(lambda *ends: proxies[0].accept(*ends), host, 0)
    proxies.append(FaultyProxy(host, server.sockets[0].getsockname()[1], target))
    try:
        yield proxies[0]
    finally:
        await accept_no_more(server)
        server.close()
        await proxies[0].close()
