"""Acts of two persons, and the deputy who takes over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sessions import events as e
from sessions.commands import Abort, Advance, Approve, Decline, Pause, Resume, RuleCause, TakeChair
from sessions.errors import CommandRefused
from sessions.ids import BidderId, StepId
from sessions.opening import Status, permitted
from tests.support.ceremony import DEPUTY, HOST, SECOND, SUPERVISOR, A, B, C, Ceremony, not_opened


def with_unknown_causes() -> Ceremony:
    c = Ceremony().decrypting()
    assert c.it.due is not None
    c.tick(c.it.due)
    c.open_bids(*(not_opened(who.id) for who in (A, B, C)))
    return c


def rule(cause: str = "X1") -> RuleCause:
    return RuleCause(bidder=BidderId(A.id), cause=cause, reason="运营商骨干网中断公告")


def test_the_proposer_is_recorded_as_actor_and_the_second_as_approver() -> None:
    c = Ceremony().decrypting()
    c.send(Abort(reason="停电"), HOST)
    assert c.it.status is Status.LIVE
    c.send(Approve(proposal=1), DEPUTY)
    assert c.it.status is Status.ABORTED
    assert c.facts[-1].actor == HOST
    assert c.events[-1] == e.SessionAborted(reason="停电", approved_by=DEPUTY.id)


def test_either_person_may_decline() -> None:
    for who in (HOST, SUPERVISOR):
        c = Ceremony().decrypting()
        c.send(Abort(reason="停电"), HOST)
        c.send(Decline(proposal=1, reason="已恢复"), who)
        assert c.it.proposals[0].state == "declined"
        with pytest.raises(CommandRefused, match="no_such_proposal"):
            c.send(Approve(proposal=1), DEPUTY)


def test_a_proposal_lapses_with_its_step() -> None:
    c = Ceremony().frozen().checked()
    c.send(Abort(reason="停电"), HOST)
    c.advance("ceiling")
    assert c.it.proposals[0].state == "lapsed"
    with pytest.raises(CommandRefused, match="no_such_proposal"):
        c.send(Approve(proposal=1), DEPUTY)


def test_where_the_pack_asks_for_no_second_person_the_act_happens_at_once() -> None:
    c = Ceremony().decrypting()
    c.state = replace(c.it, plan=replace(c.it.plan, pack=replace(c.it.plan.pack, two_person=frozenset())))
    c.send(Abort(reason="停电"), HOST)
    assert c.events[-1] == e.SessionAborted(reason="停电", approved_by=None)


def test_two_persons_rule_on_a_cause_that_the_evidence_left_open() -> None:
    c = with_unknown_causes()
    c.send(rule(), HOST)
    c.send(Approve(proposal=1), SUPERVISOR)
    bid = c.it.bid(A.id)
    assert bid is not None
    assert (bid.cause, bid.consequence) == ("X1", "withdrawn")
    with pytest.raises(CommandRefused, match="cause_known"):
        c.send(rule("B1"), HOST)


def test_only_listed_causes_can_be_ruled() -> None:
    c = with_unknown_causes()
    with pytest.raises(CommandRefused, match="no_such_cause"):
        c.send(rule("unknown"), HOST)
    with pytest.raises(CommandRefused, match="no_such_row"):
        c.send(replace(rule(), bidder=BidderId("nobody")), HOST)


def test_once_all_causes_are_ruled_the_record_can_be_signed() -> None:
    c = with_unknown_causes()
    c.advance("confirm")
    assert c.it.due is not None
    c.tick(c.it.due)
    for number, who in enumerate((A, B, C), start=1):
        c.send(replace(rule(), bidder=BidderId(who.id)), HOST)
        c.send(Approve(proposal=number), DEPUTY)
    c.advance("sign")
    assert c.named(e.RecordDrawn)


def test_after_taking_over_the_deputy_acts_as_host_and_the_host_no_longer_does() -> None:
    c = Ceremony().frozen().checked()
    takeover = TakeChair(takeover=True, reason="主持人掉线")
    assert [type(event) for event in c.send(takeover, DEPUTY)] == [e.HostHandedOver]
    assert c.send(takeover, DEPUTY, c.now + SECOND) == []
    with pytest.raises(CommandRefused, match="not_acting_host"):
        c.advance("ceiling")
    c.send(Advance(step=StepId("ceiling")), DEPUTY)
    assert c.it.step == "ceiling"
    assert "Advance" not in permitted(c.it, HOST)


def test_a_deputy_may_pause_and_resume_without_taking_over() -> None:
    c = Ceremony().decrypting()
    c.send(Pause(reason="主持人掉线"), DEPUTY)
    c.send(Resume(), DEPUTY)
    assert c.it.hold is None


def test_a_supervisor_may_pause_but_not_resume() -> None:
    c = Ceremony().decrypting()
    c.send(Pause(reason="收到举报"), SUPERVISOR)
    with pytest.raises(CommandRefused, match="not_your_role"):
        c.send(Resume(), SUPERVISOR)
