"""The log in SQL.

The primary key (session, stream, number) decides every race, and a trigger of the first migration lets in only what
follows the last event by number and by digest.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    ColumnElement,
    Integer,
    Row,
    String,
    and_,
    bindparam,
    cast,
    column,
    func,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from crypto.encoding import canonical
from sessions.codec import event_from_json, event_to_json
from sessions.errors import Stale, Unchecked
from sessions.events import Recorded, Stream
from sessions.failpoint import Point, failpoint
from sessions.ids import Digest, SessionId
from sessions.opening import Status
from sessions.ports import Entries, Outcome, Summary
from sessions.roles import Actor, Role
from sessions.store import tables
from sessions.store.database import TURNS, Database, lost_the_race
from sessions.store.intake import holding
from sessions.store.together import Asking, Together

MOVING: Final = ("t0", "status", "step", "due", "ended_at")
"""What changes of a session's line in the calendar."""


_event, _session = tables.events.c, tables.sessions.c
_OF: Final = (
    _event.session == bindparam("session"),
    _event.stream == bindparam("stream"),
    _event.number > bindparam("after"),
)
_EVENTS: Final = select(tables.events).where(*_OF).order_by(_event.number)
_FEW_EVENTS: Final = _EVENTS.limit(bindparam("most", type_=Integer))
# What several want from different places on, in one question that is put into words once: an OR of so many is made
# and planned anew each time. Both databases read an object of JSON as rows of key and value.
_ASKED: Final = func.json_each(bindparam("asked", type_=JSON)).table_valued(column("key", String), column("value"))
_AFTER: Final = cast(cast(_ASKED.c.value, String), Integer)
_NEWS: Final = (
    select(tables.events)
    .join_from(_ASKED, tables.events, and_(_event.session == _ASKED.c.key, _event.number > _AFTER))
    .where(_event.stream == bindparam("stream"))
    .order_by(_event.number)
)
_ENTRIES: Final = (
    select(tables.entries.c.session, tables.entries.c.entry)
    .join_from(
        _ASKED,
        tables.entries,
        and_(tables.entries.c.session == _ASKED.c.key, tables.entries.c.index >= _AFTER),
    )
    .order_by(tables.entries.c.index)
)
_DIGESTS: Final = select(_event.digest).where(*_OF).order_by(_event.number)
_PLACE_OF: Final = select(tables.entries.c.index).where(
    tables.entries.c.session == bindparam("session"), tables.entries.c.entry == bindparam("entry")
)
_THESE: Final = _session.id.in_(bindparam("sessions", expanding=True))
_ENDS: Final = select(
    _session.id,
    *(
        select(func.max(_event.number))
        .where(_event.session == _session.id, _event.stream == stream.value)
        .scalar_subquery()
        .label(stream.value)
        for stream in Stream
    ),
).where(_THESE)
_LIVE: Final = select(_session.id, _session.due).where(_session.ended_at.is_(None))
_LOCKED: Final = select(_session.id).where(_THESE).order_by(_session.id).with_for_update(key_share=True)
_LOCKED_AT_ONCE: Final = _LOCKED.with_for_update(key_share=True, nowait=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """What is to be appended to one session (EventStore.append)."""

    session: SessionId
    records: Sequence[Recorded]
    summary: Summary | None
    outcomes: Sequence[Outcome]
    entries: Entries | None
    closes: datetime | None

    @property
    def goes_on(self) -> bool:
        """Whether its session is certainly there already."""
        return any(record.stream is Stream.OPENING and record.number > 1 for record in self.records) and not any(
            record.stream is Stream.OPENING and record.number == 1 for record in self.records
        )


class SqlEvents:
    """An EventStore (sessions.ports) over SQLAlchemy."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._together = Together(self._append_all, own=(Stale, Unchecked))
        self._ends = Asking(self._read_ends)
        self._entries = Asking(self._read_entries)
        self._news = Asking(self._read_news)
        self._few = asyncio.Semaphore(TURNS)  # whoever has a turn reads besides, from the same pool
        self._turn: ContextVar[tuple[SessionId, AsyncConnection] | None] = ContextVar("turn", default=None)
        self._plans: dict[str, Mapping[str, object]] = {}

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
        """See EventStore. What several sessions append at the same time shares a transaction."""
        one = Append(
            session=session, records=records, summary=summary, outcomes=outcomes, entries=entries, closes=closes
        )
        turn = self._turn.get()
        if turn is not None and turn[0] == session:
            await self._append_all([one])
        else:
            await self._together.add(one)

    async def _append_all(self, batch: Sequence[Append]) -> None:
        try:
            async with self._appending(batch) as connection:
                for t0 in {one.closes for one in batch if one.closes is not None}:
                    if await holding(connection, [one.session for one in batch if one.closes == t0], t0):
                        raise Unchecked
                await _put_summaries(connection, batch)
                if events := [_event_row(record) for one in batch for record in one.records]:
                    await connection.execute(tables.events.insert(), events)
                if outcomes := [_outcome_row(one.session, outcome) for one in batch for outcome in one.outcomes]:
                    await connection.execute(tables.outcomes.insert(), outcomes)
                await _put_entries(
                    connection, {one.session: one.entries for one in batch if one.entries and one.entries.added}
                )
                for one in batch:
                    failpoint(Point.BEFORE_COMMIT, one.records)
        except DBAPIError as error:
            if lost_the_race(error):
                raise Stale from error
            raise

    @asynccontextmanager
    async def turn(self, session: SessionId) -> AsyncIterator[None]:
        """See EventStore."""
        if not self._database.shared:  # one process writes, and its appender is alone
            yield
            return
        try:
            async with self._few, self._locking([session], waits=True) as connection:
                mine = self._turn.set((session, connection))
                try:
                    yield
                finally:
                    self._turn.reset(mine)
        except DBAPIError as error:
            if lost_the_race(error):
                raise Stale from error
            raise

    async def read(
        self, session: SessionId, stream: Stream, *, after: int = 0, limit: int | None = None
    ) -> tuple[Recorded, ...]:
        """See EventStore. Who goes on from where it was wants little, and whoever does so at one moment asks once."""
        if after and limit is None:
            return await self._news.ask((session, stream, after)) or ()
        place = {"session": session, "stream": stream.value, "after": after}
        rows = await (
            self._database.ask(_EVENTS, **place)
            if limit is None
            else self._database.ask(_FEW_EVENTS, **place, most=limit)
        )
        return tuple(map(_recorded, rows))

    async def place(self, session: SessionId, entry: bytes) -> int | None:
        """See EventStore."""
        rows = await self._database.ask(_PLACE_OF, session=session, entry=entry)
        return int(rows[0][0]) if rows else None  # a row has a method of the column's name

    async def digests(self, session: SessionId, stream: Stream, *, after: int = 0) -> tuple[Digest, ...]:
        """See EventStore."""
        rows = await self._database.ask(_DIGESTS, session=session, stream=stream.value, after=after)
        return tuple(Digest(row.digest) for row in rows)

    async def entries(self, session: SessionId, *, after: int = 0) -> tuple[bytes, ...]:
        """See EventStore. Fifty openings with one T0 close their logs of receipts at one moment: they ask once."""
        return await self._entries.ask((session, after)) or ()

    async def _read_news(
        self, asked: Sequence[tuple[SessionId, Stream, int]]
    ) -> Mapping[tuple[SessionId, Stream, int], tuple[Recorded, ...]]:
        found: dict[tuple[SessionId, Stream], list[Recorded]] = {}
        for stream in {stream for _, stream, _ in asked}:
            since = _first((session, after) for session, of, after in asked if of is stream)
            for row in await self._database.ask(_NEWS, asked=since, stream=stream.value):
                found.setdefault((SessionId(row.session), stream), []).append(_recorded(row))
        return {
            (session, stream, after): tuple(r for r in found.get((session, stream), ()) if r.number > after)
            for session, stream, after in asked
        }

    async def _read_entries(
        self, asked: Sequence[tuple[SessionId, int]]
    ) -> Mapping[tuple[SessionId, int], tuple[bytes, ...]]:
        since = _first(asked)
        found: dict[SessionId, list[bytes]] = {}
        for row in await self._database.ask(_ENTRIES, asked=since):
            found.setdefault(SessionId(row.session), []).append(row.entry)
        return {(session, after): tuple(found.get(session, ())[after - since[session] :]) for session, after in asked}

    async def ends(self, session: SessionId) -> Mapping[Stream, int]:
        """See EventStore. Before every use of what a worker remembers of a session: 500 at once ask once."""
        return await self._ends.ask(session) or dict.fromkeys(Stream, 0)

    async def _read_ends(self, sessions: Sequence[SessionId]) -> Mapping[SessionId, Mapping[Stream, int]]:
        found: dict[SessionId, Mapping[Stream, int]] = {}
        for row in await self._database.ask(_ENDS, sessions=list(sessions)):
            name, *numbers = tuple(row)
            found[SessionId(name)] = {stream: number or 0 for stream, number in zip(Stream, numbers, strict=True)}
        return found

    async def heads(self, sessions: Sequence[SessionId]) -> Mapping[SessionId, int]:
        """See EventStore."""
        return await self._heads(tables.sessions.c.id.in_(list(sessions))) if sessions else {}

    async def moving(self, since: datetime) -> Mapping[SessionId, int]:
        """See EventStore."""
        session = tables.sessions.c
        return await self._heads(or_(session.status == Status.LIVE.value, session.ended_at > since))

    async def _heads(self, which: ColumnElement[bool]) -> Mapping[SessionId, int]:
        # One step in the primary key for each session, where a GROUP BY would read every event.
        event, session = tables.events.c, tables.sessions.c
        mine = (event.session == session.id, event.stream == Stream.OPENING.value)
        newest = select(func.max(event.number)).where(*mine).scalar_subquery().label("number")
        rows = await self._database.ask(select(session.id, newest).where(which))
        return {SessionId(row.id): row.number for row in rows if row.number is not None}

    async def outcomes(self, session: SessionId, keys: Sequence[tuple[str, str]]) -> tuple[Outcome, ...]:
        """See EventStore."""
        outcome = tables.outcomes.c
        wanted = select(tables.outcomes).where(
            outcome.session == session, tuple_(outcome.actor, outcome.key).in_(list(keys))
        )
        return tuple(_outcome(row) for row in await self._database.ask(wanted)) if keys else ()

    async def summary(self, session: SessionId) -> Summary | None:
        """See EventStore."""
        found = await self._summaries(tables.sessions.c.id == session)
        return found[0] if found else None

    async def calendar(self) -> tuple[Summary, ...]:
        """See EventStore."""
        return await self._summaries(true())

    async def upcoming(self) -> tuple[Summary, ...]:
        """See EventStore."""
        return await self._summaries(tables.sessions.c.status.in_([Status.SCHEDULED.value, Status.CHECKIN.value]))

    async def live(self) -> tuple[tuple[SessionId, datetime | None], ...]:
        """See EventStore."""
        rows = await self._database.ask(_LIVE)
        return tuple((SessionId(row.id), row.due) for row in rows)

    @asynccontextmanager
    async def _appending(self, batch: Sequence[Append]) -> AsyncIterator[AsyncConnection]:
        turn = self._turn.get()
        if turn is not None and turn[0] == batch[0].session:
            yield turn[1]
            return
        # Of several nobody waits for another's lock: whose session is locked is Stale, and alone next time.
        async with self._locking([one.session for one in batch], waits=len(batch) == 1) as connection:
            yield connection

    @asynccontextmanager
    async def _locking(self, sessions: Sequence[SessionId], *, waits: bool) -> AsyncIterator[AsyncConnection]:
        async with self._database.writing() as connection:
            if self._database.shared and sessions:
                # Two workers' batches queue here instead of colliding at the key. NO KEY UPDATE, because rows that
                # merely refer to the session (uploads, answers, releases) lock its key, and need not wait.
                await connection.execute(_LOCKED if waits else _LOCKED_AT_ONCE, {"sessions": list(sessions)})
            yield connection

    async def _summaries(self, which: ColumnElement[bool]) -> tuple[Summary, ...]:
        # A plan never changes, and with its rule pack inside it is long: each is read and parsed once.
        session = tables.sessions.c
        light = [column for column in session if column is not session.plan]
        rows = await self._database.ask(select(*light).where(which).order_by(session.t0.desc(), session.id))
        if missing := [row.id for row in rows if row.id not in self._plans]:
            found = await self._database.ask(select(session.id, session.plan).where(session.id.in_(missing)))
            self._plans |= {row.id: json.loads(row.plan) for row in found}
        return tuple(_summary(row, self._plans[row.id]) for row in rows)


def _first(asked: Iterable[tuple[SessionId, int]]) -> dict[SessionId, int]:
    """Return from where on each session is wanted by all who ask."""
    first: dict[SessionId, int] = {}
    for session, after in asked:
        first[session] = min(after, first.get(session, after))
    return first


async def _put_summaries(connection: AsyncConnection, batch: Sequence[Append]) -> None:
    session = tables.sessions
    told = [one for one in batch if one.summary is not None]
    if rows := [{"its_id": one.session, **_moving(one)} for one in told if one.goes_on]:
        mine = update(session).where(session.c.id == bindparam("its_id"))
        await connection.execute(mine.values({name: bindparam(name) for name in MOVING}), rows)
    for one in told:
        if one.summary is None or one.goes_on:
            continue
        changed = await connection.execute(update(session).where(session.c.id == one.session).values(_moving(one)))
        if not changed.rowcount:
            founding = {"id": one.session, "created_at": one.summary.created_at, "plan": _text(one.summary.plan)}
            await connection.execute(session.insert().values(founding | _moving(one)))


def _moving(one: Append) -> dict[str, Any]:
    return {name: getattr(one.summary, name) for name in MOVING}


async def _put_entries(connection: AsyncConnection, added: Mapping[SessionId, Entries]) -> None:
    # The key refuses what is there already; a gap only this does, where the database has no trigger for it.
    if not added:
        return
    entry = tables.entries.c
    ends = select(entry.session, func.max(entry.index) + 1).where(entry.session.in_(list(added)))
    sizes = {row[0]: row[1] for row in (await connection.execute(ends.group_by(entry.session))).all()}
    if any(sizes.get(session, 0) != entries.first for session, entries in added.items()):
        raise Stale
    rows = [
        {"session": session, "index": index, "entry": one}
        for session, entries in added.items()
        for index, one in enumerate(entries.added, start=entries.first)
    ]
    await connection.execute(tables.entries.insert(), rows)


def _event_row(record: Recorded) -> dict[str, Any]:
    name, data, private = event_to_json(record.event)
    return {
        "session": record.session,
        "stream": record.stream.value,
        "number": record.number,
        "at": record.at,
        "role": record.actor.role.value,
        "actor": record.actor.id,
        "actor_name": record.actor.name,
        "type": name,
        "data": _text(data),
        "private": None if private is None else _text(private),
        "salt": record.salt,
        "prev": record.previous,
        "digest": record.digest,
    }


def _recorded(row: Row[Any]) -> Recorded:
    private = None if row.private is None else json.loads(row.private)
    return Recorded(
        session=SessionId(row.session),
        stream=Stream(row.stream),
        number=row.number,
        at=row.at,
        actor=Actor(role=Role(row.role), id=row.actor, name=row.actor_name),
        event=event_from_json(row.type, json.loads(row.data), private),
        salt=row.salt,
        previous=Digest(row.prev),
        digest=Digest(row.digest),
    )


def _outcome_row(session: SessionId, outcome: Outcome) -> dict[str, Any]:
    refusal = None if outcome.refusal is None else {"code": outcome.refusal[0], "facts": outcome.refusal[1]}
    return {
        "session": session,
        "actor": outcome.actor,
        "key": outcome.key,
        "command": outcome.command,
        "numbers": _text([[stream.value, number] for stream, number in outcome.numbers]),
        "refusal": None if refusal is None else _text(refusal),
    }


def _outcome(row: Row[Any]) -> Outcome:
    refusal: Mapping[str, Any] | None = None if row.refusal is None else json.loads(row.refusal)
    return Outcome(
        actor=row.actor,
        key=row.key,
        command=Digest(row.command),
        numbers=tuple((Stream(stream), number) for stream, number in json.loads(row.numbers)),
        refusal=None if refusal is None else (refusal["code"], refusal["facts"]),
    )


def _summary(row: Row[Any], plan: Mapping[str, object]) -> Summary:
    return Summary(
        session=SessionId(row.id),
        plan=plan,
        created_at=row.created_at,
        t0=row.t0,
        status=row.status,
        step=row.step,
        due=row.due,
        ended_at=row.ended_at,
    )


def _text(value: object) -> str:
    return canonical(value).decode("utf-8")
