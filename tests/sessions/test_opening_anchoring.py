"""Witnesses in the rules: what waits for them, what does not, and what is said when they are missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sessions import events as e
from sessions.commands import Pause, RecordAnchor, RecordDispute, Resume
from sessions.errors import CommandRefused
from sessions.opening import Status
from sessions.opening.points import CLOSE, RECORD, witnessed
from sessions.plan import AnchorKind, Plan, Watch, WitnessMode, WitnessRule
from sessions.roles import CLOCK
from tests.support.ceremony import DEPUTY, HOST, MINUTE, SECOND, T0, A, Ceremony, a_plan, a_sealed_bid, digest

WATCH = Watch(
    origin="hall.example/s/gx-1",
    witnesses=("w1.example+00000000+AAAA", "w2.example+00000000+AAAA", "w3.example+00000000+AAAA"),
    quorum=2,
    authorities=("tsa",),
)
GRACE = timedelta(seconds=60)


def watched(mode: WitnessMode, **changes: object) -> Plan:
    plan = a_plan(ceiling=None)
    rule = WitnessRule(mode=mode, grace=GRACE, article="bl-35")
    return replace(plan, watch=replace(WATCH, **changes), pack=replace(plan.pack, witness=rule))  # type: ignore[arg-type]


def an_answer(c: Ceremony, by: str = "w1.example", point: str = CLOSE, **changes: object) -> RecordAnchor:
    answer = RecordAnchor(
        point=point,
        kind=AnchorKind.WITNESS,
        by=by,
        size=c.it.length,
        root=digest("root"),
        sha256=digest(by),
        said_at=T0,
    )
    return replace(answer, **changes)  # type: ignore[arg-type]


def a_dispute(by: str = "w1.example") -> RecordDispute:
    return RecordDispute(by=by, kind="split", size=5, root=digest("other"), held=9, sha256=digest(f"note {by}"))


@pytest.fixture
def closed() -> Ceremony:
    return Ceremony(watched(WitnessMode.CLOSED)).frozen().checked()


@pytest.fixture
def open_() -> Ceremony:
    return Ceremony(watched(WitnessMode.OPEN)).frozen().checked()


def test_without_a_watch_nobody_is_waited_for() -> None:
    c = Ceremony(a_plan(ceiling=None)).decrypting()
    assert c.it.points == ()
    assert c.named(e.AnchorMissed) == []


def test_a_watch_without_witnesses_holds_nothing_up() -> None:
    c = Ceremony(watched(WitnessMode.CLOSED, witnesses=(), quorum=0)).decrypting()
    assert c.it.step == "decrypt"


def test_in_closed_mode_decryption_waits_for_the_quorum_and_for_no_more(closed: Ceremony) -> None:
    with pytest.raises(CommandRefused, match="not_witnessed"):
        closed.advance("decrypt")
    closed.send(an_answer(closed), CLOCK)
    with pytest.raises(CommandRefused, match="not_witnessed"):
        closed.advance("decrypt")
    closed.send(an_answer(closed, "w3.example"), CLOCK)
    closed.advance("decrypt")
    assert closed.it.step == "decrypt"


def test_in_closed_mode_the_public_is_told_after_the_grace_period_and_the_ceremony_still_waits(
    closed: Ceremony,
) -> None:
    closed.send(an_answer(closed), CLOCK)
    closed.tick(T0 + GRACE + SECOND)
    assert closed.named(e.AnchorMissed) == [e.AnchorMissed(point="close", have=("w1.example",), quorum=2)]
    with pytest.raises(CommandRefused, match="not_witnessed"):
        closed.advance("decrypt")
    closed.send(an_answer(closed, "w2.example"), CLOCK)
    closed.advance("decrypt")
    assert len(closed.named(e.AnchorMissed)) == 1


def test_in_open_mode_decryption_waits_for_the_grace_period_only(open_: Ceremony) -> None:
    with pytest.raises(CommandRefused, match="not_witnessed"):
        open_.advance("decrypt")
    open_.tick(T0 + GRACE)
    missed = next(fact for fact in open_.facts if isinstance(fact.event, e.AnchorMissed))
    assert (missed.at, missed.actor) == (T0 + GRACE, CLOCK)
    open_.advance("decrypt")
    assert open_.it.step == "decrypt"


def test_nothing_is_missed_where_the_quorum_came_in_time(open_: Ceremony) -> None:
    for by in ("w1.example", "w2.example"):
        open_.send(an_answer(open_, by), CLOCK)
    open_.tick(T0 + 10 * GRACE)
    assert open_.named(e.AnchorMissed) == []


def test_a_late_tick_dates_the_miss_when_it_fell_due(open_: Ceremony) -> None:
    open_.tick(T0 + 10 * GRACE)
    assert next(f.at for f in open_.facts if isinstance(f.event, e.AnchorMissed)) == T0 + GRACE


def test_a_pause_stops_the_grace_period_too(open_: Ceremony) -> None:
    open_.send(Pause(reason="停电"), DEPUTY, T0 + 10 * SECOND)
    open_.tick(T0 + 2 * MINUTE)
    assert open_.named(e.AnchorMissed) == []
    open_.send(Resume(), HOST, T0 + 10 * SECOND + 5 * MINUTE)
    open_.tick(T0 + GRACE + 5 * MINUTE - SECOND)
    assert open_.named(e.AnchorMissed) == []
    open_.tick(T0 + GRACE + 5 * MINUTE)
    assert len(open_.named(e.AnchorMissed)) == 1


def test_witnesses_are_heard_during_a_pause(closed: Ceremony) -> None:
    closed.send(Pause(reason="停电"), DEPUTY)
    closed.send(an_answer(closed), CLOCK)
    assert closed.it.point(CLOSE).by(AnchorKind.WITNESS) == ("w1.example",)  # type: ignore[union-attr]


def test_the_same_answer_twice_is_recorded_once(closed: Ceremony) -> None:
    closed.send(an_answer(closed), CLOCK)
    assert closed.send(an_answer(closed), CLOCK) == []


def test_timestamps_are_kept_and_do_not_count_as_witnesses(closed: Ceremony) -> None:
    closed.send(an_answer(closed, "tsa", kind=AnchorKind.STAMP), CLOCK)
    closed.send(an_answer(closed), CLOCK)
    assert not witnessed(closed.it, CLOSE)
    assert closed.it.point(CLOSE).by(AnchorKind.STAMP) == ("tsa",)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("no_such_point", {"point": "draw-9"}),
        ("not_a_witness", {"by": "stranger.example"}),
        ("not_a_witness", {"by": "tsa"}),
        ("not_a_witness", {"kind": AnchorKind.STAMP}),
        ("wrong_size", {"size": 1}),
        ("wrong_size", {"size": 999}),
    ],
)
def test_an_answer_that_was_not_asked_for_is_refused(closed: Ceremony, code: str, changes: dict[str, object]) -> None:
    with pytest.raises(CommandRefused, match=code):
        closed.send(an_answer(closed, **changes), CLOCK)  # type: ignore[arg-type]


def test_nobody_but_the_hall_says_what_witnesses_said(closed: Ceremony) -> None:
    for command in (an_answer(closed), a_dispute()):
        with pytest.raises(CommandRefused, match="not_your_role"):
            closed.send(command, HOST)


def test_without_a_watch_there_is_no_point_to_hold() -> None:
    c = Ceremony(a_plan()).frozen()
    with pytest.raises(CommandRefused, match="no_such_point"):
        c.send(an_answer(c), CLOCK)


def to_the_signed_record(c: Ceremony) -> Ceremony:
    for by in ("w1.example", "w2.example"):
        c.send(an_answer(c, by), CLOCK)
    c.advance("decrypt")
    c.released(*(replace(A, id=bid.bidder) for bid in c.it.bids))
    c.open_bids()
    for step in ("confirm", "objection"):
        c.tick(c.it.due)
        if c.it.step != step and step == "confirm":
            c.advance("confirm")
    c.tick(c.it.due)
    c.advance("sign")
    c.tick(c.it.due)
    return c


def test_in_closed_mode_nothing_ends_before_the_record_is_held(closed: Ceremony) -> None:
    to_the_signed_record(closed)
    assert closed.it.step_complete
    assert closed.it.status is Status.LIVE
    for by in ("w1.example", "w2.example"):
        closed.send(an_answer(closed, by, RECORD), CLOCK)
    assert closed.it.status is Status.ENDED


def test_in_open_mode_the_end_waits_for_the_grace_period_at_most(open_: Ceremony) -> None:
    to_the_signed_record(open_)
    open_.tick(open_.now + GRACE)
    assert open_.it.status is Status.ENDED
    assert [missed.point for missed in open_.named(e.AnchorMissed)] == ["record"]


def test_too_few_bids_need_no_witness() -> None:
    c = Ceremony(watched(WitnessMode.CLOSED)).frozen(a_sealed_bid(A))
    assert c.it.status is Status.FAILED
    c.tick(T0 + 10 * GRACE)
    assert c.named(e.AnchorMissed) == []


def test_a_dispute_is_public_once_for_each_witness(closed: Ceremony) -> None:
    closed.send(a_dispute(), CLOCK)
    assert closed.send(a_dispute(), CLOCK) == []
    closed.send(a_dispute("w2.example"), CLOCK)
    assert [dispute.by for dispute in closed.it.disputes] == ["w1.example", "w2.example"]
    with pytest.raises(CommandRefused, match="not_a_witness"):
        closed.send(a_dispute("stranger.example"), CLOCK)
