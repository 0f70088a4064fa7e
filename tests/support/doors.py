"""Servers of tests that close without forgetting who has just come in."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

TURNS = 3  # of the loop, until an accepted connection stands in its server's list


async def shut(doors: Sequence[socket.socket]) -> None:
    """Accept nobody more, and wait until the server knows everybody it has accepted.

    asyncio forgets, open, a connection whose server closes right after accepting it (Python 3.11,
    ``Server._attach``), and a later test is told of it.
    """
    for door in doors:
        asyncio.get_running_loop().remove_reader(door)
    for _ in range(TURNS):
        await asyncio.sleep(0)
