"""Sentences for people: every event and every refusal has one, in both languages."""

from __future__ import annotations

import ast
import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

import sessions
from crypto.words import WORDS as CRYPTO
from sessions import events as e
from sessions.announcing.rulebook import available, load
from sessions.commands import Abort, Approve, Note, Object, Pause, ReportFailure
from sessions.events import Happening
from sessions.ids import BidderId
from sessions.opening import attribution, evolve
from sessions.opening.authority import OUT_OF_TIME
from sessions.proofs import State
from sessions.roles import CLOCK, Role
from sessions.wording.refusals import PLAN_REFUSALS, REFUSALS, plan_refusal, refusal
from sessions.wording.terms import ACTS, CAUSES, CONSEQUENCES, OBJECTIONS, ROLES
from sessions.wording.words import describe
from tests.support.ceremony import HOST, SECOND, SUPERVISOR, T0, A, B, C, Ceremony, a_release, not_opened
from tests.support.examples import EXAMPLES

HAN = re.compile("[\u4e00-\u9fff]")


def codes_raised(name: str) -> Iterator[str]:
    """Every literal code with which some module of sessions raises ``name``."""
    for path in Path(sessions.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == name and node.args):
                continue
            if isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value)


def the_last(c: Ceremony) -> tuple[str, str]:
    before = None
    for fact in c.facts[:-1]:
        before = evolve(before, fact)
    words = describe(c.facts[-1], before)
    return words.zh, words.en


def the_seals(c: Ceremony) -> tuple[str, str]:
    """What is said of the check of the seals."""
    place = next(n for n, fact in enumerate(c.facts) if isinstance(fact.event, e.SealsChecked))
    before = None
    for fact in c.facts[:place]:
        before = evolve(before, fact)
    words = describe(c.facts[place], before)
    return words.zh, words.en


def test_every_refusal_that_can_be_raised_has_words() -> None:
    raised = {
        *codes_raised("CommandRefused"),
        *OUT_OF_TIME.values(),
        "chair_empty",
        "cause_pending",
        "objection_open",
    }
    assert len(raised) > 40
    assert raised - REFUSALS.keys() == set()
    assert set(codes_raised("QuoteRefused")) - REFUSALS.keys() - CRYPTO.keys() == set()


def test_every_way_a_plan_is_refused_has_words() -> None:
    assert set(codes_raised("PlanRefused")) - PLAN_REFUSALS.keys() == set()


@pytest.mark.parametrize("code", sorted(REFUSALS))
def test_a_refusal_says_what_and_what_next_in_both_languages(code: str) -> None:
    sentence, step = refusal(code)
    for words in (sentence, step):
        assert HAN.search(words.zh)
        assert words.zh[-1] in "。…"
        assert words.en[-1] in ".…"
        assert not HAN.search(words.en)
        assert "{" not in words.zh + words.en


@pytest.mark.parametrize("code", sorted(PLAN_REFUSALS))
def test_a_plan_refusal_names_its_field_or_says_what_next(code: str) -> None:
    sentence, step = plan_refusal(code, "windows.decrypt", {"shortest": 600, "longest": 7200})
    assert HAN.search(sentence.zh)
    assert "windows.decrypt" in sentence.en + step.en or code in ("unknown_pack", "second_person_missing")


def test_moments_in_a_refusal_are_written_for_people() -> None:
    sentence, _ = refusal("late", {"t0": "2026-11-21T01:00:00.000Z"})
    assert "北京时间 2026-11-21 09:00:00" in sentence.zh
    assert "2026-11-21 01:00:00 UTC" in sentence.en


def test_refusals_with_law_behind_them_are_refusals_that_exist() -> None:
    for pack in available():
        assert load(pack).refusals.keys() - REFUSALS.keys() - CRYPTO.keys() == set()


def test_every_name_that_a_sentence_needs_is_there() -> None:
    assert CAUSES.keys() == {*attribution.CAUSES, attribution.UNKNOWN}
    assert CONSEQUENCES.keys() == {*attribution.CAUSES.values(), attribution.PENDING}
    assert ROLES.keys() == {role.value for role in Role}
    for pack in available():
        assert load(pack).two_person <= ACTS.keys()
    assert OBJECTIONS.keys() == {"objection", "recusal", "row"}


def test_a_whole_opening_reads_as_a_story() -> None:
    c = Ceremony().decrypting().released(A, B)
    assert the_last(c) == ("B 公司解密成功。", "B 公司 released its key.")
    c.send(a_release(C, "wrong_password"), C)
    assert c.it.due is not None
    c.tick(c.it.due)
    assert the_last(c)[1] == "The window is over: 2 released, 1 did not. The bids may now be opened."
    c.open_bids(not_opened(C.id))
    story = [describe(fact, c.it) for fact in c.facts]
    assert "A 公司，报价 1,200,000.00。" in [words.zh for words in story]
    assert "C 公司的投标未能打开：口令错误或证书锁定，视为撤销投标。" in [words.zh for words in story]


def test_what_is_private_stays_out_of_the_sentence() -> None:
    c = Ceremony().objecting()
    c.send(Object(bidder=BidderId(A.id), recusal=True, title="回避", text="某人与乙公司有亲属关系"), A)
    assert the_last(c)[0] == "A 公司提出回避申请（第 1 号）：回避"
    c.send(Note(text="乙公司代表中途离席"), SUPERVISOR)
    assert the_last(c) == ("监督人顾言作了一条记录。", "顾言 (supervisor) made a note.")


def test_a_failed_attempt_does_not_say_why() -> None:
    c = Ceremony().decrypting()
    c.send(ReportFailure(bidder=BidderId(A.id), code="wrong_password"), A)
    assert the_last(c)[1] == "A 公司: attempt 1 did not succeed."


def test_too_few_bids_name_nobody() -> None:
    failed = e.OpeningFailed(received=1, minimum=3)
    words = describe(Happening(at=T0, actor=CLOCK, event=failed), Ceremony().it)
    assert words.en.startswith("1 bid received, fewer than the 3")


def test_pauses_and_acts_of_two_say_who_and_why() -> None:
    c = Ceremony().decrypting()
    c.send(Pause(reason="停电", incident=True), HOST, c.now + SECOND)
    assert the_last(c)[0] == "开标因故障暂停，所有计时停止：停电"
    c.send(Abort(reason="停电"), HOST)
    assert the_last(c)[0] == "主持人林敏提议终止开标，待另一人同意：停电"
    c.send(Approve(proposal=1), SUPERVISOR)
    assert the_last(c) == ("开标终止：停电", "The session was aborted: 停电")


def test_who_was_asked_about_again_is_told_with_the_answer() -> None:
    zh, en = the_seals(Ceremony().frozen().asked_again(a=State.GOOD, c=State.REVOKED))
    assert zh.endswith(f"按当时再次查询：{A.name}有效，{C.name}已吊销。")
    assert en.endswith(f"asked again about that moment: {A.name} good, {C.name} revoked.")
    assert the_seals(Ceremony().frozen().checked())[0] == "密封检查完毕，全部完好。"


@pytest.mark.parametrize("kind", typing.get_args(e.Event), ids=lambda kind: kind.__name__)
def test_every_event_has_a_sentence_even_without_a_state(kind: type[e.Event]) -> None:
    words = describe(Happening(at=T0, actor=HOST, event=EXAMPLES[kind]), None)
    assert HAN.search(words.zh)
    assert words.en
