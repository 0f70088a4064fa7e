"""The figures' own door: one page on an address of its own, never on the port of the public.

Answers `GET /metrics` with Prometheus' text format and nothing else. It has no login, so it listens on this machine
unless the operator names another address (`metrics_listen`).
"""

from __future__ import annotations

import asyncio
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from hall.accepting import accept_no_more

PATIENCE: Final = 5.0  # seconds for a whole request
HEAD: Final = 8192  # bytes of one


class MetricsDoor:
    """A listener on one address. ``open`` it with the loop running and ``close`` it before it ends."""

    def __init__(self, registry: CollectorRegistry, host: str, port: int) -> None:
        self._registry = registry
        self._address = host, port
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen. Raises OSError when somebody else does already."""
        host, port = self._address
        self._server = await asyncio.start_server(self._serve, host, port, limit=HEAD)

    @property
    def port(self) -> int:
        """The port that was taken."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            await accept_no_more(self._server)
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, OSError):
            pass  # whoever asks so gets no answer
        finally:
            writer.close()

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.split(b" ", 1)[0].partition(b"?")[0]
        if method != b"GET" or path != b"/metrics":
            return _response("404 Not Found", "text/plain", b"The figures are at /metrics.\n")
        return _response("200 OK", CONTENT_TYPE_LATEST, generate_latest(self._registry))


def _response(status: str, media: str, body: bytes) -> bytes:
    lines = (
        f"HTTP/1.1 {status}",
        f"Content-Type: {media}",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
