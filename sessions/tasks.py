"""What is done for a session by the way: one task at a time, begun when needed and ended in good order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

from sessions.ids import SessionId

Work = Callable[[], Awaitable[object]]


class Tasks:
    """Tasks of one kind, by session. All methods belong to one event loop; ``stop`` them last."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: dict[SessionId, asyncio.Task[None]] = {}
        self._next: dict[SessionId, Work] = {}

    def __contains__(self, session: SessionId) -> bool:
        return session in self._tasks

    def begin(self, session: SessionId, work: Work) -> None:
        """Begin ``work``, or do it after what is under way for this session. Returns at once.

        However often it is begun meanwhile, once more is enough: so ``work`` looks for itself what there is to do,
        and nothing falls between a last look and the end.
        """
        self._next[session] = work
        if session not in self._tasks:
            task = asyncio.get_running_loop().create_task(self._do(session), name=f"{self._name} {session}")
            self._tasks[session] = task

    async def wait(self, session: SessionId, patience: float) -> None:
        """Return when nothing is under way for this session, or after so many seconds."""
        if (task := self._tasks.get(session)) is not None:
            await asyncio.wait({task}, timeout=patience)

    async def idle(self) -> None:
        """Return when nothing is under way."""
        while self._tasks:
            await asyncio.wait(set(self._tasks.values()))

    async def stop(self, sessions: Collection[SessionId] | None = None) -> None:
        """Cancel what is under way for these sessions, or all, and return when it has ended."""
        stopped = {name: task for name, task in self._tasks.items() if sessions is None or name in sessions}
        for task in stopped.values():
            task.cancel()
        await asyncio.gather(*stopped.values(), return_exceptions=True)
        for session, task in stopped.items():
            if self._tasks.get(session) is task:  # it never began, and so has not tidied up
                del self._tasks[session], self._next[session]

    async def _do(self, session: SessionId) -> None:
        try:
            while (work := self._next.pop(session, None)) is not None:
                await work()
        finally:  # here, and not in a callback: what is begun between the end and a callback would be lost
            self._next.pop(session, None)
            del self._tasks[session]
