"""What every bus between processes has in common: rings go out by the way, and whatever gets lost is not missed.

Nobody waits for a bus. What is to be said is gathered, the newest for each session, and sent by a task of its own
with a short limit; if that fails it is dropped, because hubs look at the log every second anyway. Where something
comes in, another task listens, and connects again after a rest that differs from worker to worker.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any, Final

from hall.buses.bus import Hearer, Listener
from sessions.ids import SessionId

LIMIT: Final = 1.0
"""Seconds that sending may take, a busy worker's own included: a ring that is dropped is made up for no sooner."""

LONGEST_REST: Final = 1.0

_log = logging.getLogger(__name__)


class Doorbell(ABC):
    """A Bus (hall.buses.bus) that other processes hear too. Begins when somebody listens, on that event loop."""

    lossy = True

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._hearers: list[Hearer] = []
        self._rings: dict[SessionId, int] = {}
        self._said: dict[SessionId, bytes] = {}
        self._waiting = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._away = False

    def ring(self, session: SessionId, number: int) -> None:
        """See Bus."""
        self._rings[session] = max(number, self._rings.get(session, 0))
        self._waiting.set()

    def tell(self, session: SessionId, what: bytes) -> None:
        """See Bus."""
        self._said[session] = what
        self._waiting.set()

    def listen(self, listener: Listener) -> None:
        """See Bus."""
        self._listeners.append(listener)
        self._begin()

    def hear(self, hearer: Hearer) -> None:
        """See Bus."""
        self._hearers.append(hearer)
        self._begin()

    async def close(self) -> None:
        """See Bus."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self._listeners.clear()
        self._hearers.clear()
        with suppress(Exception):
            await self._part()

    @abstractmethod
    async def _send(self, messages: Sequence[str]) -> None:
        """Send them in this order to every process, this one too."""

    @abstractmethod
    def _messages(self) -> AsyncIterator[str]:
        """Connect and yield what comes; raise or end when the connection is gone."""

    @abstractmethod
    async def _part(self) -> None:
        """Let go of every connection. Harmless when there is none."""

    def _begin(self) -> None:
        if not self._tasks:
            loop = asyncio.get_running_loop()
            self._tasks = [
                loop.create_task(self._keep_sending(), name="bus out"),
                loop.create_task(self._keep_listening(), name="bus in"),
            ]

    async def _keep_sending(self) -> None:
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            rings, self._rings = self._rings, {}
            said, self._said = self._said, {}
            messages = [json.dumps([session, number]) for session, number in rings.items()]
            messages += [json.dumps([session, 0, what.decode()]) for session, what in said.items()]
            try:
                async with asyncio.timeout(LIMIT):
                    await self._send(messages)
                self._is_there()
            except Exception as error:
                self._is_away(error)

    async def _keep_listening(self) -> None:
        while True:
            try:
                async for message in self._messages():
                    self._deliver(message)
            except Exception as error:
                self._is_away(error)
            await asyncio.sleep(random.uniform(0.1, LONGEST_REST))  # noqa: S311  # so that not all come at once

    def _deliver(self, message: str) -> None:
        try:
            session, number, *said = json.loads(message)
            if said:
                self._call(self._hearers, session, str(said[0]).encode())
            else:
                self._call(self._listeners, session, int(number))
        except (ValueError, TypeError):
            _log.warning("somebody else rings on this hall's bus")

    def _call(self, listeners: Sequence[Any], session: SessionId, what: object) -> None:
        for listener in listeners:
            try:
                listener(session, what)
            except Exception:
                _log.exception("a listener failed", extra={"session": session})

    @property
    def away(self) -> bool:
        """See Bus."""
        return self._away

    def _is_away(self, error: Exception) -> None:
        if not self._away:
            _log.warning("the bus is away, the log is looked at instead", extra={"why": type(error).__name__})
        self._away = True

    def _is_there(self) -> None:
        if self._away:
            _log.info("the bus is there again")
        self._away = False
