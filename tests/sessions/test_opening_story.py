"""A whole opening, and the ways it can take."""

from __future__ import annotations

import pytest

from crypto.digest import sha256_hex
from crypto.encoding import canonical
from sessions import events as e
from sessions.commands import (
    AnswerObjection,
    ConfirmRow,
    NoObjection,
    Object,
    SignRecord,
    TakeChair,
)
from sessions.errors import CommandRefused
from sessions.ids import BidderId, Jws
from sessions.opening import CheckSeals, FreezeSet, OpenBids, Status, next_due, work_due
from sessions.opening.record import record, record_digest
from sessions.plan import Phase
from sessions.roles import CLOCK
from tests.support.ceremony import (
    HOST,
    MINUTE,
    MS,
    SECOND,
    SUPERVISOR,
    T0,
    A,
    B,
    C,
    Ceremony,
    a_plan,
    a_release,
    a_sealed_bid,
    bidder,
    check_in,
    closing,
    not_opened,
)


def kinds(events: list[e.Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_an_opening_goes_from_the_announcement_to_the_signed_record() -> None:
    c = Ceremony()
    assert (c.it.status, c.it.phase, next_due(c.it)) == (Status.SCHEDULED, Phase.BEFORE, T0 - 60 * MINUTE)

    assert kinds(c.tick(T0 - 60 * MINUTE)) == ["StepEntered"]
    assert c.it.status is Status.CHECKIN
    for chair in (HOST, SUPERVISOR):
        c.send(TakeChair(), chair)
    assert work_due(c.it) is None

    assert kinds(c.tick(T0)) == ["StepCompleted"]
    assert (c.it.status, work_due(c.it)) == (Status.LIVE, FreezeSet())
    bids = [a_sealed_bid(who) for who in (A, B, C)]
    assert kinds(c.send(closing(*bids), CLOCK, T0 + 300 * MS)) == [
        "SetFrozen", "StepEntered", "BiddersListed", "StepCompleted", "StepEntered",
    ]  # fmt: skip
    assert all(fact.at == T0 for fact in c.facts[-5:])
    assert (c.it.phase, c.it.step) == (Phase.LISTED, "check")
    assert isinstance(work_due(c.it), CheckSeals)
    c.checked()
    assert next_due(c.it) is None

    assert kinds(c.advance("ceiling")) == ["StepEntered", "CeilingAnnounced", "StepCompleted"]
    assert kinds(c.advance("decrypt")) == ["StepEntered"]
    assert c.it.phase is Phase.DECRYPT
    c.released(A, B)
    assert kinds(c.send(a_release(C), C, c.now + SECOND)) == ["KeyReleased", "BarrierPassed"]
    assert (c.it.phase, c.facts[-1].at) == (Phase.OPENED, c.now)
    assert isinstance(work_due(c.it), OpenBids)
    assert kinds(c.open_bids()) == ["BidOpened"] * 3 + ["StepCompleted", "StepEntered"]

    assert c.it.due == c.now + 3 * c.it.plan.reading_pace
    assert kinds(c.tick(c.it.due)) == ["StepCompleted"]
    c.advance("confirm")
    for who in (A, B):
        c.send(ConfirmRow(bidder=BidderId(who.id), statement=Jws("confirm")), who)
    assert c.it.step == "confirm"
    assert kinds(c.send(ConfirmRow(bidder=BidderId(C.id), statement=Jws("confirm")), C)) == [
        "RowConfirmed", "StepCompleted", "StepEntered",
    ]  # fmt: skip
    for who in (A, B, C):
        c.send(NoObjection(bidder=BidderId(who.id)), who)
    assert kinds(c.advance("sign")) == ["StepEntered", "RecordDrawn"]
    assert c.it.drawn is not None
    assert set(c.it.drawn.asked) == {A.id, B.id, C.id, HOST.id, SUPERVISOR.id}
    for who in (A, B, C, HOST):
        c.send(SignRecord(signer=who.id, statement=Jws("signed")), who)
    assert kinds(c.send(SignRecord(signer=SUPERVISOR.id, statement=Jws("signed")), SUPERVISOR)) == [
        "RecordSigned", "StepCompleted", "SessionEnded",
    ]  # fmt: skip
    assert (c.it.status, c.it.phase, c.it.unsigned, next_due(c.it)) == (Status.ENDED, Phase.ENDED, (), None)


def test_what_is_signed_is_the_digest_of_the_record_as_it_was_drawn() -> None:
    c = Ceremony().signing()
    drawn = c.named(e.RecordDrawn)[0].record_sha256
    c.send(SignRecord(signer=A.id, statement=Jws("signed")), A, c.now + SECOND)
    assert c.it.due is not None
    c.tick(c.it.due)
    assert c.named(e.SessionEnded)[0].record_sha256 == drawn
    assert sha256_hex(canonical(record(c.it))) == drawn == record_digest(c.it)
    assert set(c.it.unsigned) == {B.id, C.id, HOST.id, SUPERVISOR.id}


def test_the_record_holds_price_words_and_missing_causes() -> None:
    c = Ceremony().decrypting().released(A, B)
    assert c.it.due is not None
    c.tick(c.it.due)
    c.open_bids()
    rows = record(c.it)["rows"]
    assert rows[0]["amounts"]["price"]["words"] == "壹佰贰拾万元整"
    assert (rows[2]["cause"], rows[2]["consequence"], rows[2]["quote"]) == ("B5", "revoked", None)


def test_two_bids_where_three_are_asked_for_are_never_opened_and_never_named() -> None:
    c = Ceremony().frozen(a_sealed_bid(A), a_sealed_bid(B))
    assert c.named(e.OpeningFailed) == [e.OpeningFailed(received=2, minimum=3)]
    assert (c.it.status, c.it.phase, work_due(c.it), next_due(c.it)) == (Status.FAILED, Phase.BEFORE, None, None)
    assert not c.named(e.BiddersListed)
    assert A.name not in str(record(c.it))
    with pytest.raises(CommandRefused, match="session_over"):
        c.advance("ceiling")


def test_one_bid_is_enough_where_the_pack_says_one() -> None:
    c = Ceremony(a_plan("intl-two-role")).decrypting(a_sealed_bid(A)).released(A)
    assert c.it.phase is Phase.OPENED


def test_two_of_three_decrypt_and_both_are_opened() -> None:
    c = Ceremony().decrypting().released(A, B)
    assert c.it.due is not None
    window = c.it.due
    assert kinds(c.tick(window + 3 * SECOND)) == ["BarrierPassed"]
    assert c.facts[-1].at == window
    assert c.named(e.BarrierPassed)[0].missing == (C.id,)
    assert kinds(c.open_bids())[:3] == ["BidOpened", "BidOpened", "BidNotOpened"]


def test_if_nobody_decrypts_two_persons_must_rule_before_anyone_signs() -> None:
    c = Ceremony().decrypting()
    assert c.it.due is not None
    c.tick(c.it.due)
    c.open_bids(*(not_opened(who.id) for who in (A, B, C)))
    assert {event.consequence for event in c.named(e.BidNotOpened)} == {"pending"}
    c.advance("confirm")  # with nothing to read or confirm, both steps are over at once
    assert c.it.due is not None
    c.tick(c.it.due)
    with pytest.raises(CommandRefused, match="cause_pending"):
        c.advance("sign")


def test_a_pack_with_two_chairs_waits_for_the_supervisor() -> None:
    c = Ceremony(a_plan("intl-two-role"))
    c.tick(T0 - 30 * MINUTE)
    c.send(TakeChair(), HOST)
    c.tick(T0)
    c.send(closing(a_sealed_bid(A)), CLOCK)
    c.checked()
    with pytest.raises(CommandRefused, match="chair_empty"):
        c.advance("decrypt")
    c.send(TakeChair(), SUPERVISOR)
    c.advance("decrypt")
    assert c.it.phase is Phase.DECRYPT


def test_without_a_ceiling_the_step_is_passed_over() -> None:
    c = Ceremony(a_plan(ceiling=None)).frozen().checked()
    c.advance("decrypt")
    assert [run.step.id for run in c.it.runs] == ["checkin", "list", "check", "decrypt"]


def test_an_objection_keeps_the_session_open_until_it_is_answered() -> None:
    c = Ceremony().objecting()
    c.send(Object(bidder=BidderId(A.id), recusal=True, title="回避", text="主持人与乙公司有亲属关系"), A)
    assert c.it.due is not None
    c.tick(c.it.due + MINUTE)
    assert (c.it.step, c.it.step_complete, next_due(c.it)) == ("objection", False, None)
    with pytest.raises(CommandRefused, match="step_running"):
        c.advance("sign")
    assert kinds(c.send(AnswerObjection(number=1, text="已更换主持人"), HOST)) == [
        "ObjectionAnswered",
        "StepCompleted",
    ]
    assert c.facts[-1].at == c.now
    assert kinds(c.advance("sign")) == ["StepEntered", "RecordDrawn"]


def test_an_objection_takes_back_the_declaration_of_none() -> None:
    c = Ceremony().objecting()
    for who in (A, B):
        c.send(NoObjection(bidder=BidderId(who.id)), who)
    c.send(Object(bidder=BidderId(B.id), recusal=False, title="时间", text="窗口过短"), B)
    c.send(AnswerObjection(number=1, text="符合规则"), HOST)
    c.send(NoObjection(bidder=BidderId(C.id)), C)
    assert (c.it.step, c.it.step_complete) == ("objection", False)
    assert kinds(c.send(NoObjection(bidder=BidderId(B.id)), B)) == ["NoneDeclared", "StepCompleted"]


def test_a_latecomer_checks_in_after_t0_and_still_decrypts() -> None:
    late = bidder("D")
    c = Ceremony().decrypting(a_sealed_bid(A), a_sealed_bid(B), a_sealed_bid(late, checked_in=False))
    assert kinds(c.send(check_in(late), late)) == ["BidderCheckedIn"]
    c.released(A, B, late)
    assert c.it.phase is Phase.OPENED
