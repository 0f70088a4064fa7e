"""The slow work an opening waits for, done in threads: re-reading the sealed set, and opening it behind the barrier.

What is to be done follows from the state alone (opening.work_due), so work that a crash cut off is found again, and
doing it twice changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, assert_never

from sessions.batch import Held
from sessions.codec import Command
from sessions.commands import RecordEvidence, RecordOpenings, SealChecks
from sessions.events import Recorded, Stream
from sessions.gathering import gather
from sessions.ids import SessionId
from sessions.opening import CheckSeals, FreezeSet, GatherEvidence, OpenBids, Opening, work_due
from sessions.ports import BlobStore, EvidenceStore, IntakeStore, ProofStore, SecretStore
from sessions.roles import CLOCK, Actor
from sessions.unsealing import Unsealing

THREADS = 2
"""The work hashes and decrypts at the disk's speed; more threads would only take the loop's processor."""

LONGEST_REST = 30.0

_log = logging.getLogger(__name__)


class Service(Protocol):
    """What the worker needs of Sessions."""

    async def state(self, session: SessionId) -> Opening: ...

    async def events(
        self, session: SessionId, stream: Stream = ..., *, after: int = ..., limit: int | None = ...
    ) -> tuple[Recorded, ...]: ...

    async def handle(self, session: SessionId, command: Command, actor: Actor) -> tuple[Recorded, ...]: ...


class Worker:
    """Does each session's work, one piece at a time for each session. Failures are logged and tried again."""

    def __init__(
        self,
        service: Service,
        *,
        intake: IntakeStore,
        secrets: SecretStore,
        evidence: EvidenceStore,
        proofs: ProofStore,
        blobs: BlobStore,
    ) -> None:
        self._service = service
        self._evidence = evidence
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="unseal")
        self._unsealing = Unsealing(
            service,
            intake=intake,
            secrets=secrets,
            proofs=proofs,
            evidence=evidence,
            blobs=blobs,
            threads=self._threads,
        )
        self._running: dict[SessionId, asyncio.Task[None]] = {}
        self._answering: dict[SessionId, set[asyncio.Future[None]]] = {}

    def look(self, held: Held) -> None:
        """Begin whatever work this session waits for, unless it is under way."""
        waits = None if held.opening is None else work_due(held.opening)
        if waits is not None and not isinstance(waits, FreezeSet) and held.session not in self._running:
            task = asyncio.get_running_loop().create_task(self._work(held.session), name=f"work {held.session}")
            self._running[held.session] = task

    @contextmanager
    def answering(self, session: SessionId) -> Iterator[None]:
        """Keep the bids from being opened while a release that came in time is being checked."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answering.setdefault(session, set()).add(done)
        try:
            yield
        finally:
            done.set_result(None)
            self._answering[session].discard(done)

    async def idle(self) -> None:
        """Return when no session's work is under way."""
        while self._running:
            await asyncio.wait(set(self._running.values()))

    async def close(self) -> None:
        """Stop. Work that is cut off is found again at the next start."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        self._threads.shutdown(wait=True)

    async def _work(self, session: SessionId) -> None:
        rest = 1.0
        try:
            while True:
                try:
                    command = await self._next(session)
                    if command is None:
                        return
                    await self._service.handle(session, command, CLOCK)
                    rest = 1.0
                except Exception:
                    _log.exception("the work of a session failed, trying again", extra={"session": session})
                    await asyncio.sleep(rest)
                    rest = min(2 * rest, LONGEST_REST)
        finally:
            del self._running[session]

    async def _answered(self, session: SessionId) -> None:
        """Wait for what came in time and is still being answered."""
        if early := self._answering.get(session):
            await asyncio.wait(set(early))

    async def _next(self, session: SessionId) -> Command | None:
        opening = await self._service.state(session)
        match work_due(opening):
            case None | FreezeSet():  # the set is frozen in the transaction that closes intake
                return None
            case CheckSeals() as work:
                return SealChecks(results=await self._unsealing.check_seals(opening, work))
            case GatherEvidence():
                await self._answered(session)
                return RecordEvidence(gathered=await gather(await self._service.state(session), self._evidence))
            case OpenBids() as work:
                await self._answered(session)
                return RecordOpenings(opened=await self._unsealing.open_bids(opening, work))
            case other:
                assert_never(other)
