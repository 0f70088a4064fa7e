"""The event loop stands still at T0: a thousand stalls, and still nobody is late and taken, or in time and lost."""

from __future__ import annotations

import random
from datetime import datetime

from sessions import intake
from sessions.batch import Batch, Held
from sessions.commands import Schedule
from sessions.errors import CommandRefused
from sessions.events import BidReceived, IntakeClosed, SetFrozen
from sessions.plan_json import plan_to_json
from sessions.roles import CLOCK
from tests.support.ceremony import MS, SECOND, T0, a_bid, a_plan, bidder

STALLS = 1_000


def announced() -> Held:
    plan = a_plan()
    batch = Batch(Held(session=plan.session), T0 - 60 * SECOND)
    batch.act(Schedule(plan=plan_to_json(plan)), CLOCK)
    return batch.held


def settled(held: Held, now: datetime) -> Batch:
    """What an appender does whenever it comes to itself: settle, freeze, and only then whatever waits."""
    batch = Batch(held, now)
    batch.settle()
    if batch.waits_for_freezing:
        batch.freeze("BKey")
    return batch


def test_after_a_thousand_random_stalls_the_set_is_what_was_durable_before_t0() -> None:
    founded = announced()
    for seed in range(STALLS):
        chance = random.Random(seed)
        wakes = T0 - chance.randrange(0, 3_000) * MS
        held, taken, refused = founded, set[str](), dict[str, str]()
        senders = [bidder(f"{number:02}") for number in range(chance.randrange(1, 7))]
        chance.shuffle(senders)
        while senders:
            now = wakes
            batch = settled(held, now)  # everything that waited is decided at the moment the loop turns again
            for _ in range(chance.randrange(0, 4)):
                if not senders:
                    break
                who = senders.pop()
                try:
                    batch.act(a_bid(who), who)
                    taken.add(who.id)
                    assert now < T0, f"seed={seed}: {who.id} was taken at {now}"
                except CommandRefused as error:
                    refused[who.id] = error.code if now >= T0 else f"at {now}"
            held = batch.held
            wakes += chance.randrange(0, 10_000) * MS  # the stall
        held = settled(held, max(wakes, T0)).held
        assert held.intake is not None
        assert held.opening is not None
        assert held.opening.frozen is not None
        assert {bid.bidder for bid in held.opening.frozen.sealed} == taken, f"seed={seed}"
        assert set(refused.values()) <= {"late"}, f"seed={seed}"
        assert not taken & refused.keys()
        assert held.opening.frozen.at == T0, f"seed={seed}"


def test_what_was_durable_before_the_stall_and_decided_after_it_keeps_its_moment() -> None:
    who = bidder("A")
    batch = Batch(announced(), T0 + 9 * SECOND, settles=False)  # gated: the freeze waits for it
    (received,) = batch.act(a_bid(who), who, at=T0 - MS)
    assert isinstance(received.event, BidReceived)
    assert received.at == T0 - MS
    after = settled(batch.held, T0 + 10 * SECOND)
    closed = [record for record in after.records if isinstance(record.event, IntakeClosed | SetFrozen)]
    assert [record.at for record in closed] == [T0, T0]
    assert intake.next_due(after.held.intake) is None if after.held.intake else False
