"""Who is to blame, from who could reach whom: one change in the evidence at a time, and another cause."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from sessions import events as e
from sessions.commands import RecordEvidence, RecordFault, ReportFailure, RuleCause
from sessions.errors import CommandRefused
from sessions.ids import BidderId
from sessions.opening.evidence import Beat, Measure, Probe, measure, outages, thinned
from sessions.roles import CLOCK, Actor
from tests.support.ceremony import HOST, MINUTE, SECOND, T0, A, B, C, Ceremony, a_plan, a_release, a_sealed_bid

CADENCE = 20 * SECOND
HERE = Measure(cadence=CADENCE, gap=2 * MINUTE, slow=10 * SECOND)


def a_beat(who: Actor, at: datetime, number: int = 1, **changes: object) -> Beat:
    beat = Beat(bidder=BidderId(who.id), number=number, made_at=at, heard_at=at, answered_at=at, key="ready", lost=0)
    return replace(beat, **changes)  # type: ignore[arg-type]


def beats(who: Actor, start: datetime, until: datetime, **changes: object) -> tuple[Beat, ...]:
    """A sign of life every twenty seconds."""
    count = int((until - start) / CADENCE)
    return tuple(a_beat(who, start + n * CADENCE, n + 1, **changes) for n in range(count + 1))


def probes(start: datetime, until: datetime, *, took_ms: int = 3) -> tuple[Probe, ...]:
    count = int((until - start) / CADENCE)
    return tuple(Probe(at=start + n * CADENCE, took_ms=took_ms, run="run") for n in range(count + 1))


class Window:
    """A decrypt window of thirty minutes in which A releases at once and C is the one in question."""

    def __init__(self, *bids: object, checked_in: bool = True) -> None:
        sealed = (a_sealed_bid(A), a_sealed_bid(B), a_sealed_bid(C, checked_in=checked_in))
        self.c = Ceremony().decrypting(*sealed).released(A, B)
        run = self.c.it.run
        assert run is not None
        assert run.due is not None
        self.start, self.end = run.entered_at, run.due

    def verdict(self, *given: Beat, hall: tuple[Probe, ...] | None = None) -> tuple[str, str]:
        """Let the window end with this evidence, and return what became of C's bid."""
        assert self.c.it.due is not None
        self.end = self.c.it.due
        self.c.tick(self.end)
        seen = probes(self.start, self.end) if hall is None else hall
        self.c.gathered(*sorted(given, key=lambda beat: beat.heard_at), probes=seen).open_bids()
        (event,) = (event for event in self.c.named(e.BidNotOpened) if event.bidder == C.id)
        return event.cause, event.consequence


def test_b5_fell_silent_while_others_reached_the_hall_all_along() -> None:
    w = Window()
    there = beats(C, w.start, w.start + 5 * MINUTE)
    assert w.verdict(*there, *beats(A, w.start, w.end)) == ("B5", "revoked")


def test_nobody_is_offline_by_evidence_when_the_others_fell_silent_too() -> None:
    w = Window()
    there = beats(C, w.start, w.start + 5 * MINUTE)
    others = (*beats(A, w.start, w.start + 10 * MINUTE), *beats(A, w.start + 13 * MINUTE, w.end))
    assert w.verdict(*there, *others) == ("unknown", "pending")


def test_one_success_at_the_beginning_does_not_show_the_hall_reachable_for_half_an_hour() -> None:
    assert Window().verdict() == ("unknown", "pending")


def test_the_beats_of_the_silent_one_itself_do_not_speak_for_others() -> None:
    w = Window()
    assert w.verdict(*beats(C, w.start, w.start + 5 * MINUTE)) == ("unknown", "pending")


def test_b1_never_came_while_others_did() -> None:
    w = Window(checked_in=False)
    assert w.verdict(*beats(A, w.start, w.end)) == ("B1", "revoked")


def test_b1_sat_there_to_the_end_and_never_tried() -> None:
    w = Window()
    assert w.verdict(*beats(C, w.start, w.end, key="none")) == ("B1", "revoked")


