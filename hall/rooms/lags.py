"""Keeps how late each opening's facts reached those who watched: beside the log, never in it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, Protocol

from hall.rooms.lag import Histogram, histogram
from sessions.ids import SessionId

_EVERY: Final = 10.0
"""Seconds between two writings: what a killed worker had not written is not worth a transaction for each report."""

_log = logging.getLogger(__name__)


class LagStore(Protocol):
    """Where it is kept (sessions.store.lags)."""

    async def add(self, more: Mapping[SessionId, Mapping[int, int]]) -> None:
        """Add counts by class, all or none."""

    async def of(self, session: SessionId) -> Mapping[int, int]:
        """Return an opening's counts by class."""


class Lags:
    """Gathers reports in memory and writes them now and then. Call ``start`` with the loop running, and ``close``."""

    def __init__(self, store: LagStore) -> None:
        self._store = store
        self._unkept: dict[SessionId, Histogram] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.get_running_loop().create_task(self._keep(), name="lags")

    async def close(self) -> None:
        """Write what is left."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self.flush()

    def add(self, session: SessionId, within_ms: int) -> None:
        """Count a report about an opening that exists."""
        self._unkept[session] = self._unkept.get(session, Histogram()).plus(within_ms)

    async def of(self, session: SessionId) -> Histogram:
        """Return what is kept of an opening, by every worker."""
        return histogram(await self._store.of(session))

    async def flush(self) -> None:
        """Write what was not. A failure is logged and tried again: nothing waits for it."""
        unkept, self._unkept = self._unkept, {}
        if not unkept:
            return
        try:
            await self._store.add({session: each.classes() for session, each in unkept.items()})
        except Exception:
            _log.exception("reports of lag could not be kept; the next round tries again")
            for session, each in unkept.items():
                self._unkept[session] = self._unkept.get(session, Histogram()).merged(each)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            await self.flush()
