"""Stop listening without forgetting who has just been let in."""

from __future__ import annotations

import asyncio

_TURNS = 5
"""Turns of the loop, until an accepted connection stands in its server's list and whoever serves it has begun."""


async def accept_no_more(*servers: asyncio.Server) -> None:
    """Accept nobody more, and wait until the servers know everybody they have accepted. ``close`` them then.

    asyncio forgets, open and unread, a connection whose server closes between ``accept`` and its first callback
    (Python 3.11, ``Server._attach``): whoever is on it would wait for this process to end.
    """
    loop = asyncio.get_running_loop()
    for server in servers:
        for door in server.sockets:
            loop.remove_reader(door)
    for _ in range(_TURNS):
        await asyncio.sleep(0)
