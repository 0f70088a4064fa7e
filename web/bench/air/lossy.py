"""A network that loses some of what goes to who watches: the same packets of the same flow each time."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Iterator
from typing import Final

from hall.media.edge import rtp

HERE: Final = "127.0.0.1"


class LossyNetwork:
    """UDP between any number of ends and the port ``there``. ``lost`` counts what did not arrive, of ``carried``."""

    def __init__(self, there: int, *, share: float, seed: int) -> None:
        """With the event loop running. Open until ``close``."""
        self.lost = self.carried = 0
        self._there = there
        self._share = share
        self._chance = random.Random(seed)  # noqa: S311  # the same each time
        self._ways: dict[tuple[str, int], socket.socket] = {}
        self._door = _socket()
        self._door.bind((HERE, 0))
        self.port: int = self._door.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._door, self._in)

    def close(self) -> None:
        """Lose everything from now on."""
        for each in (self._door, *self._ways.values()):
            asyncio.get_running_loop().remove_reader(each)
            each.close()

    def _in(self) -> None:
        for data, end in _received(self._door):
            if end not in self._ways:
                way = self._ways[end] = _socket()
                way.connect((HERE, self._there))
                asyncio.get_running_loop().add_reader(way, self._out, way, end)
            self._up(self._ways[end], data)

    def _up(self, way: socket.socket, data: bytes) -> None:
        way.send(data)

    def _out(self, way: socket.socket, end: tuple[str, int]) -> None:
        for data, _ in _received(way):
            media = 127 < data[0] < 192 and not rtp.is_rtcp(data)
            self.carried += media
            if media and self._chance.random() < self._share:
                self.lost += 1
            else:
                self._door.sendto(data, end)


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        made.setsockopt(socket.SOL_SOCKET, buffer, 1 << 21)
    return made


def _received(one: socket.socket) -> Iterator[tuple[bytes, tuple[str, int]]]:
    for _ in range(64):
        try:
            yield one.recvfrom(2048)
        except BlockingIOError:
            return
        except OSError:  # what came back for something that was sent
            continue
