"""The event loop's own pulse: how late it comes back, and the sign of life that a supervisor waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from web.process.notify import Notifier

BEAT: Final = 0.5
"""Seconds between two looks; more often would be load of its own."""


class Pulse:
    """A task that sleeps and tells how late it woke. ``start`` it with the loop running, ``stop`` it in time."""

    def __init__(self, lagged: Callable[[float], object], notifier: Notifier) -> None:
        self._lagged = lagged
        self._notifier = notifier
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="pulse")

    async def stop(self) -> None:
        """End; the supervisor hears nothing more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        loop, told = asyncio.get_running_loop(), float("-inf")
        while True:
            due = loop.time() + BEAT
            await asyncio.sleep(BEAT)
            now = loop.time()
            self._lagged(now - due)
            # Half of what the supervisor allows, as sd_watchdog_enabled(3) advises.
            if self._notifier.watchdog is not None and now - told >= self._notifier.watchdog / 2 - BEAT:
                self._notifier.alive()
                told = now