@pytest.mark.parametrize(("state", "cause"), [("wrong_key", "B2"), ("certificate_expired", "B3"), ("locked", "B4")])
def test_what_its_own_program_signed_about_its_key_counts_without_a_try(state: str, cause: str) -> None:
    w = Window()
    assert w.verdict(*beats(C, w.start, w.end, key=state)) == (cause, "revoked")


def test_p1_the_hall_stood_still_and_nobody_reached_it() -> None:
    w = Window()
    until, again = w.start + 5 * MINUTE, w.start + 12 * MINUTE
    hall = (*probes(w.start, until), *probes(again, w.end))
    others = (*beats(A, w.start, until), *beats(A, again, w.end))
    assert w.verdict(*others, hall=hall) == ("P1", "withdrawn")


def test_slow_answers_of_its_own_store_are_a_fault_of_the_hall() -> None:
    w = Window()
    well, slow = probes(w.start, w.start + MINUTE), probes(w.start + 2 * MINUTE, w.end, took_ms=60_000)
    assert w.verdict(*beats(C, w.start, w.start + MINUTE), hall=(*well, *slow)) == ("P1", "withdrawn")


def test_a_hall_that_says_it_stood_still_while_others_were_answered_decides_nothing() -> None:
    w = Window()
    hall = (*probes(w.start, w.start + 5 * MINUTE), *probes(w.start + 12 * MINUTE, w.end))
    assert w.verdict(*beats(A, w.start, w.end), hall=hall) == ("unknown", "pending")


def test_a_fault_that_the_window_got_back_harms_nobody_and_excuses_nobody() -> None:
    w = Window()
    down, up = w.start + 5 * MINUTE, w.start + 12 * MINUTE
    w.c.send(RecordFault(began=down, ended=up), CLOCK, up)
    assert w.c.it.due == w.end + 7 * MINUTE
    hall = (*probes(w.start, down), *probes(up, w.end + 7 * MINUTE))
    others = (*beats(A, w.start, down), *beats(A, up, w.end + 7 * MINUTE))
    there = beats(C, w.start, down)
    assert w.verdict(*there, *others, hall=hall) == ("unknown", "pending")  # for seven minutes nobody got through


def test_a_failed_try_is_not_held_against_a_bidder_who_could_not_try_again() -> None:
    w = Window()
    w.c.send(a_release(C, "wrong_key"), C, w.start + MINUTE)
    hall = probes(w.start, w.start + 2 * MINUTE)
    assert w.verdict(hall=hall) == ("unknown", "pending")


def test_a_failed_try_stands_when_the_hall_worked_throughout() -> None:
    w = Window()
    w.c.send(ReportFailure(bidder=BidderId(C.id), code="wrong_password"), C, w.start + MINUTE)
    assert w.verdict(*beats(A, w.start, w.end)) == ("B4", "revoked")


def test_a_program_that_says_it_released_while_the_hall_has_no_key_decides_nothing() -> None:
    w = Window()
    assert w.verdict(*beats(C, w.start, w.end, key="released")) == ("unknown", "pending")


def test_p4_the_hall_was_slow_to_answer_this_bidder() -> None:
    w = Window()
    late = a_beat(C, w.start + MINUTE, answered_at=w.start + MINUTE + 11 * SECOND)
    assert w.verdict(late, *beats(A, w.start, w.end)) == ("P4", "withdrawn")


def test_the_figures_and_the_digests_stand_in_the_record() -> None:
    w = Window()
    w.verdict(*beats(C, w.start, w.start + 5 * MINUTE), *beats(A, w.start, w.end))
    bid = w.c.it.bid(C.id)
    assert bid is not None
    assert bid.evidence is not None
    assert (bid.evidence["beats"], bid.evidence["silent_s"], bid.evidence["longest_unheard_s"]) == (
        "16",
        "1500",
        "20",
    )
    assert {"sha256", "reach_sha256", "probes_sha256"} <= bid.evidence.keys()


def test_two_persons_may_still_rule_where_the_evidence_does_not() -> None:
    w = Window()
    assert w.verdict() == ("unknown", "pending")
    w.c.send(RuleCause(bidder=BidderId(C.id), cause="X1", reason="运营商确认骨干网中断"), HOST)
    assert w.c.named(e.ActProposed)


# -- faults of the hall ---------------------------------------------------------------------------------------------


