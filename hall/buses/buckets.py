"""Token buckets that all workers of a hall share, in Redis: for the few limits that guess work must not get around.

The same counting as in one process (hall.limits.Buckets). What is counted, an account or an address, stands there
only as a digest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from datetime import UTC, datetime, timedelta
from typing import Final

from crypto.digest import sha256_hex
from hall.buses.redis import client
from hall.limits import Rate

LIMIT: Final = 1.0
"""Seconds that Redis has to answer: several hundred who log in at once keep a worker longer than an answer takes."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_TAKE: Final = """
local now, interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local wait = full - now - interval * (burst - 1)
if wait > 0 then return wait end
redis.call('SET', KEYS[1], full + interval, 'PX', full + interval - now)
return 0
"""


class Unreachable(Exception):
    """Redis does not say whether there is a token."""


class SharedBuckets:
    """Buckets by key, for every worker that names the same ``prefix``."""

    def __init__(self, url: str, prefix: str) -> None:
        self._redis = client(url)
        self._prefix = prefix
        self._script = self._redis.register_script(_TAKE)

    async def take(self, key: Hashable, rate: Rate, now: datetime) -> timedelta | None:
        """Take one token. Return None if there was one, else how long to wait; raise Unreachable."""
        name = f"{self._prefix}/{sha256_hex(repr(key).encode())}"
        figures = [(now - _EPOCH) // _MS, rate.interval // _MS, rate.burst]
        try:
            async with asyncio.timeout(LIMIT):
                wait = int(await self._script(keys=[name], args=figures))
        except Exception as error:
            await self._redis.connection_pool.disconnect(inuse_connections=False)  # others' answers are on their way
            raise Unreachable from error
        return wait * _MS if wait else None

    async def close(self) -> None:
        """Let go of the connections."""
        await self._redis.aclose()
