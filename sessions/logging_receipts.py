"""The log of receipts in the store: it grows at every tick, missed ones included, and T0 closes it.

Whoever loses a race to another worker changed nothing: entries are appended where the log was read to end.
"""

from __future__ import annotations

import asyncio
import secrets as randomness
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from crypto.tlog import Tree
from sessions.batch import ClosedLog
from sessions.clock import Clock
from sessions.errors import Stale
from sessions.ids import Digest, SessionId
from sessions.intake import Intake
from sessions.intake import log as intake_log
from sessions.intake.log import Blinding
from sessions.plan import IntakeLog
from sessions.ports import Entries, EventStore, Leads, LeadsAll, SecretStore, Summary
from sessions.shape import from_json

AT_LENGTH = 1000
"""Entries that are hashed at once without a thread; a few milliseconds."""

LEFT_TO_T0 = timedelta(seconds=1)
"""A tick so near T0 is left to T0, which adds what is missing: both at once would be in each other's way."""

SECRET = "intake-log"  # noqa: S105 - the name under which the vault keeps it


class Service(Protocol):
    """What is needed of Sessions."""

    async def intake(self, session: SessionId) -> Intake: ...

    def forget(self, session: SessionId) -> None: ...


Published = Callable[[SessionId], Awaitable[object]]
"""Called with a session after every tick, and again for the same tick after a restart."""


class ReceiptLogs:
    """Grows the log of receipts of every upcoming session at its ticks; a timekeeper drives it (hall.timekeeper)."""

    def __init__(
        self,
        service: Service,
        *,
        events: EventStore,
        secrets: SecretStore,
        clock: Clock,
        published: Published | None = None,
        leading: Leads | None = None,
    ) -> None:
        self._service = service
        self._events = events
        self._secrets = secrets
        self._clock = clock
        self._published = published
        self._leading = leading or LeadsAll()
        self._ticked: dict[SessionId, int] = {}  # ticks that are in the store and published

    async def falling_due(self) -> Sequence[tuple[SessionId, datetime]]:
        """Return when the next tick comes in each session: now, while one is missing. None right before T0."""
        now = self._clock.now()
        coming: list[tuple[SessionId, datetime]] = []
        for summary, log in await self._logged():
            if summary.t0 - now <= LEFT_TO_T0:
                continue
            missing = self._missing(summary, log, now)
            moment = now if missing else intake_log.next_tick(log, summary.created_at, summary.t0, now)
            if moment is not None:
                coming.append((summary.session, moment))
        return coming

    async def settle(self, session: SessionId) -> None:
        """Add what is due. Harmless at any moment and from any worker."""
        self._service.forget(session)  # another worker may have given receipts since
        intake = await self._service.intake(session)
        log = intake.plan.intake_log
        if log is None or intake.closed:
            return
        count = intake_log.ticks(log, intake.announced_at, intake.t0, self._clock.now())
        held = await self._events.entries(session)
        by = await blinding(self._secrets, session)
        added = await asyncio.to_thread(intake_log.due, log, held, intake.entries, count, by)
        try:
            if added:
                await self._events.append(session, (), entries=Entries(first=len(held), added=added))
        except Stale:
            return  # another worker was faster; the next round sees what it did
        if self._published is not None:
            await self._published(session)
        self._ticked[session] = count

    def _missing(self, summary: Summary, log: IntakeLog, now: datetime) -> bool:
        return intake_log.ticks(log, summary.created_at, summary.t0, now) > self._ticked.get(summary.session, 0)

    async def _logged(self) -> list[tuple[Summary, IntakeLog]]:
        upcoming = [one for one in await self._events.upcoming() if self._leading.leads(one.session)]
        self._ticked = {one.session: self._ticked[one.session] for one in upcoming if one.session in self._ticked}
        # Only this part of the plan: with its rule pack it is long, and this runs every second.
        return [
            (one, from_json(IntakeLog, form)) for one in upcoming if (form := one.plan.get("intake_log")) is not None
        ]


async def blinding(secrets: SecretStore, session: SessionId) -> Blinding:
    """Return what hides this session's receipts, drawn the first time. Two workers at once get the same one."""
    kept = await secrets.get(session, SECRET)
    if kept is None:
        kept = await secrets.keep(session, SECRET, randomness.token_bytes(32))
    return Blinding(session=session, secret=kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class SoFar:
    """A log of receipts as somebody read it once; it only grows."""

    entries: tuple[bytes, ...] = ()
    tree: Tree = field(default_factory=Tree)


async def read_on(events: EventStore, session: SessionId, known: SoFar) -> SoFar:
    """Return the log as it is now, reading only what was not known of it."""
    added = await events.entries(session, after=len(known.entries))

    def grown() -> SoFar:
        return SoFar(entries=(*known.entries, *added), tree=known.tree.grown(added))

    return known if not added else grown() if len(added) <= AT_LENGTH else await asyncio.to_thread(grown)


def close_log(intake: Intake, log: IntakeLog, held: SoFar, by: Blinding) -> ClosedLog:
    """Return the log as T0 closes it. Every receipt in ``intake`` is then in it."""
    count = intake_log.ticks(log, intake.announced_at, intake.t0, intake.t0)
    added = intake_log.last(log, held.entries, intake.entries, count, by)
    tree = held.tree.grown(added)
    return ClosedLog(
        last=Entries(first=len(held.entries), added=added), size=len(tree), root=Digest(tree.root().hex())
    )
