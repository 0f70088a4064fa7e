"""The doorbell over Redis. Nothing is kept there, so it may be killed, emptied or frozen at any moment.

redis-py connects again in silence and loses what was said meanwhile (its issue 3979): it is only ever a hint.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from hall.buses.doorbell import Doorbell

CONNECT: Final = 1.0
QUIET: Final = 5.0
"""Seconds of silence after which it is asked whether the other side is still there."""


class RedisBus(Doorbell):
    """A Bus (hall.buses.bus) over publish and subscribe."""

    def __init__(self, url: str, channel: str) -> None:
        """``url``: ``redis://``, ``rediss://`` or ``unix://``. Halls that share a server have a channel each."""
        super().__init__()
        self._channel = channel
        self._out = client(url)
        self._in = client(url)

    async def _send(self, messages: Sequence[str]) -> None:
        try:
            async with self._out.pipeline(transaction=False) as pipe:
                for message in messages:
                    pipe.publish(self._channel, message)
                await pipe.execute()
        except BaseException:  # half an answer may be on its way: that connection is of no more use
            await self._out.connection_pool.disconnect()
            raise

    async def _messages(self) -> AsyncIterator[str]:
        subscription = self._in.pubsub(ignore_subscribe_messages=True)
        try:
            await subscription.subscribe(self._channel)
            while True:
                message = await subscription.get_message(timeout=QUIET)
                if message is not None:
                    self._is_there()
                    yield message["data"].decode()
        finally:
            await subscription.aclose()  # type: ignore[no-untyped-call]

    async def _part(self) -> None:
        await self._out.aclose()
        await self._in.aclose()


def client(url: str) -> Redis:
    """Return a client that never tries twice: its callers know better when to."""
    return Redis.from_url(
        url, socket_connect_timeout=CONNECT, health_check_interval=QUIET, retry=Retry(NoBackoff(), 0)
    )
