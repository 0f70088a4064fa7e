"""The slow work an opening waits for, done in threads: re-reading the sealed set, and opening it behind the barrier.

What is to be done follows from the state alone (opening.work_due), so work that a crash cut off is found again, and
doing it twice changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import secrets as randomness
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol, assert_never

from sessions.barrier.gathering import gather
from sessions.barrier.unsealing import Unsealing, taken_in
from sessions.batch import Held
from sessions.codec import Command
from sessions.commands import RecordEvidence, RecordOpenings, SealChecks
from sessions.events import BidReceived, Recorded, Stream
from sessions.ids import BidderId, SessionId
from sessions.opening import CheckSeals, FreezeSet, GatherEvidence, OpenBids, Opening, work_due
from sessions.ports import BlobStore, EvidenceStore, Holds, IntakeStore, ProofStore, SecretStore
from sessions.proofs import Proof, State
from sessions.roles import CLOCK, Actor
from sessions.tasks import Tasks

THREADS = 2
"""The work hashes and decrypts at the disk's speed; more threads would only take the loop's processor."""

FIRST_REST, LONGEST_REST = 1.0, 30.0

LONGEST_ANSWER = timedelta(seconds=60)
"""How long an act may hold the bids shut. Checking one takes a second at most."""

LOOK_AGAIN = 0.05

_log = logging.getLogger(__name__)


class Service(Protocol):
    """What the worker needs of Sessions."""

    def now(self) -> datetime: ...

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
        leads: Callable[[SessionId], bool] = lambda _: True,
        holds: Holds | None = None,
    ) -> None:
        """``holds``: where acts are noted that others answer than whoever ``leads`` the session.

        ``again`` may be set afterwards: it asks the authorities once more about what a proof is about.
        """
        self.again: Callable[[Proof], Awaitable[Proof | None]] | None = None
        self._service = service
        self._leads = leads
        self._holds = holds
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
        self._checks = asyncio.Semaphore(THREADS)  # sets of bids that are checked at a time
        self._running = Tasks("work")
        self._answering: dict[SessionId, set[asyncio.Future[None]]] = {}

    def look(self, held: Held) -> None:
        """Begin whatever work this session waits for, unless it is under way."""
        waits = None if held.opening is None else work_due(held.opening)
        if waits is not None and not isinstance(waits, FreezeSet):
            self._running.begin(held.session, partial(self._work, held.session))

    @asynccontextmanager
    async def answering(self, session: SessionId, *, often: bool = False) -> AsyncIterator[None]:
        """Keep the bids from being opened while a release that came in time is being checked.

        Inside, the caller asks what time it is: then whoever leads the session knows of the act before it can be
        late. ``often``: an act that comes every few seconds, of which the others are told only near the end.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answering.setdefault(session, set()).add(done)
        held = ""
        try:
            told = self._holds is not None and not self._leads(session)
            if told and not (often and not await self._ends_soon(session)):
                held = randomness.token_hex(16)
            if self._holds is not None and held:
                await self._holds.hold(held, session, LONGEST_ANSWER)
            yield
        finally:
            done.set_result(None)
            self._answering[session].discard(done)
            if not self._answering[session]:
                del self._answering[session]
            if self._holds is not None and held:
                with suppress(Exception):  # it ends by itself
                    await self._holds.let_go(held)

    async def idle(self) -> None:
        """Return when no session's work is under way."""
        await self._running.idle()

    async def stop(self, sessions: Collection[SessionId]) -> None:
        """Leave the work of these to another worker, once what is being answered here is: it knows of none of it."""
        await self._running.stop(sessions)
        if self._holds is not None and (
            begun := {one for session in sessions for one in self._answering.get(session, ())}
        ):
            await asyncio.wait(begun, timeout=LONGEST_ANSWER.total_seconds())

    async def close(self) -> None:
        """Stop. Work that is cut off is found again at the next start."""
        await self._running.stop()
        self._threads.shutdown(wait=True)

    async def _work(self, session: SessionId) -> None:
        rest = FIRST_REST
        while True:
            try:
                command = await self._next(session)
                if command is None:
                    return
                await self._service.handle(session, command, CLOCK)
                rest = FIRST_REST
            except Exception:
                _log.exception("the work of a session failed, trying again", extra={"session": session})
                await asyncio.sleep(rest)
                rest = min(2 * rest, LONGEST_REST)

    async def _answered(self, session: SessionId) -> None:
        """Wait for what came in time and is still being answered."""
        if early := self._answering.get(session):
            await asyncio.wait(set(early))
        while self._holds is not None and await self._holds.held(session):  # noqa: ASYNC110  # others let go
            await asyncio.sleep(LOOK_AGAIN)

    async def _asked_again(self, opening: Opening, received: Sequence[BidReceived]) -> dict[BidderId, Proof]:
        """Ask about the bids of the set once more whose authorities were silent when they were taken."""
        if self.again is None:
            return {}
        proofs = {event.bidder: event.proof for event in received}
        silent = [
            (bid.bidder, proof)
            for bid in opening.bids
            if (proof := proofs.get(bid.bidder)) is not None and proof.state is State.UNAVAILABLE
        ]
        said = await asyncio.gather(*(self.again(proof) for _, proof in silent))
        return {bidder: proof for (bidder, _), proof in zip(silent, said, strict=True) if proof is not None}

    async def _ends_soon(self, session: SessionId) -> bool:
        due = (await self._service.state(session)).due
        return due is None or due - self._service.now() < LONGEST_ANSWER

    async def _next(self, session: SessionId) -> Command | None:
        opening = await self._service.state(session)
        if isinstance(work_due(opening), GatherEvidence | OpenBids):
            await self._answered(session)
            opening = await self._service.state(session)
        match work_due(opening):
            case None | FreezeSet():  # the set is frozen in the transaction that closes intake
                return None
            case CheckSeals() as work:
                async with self._checks:
                    received = await taken_in(self._service, session)
                    results = await self._unsealing.check_seals(opening, work, received)
                return SealChecks(results=results, proofs=await self._asked_again(opening, received) or None)
            case GatherEvidence():
                return RecordEvidence(gathered=await gather(opening, self._evidence))
            case OpenBids() as work:
                return RecordOpenings(opened=await self._unsealing.open_bids(opening, work))
            case other:
                assert_never(other)
