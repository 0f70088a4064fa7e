"""A time server on this machine: honest, or wrong in one way."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import cast

from sessions.clock import Clock

FORM = struct.Struct("!BBbbIIIQQQQ")
EPOCH = datetime(1900, 1, 1, tzinfo=UTC)
Spoil = Callable[[bytes], bytes | None]


def stamp(at: datetime) -> int:
    """A moment as the protocol writes it; seconds run over in 2036 and begin again."""
    since = at - EPOCH
    seconds = since // timedelta(seconds=1)
    fraction = (since - timedelta(seconds=seconds)) / timedelta(seconds=1)
    return (seconds % 2**32) << 32 | int(fraction * 2**32)


def reply(asked: bytes, at: datetime, *, flags: int = 0b00_100_100, stratum: int = 2, distance: int = 0) -> bytes:
    """What a server answers at ``at``."""
    (number,) = struct.unpack_from("!Q", asked, 40)
    return FORM.pack(flags, stratum, 6, -20, 0, distance, 0, stamp(at), number, stamp(at), stamp(at))


class _Serving(asyncio.DatagramProtocol):
    def __init__(self, clock: Clock, offset: timedelta, spoil: Spoil) -> None:
        self._clock, self._offset, self._spoil = clock, offset, spoil

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._spoil(reply(data, self._clock.now() + self._offset))
        if answer is not None:
            self._transport.sendto(answer, addr)


@asynccontextmanager
async def a_time_server(
    clock: Clock, offset: timedelta = timedelta(), spoil: Spoil = lambda packet: packet
) -> AsyncIterator[str]:
    """Serve a time that is ``offset`` ahead of ``clock``; yield host and port."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Serving(clock, offset, spoil), local_addr=("127.0.0.1", 0)
    )
    try:
        yield f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()
