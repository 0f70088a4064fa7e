"""The check of the locks, on logs in which one thing is wrong that the rules would never have let happen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.encoding import b64u
from sessions.chaining import Head, chain
from sessions.events import (
    BarrierPassed,
    BidOpened,
    Event,
    Happening,
    LockOpened,
    OfficerReady,
    SessionScheduled,
    SetFrozen,
    StepEntered,
    Stream,
)
from sessions.ids import AccountId, BidderId
from sessions.opening import evolve
from sessions.plan import Plan
from sessions.plan_json import plan_to_json
from sessions.verify.events import Log
from sessions.verify.locks import order
from sessions.verify.replay import Replayed
from sessions.verify.report import Failed
from tests.support.ceremony import DEPUTY, HOST, SUPERVISOR, A, B, C, Ceremony, a_plan
from tests.support.locked import Locked, a_locked_plan
from tests.support.officers import again, an_officer

Facts = list[Happening]


def told(facts: Facts) -> Replayed:
    head, records, opening = Head(), [], None
    for fact in facts:
        record = chain(head, a_locked_plan().session, Stream.OPENING, fact)
        head = head.after(record)
        records.append(record)
        opening = evolve(opening, record)
    assert opening is not None
    return Replayed(log=Log(records=tuple(records), hidden=frozenset()), opening=opening, shut=None)


def an_opening(plan: Plan | None = None) -> Facts:
    story = Locked(plan or a_locked_plan()).decrypting()
    story.released(A, B, C)
    story.brings(DEPUTY, "host")
    story.brings(SUPERVISOR, "supervisor")
    story.open_bids()
    return story.facts


def place(facts: Facts, kind: type[Event]) -> int:
    return next(n for n, fact in enumerate(facts) if isinstance(fact.event, kind))


def test_an_opening_behind_locks_passes() -> None:
    assert order(told(an_opening())).detail == "2 locks, 2 removed before the bids were opened"


def test_an_opening_without_locks_passes_if_the_hall_said_so() -> None:
    facts = Ceremony(a_plan()).decrypting().released(A, B, C)
    facts.open_bids()
    assert order(told(facts.facts)).detail == "no locks: the hall held the session key"


def without_the_supervisor(facts: Facts) -> Facts:
    return [f for f in facts if not isinstance(f.event, LockOpened) or f.event.lock != "supervisor"]


def before_the_barrier(facts: Facts) -> Facts:
    first = facts.pop(place(facts, LockOpened))
    facts.insert(place(facts, BarrierPassed), first)
    return facts


def after_the_results(facts: Facts) -> Facts:
    first = facts.pop(place(facts, LockOpened))
    facts.insert(place(facts, BidOpened) + 1, first)
    return facts


def by_somebody_else(facts: Facts) -> Facts:
    n = place(facts, LockOpened)
    facts[n] = replace(facts[n], actor=HOST)
    return facts


def by_a_stranger(facts: Facts) -> Facts:
    n = place(facts, LockOpened)
    event = facts[n].event
    assert isinstance(event, LockOpened)
    facts[n] = replace(facts[n], actor=SUPERVISOR, event=replace(event, officer=SUPERVISOR.id))
    return facts


def on_another_bid(facts: Facts) -> Facts:
    n = place(facts, LockOpened)
    event = facts[n].event
    assert isinstance(event, LockOpened)
    some = tuple(bidder for bidder in event.opened if bidder != A.id)
    facts[n] = replace(facts[n], event=replace(event, opened=some, failed={BidderId(A.id): "share_mismatch"}))
    return facts


def with_a_session_key(facts: Facts) -> Facts:
    n = place(facts, SetFrozen)
    event = facts[n].event
    assert isinstance(event, SetFrozen)
    facts[n] = replace(facts[n], event=replace(event, session_key="BKey"))
    return facts


def with_nobody_ready(facts: Facts) -> Facts:
    begun = next(n for n, f in enumerate(facts) if isinstance(f.event, StepEntered) and f.event.step == "decrypt")
    return [f for n, f in enumerate(facts) if n > begun or not isinstance(f.event, OfficerReady)]


def with_keys_tried_only_on_the_days_before(facts: Facts) -> Facts:
    tried = [f for f in facts if isinstance(f.event, OfficerReady)]
    others = [f for f in facts if not isinstance(f.event, OfficerReady)]
    opens = place(others, StepEntered)
    return [*others[:opens], *(replace(f, at=others[0].at) for f in tried), *others[opens:]]


def with_one_officer_behind_two_locks(facts: Facts) -> Facts:
    plan = a_locked_plan()
    host, supervisor = plan.locks
    both = replace(supervisor, officers=(*supervisor.officers, host.officers[0]))
    facts[0] = replace(facts[0], event=SessionScheduled(plan=plan_to_json(replace(plan, locks=(host, both)))))
    return facts


def with_one_key_certified_twice(facts: Facts) -> Facts:
    plan = a_locked_plan()
    host, supervisor = plan.locks
    theirs = b64u(again(an_officer(host.officers[0].account)).certificate.public_bytes(Encoding.DER))
    both = replace(supervisor, officers=(replace(supervisor.officers[0], certificate=theirs),))
    facts[0] = replace(facts[0], event=SessionScheduled(plan=plan_to_json(replace(plan, locks=(host, both)))))
    return facts


def with_an_officer_nobody_announced(facts: Facts) -> Facts:
    plan = a_locked_plan()
    host, supervisor = plan.locks
    other = replace(host.officers[0], account=AccountId("wu"), certificate=host.officers[0].certificate)
    locks = (replace(host, officers=(other, host.officers[1])), supervisor)
    facts[0] = replace(facts[0], event=SessionScheduled(plan=plan_to_json(replace(plan, locks=locks))))
    return facts


@pytest.mark.parametrize(
    "wrong",
    [
        without_the_supervisor,
        before_the_barrier,
        after_the_results,
        by_somebody_else,
        by_a_stranger,
        on_another_bid,
        with_a_session_key,
        with_nobody_ready,
        with_keys_tried_only_on_the_days_before,
        with_one_officer_behind_two_locks,
        with_one_key_certified_twice,
        with_an_officer_nobody_announced,
    ],
)
def test_one_thing_wrong_with_the_locks_is_found(wrong: Callable[[Facts], Facts]) -> None:
    replayed = told(wrong(an_opening()))
    with pytest.raises(Failed):
        order(replayed)
