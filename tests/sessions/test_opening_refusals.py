"""What an opening says no to: one thing wrong at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest

from sessions.commands import (
    Abort,
    Advance,
    AnswerObjection,
    Approve,
    AskFloor,
    ConfirmRow,
    Decline,
    DisputeRow,
    EndFloor,
    ExtendWindow,
    GrantFloor,
    NoObjection,
    Note,
    Object,
    OpeningCommand,
    Pause,
    Postpone,
    RecordOpenings,
    ReportFailure,
    Resume,
    RuleCause,
    Schedule,
    SealChecks,
    SignRecord,
    TakeChair,
    Tick,
)
from sessions.errors import CommandRefused
from sessions.ids import BidderId, Jws, StepId
from sessions.opening import permitted
from sessions.plan_json import plan_to_json
from sessions.roles import CLOCK, Actor, Role
from tests.support.ceremony import (
    DEPUTY,
    HOST,
    MINUTE,
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
    digest,
    not_opened,
    opened,
)

STRANGER = bidder("Z")
PUBLIC = Actor(role=Role.PUBLIC, id="", name="")
OTHER_HOST = Actor(role=Role.HOST, id="nobody", name="某")


def announced() -> Ceremony:
    return Ceremony()


def in_checkin() -> Ceremony:
    c = Ceremony()
    c.tick(T0 - 30 * MINUTE)
    c.send(TakeChair(), HOST)
    return c


def at_t0() -> Ceremony:
    c = in_checkin()
    c.tick(T0)
    return c


def listed() -> Ceremony:
    return Ceremony().frozen().checked()


def decrypting() -> Ceremony:
    return Ceremony().decrypting()


def barred() -> Ceremony:
    return Ceremony().decrypting().released(A, B, C)


def confirming() -> Ceremony:
    return Ceremony().confirming()


def objecting() -> Ceremony:
    c = Ceremony().objecting()
    c.send(objection(A), A)
    return c


def signing() -> Ceremony:
    return Ceremony().signing()


def held() -> Ceremony:
    c = decrypting()
    c.send(Pause(reason="停电"), HOST)
    return c


def proposed() -> Ceremony:
    c = decrypting()
    c.send(Abort(reason="停电"), HOST)
    return c


def ended() -> Ceremony:
    c = signing()
    assert c.it.due is not None
    c.tick(c.it.due)
    return c


def speaking() -> Ceremony:
    """A has the floor, and B asks for it."""
    c = confirming()
    for who in (A, B):
        c.send(AskFloor(bidder=BidderId(who.id)), who)
    c.send(GrantFloor(bidder=BidderId(A.id)), HOST)
    return c


def objection(who: Actor) -> Object:
    return Object(bidder=BidderId(who.id), recusal=False, title="时间", text="解密窗口过短")


def postpone(t0: datetime) -> Postpone:
    return Postpone(t0=t0, reason="澄清")


def rule(cause: str, who: Actor = A) -> RuleCause:
    return RuleCause(bidder=BidderId(who.id), cause=cause, reason="见证据")


def sign(who: Actor) -> SignRecord:
    return SignRecord(signer=who.id, statement=Jws("signed"))


SET = tuple(a_sealed_bid(who) for who in (A, B, C))
ALL = tuple(opened(who.id) for who in (A, B, C))

REFUSED: list[tuple[str, Callable[[], Ceremony], OpeningCommand, Actor]] = [
    # who
    ("not_your_role", listed, Advance(step=StepId("ceiling")), SUPERVISOR),
    ("not_your_role", listed, Advance(step=StepId("ceiling")), A),
    ("not_your_role", listed, Note(text="记"), HOST),
    ("not_your_role", decrypting, Pause(reason="x"), A),
    ("not_your_role", held, Resume(), SUPERVISOR),
    ("not_your_role", announced, postpone(T0 + MINUTE), SUPERVISOR),
    ("not_your_role", at_t0, closing(*SET), HOST),
    ("not_your_role", decrypting, a_release(A), CLOCK),
    ("not_your_role", decrypting, Tick(), PUBLIC),
    ("not_your_role", in_checkin, TakeChair(takeover=True, reason="换人"), SUPERVISOR),
    ("not_seated", in_checkin, TakeChair(), OTHER_HOST),
    ("not_seated", decrypting, Abort(reason="x"), replace(SUPERVISOR, role=Role.DEPUTY)),
    ("not_yours", decrypting, a_release(B), A),
    ("not_yours", decrypting, check_in(B), A),
    ("not_yours", confirming, ConfirmRow(bidder=BidderId(B.id), statement=Jws("x")), A),
    ("not_yours", signing, sign(B), A),
    ("not_yours", signing, sign(DEPUTY), HOST),
    ("not_acting_host", listed, Advance(step=StepId("ceiling")), DEPUTY),
    ("not_acting_host", decrypting, ExtendWindow(reason="x"), DEPUTY),
    ("no_bid", decrypting, a_release(STRANGER), STRANGER),
    ("no_bid", decrypting, check_in(STRANGER), STRANGER),
    # when
    ("already_scheduled", announced, Schedule(plan=plan_to_json(a_plan())), CLOCK),
    ("room_not_open", announced, TakeChair(), HOST),
    ("room_not_open", announced, Pause(reason="x"), DEPUTY),
    ("not_live", in_checkin, Advance(step=StepId("list")), HOST),
    ("not_live", in_checkin, closing(*SET), CLOCK),
    ("not_frozen", at_t0, check_in(A), A),
    ("t0_passed", at_t0, postpone(T0 + 60 * MINUTE), HOST),
    ("t0_not_later", announced, postpone(T0), HOST),
    ("t0_not_later", announced, postpone(T0 - MINUTE), HOST),
    ("t0_not_whole_seconds", announced, postpone(T0 + SECOND / 2), HOST),
    ("window_closed", listed, a_release(A), A),
    ("window_closed", barred, ReportFailure(bidder=BidderId(A.id), code="wrong_password"), A),
    ("window_closed", listed, sign(A), A),
    ("window_closed", decrypting, ConfirmRow(bidder=BidderId(A.id), statement=Jws("x")), A),
    ("objections_closed", at_t0, objection(A), A),
    ("objections_closed", signing, objection(A), A),
    ("before_barrier", decrypting, rule("X1"), HOST),
    ("held", held, a_release(A), A),
    ("held", held, Advance(step=StepId("readout")), HOST),
    ("held", held, ExtendWindow(reason="x"), HOST),
    ("held", held, Pause(reason="x"), DEPUTY),
    ("held", held, RecordOpenings(opened=ALL), CLOCK),
    ("not_held", decrypting, Resume(), HOST),
    ("session_over", ended, check_in(A), A),
    ("session_over", ended, Abort(reason="x"), HOST),
    ("session_over", ended, Advance(step=StepId("sign")), HOST),
    # steps
    ("step_passed", decrypting, Advance(step=StepId("decrypt")), HOST),
    ("step_passed", decrypting, Advance(step=StepId("list")), HOST),
    ("step_running", decrypting, Advance(step=StepId("readout")), HOST),
    ("wrong_step", listed, Advance(step=StepId("decrypt")), HOST),
    ("wrong_step", listed, Advance(step=StepId("no-such-step")), HOST),
    ("step_running", objecting, Advance(step=StepId("sign")), HOST),
    ("wrong_step", at_t0, Advance(step=StepId("list")), HOST),
    # the hall's own work
    ("not_due", decrypting, RecordOpenings(opened=ALL), CLOCK),
    ("not_due", at_t0, SealChecks(results={}), CLOCK),
    ("wrong_set", at_t0, closing(SET[0], SET[0], SET[1]), CLOCK),
    ("wrong_root", at_t0, replace(closing(*SET), root=digest("other")), CLOCK),
    ("wrong_log", at_t0, replace(closing(*SET), intake_log_size=4, intake_log_root=digest("log")), CLOCK),
    ("late", at_t0, closing(*SET[:2], a_sealed_bid(C, received_at=T0)), CLOCK),
    ("wrong_set", lambda: Ceremony().frozen(), SealChecks(results={BidderId(A.id): "ok"}), CLOCK),
    ("wrong_set", barred, RecordOpenings(opened=ALL[:2]), CLOCK),
    ("wrong_set", barred, RecordOpenings(opened=(*ALL[:2], ALL[1])), CLOCK),
    ("no_such_group", decrypting, a_release(A, group="B"), A),
    ("no_such_failure", decrypting, ReportFailure(bidder=BidderId(A.id), code="hall_error"), A),
    ("no_such_failure", decrypting, ReportFailure(bidder=BidderId(A.id), code="revocation_unavailable"), A),
    # windows
    ("no_window", listed, ExtendWindow(reason="x"), HOST),
    # two persons
    ("same_person", proposed, Approve(proposal=1), HOST),
    ("no_such_proposal", proposed, Approve(proposal=2), SUPERVISOR),
    ("no_such_proposal", proposed, Decline(proposal=2, reason="x"), SUPERVISOR),
    ("already_proposed", proposed, Abort(reason="停电了"), DEPUTY),
    # objections
    ("own_objection_open", objecting, NoObjection(bidder=BidderId(A.id)), A),
    ("no_such_objection", objecting, AnswerObjection(number=2, text="x"), HOST),
    # the floor
    ("floor_closed", decrypting, AskFloor(bidder=BidderId(A.id)), A),
    ("floor_closed", signing, AskFloor(bidder=BidderId(A.id)), A),
    ("not_yours", confirming, AskFloor(bidder=BidderId(A.id)), B),
    ("not_yours", speaking, EndFloor(bidder=BidderId(A.id)), B),
    ("not_your_role", confirming, AskFloor(bidder=BidderId(A.id)), HOST),
    ("not_your_role", speaking, EndFloor(bidder=BidderId(A.id), reason="x"), SUPERVISOR),
    ("not_your_role", speaking, GrantFloor(bidder=BidderId(B.id)), B),
    ("not_acting_host", speaking, EndFloor(bidder=BidderId(A.id), reason="x"), DEPUTY),
    ("no_turn", confirming, GrantFloor(bidder=BidderId(A.id)), HOST),
    ("no_turn", confirming, EndFloor(bidder=BidderId(A.id)), A),
    ("floor_taken", speaking, GrantFloor(bidder=BidderId(B.id)), HOST),
    ("text_missing", speaking, EndFloor(bidder=BidderId(A.id)), HOST),
    # texts
    ("text_missing", decrypting, Pause(reason=" "), HOST),
    ("text_missing", decrypting, ExtendWindow(reason=""), HOST),
    ("text_missing", in_checkin, TakeChair(takeover=True), DEPUTY),
    ("text_missing", confirming, DisputeRow(bidder=BidderId(A.id), text=""), A),
    ("text_missing", objecting, AnswerObjection(number=1, text=""), HOST),
    ("text_missing", objecting, replace(objection(B), title=""), B),
    ("text_too_long", objecting, replace(objection(B), title="长" * 201), B),
    ("text_too_long", objecting, replace(objection(B), text="长" * 4001), B),
]


@pytest.mark.parametrize(
    ("code", "story", "command", "actor"),
    REFUSED,
    ids=[f"{code}-{story.__name__}-{type(command).__name__}-{actor.role}" for code, story, command, actor in REFUSED],
)
def test_refused(code: str, story: Callable[[], Ceremony], command: OpeningCommand, actor: Actor) -> None:
    c = story()
    before = c.it
    with pytest.raises(CommandRefused) as refused:
        c.send(command, actor)
    assert refused.value.code == code
    assert c.it == before


def test_nothing_but_an_announcement_founds_an_opening() -> None:
    from sessions import opening

    with pytest.raises(CommandRefused, match="not_scheduled"):
        opening.decide(None, Tick(), CLOCK, T0)
    with pytest.raises(CommandRefused, match="t0_passed"):
        Ceremony(at=T0)
    with pytest.raises(CommandRefused, match="not_your_role"):
        opening.decide(None, Schedule(plan=plan_to_json(a_plan())), HOST, T0 - MINUTE)


def test_a_release_without_the_key_is_not_opened_whatever_the_shell_says() -> None:
    c = decrypting().released(A, B)
    assert c.it.due is not None
    c.tick(c.it.due)
    with pytest.raises(CommandRefused, match="not_released"):
        c.gathered().send(RecordOpenings(opened=ALL), CLOCK)


def test_answering_twice_is_refused() -> None:
    c = objecting()
    c.send(AnswerObjection(number=1, text="已答复"), HOST)
    with pytest.raises(CommandRefused, match="already_answered"):
        c.send(AnswerObjection(number=1, text="再答复"), HOST)


def test_a_bidder_whose_bid_was_not_opened_has_no_row_to_confirm() -> None:
    c = decrypting().released(A, B)
    assert c.it.due is not None
    c.tick(c.it.due)
    c.open_bids(not_opened(C.id))
    assert c.it.due is not None
    c.tick(c.it.due)
    c.advance("confirm")
    with pytest.raises(CommandRefused, match="not_opened"):
        c.send(ConfirmRow(bidder=BidderId(C.id), statement=Jws("x")), C)


REPEATABLE: list[tuple[Callable[[], Ceremony], OpeningCommand, Actor]] = [
    (in_checkin, TakeChair(), HOST),
    (decrypting, check_in(STRANGER), STRANGER),
    (lambda: decrypting().released(A), a_release(A), A),
    (lambda: decrypting().released(A), ReportFailure(bidder=BidderId(A.id), code="locked"), A),
    (confirming, ConfirmRow(bidder=BidderId(A.id), statement=Jws("x")), A),
    (confirming, DisputeRow(bidder=BidderId(A.id), text="价格不对"), A),
    (objecting, objection(A), A),
    (objecting, NoObjection(bidder=BidderId(B.id)), B),
    (speaking, AskFloor(bidder=BidderId(B.id)), B),
    (speaking, GrantFloor(bidder=BidderId(A.id)), HOST),
    (signing, sign(A), A),
    (proposed, Abort(reason="停电"), HOST),
    (listed, closing(*SET), CLOCK),
    (listed, SealChecks(results={}), CLOCK),
]


@pytest.mark.parametrize(("story", "command", "actor"), REPEATABLE, ids=[type(row[1]).__name__ for row in REPEATABLE])
def test_a_repeated_command_changes_nothing(
    story: Callable[[], Ceremony], command: OpeningCommand, actor: Actor
) -> None:
    c = story() if actor is not STRANGER else Ceremony().decrypting(*SET, a_sealed_bid(STRANGER, checked_in=False))
    c.send(command, actor)
    before = c.it
    assert c.send(command, actor, c.now + SECOND) == []
    assert c.it == before


def test_what_is_permitted_is_what_is_taken() -> None:
    c = decrypting()
    assert permitted(c.it, A) == {
        "CheckIn",
        "RecordRelease",
        "RecordRescue",
        "ReportFailure",
        "Object",
        "NoObjection",
    }
    assert "Advance" in permitted(c.it, HOST)
    assert "Advance" not in permitted(c.it, DEPUTY)
    assert permitted(c.it, STRANGER) == permitted(c.it, PUBLIC) == frozenset()
    assert permitted(held().it, HOST) >= {"Resume", "Abort", "Approve"}
    assert "Resume" not in permitted(held().it, SUPERVISOR)
