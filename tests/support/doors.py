"""Servers of tests that close without forgetting who has just come in, and who is still there."""

from __future__ import annotations

import asyncio

from hall.accepting import accept_no_more


async def closed(server: asyncio.Server) -> None:
    """Close a server, and wait until every connection to it has ended: what stays open a later test is told of."""
    await accept_no_more(server)
    server.close()
    while getattr(server, "_active_count", 0):  # noqa: ASYNC110  # ``wait_closed`` waits for them from Python 3.12 on
        await asyncio.sleep(0.005)
