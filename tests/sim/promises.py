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
    FloorAsked,
    FloorEnded,
    FloorGranted,
    IntakeFreed,
    IntakeHeld,
    OutageBegan,
    Recorded,
    SessionAborted,
    SessionResumed,
    SetFrozen,
    StepCompleted,
    StepEntered,
    Stream,
)
from sessions.opening.state import Opening
from sessions.sealed_set import set_root
from tests.sim.machines import Machine

if TYPE_CHECKING:
    from tests.sim.world import Ceremony, World


async def check(world: World, ceremony: Ceremony, machine: Machine) -> None:
    """Raise AssertionError for the first promise that does not hold."""
    assert not world.broken, world.broken
    assert not world.disk.taken_along, f"refused for what another opening could not: {world.disk.taken_along}"
    events, session = world.disk.events, ceremony.session
    opening = await events.read(session, Stream.OPENING)
    intake = await events.read(session, Stream.INTAKE)
    numbers_have_no_gap_and_the_chain_holds(opening)
    numbers_have_no_gap_and_the_chain_holds(intake)
    time_never_goes_back(opening)
    time_never_goes_back(intake)
    what_was_acknowledged_is_there_once(ceremony, opening, intake)
    state = replayed(opening)
    the_set_is_what_came_in_time(world, ceremony, state, opening, intake)
    what_fell_due_in_a_stop_was_not_settled(opening)
    what_was_sealed_is_what_was_read(ceremony, opening)
    every_bid_that_stayed_shut_has_a_cause(opening)
    one_speaks_at_a_time_and_where_it_is_allowed(ceremony, opening)
    assert state == await machine.sessions.state(session)
    await everybody_saw_the_same(ceremony, machine, opening)


def numbers_have_no_gap_and_the_chain_holds(records: tuple[Recorded, ...]) -> None:
    check_chain(Head(), records)


def time_never_goes_back(records: tuple[Recorded, ...]) -> None:
    times = [record.at for record in records]
    assert times == sorted(times), "a recorded time goes back"


def what_was_acknowledged_is_there_once(
    ceremony: Ceremony, opening: tuple[Recorded, ...], intake: tuple[Recorded, ...]
) -> None:
    there = {record.digest for record in (*opening, *intake)}
    for person in ceremony.people:
        first: dict[str, tuple[str, ...]] = {}
        for told in person.told:
            digests = tuple(record.digest for record in told.records)
            assert there.issuperset(digests), f"{person.actor.id} was told of {told.key}, and it is gone"
            assert first.setdefault(told.key, digests) == digests, f"{person.actor.id}: {told.key} happened twice"


def the_set_is_what_came_in_time(
    world: World, ceremony: Ceremony, state: Opening, opening: tuple[Recorded, ...], intake: tuple[Recorded, ...]
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
    for one in ceremony.tenderers:
        for receipt in one.receipts:
            assert receipt.header_sha256 in received, f"{one.actor.id} has a receipt, and nobody received its bid"
    for upload in world.disk.uploads.values():
        if upload.session != ceremony.session:
            continue
        at = upload.completed_at
        if at is not None and at < t0 and not any(began <= at <= ended for began, ended in stops):
            answer = answers.get(upload.id)
            assert answer is not None, f"{upload.bidder}: complete at {upload.completed_at}, never answered"
            assert answer.code is None, (
                f"{upload.bidder}: complete at {upload.completed_at}, and refused: {answer.code}"
            )
            assert answer.header_sha256 in received
    (frozen,) = (record.event for record in opening if isinstance(record.event, SetFrozen))
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


def what_was_sealed_is_what_was_read(ceremony: Ceremony, opening: tuple[Recorded, ...]) -> None:
    prices = ceremony.prices
    for record in opening:
        if isinstance(record.event, BidOpened):
            assert record.event.quote["price"] == prices[record.event.bidder], "another price was read"


def every_bid_that_stayed_shut_has_a_cause(opening: tuple[Recorded, ...]) -> None:
    assert all(record.event.cause for record in opening if isinstance(record.event, BidNotOpened))


def one_speaks_at_a_time_and_where_it_is_allowed(ceremony: Ceremony, opening: tuple[Recorded, ...]) -> None:
    pack = ceremony.plan.pack
    assert pack.floor is not None
    kinds = {step.id: step.kind for step in pack.steps}
    allowed, asking, speaker = False, set[str](), None
    for record in opening:
        match record.event:
            case StepEntered(step=step):
                assert speaker is None or allowed, f"{speaker} speaks on"
                allowed = kinds[step] in pack.floor.steps
                asking = asking if allowed else set()
            case FloorAsked(bidder=bidder):
                assert allowed, f"{bidder} asks where it cannot"
                assert bidder not in (*asking, speaker), f"{bidder} asks twice"
                asking.add(bidder)
            case FloorGranted(bidder=bidder):
                assert allowed, f"{bidder} is let speak where it cannot"
                assert speaker is None, f"{bidder} speaks while {speaker} does"
                asking.remove(bidder)
                speaker = bidder
            case FloorEnded(bidder=bidder, why="withdrawn" | "refused"):
                asking.remove(bidder)
            case FloorEnded(bidder=bidder, why=why):
                assert bidder == speaker, f"{bidder} is ended, and does not speak"
                assert why != "stage" or not allowed, f"{bidder} is ended where it may speak"
                speaker = None
            case _:
                pass
    assert speaker is None or isinstance(opening[-1].event, SessionAborted)


def replayed(records: tuple[Recorded, ...]) -> Opening:
    state: Opening | None = None
    for record in records:
        state = openings.evolve(state, record)
    assert state is not None
    return state


async def everybody_saw_the_same(ceremony: Ceremony, machine: Machine, opening: tuple[Recorded, ...]) -> None:
    digests = [record.digest for record in opening]
    for one in ceremony.onlookers:
        assert one.number == len(opening), f"{one.audience.key} came to {one.number} of {len(opening)}"
        assert one.seen == digests, f"{one.audience.key} was shown other facts"
        snapshot = await machine.hub.snapshot(ceremony.session, one.audience)
        assert one.view == without_nulls(snapshot.view), f"{one.audience.key} ends with another view"
