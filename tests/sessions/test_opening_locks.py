"""Two locks, and nothing opens before both are off: who is ready, who brings a share, who stays away."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from sessions.archive.record_html import record_html
from sessions.commands import (
    Abort,
    Advance,
    Approve,
    ExtendWindow,
    GrantEscrow,
    MissLock,
    OpenLock,
    Pause,
    ReadyOfficer,
    RecordOpenings,
    RequestEscrow,
    Resume,
)
from sessions.errors import CommandRefused
from sessions.events import BidNotOpened, BidOpened, EscrowGranted, EscrowRequested, LockMissed, LockOpened
from sessions.ids import BidderId, Digest, Jws, StepId
from sessions.opening import OpenBids, next_due, permitted, work_due
from sessions.opening.locked import not_ready, still_locked
from sessions.opening.record import record
from sessions.proofs import Proof, State
from sessions.roles import CLOCK
from tests.support.ceremony import (
    DEPUTY,
    HOST,
    MINUTE,
    SUPERVISOR,
    T0,
    A,
    B,
    C,
    Ceremony,
    a_plan,
    a_sealed_bid,
    not_opened,
    opened,
)
from tests.support.locked import AGENT, TRUSTEES, TWO_LOCKS, Locked, a_locked_plan

WHO_A = BidderId(A.id)


def behind_the_barrier(**plan: Any) -> Locked:
    """Every key is in."""
    story = Locked(a_locked_plan(**plan)).decrypting()
    story.released(A, B, C)
    assert story.it.barrier is not None
    return story


def refused(story: Ceremony, command: Any, who: Any) -> str:
    with pytest.raises(CommandRefused) as no:
        story.send(command, who)
    return no.value.code


def test_the_window_does_not_begin_while_a_lock_has_nobody_ready() -> None:
    story = Locked(a_locked_plan()).frozen().checked()
    story.advance("ceiling")
    assert refused(story, Advance(step=StepId("decrypt")), HOST) == "lock_not_ready"
    story.send(ReadyOfficer(lock="host", passed=True), DEPUTY)
    assert refused(story, Advance(step=StepId("decrypt")), HOST) == "lock_not_ready"
    story.send(ReadyOfficer(lock="supervisor", passed=True), SUPERVISOR)
    story.advance("decrypt")
    assert story.it.step == "decrypt"


def test_a_key_that_stops_working_makes_its_officer_unready() -> None:
    story = Locked(a_locked_plan()).frozen().checked()
    story.advance("ceiling")
    story.all_ready()
    story.send(ReadyOfficer(lock="supervisor", passed=False), SUPERVISOR)
    assert [lock.id for lock in not_ready(story.it)] == ["supervisor"]
    assert refused(story, Advance(step=StepId("decrypt")), HOST) == "lock_not_ready"


def test_two_of_three_officers_must_be_ready_and_bring_their_shares() -> None:
    locks = [{**TWO_LOCKS[0], "threshold": 2}, TWO_LOCKS[1]]
    story = Locked(a_locked_plan(locks=locks)).frozen().checked()
    story.advance("ceiling")
    story.all_ready()
    assert refused(story, Advance(step=StepId("decrypt")), HOST) == "lock_not_ready"
    story.ready(DEPUTY, "host")
    story.advance("decrypt")
    story.released(A, B, C)
    story.brings(HOST, "host")
    story.brings(SUPERVISOR, "supervisor")
    assert work_due(story.it) is None
    story.brings(DEPUTY, "host")
    assert isinstance(work_due(story.it), OpenBids)


def test_the_same_rehearsal_again_adds_nothing() -> None:
    story = Locked(a_locked_plan()).frozen()
    assert len(story.ready(HOST, "host")) == 1
    assert story.ready(HOST, "host") == []
    assert len(story.ready(HOST, "host", passed=False)) == 1


def test_keys_are_rehearsed_days_ahead_and_tried_again_on_the_day() -> None:
    story = Locked(a_locked_plan())
    assert story.now < T0 - 60 * MINUTE
    assert len(story.ready(HOST, "host")) == 1
    assert story.ready(HOST, "host") == []
    assert len(story.ready(SUPERVISOR, "supervisor", passed=False)) == 1
    story.frozen().checked()
    before = story.it.locks.beforehand
    assert [(one.account, one.passed) for one in before] == [(HOST.id, True), (SUPERVISOR.id, False)]
    assert {lock.id for lock in not_ready(story.it)} == {"host", "supervisor"}
    story.advance("ceiling")
    assert refused(story, Advance(step=StepId("decrypt")), HOST) == "lock_not_ready"
    assert len(story.ready(HOST, "host")) == 1
    story.ready(SUPERVISOR, "supervisor")
    story.advance("decrypt")


def test_behind_the_barrier_the_opening_waits_for_people_and_not_for_the_clock() -> None:
    story = behind_the_barrier()
    assert (work_due(story.it), next_due(story.it)) == (None, None)
    assert [lock.id for lock in still_locked(story.it)] == ["host", "supervisor"]
    assert refused(story, RecordOpenings(opened=tuple(opened(x.id) for x in (A, B, C))), CLOCK) == "not_due"


@pytest.mark.parametrize("order", [*permutations([(HOST, "host"), (DEPUTY, "host"), (SUPERVISOR, "supervisor")])])
def test_in_whatever_order_the_officers_come_the_last_lock_lets_the_bids_open(order: Any) -> None:
    story = behind_the_barrier()
    came: set[str] = set()
    for who, lock in order:
        (event,) = story.brings(who, lock)
        assert isinstance(event, LockOpened)
        assert (event.lock, event.officer) == (lock, who.id)
        came.add(lock)
        assert (work_due(story.it) is not None) == (came == {"host", "supervisor"})
    story.open_bids()
    assert story.it.opened
    assert len(story.named(BidOpened)) == 3


def test_an_officer_who_comes_twice_adds_only_shares_that_hold_where_none_did() -> None:
    story = behind_the_barrier()
    story.brings(HOST, "host", {A.id: "share_mismatch"})
    assert story.brings(HOST, "host", {A.id: "share_mismatch"}) == []
    assert len(story.brings(HOST, "host")) == 1
    assert story.brings(HOST, "host") == []


def test_nobody_removes_a_lock_that_is_not_his() -> None:
    story = behind_the_barrier()
    everybody = OpenLock(lock="supervisor", opened=(), failed={})
    assert refused(story, everybody, HOST) == "not_your_lock"
    assert refused(story, replace(everybody, lock="vault"), SUPERVISOR) == "not_your_lock"
    assert refused(story, replace(everybody, lock="host"), A) == "not_your_role"
    assert refused(story, ReadyOfficer(lock="host", passed=True), SUPERVISOR) == "not_your_lock"


def test_the_shares_of_a_lock_are_for_just_the_bids_behind_it() -> None:
    story = behind_the_barrier()
    some = (WHO_A, BidderId(B.id))
    assert refused(story, OpenLock(lock="host", opened=some, failed={}), HOST) == "wrong_set"
    assert refused(story, OpenLock(lock="host", opened=(*some, *some), failed={}), HOST) == "wrong_set"
    bad = {BidderId(C.id): "lazy"}
    assert refused(story, OpenLock(lock="host", opened=some, failed=bad), HOST) == "wrong_set"


def test_no_lock_is_removed_before_the_barrier_nor_during_a_pause() -> None:
    story = Locked(a_locked_plan()).decrypting()
    story.released(A)
    assert "OpenLock" not in permitted(story.it, HOST)
    assert refused(story, OpenLock(lock="host", opened=(), failed={}), HOST) == "locks_not_due"
    story.released(B, C)
    assert "OpenLock" in permitted(story.it, HOST)
    story.send(Pause(reason="核对"), SUPERVISOR)
    assert refused(story, OpenLock(lock="host", opened=(), failed={}), HOST) == "held"
    story.send(Resume(), HOST)
    story.brings(HOST, "host")


def test_while_an_officer_is_away_two_persons_may_end_the_session_and_nothing_else() -> None:
    story = behind_the_barrier()
    story.brings(HOST, "host")
    assert refused(story, MissLock(lock="supervisor", reason="未到场"), HOST) == "lock_needed"
    story.send(Abort(reason="监督方无法到场"), HOST)
    story.send(Approve(proposal=1), DEPUTY)
    assert story.it.status == "aborted"
    assert not story.named(BidOpened)


def test_a_window_that_the_barrier_ended_cannot_be_extended() -> None:
    story = behind_the_barrier()
    assert story.it.due is not None
    assert refused(story, ExtendWindow(reason="再等等"), HOST) == "no_window"


def test_no_key_released_means_no_lock_to_remove() -> None:
    story = Locked(a_locked_plan()).decrypting()
    assert story.it.due is not None
    story.tick(story.it.due)
    assert still_locked(story.gathered().it) == ()
    assert isinstance(work_due(story.it), OpenBids)


def test_a_share_that_does_not_fit_leaves_the_cause_to_two_persons() -> None:
    story = behind_the_barrier()
    story.brings(HOST, "host", {A.id: "share_mismatch"})
    story.brings(SUPERVISOR, "supervisor")
    story.open_bids(not_opened(A.id, "share_mismatch"))
    (shut,) = story.named(BidNotOpened)
    assert (shut.cause, shut.consequence) == ("unknown", "pending")


def test_an_officer_none_of_whose_shares_fits_leaves_the_lock_to_the_other() -> None:
    story = behind_the_barrier()
    story.brings(HOST, "host", dict.fromkeys((A.id, B.id, C.id), "not_decryptable"))
    story.brings(SUPERVISOR, "supervisor")
    assert [lock.id for lock in still_locked(story.it)] == ["host"]
    story.brings(DEPUTY, "host")
    assert isinstance(work_due(story.it), OpenBids)


def test_a_lock_waits_for_nobody_once_all_its_officers_have_come() -> None:
    story = behind_the_barrier()
    story.brings(SUPERVISOR, "supervisor")
    for officer in (HOST, DEPUTY):
        story.brings(officer, "host", dict.fromkeys((A.id, B.id, C.id), "share_mismatch"))
    assert not still_locked(story.it)
    assert isinstance(work_due(story.it), OpenBids)


def test_one_bidder_s_spoilt_share_makes_nobody_wait_for_those_who_stayed_at_home() -> None:
    story = behind_the_barrier()
    story.brings(HOST, "host", {A.id: "share_mismatch"})
    story.brings(SUPERVISOR, "supervisor")
    assert isinstance(work_due(story.it), OpenBids)


def test_shares_that_all_fit_and_make_another_key_show_the_bidder_s_doing() -> None:
    story = behind_the_barrier()
    story.brings(HOST, "host")
    story.brings(SUPERVISOR, "supervisor")
    story.open_bids(not_opened(A.id, "key_mismatch"))
    (shut,) = story.named(BidNotOpened)
    assert (shut.cause, shut.consequence) == ("B2", "revoked")
    assert shut.evidence["open_code"] == "key_mismatch"
    assert shut.evidence["release_sha256"]


def test_the_tenderer_s_share_is_one_more_lock() -> None:
    story = behind_the_barrier(tenderer=True)
    story.brings(HOST, "host")
    story.brings(SUPERVISOR, "supervisor")
    assert work_due(story.it) is None
    story.brings(AGENT, "tenderer")
    assert isinstance(work_due(story.it), OpenBids)


def test_without_the_tenderer_s_share_two_persons_may_go_on_and_the_bids_count_as_withdrawn() -> None:
    story = behind_the_barrier(tenderer=True)
    story.brings(HOST, "host")
    story.brings(SUPERVISOR, "supervisor")
    story.send(MissLock(lock="tenderer", reason="招标人代表失联"), HOST)
    assert work_due(story.it) is None
    story.send(Approve(proposal=1), SUPERVISOR)
    (missed,) = story.named(LockMissed)
    assert (missed.lock, missed.approved_by) == ("tenderer", SUPERVISOR.id)
    assert refused(story, OpenLock(lock="tenderer", opened=(), failed={}), AGENT) == "lock_missed"
    story.open_bids(*(not_opened(who.id, "tenderer_missing") for who in (A, B, C)))
    assert [(shut.cause, shut.consequence) for shut in story.named(BidNotOpened)] == [("P5", "withdrawn")] * 3


def test_a_bidder_without_its_key_asks_for_the_trustees_and_two_persons_agree() -> None:
    story = Locked(a_locked_plan(escrow=True)).decrypting()
    story.released(B, C)
    assert refused(story, GrantEscrow(bidder=WHO_A, reason="密钥损坏"), HOST) == "no_escrow"
    story.send(RequestEscrow(bidder=WHO_A, statement=Jws("lost")), A)
    story.send(GrantEscrow(bidder=WHO_A, reason="密钥损坏"), HOST)
    assert story.it.barrier is None
    story.send(Approve(proposal=1), SUPERVISOR)
    assert story.named(EscrowGranted)[0].approved_by == SUPERVISOR.id
    assert story.it.barrier is not None
    story.brings(HOST, "host")
    story.brings(SUPERVISOR, "supervisor")
    assert [event.opened for event in story.named(LockOpened)] == [(BidderId(B.id), BidderId(C.id))] * 2
    (first,) = story.brings(TRUSTEES[0], "escrow")
    assert first.opened == (WHO_A,)
    assert work_due(story.it) is None
    story.brings(TRUSTEES[2], "escrow")
    assert isinstance(work_due(story.it), OpenBids)


def test_the_trustees_are_for_nobody_else_and_only_while_the_window_is_open() -> None:
    story = Locked(a_locked_plan(escrow=True)).decrypting()
    story.released(A)
    assert story.send(RequestEscrow(bidder=WHO_A, statement=Jws("late thought")), A) == []
    assert refused(story, RequestEscrow(bidder=WHO_A, statement=Jws("forged")), B) == "not_yours"
    story.send(RequestEscrow(bidder=BidderId(B.id), statement=Jws("lost")), B)
    story.send(GrantEscrow(bidder=BidderId(B.id), reason="密钥损坏"), HOST)
    story.released(B)
    assert refused(story, Approve(proposal=1), SUPERVISOR) == "not_due"
    story.released(C)
    assert refused(story, RequestEscrow(bidder=BidderId(C.id), statement=Jws("x")), C) == "window_closed"
    assert not story.named(EscrowGranted)


def test_asking_for_the_trustees_stands_on_a_proof_where_the_rules_ask_for_one() -> None:
    story = Locked(a_locked_plan(escrow=True)).decrypting()
    story.state = replace(story.it, plan=replace(story.it.plan, proofs=True))
    asking = RequestEscrow(bidder=WHO_A, statement=Jws("lost"))
    assert refused(story, asking, A) == "unproved"
    proof = Proof(certificate=Digest("ab" * 32), state=State.REVOKED, evidence=Digest("cd" * 32))
    assert refused(story, replace(asking, proof=proof), A) == "revoked"
    good = replace(proof, state=State.GOOD)
    (asked,) = story.send(replace(asking, proof=good), A)
    assert isinstance(asked, EscrowRequested)
    assert asked.proof == good


def test_without_escrow_in_the_announcement_nobody_gets_it() -> None:
    story = Locked(a_locked_plan()).decrypting()
    assert refused(story, RequestEscrow(bidder=WHO_A, statement=Jws("lost")), A) == "no_escrow"


def test_a_plan_without_locks_waits_for_none() -> None:
    story = Ceremony(a_plan()).decrypting().released(A, B, C)
    assert isinstance(work_due(story.it), OpenBids)
    assert refused(story, ReadyOfficer(lock="host", passed=True), HOST) == "not_your_lock"


def test_a_hall_that_says_it_opened_what_no_officer_gave_is_refused() -> None:
    story = behind_the_barrier()
    story.brings(HOST, "host", {A.id: "share_mismatch"})
    story.brings(SUPERVISOR, "supervisor")
    everything = RecordOpenings(opened=tuple(opened(who.id) for who in (A, B, C)))
    assert refused(story, everything, CLOCK) == "not_released"
    story.open_bids(not_opened(A.id, "share_mismatch"))


def test_the_record_says_who_removed_which_lock_and_an_opening_without_locks_says_nothing() -> None:
    story = behind_the_barrier()
    story.brings(DEPUTY, "host")
    story.brings(SUPERVISOR, "supervisor")
    story.open_bids()
    told = record(story.it)["locks"]
    assert [(lock["id"], [one["account"] for one in lock["removed"]]) for lock in told] == [
        ("host", [DEPUTY.id]),
        ("supervisor", [SUPERVISOR.id]),
    ]
    assert "locks" not in record(Ceremony(a_plan()).read_out().it)


def test_behind_locks_the_hall_has_no_session_key() -> None:
    story = Ceremony(a_locked_plan())
    story.tick(story.it.t0)
    command = story.closing(a_sealed_bid(A), a_sealed_bid(B), a_sealed_bid(C))
    assert refused(story, replace(command, session_key="BKey"), CLOCK) == "wrong_session_key"
    assert story.send(command, CLOCK)


def test_the_page_of_the_record_says_who_held_each_lock_and_who_removed_it_when() -> None:
    story = behind_the_barrier(tenderer=True)
    story.brings(HOST, "host", {A.id: "share_mismatch"})
    story.brings(SUPERVISOR, "supervisor")
    story.send(MissLock(lock="tenderer", reason="招标人代表失联"), HOST)
    story.send(Approve(proposal=1), SUPERVISOR)
    page = record_html(record(story.it), story.it, "00")
    locks = page[page.index("<h2>开标锁") :].split("</table>")[0]
    rows = [row.split("<td") for row in locks.split("<tr>")[2:]]
    (host,) = (lock for lock in story.it.plan.every_lock if lock.id == "host")
    assert "、".join(officer.name for officer in host.officers) in rows[0][2]
    assert "1 / 2" in rows[0][3]
    assert f"{story.it.locks.removals[0].at:%Y}" in rows[0][4]
    assert "1 份不符" in rows[0][4]
    assert "招标人代表失联" in rows[2][4]
    assert "开标锁" not in record_html(record(Ceremony(a_plan()).it), Ceremony(a_plan()).it, "00")
