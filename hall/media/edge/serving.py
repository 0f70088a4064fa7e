"""The edge as a process: what the hall may ask of it, over its socket."""

from __future__ import annotations

import asyncio

from hall.media.link import LinkServer
from hall.media.places import Places


async def serve(places: Places) -> None:
    """Serve until cancelled."""

    async def sources(session: str) -> list[str]:
        return []

    link = LinkServer(places.edge, {"sources": sources})
    await link.open()
    try:
        await asyncio.Event().wait()
    finally:
        await link.close()
