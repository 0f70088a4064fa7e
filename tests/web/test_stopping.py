"""A hall that is told to stop leaves nobody on an open line that no one reads."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from tests.support.served import served

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Kaibiao: 1\r\n\r\n"


async def test_whoever_connects_as_a_hall_stops_is_answered_or_closed(tmp_path: Path) -> None:
    callers: list[socket.socket] = []
    loop = asyncio.get_running_loop()
    async with served(tmp_path) as hall:

        async def one_a_turn() -> None:
            while True:
                try:
                    caller = socket.create_connection(("127.0.0.1", hall.port))
                except ConnectionRefusedError:
                    return
                callers.append(caller)
                caller.sendall(REQUEST)
                caller.setblocking(False)
                await asyncio.sleep(0)

        calling = asyncio.create_task(one_a_turn())
        await hall.server.shutdown()
        await calling
        try:
            async with asyncio.timeout(60):
                for caller in callers:
                    try:
                        while await loop.sock_recv(caller, 1 << 16):
                            pass
                    except ConnectionResetError:
                        pass
        finally:
            for caller in callers:
                caller.close()
    assert callers
