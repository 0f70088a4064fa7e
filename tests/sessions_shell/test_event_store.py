"""What every EventStore promises: the one in memory and the one in SQL run the same sentences."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from sessions.chaining import Head, chain, check
from sessions.errors import Stale
from sessions.events import Event, Happening, NoneDeclared, Recorded, Stream, SupervisorNoted
from sessions.ids import BidderId, Digest, SessionId
from sessions.plan_json import plan_to_json
from sessions.ports import Entries, EventStore, Outcome, Summary
from sessions.store.database import Database
from sessions.store.events import SqlEvents
from sessions.store.migrations import migrate
from tests.support.ceremony import MINUTE, SUPERVISOR, T0, a_plan
from tests.support.memory_events import MemoryEvents
from tests.support.team import database_url

SESSION = SessionId("gx-1")


@pytest.fixture(params=["memory", "sql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EventStore]:
    if request.param == "memory":
        yield MemoryEvents()
        return
    database = Database(database_url(tmp_path))
    await migrate(database)
    yield SqlEvents(database)
    await database.close()


def a_summary(session: str = "gx-1", **changes: object) -> Summary:
    summary = Summary(
        session=SessionId(session),
        plan=plan_to_json(a_plan()),
        created_at=T0 - 60 * MINUTE,
        t0=T0,
        status="scheduled",
        step=None,
        due=T0 - 30 * MINUTE,
        ended_at=None,
    )
    return replace(summary, **changes)  # type: ignore[arg-type]


def events(
    *texts: str, after: Head | None = None, stream: Stream = Stream.OPENING, session: SessionId = SESSION
) -> list[Recorded]:
    head, records = after or Head(), []
    for text in texts:
        happening = Happening(at=T0, actor=SUPERVISOR, event=SupervisorNoted(private={"text": text}))
        records.append(chain(head, session, stream, happening))
        head = head.after(records[-1])
    return records


def head_of(records: Sequence[Recorded]) -> Head:
    return Head().after(records[-1])


def an_outcome(key: str = "k1", **changes: object) -> Outcome:
    outcome = Outcome(actor="host:lin", key=key, command=Digest("0" * 64), numbers=((Stream.OPENING, 1),))
    return replace(outcome, **changes)  # type: ignore[arg-type]


async def test_what_was_appended_is_read_back_the_same(store: EventStore) -> None:
    written = events("一", "two")
    await store.append(SESSION, written, summary=a_summary())
    assert await store.read(SESSION, Stream.OPENING) == tuple(written)


async def test_reading_goes_on_after_a_number_and_stops_at_a_limit(store: EventStore) -> None:
    written = events("1", "2", "3", "4")
    await store.append(SESSION, written, summary=a_summary())
    assert await store.read(SESSION, Stream.OPENING, after=1, limit=2) == tuple(written[1:3])
    assert await store.read(SESSION, Stream.OPENING, after=4) == ()
    assert await store.read(SessionId("none"), Stream.OPENING) == ()


async def test_the_streams_of_a_session_are_numbered_apart(store: EventStore) -> None:
    public, secret = events("public"), events("secret", stream=Stream.INTAKE)
    await store.append(SESSION, [*public, *secret], summary=a_summary())
    assert await store.read(SESSION, Stream.INTAKE) == tuple(secret)
    assert (public[0].number, secret[0].number) == (1, 1)


async def test_whoever_appends_second_is_stale(store: EventStore) -> None:
    first = events("first")
    await store.append(SESSION, first, summary=a_summary())
    await store.append(SESSION, events("mine", after=head_of(first)))
    with pytest.raises(Stale):
        await store.append(SESSION, events("theirs", after=head_of(first)))
    assert len(await store.read(SESSION, Stream.OPENING)) == 2


async def test_nothing_is_appended_over_a_gap(store: EventStore) -> None:
    await store.append(SESSION, events("1"), summary=a_summary())
    with pytest.raises(Stale):
        await store.append(SESSION, events("3", after=head_of(events("1", "2"))))


async def test_nothing_is_appended_behind_another_history(store: EventStore) -> None:
    await store.append(SESSION, events("told"), summary=a_summary())
    with pytest.raises(Stale):
        await store.append(SESSION, events("next", after=head_of(events("another"))))


async def test_one_stale_stream_keeps_the_whole_batch_out(store: EventStore) -> None:
    first = events("first")
    await store.append(SESSION, first, summary=a_summary())
    with pytest.raises(Stale):
        await store.append(
            SESSION,
            [*events("secret", stream=Stream.INTAKE), *events("again")],
            summary=a_summary(status="live"),
            outcomes=[an_outcome()],
        )
    assert await store.read(SESSION, Stream.INTAKE) == ()
    found = await store.summary(SESSION)
    assert found is not None
    assert found.status == "scheduled"
    assert await store.outcomes(SESSION, [("host:lin", "k1")]) == ()


async def test_a_key_has_one_outcome(store: EventStore) -> None:
    await store.append(SESSION, events("1"), summary=a_summary(), outcomes=[an_outcome()])
    with pytest.raises(Stale):
        await store.append(SESSION, [], outcomes=[an_outcome(numbers=())])
    assert await store.outcomes(SESSION, [("host:lin", "k1"), ("host:lin", "k2")]) == (an_outcome(),)


async def test_the_same_key_of_another_actor_is_another_key(store: EventStore) -> None:
    refused = an_outcome(actor="bidder:x", numbers=(), refusal=("late", {"t0": "09:00", "number": 7}))
    await store.append(SESSION, events("1"), summary=a_summary(), outcomes=[an_outcome(), refused])
    assert await store.outcomes(SESSION, [("bidder:x", "k1")]) == (refused,)


async def test_the_calendar_has_the_latest_first_and_the_live_ones_say_what_is_due(store: EventStore) -> None:
    await store.append(SESSION, [], summary=a_summary())
    await store.append(SessionId("gx-2"), [], summary=a_summary("gx-2", t0=T0 + MINUTE, due=None))
    await store.append(SessionId("gx-3"), [], summary=a_summary("gx-3", t0=T0 - MINUTE, ended_at=T0, due=None))
    assert [each.session for each in await store.calendar()] == ["gx-2", "gx-1", "gx-3"]
    assert dict(await store.live()) == {"gx-1": T0 - 30 * MINUTE, "gx-2": None}


async def test_a_summary_replaces_the_one_before_and_keeps_how_it_began(store: EventStore) -> None:
    await store.append(SESSION, [], summary=a_summary())
    later: datetime = T0 + MINUTE
    await store.append(SESSION, [], summary=a_summary(status="live", step="list", created_at=later, ended_at=later))
    found = await store.summary(SESSION)
    assert found == a_summary(status="live", step="list", ended_at=later)
    assert await store.summary(SessionId("none")) is None


async def test_an_event_without_a_private_part_has_no_salt(store: EventStore) -> None:
    event: Event = NoneDeclared(bidder=BidderId("x"))
    record = chain(Head(), SESSION, Stream.OPENING, Happening(at=T0, actor=SUPERVISOR, event=event))
    await store.append(SESSION, [record, *events("salted", after=Head().after(record))], summary=a_summary())
    plain, salted = await store.read(SESSION, Stream.OPENING)
    assert plain.salt is None
    assert salted.salt is not None
    assert check(Head(), [plain, salted]).number == 2


async def test_what_many_sessions_append_at_once_is_all_there_but_for_who_lost_a_race(store: EventStore) -> None:
    sessions = [SessionId(f"gx-{number}") for number in range(1, 9)]
    first = {session: events("first", session=session) for session in sessions}
    for session in sessions[:6]:  # the others begin in the same breath
        await store.append(session, first[session], summary=a_summary(session))
    lost = sessions[3]
    heads = {session: head_of(first[session]) for session in sessions[:6]} | {lost: head_of(events("another"))}

    async def append(session: SessionId) -> None:
        if session not in heads:
            await store.append(session, first[session], summary=a_summary(session))
            return
        await store.append(
            session,
            events("next", after=heads[session], session=session),
            summary=a_summary(session, status="live", step=session),
            outcomes=[an_outcome()],
            entries=Entries(first=1 if session == sessions[5] else 0, added=(session.encode(),)),
        )

    said = await asyncio.gather(*map(append, sessions), return_exceptions=True)
    stale = {session for session, each in zip(sessions, said, strict=True) if isinstance(each, Stale)}
    assert stale == {lost, sessions[5]}  # another history, and a gap among the entries
    assert {each for each in said if each is not None} == {each for each in said if isinstance(each, Stale)}
    for session in sessions:
        went_on = session in heads and session not in stale
        assert (await store.ends(session))[Stream.OPENING] == 1 + went_on
        found = await store.summary(session)
        assert found is not None
        assert (found.status, found.step) == (("live", session) if went_on else ("scheduled", None))
        assert len(await store.outcomes(session, [("host:lin", "k1")])) == went_on
        assert await store.entries(session) == ((session.encode(),) if went_on else ())


async def test_whoever_reads_on_at_the_same_moment_gets_what_follows_its_own_place(store: EventStore) -> None:
    written = {
        (session, stream): events("一", "two", "three", "four", session=session, stream=stream)
        for session in map(SessionId, ("gx-1", "gx-2", '区"3'))
        for stream in (Stream.OPENING, Stream.INTAKE)
    }
    for session in {session for session, _ in written}:
        of = [*written[session, Stream.OPENING], *written[session, Stream.INTAKE]]
        log = Entries(first=0, added=tuple(bytes([number]) * 32 for number in range(4)))
        await store.append(session, of, summary=a_summary(session), entries=log)
    places = [(*log, after) for log in written for after in (1, 2, 3, 4, 9)]
    await asyncio.gather(*(store.read(*log, after=1) for log in written))  # the next ones share what comes then
    found = await asyncio.gather(*(store.read(session, stream, after=after) for session, stream, after in places))
    assert [list(one) for one in found] == [written[session, stream][after:] for session, stream, after in places]
    logs = await asyncio.gather(*(store.entries(session, after=after) for session, _, after in places))
    assert [len(one) for one in logs] == [max(4 - after, 0) for _, _, after in places]
