"""What must hold after every world, whatever went wrong in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hall.views.patch import without_nulls
from sessions import opening as openings
from sessions.chaining import Head
from sessions.chaining import check as check_chain
from sessions.events import (
    BarrierPassed,
    BidNotOpened,
    BidOpened,
    BidReceived,
    ClockUnsafe,
    IntakeFreed,
    IntakeHeld,
    OutageBegan,
    Recorded,
    SessionResumed,
    SetFrozen,
    StepCompleted,
    Stream,
)
from sessions.opening.state import Opening
from sessions.sealed_set import set_root
from tests.sim.machines import SESSION, Machine

if TYPE_CHECKING:
    from tests.sim.world import World


async def check(world: World, machine: Machine) -> None:
    """Raise AssertionError for the first promise that does not hold."""
    assert not world.broken, world.broken
    events = world.disk.events
    opening = await events.read(SESSION, Stream.OPENING)
    intake = await events.read(SESSION, Stream.INTAKE)
    numbers_have_no_gap_and_the_chain_holds(opening)
    numbers_have_no_gap_and_the_chain_holds(intake)
    time_never_goes_back(opening)
    time_never_goes_back(intake)
    what_was_acknowledged_is_there_once(world, opening, intake)
    state = replayed(opening)
    the_set_is_what_came_in_time(world, state, opening, intake)
    what_fell_due_in_a_stop_was_not_settled(opening)
    what_was_sealed_is_what_was_read(world, opening)
    every_bid_that_stayed_shut_has_a_cause(opening)
    assert state == await machine.sessions.state(SESSION)
    await everybody_saw_the_same(world, machine, opening)


def numbers_have_no_gap_and_the_chain_holds(records: tuple[Recorded, ...]) -> None:
    check_chain(Head(), records)


def time_never_goes_back(records: tuple[Recorded, ...]) -> None:
    times = [record.at for record in records]
    assert times == sorted(times), "a recorded time goes back"


def what_was_acknowledged_is_there_once(
    world: World, opening: tuple[Recorded, ...], intake: tuple[Recorded, ...]
) -> None:
    there = {record.digest for record in (*opening, *intake)}
    for person in world.people:
        first: dict[str, tuple[str, ...]] = {}
        for told in person.told:
            digests = tuple(record.digest for record in told.records)
            assert there.issuperset(digests), f"{person.actor.id} was told of {told.key}, and it is gone"
            assert first.setdefault(told.key, digests) == digests, f"{person.actor.id}: {told.key} happened twice"


def the_set_is_what_came_in_time(
    world: World, state: Opening, opening: tuple[Recorded, ...], intake: tuple[Recorded, ...]
) -> None:
    t0, stops = state.t0, held(intake)
    received: dict[str, BidReceived] = {}
    newest: dict[str, str] = {}
    for record in intake:
        if isinstance(record.event, BidReceived):
            assert record.at < t0, f"{record.event.bidder} was received at {record.at}"
            received[record.event.header_sha256] = record.event
            newest[record.event.bidder] = record.event.header_sha256
    answers = {answer.blob: answer for answer in world.disk.answers}
    for one in world.tenderers:
        for receipt in one.receipts:
            assert receipt.header_sha256 in received, f"{one.actor.id} has a receipt, and nobody received its bid"
    for upload in world.disk.uploads.values():
        at = upload.completed_at
        if at is not None and at < t0 and not any(began <= at <= ended for began, ended in stops):
            answer = answers.get(upload.id)
            assert answer is not None, f"{upload.bidder}: complete at {upload.completed_at}, never answered"
            assert answer.code is None, (
                f"{upload.bidder}: complete at {upload.completed_at}, and refused: {answer.code}"
            )
            assert answer.header_sha256 in received
    frozen = next((record.event for record in opening if isinstance(record.event, SetFrozen)), None)
    if frozen is not None:
        rows = [bid.header_sha256 for bid in state.bids]
        assert frozen.root == set_root(rows), "the frozen root is of another set"
        assert sorted(rows) == sorted(newest.values())


def held(intake: tuple[Recorded, ...]) -> list[tuple[datetime, datetime]]:
    """From when to when nothing was taken in, because the hall itself had stopped."""
    began = [record.at for record in intake if isinstance(record.event, IntakeHeld)]
    ended = [record.at for record in intake if isinstance(record.event, IntakeFreed)]
    return list(zip(began, [*ended, datetime.max.replace(tzinfo=UTC)], strict=False))


def what_fell_due_in_a_stop_was_not_settled(opening: tuple[Recorded, ...]) -> None:
    """Between a stop and its end nothing happens by the clock, and T0 least of all."""
    stopped = False
    for record in opening:
        event = record.event
        stopped = (stopped or isinstance(event, OutageBegan | ClockUnsafe)) and not isinstance(event, SessionResumed)
        assert not (stopped and isinstance(event, SetFrozen | BarrierPassed | StepCompleted)), f"{event} in a stop"


def what_was_sealed_is_what_was_read(world: World, opening: tuple[Recorded, ...]) -> None:
    for record in opening:
        if isinstance(record.event, BidOpened):
            assert record.event.quote["price"] == world.prices[record.event.bidder], "another price was read"


def every_bid_that_stayed_shut_has_a_cause(opening: tuple[Recorded, ...]) -> None:
    assert all(record.event.cause for record in opening if isinstance(record.event, BidNotOpened))


def replayed(records: tuple[Recorded, ...]) -> Opening:
    state: Opening | None = None
    for record in records:
        state = openings.evolve(state, record)
    assert state is not None
    return state


async def everybody_saw_the_same(world: World, machine: Machine, opening: tuple[Recorded, ...]) -> None:
    digests = [record.digest for record in opening]
    for one in world.onlookers:
        assert one.number == len(opening), f"{one.audience.key} came to {one.number} of {len(opening)}"
        assert one.seen == digests, f"{one.audience.key} was shown other facts"
        snapshot = await machine.hub.snapshot(SESSION, one.audience)
        assert one.view == without_nulls(snapshot.view), f"{one.audience.key} ends with another view"
