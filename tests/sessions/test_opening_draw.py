"""The draw: everyone present has a hand in it, nobody can choose, and nobody can stop it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crypto.draw import Share, commitment
from sessions.commands import Approve, CommitDraw, Pause, RepeatDraw, Resume, RevealDraw, TakeChair
from sessions.errors import CommandRefused, PlanRefused
from sessions.events import DrawClosed, DrawCommitted, DrawMade, DrawRepeated, StepCompleted
from sessions.ids import Digest, Jws
from sessions.opening.drawing import waited_for
from sessions.plan import Plan
from sessions.proofs import Act, OnSilence, Proof, State
from sessions.roles import Actor, Role
from tests.support.ceremony import (
    DEPUTY,
    HOST,
    MINUTE,
    SECOND,
    SUPERVISOR,
    A,
    B,
    C,
    Ceremony,
    a_plan,
    a_sealed_bid,
    check_in,
)

DRAWS = [
    {"id": "k", "title": {"zh": "评标系数 K", "en": "Coefficient K"}, "values": ["0.95", "0.96", "0.97"], "pick": 1},
    {"id": "order", "title": {"zh": "述标顺序", "en": "Order of presentation"}},
]
EVERYBODY = (HOST, SUPERVISOR, A, B, C)


def seed(who: Actor, number: int = 1) -> bytes:
    return f"{who.id} {number}".encode().ljust(32, b".")


def a_commitment(c: Ceremony, who: Actor, number: int = 1) -> CommitDraw:
    role = "host" if who is DEPUTY else who.role.value
    committed = commitment(c.it.plan.session, number, Share(role=role, party=who.id, seed=seed(who, number)))
    signed = Jws("signed.by." + who.id) if who.role is Role.BIDDER else None
    return CommitDraw(round=number, commitment=Digest(committed.hex()), statement=signed)


def commits(c: Ceremony, *who: Actor, number: int = 1) -> Ceremony:
    for one in who:
        c.send(a_commitment(c, one, number), one, c.now + SECOND)
    return c


def reveals(c: Ceremony, *who: Actor, number: int = 1) -> Ceremony:
    for one in who:
        c.send(RevealDraw(round=number, seed=seed(one, number).hex()), one, c.now + SECOND)
    return c


def drawing(absent: Actor | None = None) -> Ceremony:
    c = Ceremony(a_plan(draws=DRAWS)).frozen(*(a_sealed_bid(who, checked_in=who is not absent) for who in (A, B, C)))
    c.checked().advance("ceiling")
    c.advance("draw")
    return c


def refusal(c: Ceremony, command: object, who: Actor) -> str:
    with pytest.raises(CommandRefused) as refused:
        c.send(command, who, c.now + SECOND)  # type: ignore[arg-type]
    return refused.value.code


def test_what_is_drawn_follows_from_everybodys_seeds() -> None:
    c = reveals(commits(drawing(), *EVERYBODY), A, B, C, HOST, SUPERVISOR)
    (made,) = c.named(DrawMade)
    assert made.drawn["k"][0] in {"0.95", "0.96", "0.97"}
    assert sorted(made.drawn["order"]) == ["1", "2", "3"]
    assert made.seeds.keys() == {f"{who.role}:{who.id}" for who in EVERYBODY}
    assert c.it.step_complete
    c.advance("decrypt")


def test_without_anything_to_draw_the_step_is_passed_over() -> None:
    c = Ceremony().frozen().checked()
    c.advance("ceiling")
    c.advance("decrypt")
    assert c.it.draw is None


def test_the_order_in_which_people_act_changes_nothing_in_the_result() -> None:
    one = reveals(commits(drawing(), *EVERYBODY), A, B, C, HOST, SUPERVISOR)
    other = reveals(commits(drawing(), C, SUPERVISOR, A, HOST, B), C, A, B, SUPERVISOR, HOST)
    assert one.it.draw is not None
    assert other.it.draw is not None
    assert one.it.draw.drawn == other.it.draw.drawn


def test_commitments_close_when_everyone_present_has_made_one() -> None:
    c = commits(drawing(absent=C), HOST, SUPERVISOR, A)
    assert waited_for(c.it) == ((Role.BIDDER, B.id),)
    commits(c, B)
    assert c.named(DrawClosed)[0].parties == tuple(f"{w.role}:{w.id}" for w in (HOST, SUPERVISOR, A, B))
    assert refusal(c, a_commitment(c, A, 1).__class__(round=1, commitment=Digest("ab" * 32)), SUPERVISOR) == (
        "already_committed"
    )


def test_whoever_does_not_commit_in_the_window_is_not_waited_for() -> None:
    c = commits(drawing(), HOST, A)
    c.wait(4 * MINUTE)
    assert c.named(DrawClosed)[0].parties == (f"host:{HOST.id}", f"bidder:{A.id}")
    reveals(c, A, HOST)
    assert c.named(DrawMade)


def test_nothing_is_drawn_among_bidders_alone() -> None:
    c = commits(drawing(), A, B, C)
    c.wait(60 * MINUTE)
    assert not c.named(DrawClosed)
    commits(c, SUPERVISOR)
    assert c.named(DrawClosed)


def test_no_seed_is_shown_while_others_may_still_commit() -> None:
    c = commits(drawing(), HOST, A)
    assert refusal(c, RevealDraw(round=1, seed=seed(A).hex()), A) == "draw_open"


def test_the_staff_show_theirs_after_every_bidder() -> None:
    c = commits(drawing(), *EVERYBODY)
    reveals(c, A, B)
    assert refusal(c, RevealDraw(round=1, seed=seed(HOST).hex()), HOST) == "bidders_first"
    reveals(c, C, HOST)
    assert not c.named(DrawMade)
    reveals(c, SUPERVISOR)
    assert c.named(DrawMade)


@pytest.mark.parametrize("shown", ["00" * 32, "zz", "", "00" * 31])
def test_another_seed_than_the_committed_one_is_refused(shown: str) -> None:
    c = commits(drawing(), *EVERYBODY)
    assert refusal(c, RevealDraw(round=1, seed=shown), A) == "wrong_seed"


def test_a_bidder_that_does_not_show_its_seed_is_left_out_and_the_others_draw_again() -> None:
    c = reveals(commits(drawing(), *EVERYBODY), A, B)
    c.wait(4 * MINUTE)
    (again,) = c.named(DrawRepeated)
    assert (again.round, again.without) == (2, (C.id,))
    assert refusal(c, a_commitment(c, C, 2), C) == "left_out"
    assert refusal(c, a_commitment(c, A, 1), A) == "wrong_round"
    reveals(commits(c, HOST, SUPERVISOR, A, B, number=2), A, B, HOST, SUPERVISOR, number=2)
    (made,) = c.named(DrawMade)
    assert f"bidder:{C.id}" not in made.seeds
    assert [event.missing for event in c.named(StepCompleted) if event.step == "draw"] == [(C.id,)]


def test_the_staff_cannot_be_left_out_but_two_persons_may_begin_anew() -> None:
    c = reveals(commits(drawing(), *EVERYBODY), A, B, C, SUPERVISOR)
    c.wait(60 * MINUTE)
    assert not c.named(DrawMade)
    c.send(RepeatDraw(reason="主持人浏览器崩溃"), HOST)
    assert not c.named(DrawRepeated)
    c.send(Approve(proposal=1), SUPERVISOR)
    (again,) = c.named(DrawRepeated)
    assert (again.without, again.approved_by) == ((), SUPERVISOR.id)
    reveals(commits(c, *EVERYBODY, number=2), A, B, C, HOST, SUPERVISOR, number=2)
    assert c.named(DrawMade)


def test_a_draw_that_waits_for_bidders_is_not_begun_anew_by_hand() -> None:
    c = reveals(commits(drawing(), *EVERYBODY), A)
    assert refusal(c, RepeatDraw(reason="再来一次"), HOST) == "nothing_to_repeat"


def test_a_result_is_final() -> None:
    c = reveals(commits(drawing(), *EVERYBODY), A, B, C, HOST, SUPERVISOR)
    assert refusal(c, RepeatDraw(reason="不满意"), HOST) == "window_closed"


def test_a_bidder_that_is_not_there_does_not_draw() -> None:
    c = drawing(absent=C)
    assert refusal(c, a_commitment(c, C), C) == "not_checked_in"
    c.send(check_in(C), C, c.now + SECOND)
    commits(c, C)
    assert c.it.draw is not None
    assert c.it.draw.party(Role.BIDDER, C.id)


def test_a_bidders_commitment_is_signed_and_nobody_elses_is() -> None:
    c = drawing()
    unsigned = CommitDraw(round=1, commitment=Digest("ab" * 32))
    assert refusal(c, unsigned, A) == "not_signed"
    signed = CommitDraw(round=1, commitment=Digest("ab" * 32), statement=Jws("a.b.c"))
    assert refusal(c, signed, HOST) == "not_signed"
    assert refusal(c, CommitDraw(round=1, commitment=Digest("ab"), statement=Jws("a.b.c")), A) == "not_a_commitment"


def test_a_commitment_stands_on_a_proof_where_the_rules_ask_for_one() -> None:
    plan = replace(a_plan(draws=DRAWS), proofs=True)
    assert _joins(plan, None) == "unproved"
    assert _joins(plan, a_proof(State.REVOKED)) == "revoked"
    silent = a_proof(State.UNAVAILABLE)
    assert _joins(plan, silent) == silent
    strict = {**(plan.pack.revocation or {}), Act.DRAW: OnSilence.REFUSE}
    assert _joins(replace(plan, pack=replace(plan.pack, revocation=strict)), silent) == "revocation_unavailable"


def test_rules_that_do_not_speak_of_draws_want_no_proof_for_them() -> None:
    plan = replace(a_plan(draws=DRAWS), proofs=True)
    rules = {act: rule for act, rule in (plan.pack.revocation or {}).items() if act is not Act.DRAW}
    assert _joins(replace(plan, pack=replace(plan.pack, revocation=rules)), None) is None


def test_a_proof_is_of_a_bidder_and_never_of_the_staff() -> None:
    c = drawing()
    c.send(replace(a_commitment(c, HOST), proof=a_proof(State.GOOD)), HOST, c.now + SECOND)
    (event,) = c.named(DrawCommitted)
    assert event.proof is None


def a_proof(state: State) -> Proof:
    return Proof(certificate=Digest("ab" * 32), state=state, evidence=Digest("cd" * 32))


def _joins(plan: Plan, proof: Proof | None) -> str | Proof | None:
    """Return the proof in the event, or the code of the refusal. How the draw is reached takes no proofs here."""
    c = drawing()
    c.state = replace(c.it, plan=plan)
    try:
        c.send(replace(a_commitment(c, A), proof=proof), A, c.now + SECOND)
    except CommandRefused as refused:
        return refused.code
    (event,) = c.named(DrawCommitted)
    return event.proof


def test_the_deputy_draws_only_as_acting_host() -> None:
    c = drawing()
    assert refusal(c, a_commitment(c, DEPUTY), DEPUTY) == "not_acting_host"
    c.send(TakeChair(takeover=True, reason="主持人掉线"), DEPUTY)
    commits(c, DEPUTY)
    assert c.it.draw is not None
    assert c.it.draw.party(Role.HOST, DEPUTY.id)


def test_a_pause_stops_the_draws_clock() -> None:
    c = reveals(commits(drawing(), *EVERYBODY), A, B)
    c.send(Pause(reason="停电", incident=True), SUPERVISOR, c.now + SECOND)
    c.wait(60 * MINUTE)
    assert not c.named(DrawRepeated)
    c.send(Resume(), HOST, c.now + SECOND)
    reveals(c, C, HOST, SUPERVISOR)
    assert c.named(DrawMade)


@pytest.mark.parametrize(
    ("draw", "code", "field"),
    [
        ({"id": "K", "title": DRAWS[0]["title"]}, "malformed", "draws[0].id"),
        ({**DRAWS[0], "values": ["1"]}, "out_of_range", "draws[0].values"),
        ({**DRAWS[0], "values": ["1", "1"]}, "twice", "draws[0].values"),
        ({**DRAWS[0], "pick": 0}, "out_of_range", "draws[0].pick"),
        ({**DRAWS[0], "pick": 4}, "out_of_range", "draws[0].pick"),
        ({**DRAWS[0], "result": "0.95"}, "unknown_field", "draws[0].result"),
    ],
)
def test_a_draw_that_cannot_be_held_is_refused_at_the_announcement(
    draw: dict[str, object], code: str, field: str
) -> None:
    with pytest.raises(PlanRefused) as refused:
        a_plan(draws=[draw])
    assert (refused.value.code, refused.value.field) == (code, field)


def test_a_pack_without_the_step_takes_no_draw() -> None:
    with pytest.raises(PlanRefused) as refused:
        a_plan("intl-two-role", draws=DRAWS)
    assert refused.value.code == "no_draw_here"