def test_a_fault_that_outlasts_the_window_is_reckoned_with_before_the_window_ends() -> None:
    w = Window()
    down, up = w.end - MINUTE, w.end + 9 * MINUTE
    happened = w.c.send(RecordFault(began=down, ended=up), CLOCK, up)
    assert [type(event) for event in happened] == [e.FaultMeasured]
    assert w.c.it.barrier is None
    assert w.c.it.due == w.end + 10 * MINUTE


def test_what_fell_due_before_the_fault_began_stays_as_it_was() -> None:
    w = Window()
    with pytest.raises(CommandRefused, match="window_closed"):
        w.c.send(RecordFault(began=w.end + SECOND, ended=w.end + MINUTE), CLOCK, w.end + MINUTE)
    w.c.tick(w.end + MINUTE)
    assert w.c.it.barrier is not None
    assert w.c.it.barrier.at == w.end


def test_the_same_fault_is_recorded_once() -> None:
    w = Window()
    fault = RecordFault(began=w.start + MINUTE, ended=w.start + 5 * MINUTE)
    w.c.send(fault, CLOCK, w.start + 5 * MINUTE)
    assert w.c.send(fault, CLOCK) == []


def test_the_rule_pack_says_how_much_a_window_gets_back_in_all() -> None:
    w = Window()
    w.c.send(RecordFault(began=w.start + MINUTE, ended=w.start + 91 * MINUTE), CLOCK, w.start + 91 * MINUTE)
    (fault,) = w.c.named(e.FaultMeasured)
    assert fault.new - fault.old == timedelta(hours=1)


def test_nobody_but_the_hall_says_that_it_stood_still() -> None:
    w = Window()
    with pytest.raises(CommandRefused, match="not_your_role"):
        w.c.send(RecordFault(began=w.start, ended=w.start + MINUTE), HOST)


def test_evidence_comes_before_results_and_for_everyone_who_is_missing() -> None:
    w = Window()
    w.c.tick(w.end)
    with pytest.raises(CommandRefused, match="not_due"):
        w.c.send(a_result_for_all(), CLOCK)
    with pytest.raises(CommandRefused, match="wrong_set"):
        w.c.send(RecordEvidence(gathered=()), CLOCK)


def a_result_for_all() -> object:
    from sessions.commands import RecordOpenings
    from tests.support.ceremony import not_opened

    return RecordOpenings(opened=tuple(not_opened(who.id) for who in (A, B, C)))


# -- the arithmetic -------------------------------------------------------------------------------------------------


def test_a_short_window_has_shorter_measures() -> None:
    plan = a_plan()
    assert plan.pack.evidence is not None
    o = Ceremony(plan).it
    assert measure(o, plan.pack.evidence) == HERE
    short = replace(o, plan=replace(plan, windows={**plan.windows, "decrypt": timedelta(seconds=60)}))
    assert measure(short, plan.pack.evidence) == Measure(cadence=5 * SECOND, gap=15 * SECOND, slow=10 * SECOND)


def test_a_hall_that_never_noted_anything_was_not_watching() -> None:
    assert outages((), HERE, start=T0, end=T0 + timedelta(hours=1)) == ()


def test_silence_before_the_first_and_after_the_last_sign_counts() -> None:
    seen = probes(T0 + 5 * MINUTE, T0 + 10 * MINUTE)
    assert outages(seen, HERE, start=T0, end=T0 + 20 * MINUTE) == (
        (T0, T0 + 5 * MINUTE),
        (T0 + 10 * MINUTE, T0 + 20 * MINUTE),
    )


def test_of_each_stretch_two_bidders_speak_for_reachability() -> None:
    every = [beat for at in range(0, 60, 5) for beat in (a_beat(A, T0 + at * SECOND), a_beat(B, T0 + at * SECOND))]
    kept = thinned([*every, a_beat(C, T0 + 59 * SECOND)], T0, CADENCE)
    assert [(beat.bidder[-1], (beat.heard_at - T0) // SECOND) for beat in kept] == [
        ("A", 0), ("B", 0), ("A", 20), ("B", 20), ("A", 40), ("B", 40),
    ]  # fmt: skip
