"""The opening record: what it holds, what it leaves out, and that anyone can compute it again."""

from __future__ import annotations

from typing import Any

from crypto.digest import sha256_hex
from crypto.encoding import canonical
from sessions import events as e
from sessions.commands import (
    AnswerObjection,
    Approve,
    ConfirmRow,
    ExtendWindow,
    Note,
    Object,
    Pause,
    Postpone,
    RecordLateBid,
    Resume,
    SignRecord,
)
from sessions.ids import BidderId, Jws
from sessions.opening import evolve
from sessions.opening.record import asked, record, record_digest
from sessions.roles import CLOCK
from tests.support.ceremony import HOST, MINUTE, SECOND, SUPERVISOR, T0, A, B, C, Ceremony, digest


def an_eventful_opening() -> Ceremony:
    """A late bid, an extension, a pause, one bid not opened, one row confirmed, one objection."""
    c = Ceremony().decrypting()
    c.send(RecordLateBid(bidder=BidderId("91D"), name="丁公司", slip_sha256=digest("slip"), code="late"), CLOCK)
    c.send(ExtendWindow(reason="网络拥堵"), HOST)
    c.send(Pause(reason="停电", incident=True), SUPERVISOR, c.now + SECOND)
    c.send(Resume(), HOST, c.now + MINUTE)
    c.released(A, B)
    for wait in ("decrypt", "readout"):
        assert c.it.step == wait
        assert c.it.due is not None
        c.tick(c.it.due)
        if wait == "decrypt":
            c.open_bids()
    c.advance("confirm")
    c.send(ConfirmRow(bidder=BidderId(A.id), statement=Jws("confirmed")), A)
    assert c.it.due is not None
    c.tick(c.it.due)
    c.send(Object(bidder=BidderId(B.id), recusal=False, title="解密窗口", text="窗口延长无必要"), B)
    c.send(AnswerObjection(number=1, text="按规则延长一次"), HOST)
    c.send(Note(text="现场有秩序"), SUPERVISOR)
    assert c.it.due is not None
    c.tick(c.it.due)
    c.advance("sign")
    return c


def test_the_record_holds_what_was_announced_read_out_and_recorded() -> None:
    c = an_eventful_opening()
    sheet: dict[str, Any] = record(c.it)
    assert sheet["tender"]["ceiling"] == {
        "amount": "1500000.00",
        "currency": "CNY",
        "figures": "1,500,000.00",
        "words": "壹佰伍拾万元整",
    }
    assert sheet["t0"] == "2026-11-21T01:00:00.000Z"
    assert sheet["rules"]["digest"] == c.it.plan.pack.digest
    assert c.it.frozen is not None
    assert (sheet["sealed_set"]["received"], sheet["sealed_set"]["root"]) == (3, c.it.frozen.root)
    rows = {row["bidder"]: row for row in sheet["rows"]}
    assert rows[A.id]["amounts"]["price"]["words"] == "壹佰贰拾万元整"
    assert rows[A.id]["confirmed_at"] is not None
    assert (rows[C.id]["cause"], rows[C.id]["consequence"]) == ("B5", "revoked")
    assert rows[C.id]["quote"] is None
    assert [late["name"] for late in sheet["late"]] == ["丁公司"]
    decrypt = next(step for step in sheet["steps"] if step["step"] == "decrypt")
    assert (decrypt["missing"], decrypt["extensions"][0]["reason"]) == ([C.id], "网络拥堵")
    assert sheet["pauses"][0] == {
        "reason": "停电", "incident": True, "by": SUPERVISOR.name,
        "since": sheet["pauses"][0]["since"], "until": sheet["pauses"][0]["until"],
    }  # fmt: skip
    assert (sheet["objections"][0]["title"], sheet["objections"][0]["answered_by"]) == ("解密窗口", HOST.name)
    assert [person["host"] for person in sheet["present"]] == [True, False, False]


def test_texts_that_only_some_may_read_are_not_in_the_record() -> None:
    text = canonical(record(an_eventful_opening().it)).decode()
    for private in ("窗口延长无必要", "按规则延长一次", "现场有秩序"):
        assert private not in text


def test_anyone_who_replays_the_log_computes_the_digest_that_was_signed() -> None:
    c = an_eventful_opening()
    c.send(SignRecord(signer=A.id, statement=Jws("signed")), A)
    opening = None
    for fact in c.facts:
        if isinstance(fact.event, e.RecordDrawn):
            assert opening is not None
            assert fact.event.record_sha256 == record_digest(opening) == sha256_hex(canonical(record(opening)))
        opening = evolve(opening, fact)
    assert opening is not None
    assert record(opening) == record(c.it)


def test_what_happens_after_the_record_was_drawn_does_not_change_it() -> None:
    c = an_eventful_opening()
    before = record_digest(c.it)
    late = RecordLateBid(bidder=BidderId("91E"), name="戊公司", slip_sha256=digest("other"), code="late")
    c.send(late, CLOCK)
    c.send(Pause(reason="停电"), HOST)
    assert record_digest(c.it) == before == sha256_hex(canonical(record(c.it)))


def test_those_who_came_or_acted_are_asked_to_sign() -> None:
    c = an_eventful_opening()
    assert asked(c.it) == (A.id, B.id, C.id, HOST.id, SUPERVISOR.id)


def test_a_postponement_stands_in_the_record_with_both_persons() -> None:
    c = Ceremony()
    c.send(Postpone(t0=T0 + 60 * MINUTE, reason="澄清"), HOST)
    c.send(Approve(proposal=1), SUPERVISOR)
    (move,) = record(c.it)["postponements"]
    assert (move["old"], move["new"]) == ("2026-11-21T01:00:00.000Z", "2026-11-21T02:00:00.000Z")
    assert (move["by"], move["approved_by"]) == (HOST.name, SUPERVISOR.id)


def test_before_the_list_is_out_a_record_names_nobody() -> None:
    c = Ceremony()
    assert record(c.it)["rows"] == []
    assert record(c.it)["sealed_set"] is None
    c.tick(T0)
    assert A.id not in canonical(record(c.it)).decode()
