"""Every cause of LIFECYCLE.md, from the evidence that shows it."""

from __future__ import annotations

import pytest

from sessions import events as e
from sessions.commands import ReportFailure
from sessions.ids import BidderId
from sessions.opening.attribution import BY_ATTEMPT, BY_CLIENT, CAUSES
from tests.support.ceremony import (
    MS,
    SECOND,
    A,
    B,
    C,
    Ceremony,
    a_release,
    a_sealed_bid,
    not_opened,
)


def the_verdict(c: Ceremony, code: str | None = None) -> tuple[str, str]:
    """Let the window run out, open what there is, and return what became of C's bid."""
    if c.it.barrier is None:
        assert c.it.due is not None
        c.tick(c.it.due)
    c.open_bids(not_opened(C.id, code))
    (event,) = (event for event in c.named(e.BidNotOpened) if event.bidder == C.id)
    return event.cause, event.consequence


def after_failing(code: str) -> Ceremony:
    c = Ceremony().decrypting().released(A, B)
    c.send(a_release(C, code), C)
    return c


def test_b1_never_came_and_never_tried() -> None:
    bids = (a_sealed_bid(A), a_sealed_bid(B), a_sealed_bid(C, checked_in=False))
    assert the_verdict(Ceremony().decrypting(*bids).released(A, B)) == ("B1", "revoked")


@pytest.mark.parametrize(("code", "cause"), sorted(BY_ATTEMPT.items()))
def test_the_last_attempt_shows_the_cause(code: str, cause: str) -> None:
    assert the_verdict(after_failing(code)) == (cause, CAUSES[cause])


@pytest.mark.parametrize(("code", "cause"), sorted(BY_CLIENT.items()))
def test_what_the_bidders_own_program_reports_is_the_bidders_doing(code: str, cause: str) -> None:
    c = Ceremony().decrypting().released(A, B)
    c.send(ReportFailure(bidder=BidderId(C.id), code=code), C)
    assert the_verdict(c) == (cause, "revoked")


def test_only_the_last_attempt_counts() -> None:
    c = after_failing("hall_error")
    c.send(ReportFailure(bidder=BidderId(C.id), code="wrong_password"), C)
    assert the_verdict(c) == ("B4", "revoked")


@pytest.mark.parametrize("code", ["damaged_part", "malformed_quote", "commitment_mismatch", "malformed_names"])
def test_b6_the_key_was_right_and_what_it_opens_is_not_readable(code: str) -> None:
    assert the_verdict(Ceremony().decrypting().released(A, B, C), code) == ("B6", "revoked")


def test_p1_the_hall_failed_while_opening() -> None:
    assert the_verdict(Ceremony().decrypting().released(A, B, C), "hall_error") == ("P1", "withdrawn")


def test_p2_the_stored_bytes_are_not_those_of_the_receipt() -> None:
    c = Ceremony().frozen().checked({C.id: "wrong_segments"})
    c.advance("ceiling")
    c.advance("decrypt")
    c.send(a_release(C, "wrong_key"), C)
    assert the_verdict(c.released(A, B)) == ("P2", "withdrawn")
    assert the_verdict(Ceremony().decrypting().released(A, B, C), "stored_bytes_changed") == ("P2", "withdrawn")


def test_p4_arrived_in_the_window_and_was_answered_after_it() -> None:
    c = Ceremony().decrypting().released(A, B)
    assert c.it.due is not None
    due = c.it.due
    in_time = a_release(C, arrived_at=due - MS)
    assert [type(event) for event in c.send(in_time, C, due + SECOND)] == [e.BarrierPassed, e.AttemptFailed]
    assert c.it.barrier is not None
    assert c.it.barrier.at == due
    assert the_verdict(c) == ("P4", "withdrawn")


@pytest.mark.parametrize("code", ["not_decryptable", "stale_nonce", "malformed_release", "no-such-code"])
def test_what_the_evidence_does_not_decide_is_left_to_two_persons(code: str) -> None:
    assert the_verdict(after_failing(code)) == ("unknown", "pending")


def test_the_evidence_is_recorded_with_the_cause() -> None:
    c = after_failing("wrong_password")
    the_verdict(c)
    bid = c.it.bid(C.id)
    assert bid is not None
    assert bid.evidence is not None
    assert (bid.evidence["last_attempt_code"], bid.evidence["others_released"]) == ("wrong_password", "2")
