"""An EventStore in memory, which passes the same contract test as the real one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

from crypto.chain import GENESIS
from sessions.errors import Stale
from sessions.events import Recorded, Stream
from sessions.ids import Digest, SessionId
from sessions.opening import Status
from sessions.ports import Entries, Outcome, Summary


class MemoryEvents:
    def __init__(self) -> None:
        self._events: dict[tuple[SessionId, Stream], list[Recorded]] = defaultdict(list)
        self._entries: dict[SessionId, list[bytes]] = defaultdict(list)
        self._summaries: dict[SessionId, Summary] = {}
        self._outcomes: dict[tuple[SessionId, str, str], Outcome] = {}

    async def append(
        self,
        session: SessionId,
        records: Sequence[Recorded],
        *,
        summary: Summary | None = None,
        outcomes: Sequence[Outcome] = (),
        entries: Entries | None = None,
        closes: datetime | None = None,
    ) -> None:
        if self.refuses(session, records, outcomes, entries):
            raise Stale
        for record in records:
            self._events[session, record.stream].append(record)
        self._entries[session] += entries.added if entries is not None else ()
        self._outcomes |= {(session, outcome.actor, outcome.key): outcome for outcome in outcomes}
        if summary is not None:
            first = self._summaries.get(session, summary)
            self._summaries[session] = replace(summary, plan=first.plan, created_at=first.created_at)

    def refuses(
        self,
        session: SessionId,
        records: Sequence[Recorded],
        outcomes: Sequence[Outcome] = (),
        entries: Entries | None = None,
    ) -> bool:
        """Return whether these do not follow what is here."""
        heads = {
            stream: (log[-1].number, log[-1].digest) for stream in Stream if (log := self._events[session, stream])
        }
        for record in records:
            if (record.number - 1, record.previous) != heads.get(record.stream, (0, GENESIS)):
                return True
            heads[record.stream] = (record.number, record.digest)
        keys = [(session, outcome.actor, outcome.key) for outcome in outcomes]
        if len(set(keys)) < len(keys) or self._outcomes.keys() & set(keys):
            return True
        return entries is not None and entries.first != len(self._entries[session])

    def all(self, session: SessionId) -> list[Recorded]:
        """Return both streams as they stand."""
        return [record for stream in Stream for record in self._events[session, stream]]

    def last(self, session: SessionId) -> int:
        """Return the number of the opening's newest event."""
        return len(self._events[session, Stream.OPENING])

    @asynccontextmanager
    async def turn(self, session: SessionId) -> AsyncIterator[None]:
        yield

    async def read(
        self, session: SessionId, stream: Stream, *, after: int = 0, limit: int | None = None
    ) -> tuple[Recorded, ...]:
        end = None if limit is None else after + limit
        return tuple(self._events[session, stream][after:end])

    async def entries(self, session: SessionId, *, after: int = 0) -> tuple[bytes, ...]:
        return tuple(self._entries[session][after:])

    async def place(self, session: SessionId, entry: bytes) -> int | None:
        return self._entries[session].index(entry) if entry in self._entries[session] else None

    async def digests(self, session: SessionId, stream: Stream, *, after: int = 0) -> tuple[Digest, ...]:
        return tuple(record.digest for record in self._events[session, stream][after:])

    async def ends(self, session: SessionId) -> Mapping[Stream, int]:
        return {stream: len(self._events[session, stream]) for stream in Stream}

    async def heads(self, sessions: Sequence[SessionId]) -> Mapping[SessionId, int]:
        ends = {session: len(self._events[session, Stream.OPENING]) for session in sessions}
        return {session: number for session, number in ends.items() if session in self._summaries}

    async def moving(self, since: datetime) -> Mapping[SessionId, int]:
        moving = [
            each.session
            for each in self._summaries.values()
            if each.status == Status.LIVE or (each.ended_at is not None and each.ended_at > since)
        ]
        return await self.heads(moving)

    async def outcomes(self, session: SessionId, keys: Sequence[tuple[str, str]]) -> tuple[Outcome, ...]:
        found = (self._outcomes.get((session, *key)) for key in keys)
        return tuple(outcome for outcome in found if outcome is not None)

    async def summary(self, session: SessionId) -> Summary | None:
        return self._summaries.get(session)

    async def calendar(self) -> tuple[Summary, ...]:
        by_id = sorted(self._summaries.values(), key=lambda each: each.session)
        return tuple(sorted(by_id, key=lambda each: each.t0, reverse=True))

    async def upcoming(self) -> tuple[Summary, ...]:
        return tuple(each for each in await self.calendar() if each.status in (Status.SCHEDULED, Status.CHECKIN))

    async def live(self) -> tuple[tuple[SessionId, datetime | None], ...]:
        return tuple((each.session, each.due) for each in self._summaries.values() if each.ended_at is None)
