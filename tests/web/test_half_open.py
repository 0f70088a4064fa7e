"""A line that is dead in one direction or both, and nobody said so: found out, given up, come back to by number."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hall.limits import LIMITS
from tests.support.faulty_proxy import FaultyProxy, faulty_proxy
from tests.support.namespace import Network, a_network, may_make_networks
from tests.support.served import Served, served

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
IMPATIENT = replace(LIMITS, beat=timedelta(seconds=1), unheard=timedelta(seconds=2), ping=timedelta(seconds=1))

READER = """
import asyncio, json, sys
from contextlib import suppress
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

async def main():
    last = 0
    while True:  # as a page does: nothing heard for a while is a dead line, and it comes back with its number
        with suppress(WebSocketException, OSError, TimeoutError):
            address = f"{sys.argv[1]}?after={last}"
            async with connect(address, proxy=None, open_timeout=2, close_timeout=0.1, ping_interval=None) as line:
                while True:
                    for message in map(json.loads, str(await asyncio.wait_for(line.recv(), 3)).split(chr(10))):
                        if "n" in message:
                            last = message["n"]
                            print(last, flush=True)
        await asyncio.sleep(0.1)

asyncio.run(main())
"""


@asynccontextmanager
async def a_reader(address: str, *inside: str) -> AsyncIterator[list[int]]:
    """Let somebody read in a process of their own; yield the numbers they have, as they come."""
    words = [*inside, sys.executable, "-c", READER, address]
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    has: list[int] = []

    async def note() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            has.append(int(line))

    noting = asyncio.create_task(note())
    try:
        yield has
    finally:
        process.kill()
        await process.wait()
        await noting


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(120):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def reading(hall: Served) -> int:
    """How many readers the hall believes it has."""
    return sum(hall.house.services.hub.census().readers.values())


async def three_notes(hall: Served) -> None:
    supervisor = await hall.house.staff("supervisor")
    for number in range(3):
        assert (await hall.house.act(supervisor, "Note", text=f"note {number}")).status_code == 200


Fault = Callable[[Network], None]
FAULTS = {"cut": Network.cut, "from them": Network.deaf, "from us": Network.mute}


if may_make_networks():  # elsewhere the proxy below has to do

    @pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
    async def test_a_line_whose_packets_are_lost_is_given_up_by_both_and_its_reader_misses_nothing(
        tmp_path: Path, fault: Fault
    ) -> None:
        with a_network() as network:
            async with served(tmp_path, limits=IMPATIENT, host="0.0.0.0") as hall:
                await hall.house.announce()
                async with a_reader(f"ws://{network.ours}:{hall.port}/live/zb-1", *network.inside) as has:
                    await until(lambda: has and reading(hall) == 1)
                    there = has[-1]
                    await asyncio.to_thread(fault, network)
                    await three_notes(hall)
                    await until(lambda: reading(hall) == 0)
                    await asyncio.to_thread(network.well)
                    await until(lambda: has[-1] == there + 3)
                assert has == list(range(1, there + 4))


WAYS: dict[str, Callable[[FaultyProxy], object]] = {
    "from them": lambda proxy: proxy.up.freeze(),
    "from us": lambda proxy: proxy.down.freeze(),
    "both": lambda proxy: (proxy.up.freeze(), proxy.down.freeze()),
}


@pytest.mark.parametrize("fault", ["from us", "both"])
async def test_a_reader_behind_a_middlebox_that_passes_nothing_on_comes_back_by_itself(
    tmp_path: Path, fault: str
) -> None:
    """The middlebox still acknowledges: the hall cannot know, and the reader hears no beat."""
    async with AsyncExitStack() as stack:
        hall = await stack.enter_async_context(served(tmp_path, limits=IMPATIENT))
        proxy = await stack.enter_async_context(faulty_proxy(("127.0.0.1", hall.port)))
        await hall.house.announce()
        has = await stack.enter_async_context(a_reader(f"ws://127.0.0.1:{proxy.port}/live/zb-1"))
        await until(lambda: has and reading(hall) == 1)
        there = has[-1]
        WAYS[fault](proxy)
        before = len(proxy.pairs)
        await three_notes(hall)
        await until(lambda: len(proxy.pairs) > before)  # it gave the line up and calls again, in vain
        assert has[-1] == there
        proxy.up.well()
        proxy.down.well()
        await until(lambda: has[-1] == there + 3)
        assert has == list(range(1, there + 4))


async def test_a_reader_whose_own_words_are_lost_hears_everything(tmp_path: Path) -> None:
    """One way is enough: a stream is only read."""
    async with AsyncExitStack() as stack:
        hall = await stack.enter_async_context(served(tmp_path, limits=IMPATIENT))
        proxy = await stack.enter_async_context(faulty_proxy(("127.0.0.1", hall.port)))
        await hall.house.announce()
        has = await stack.enter_async_context(a_reader(f"ws://127.0.0.1:{proxy.port}/live/zb-1"))
        await until(lambda: has and reading(hall) == 1)
        there = has[-1]
        WAYS["from them"](proxy)
        await three_notes(hall)
        await until(lambda: has[-1] == there + 3)
        assert has == list(range(1, there + 4))
