"""A hall that is told to stop leaves nobody on an open line that no one reads."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from tests.support.house import a_house
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


async def test_a_part_that_fails_as_it_ends_keeps_no_other_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_house(tmp_path) as house:
        services, end = house.services, house.services.lags.close

        async def broken() -> None:
            await end()
            raise ConnectionError("somebody outside hung up first")

        monkeypatch.setattr(services.lags, "close", broken)
    assert services.membership.number is None
    assert services.pulse._task is None or services.pulse._task.done()
    assert [record.message for record in caplog.records].count("a part of this hall did not end in good order") == 1
