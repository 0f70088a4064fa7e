"""The floor: who may speak when, one at a time; and that nobody silences an objection with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sessions import events as e
from sessions.archive.record_html import record_html
from sessions.commands import Abort, Approve, AskFloor, EndFloor, GrantFloor, Object, Pause, TakeChair
from sessions.errors import CommandRefused
from sessions.ids import BidderId
from sessions.opening import floor, permitted
from sessions.opening.record import record
from sessions.plan import StepKind
from sessions.roles import Actor
from tests.sessions.test_papers_record import typeset_record, words
from tests.support.ceremony import DEPUTY, HOST, SECOND, SUPERVISOR, A, B, C, Ceremony, a_plan, a_sealed_bid


def ask(who: Actor) -> AskFloor:
    return AskFloor(bidder=BidderId(who.id))


def grant(who: Actor) -> GrantFloor:
    return GrantFloor(bidder=BidderId(who.id))


def end(who: Actor, reason: str = "") -> EndFloor:
    return EndFloor(bidder=BidderId(who.id), reason=reason)


def speaking(c: Ceremony | None = None) -> Ceremony:
    """A has the floor; B and C ask for it."""
    c = c or Ceremony().confirming()
    for who in (A, B, C):
        c.send(ask(who), who, c.now + SECOND)
    c.send(grant(A), HOST, c.now + SECOND)
    return c


def asking(c: Ceremony) -> list[str]:
    return [turn.bidder for turn in floor.asking(c.it)]


def test_bidders_ask_in_order_and_the_host_gives_the_floor_to_one() -> None:
    c = speaking()
    assert c.it.speaker is not None
    assert c.it.speaker.bidder == A.id
    assert asking(c) == [B.id, C.id]
    assert c.send(end(A), A) == [e.FloorEnded(bidder=BidderId(A.id), why="finished", reason="")]
    c.send(grant(C), HOST)  # in any order
    assert c.it.speaker.bidder == C.id
    assert asking(c) == [B.id]


def test_an_asking_is_taken_back_or_refused_with_a_public_reason() -> None:
    c = speaking()
    assert c.send(end(B), B) == [e.FloorEnded(bidder=BidderId(B.id), why="withdrawn", reason="")]
    assert c.send(end(C, "与开标无关"), HOST) == [
        e.FloorEnded(bidder=BidderId(C.id), why="refused", reason="与开标无关")
    ]
    assert asking(c) == []
    c.send(ask(C), C)  # and may be heard later
    assert asking(c) == [C.id]


def test_the_host_ends_a_turn_with_a_public_reason_during_a_pause_too() -> None:
    c = speaking()
    c.send(Pause(reason="休息"), SUPERVISOR)
    assert c.it.speaker is not None
    with pytest.raises(CommandRefused, match="held"):
        c.send(grant(B), HOST)
    assert c.send(end(A, "超时"), HOST) == [e.FloorEnded(bidder=BidderId(A.id), why="ended", reason="超时")]


def test_a_deputy_in_charge_gives_the_floor() -> None:
    c = Ceremony().confirming()
    c.send(ask(A), A)
    c.send(TakeChair(takeover=True, reason="主持人掉线"), DEPUTY)
    c.send(grant(A), DEPUTY)
    assert c.it.speaker is not None
    assert c.it.speaker.granted_by == DEPUTY


def test_a_turn_goes_on_from_one_step_that_allows_it_into_the_next() -> None:
    c = speaking()
    assert c.it.due is not None
    c.tick(c.it.due)
    assert c.it.kind is StepKind.OBJECTION
    assert c.it.speaker is not None
    assert asking(c) == [B.id, C.id]


def test_the_floor_ends_by_itself_when_a_step_begins_that_does_not_allow_it() -> None:
    c = speaking(Ceremony().objecting())
    assert c.it.due is not None
    c.tick(c.it.due)
    assert c.it.step_complete  # nobody is cut off by the end of a window
    assert c.it.speaker is not None
    told = c.advance("sign")
    assert [type(event) for event in told] == [e.StepEntered, e.FloorEnded, e.RecordDrawn]
    assert told[1] == e.FloorEnded(bidder=BidderId(A.id), why="stage", reason="")
    assert c.it.speaker is None
    assert asking(c) == []
    with pytest.raises(CommandRefused, match="floor_closed"):
        c.send(ask(B), B)


def test_where_the_last_step_allows_it_the_floor_ends_with_its_work() -> None:
    plan = a_plan()
    assert plan.pack.floor is not None
    rule = replace(plan.pack.floor, steps=plan.pack.floor.steps | {StepKind.SIGN})
    c = speaking(Ceremony(replace(plan, pack=replace(plan.pack, floor=rule))).signing())
    assert c.it.due is not None
    told = c.tick(c.it.due)
    assert [type(event) for event in told] == [e.StepCompleted, e.FloorEnded, e.SessionEnded]


def test_an_abort_ends_every_turn() -> None:
    c = speaking()
    c.send(Abort(reason="停电"), HOST)
    c.send(Approve(proposal=1), SUPERVISOR)
    assert c.it.speaker is None
    assert asking(c) == []
    assert [(turn.bidder, turn.why) for turn in c.it.turns] == [(A.id, "stage")]


def test_only_who_has_checked_in_is_heard() -> None:
    c = Ceremony().decrypting(a_sealed_bid(A), a_sealed_bid(B), a_sealed_bid(C, checked_in=False))
    c.released(A, B, C).open_bids()
    assert c.it.due is not None
    c.tick(c.it.due)
    c.advance("confirm")
    with pytest.raises(CommandRefused, match="not_checked_in"):
        c.send(ask(C), C)


def test_refusing_and_ending_the_floor_never_touches_an_objection() -> None:
    c = speaking()
    objecting = Object(bidder=BidderId(A.id), recusal=False, title="时间", text="窗口过短")
    c.send(objecting, A)  # while it speaks
    before = c.it.objections
    c.send(end(A, "超时"), HOST)
    c.send(end(B, "与开标无关"), HOST)
    assert c.it.objections is before
    assert c.it.objections[0].open
    for who in (A, B):  # and both still may object, silenced or not
        assert "Object" in permitted(c.it, who)
    c.send(replace(objecting, bidder=BidderId(B.id)), B)
    assert [item.bidder for item in c.it.objections] == [A.id, B.id]


def test_a_pack_without_the_rule_has_no_floor_and_its_record_no_word_of_it() -> None:
    plan = a_plan()
    c = Ceremony(replace(plan, pack=replace(plan.pack, floor=None))).confirming()
    with pytest.raises(CommandRefused, match="floor_closed"):
        c.send(ask(A), A)
    assert "floor" not in record(c.it)


def test_paper_and_page_of_the_record_say_who_spoke_and_who_was_not_let_and_why() -> None:
    c = speaking(Ceremony().objecting())
    c.send(end(A), A)
    c.send(end(B, "与开标无关"), HOST)
    assert c.it.due is not None
    c.tick(c.it.due)
    c.advance("sign")
    paper = words(typeset_record(c))
    page = record_html(record(c.it), c.it, "a3" * 32)
    for said in ("发言", A.name, B.name, "发言完毕", "未获准", "与开标无关"):
        assert said.replace(" ", "") in paper
        assert said in page


def test_the_record_lists_the_turns_that_were_given_or_refused() -> None:
    c = speaking()
    c.send(end(A), A)
    c.send(end(B, "与开标无关"), HOST)
    c.send(end(C), C)
    listed = record(c.it)["floor"]
    assert [(turn["bidder"], turn["why"], turn["reason"]) for turn in listed] == [
        (A.id, "finished", ""),
        (B.id, "refused", "与开标无关"),
    ]
    assert listed[0]["granted_by"] == HOST.name
    assert listed[1]["granted_at"] is None
