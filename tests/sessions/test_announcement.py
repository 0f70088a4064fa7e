"""From a tender file to a plan, with every value checked against the pack."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crypto.authority import Algorithm
from crypto.certificates import Usage
from crypto.encoding import canonical, parse_strict
from sessions.announcing.announcement import make_plan
from sessions.announcing.lock_terms import read_locks
from sessions.announcing.rulebook import available, load
from sessions.errors import PlanRefused
from sessions.plan import Barrier
from sessions.plan_json import plan_from_json, plan_to_json
from sessions.shape import Misshapen
from tests.support.ceremony import DEPUTY, HOST, MINUTE, SUPERVISOR, T0, TENDER, a_plan
from tests.support.locked import TWO_LOCKS, a_locked_plan
from tests.support.officers import a_lock, again, an_officer, officer

FIELD = TENDER["quote"]["fields"][0]
SEATS = TENDER["seats"]


def test_what_the_file_leaves_open_comes_from_the_pack() -> None:
    plan = a_plan()
    assert plan.t0 == T0
    assert plan.windows == {name: rule.default for name, rule in plan.pack.windows.items()}
    assert plan.reading_pace == plan.pack.reading_pace
    assert plan.tender.envelopes == 1
    assert [seat.account for seat in plan.seats] == [HOST.id, DEPUTY.id, SUPERVISOR.id]


def test_the_file_sets_windows_within_the_limits_of_the_pack() -> None:
    plan = a_plan(windows={"decrypt": 1200}, reading_pace_s=3, deadline="2026-11-21T09:00:00+08:00")
    assert (plan.windows["decrypt"], plan.windows["objection"]) == (20 * MINUTE, 5 * MINUTE)
    assert (plan.reading_pace, plan.t0) == (timedelta(seconds=3), T0)


def test_a_rehearsal_may_be_shorter_than_the_law_and_says_that_it_is_one() -> None:
    short = {"decrypt": timedelta(milliseconds=1500)}
    with pytest.raises(PlanRefused) as no:
        make_plan(TENDER, session="gx-1", windows=short)
    assert (no.value.code, no.value.field, no.value.facts) == (
        "out_of_range", "windows.decrypt", {"shortest": 600, "longest": 7200},
    )  # fmt: skip
    plan = make_plan(TENDER, session="gx-1", rehearsal=True, windows=short, reading_pace=timedelta())
    assert (plan.windows["decrypt"], plan.reading_pace, plan.rehearsal) == (short["decrypt"], timedelta(), True)


@pytest.mark.parametrize(
    ("code", "field", "changes"),
    [
        ("unknown_pack", "pack", {"pack": "no-such"}),
        ("unknown_pack", "pack", {"pack": 3}),
        ("unknown_field", "tender.colour", {"colour": "red"}),
        ("malformed", "id", {"id": ""}),
        ("malformed", "lot", {"lot": "a\nb"}),
        ("malformed", "title.en", {"title": {"zh": "甲", "en": " "}}),
        ("missing", "title.en", {"title": {"zh": "甲"}}),
        ("malformed", "tenderer", {"tenderer": "甲"}),
        ("out_of_range", "envelopes", {"envelopes": 3}),
        ("out_of_range", "envelopes", {"envelopes": True}),
        ("not_an_amount", "ceiling", {"ceiling": "1,500,000"}),
        ("not_an_amount", "ceiling", {"ceiling": 1500000}),
        ("malformed", "currency", {"currency": "yuan"}),
        ("not_a_moment", "deadline", {"deadline": "2026-11-21T01:00:00.500Z"}),
        ("not_a_moment", "deadline", {"deadline": "2026-11-21 01:00"}),
        ("not_a_moment", "deadline", {"deadline": "2026-02-31T01:00:00Z"}),
        ("out_of_range", "windows.decrypt", {"windows": {"decrypt": 599}}),
        ("out_of_range", "windows.decrypt", {"windows": {"decrypt": 7201}}),
        ("malformed", "windows.decrypt", {"windows": {"decrypt": 600.0}}),
        ("unknown_window", "windows.lunch", {"windows": {"lunch": 60}}),
        ("malformed", "windows", {"windows": []}),
        ("out_of_range", "reading_pace_s", {"reading_pace_s": 0}),
        ("out_of_range", "reading_pace_s", {"reading_pace_s": 121}),
        ("out_of_range", "quote.fields", {"quote": {"fields": []}}),
        ("unknown_kind", "quote.fields[0].kind", {"quote": {"fields": [{**FIELD, "kind": "float"}]}}),
        ("malformed", "quote.fields[0].id", {"quote": {"fields": [{**FIELD, "id": "Price!"}]}}),
        ("malformed", "quote.fields[1].id", {"quote": {"fields": [FIELD, FIELD]}}),
        ("malformed", "quote.fields[0].required", {"quote": {"fields": [{**FIELD, "required": "no"}]}}),
        ("missing", "quote.fields[0].label", {"quote": {"fields": [{"id": "price", "kind": "money"}]}}),
        ("malformed", "seats", {"seats": {}}),
        ("unknown_role", "seats[0].role", {"seats": [{**SEATS[0], "role": "bidder"}]}),
        ("twice", "seats[1].account", {"seats": [SEATS[0], {**SEATS[1], "account": HOST.id}]}),
        ("seat_missing", "seats", {"seats": SEATS[1:]}),
        ("seat_missing", "seats", {"pack": "intl-two-role", "seats": SEATS[:2]}),
        ("second_person_missing", "seats", {"seats": SEATS[:1]}),
    ],
)
def test_a_plan_is_refused_with_the_field_and_the_rule(code: str, field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(PlanRefused) as no:
        a_plan(**changes)
    assert (no.value.code, no.value.field) == (code, field)


@pytest.mark.parametrize("member", sorted(TENDER.keys() - {"ceiling"}))
def test_nothing_that_is_needed_may_be_left_out(member: str) -> None:
    with pytest.raises(PlanRefused) as no:
        make_plan({name: value for name, value in TENDER.items() if name != member}, session="gx-1")
    assert (no.value.code, no.value.field) == ("missing", f"tender.{member}")


@pytest.mark.parametrize("session", ["", "-x", "a b", "a/b", "开标", "x" * 64])
def test_a_session_id_can_stand_in_an_address(session: str) -> None:
    with pytest.raises(PlanRefused):
        make_plan(TENDER, session=session)


@pytest.mark.parametrize("pack", available())
def test_a_plan_survives_its_canonical_form_with_the_whole_pack_inside(pack: str) -> None:
    plan = a_plan(pack)
    stored = parse_strict(canonical(plan_to_json(plan)), limit=10**6)
    assert plan_from_json(stored) == plan
    assert stored["windows"]["confirm"] % 1000 == 0
    assert stored["t0"] == "2026-11-21T01:00:00.000Z"
    del stored["pack"]["articles"]
    with pytest.raises(Misshapen, match=r"plan\.pack: .*articles"):
        plan_from_json(stored)


def test_locks_come_from_the_tender_file_with_their_officers_certificates() -> None:
    plan = a_locked_plan(tenderer=True, escrow=True)
    assert [(lock.id, lock.threshold, len(lock.officers)) for lock in plan.every_lock] == [
        ("host", 1, 2),
        ("supervisor", 1, 1),
        ("tenderer", 1, 1),
        ("escrow", 2, 3),
    ]
    assert plan.locks[0].title.zh
    assert plan_from_json(parse_strict(canonical(plan_to_json(plan)), limit=10**6)) == plan
    assert a_plan().every_lock == ()


SIGNING = officer(SUPERVISOR.id, an_officer("gu", Usage.SIGN))
RSA = officer(SUPERVISOR.id, an_officer("gu", algorithm=Algorithm.RSA3072))
HOSTS, SUPERVISORS = TWO_LOCKS


@pytest.mark.parametrize(
    ("code", "field", "locks"),
    [
        ("out_of_range", "locks", [HOSTS]),
        ("out_of_range", "locks", {}),
        ("malformed", "locks[1].id", [HOSTS, {**SUPERVISORS, "id": "host"}]),
        ("malformed", "locks[1].id", [HOSTS, {**SUPERVISORS, "id": "escrow"}]),
        ("unknown_field", "locks[1].key", [HOSTS, {**SUPERVISORS, "key": "x"}]),
        ("missing", "locks[1].officers", [HOSTS, {"id": "supervisor", "threshold": 1}]),
        ("out_of_range", "locks[0].threshold", [{**HOSTS, "threshold": 3}, SUPERVISORS]),
        ("out_of_range", "locks[0].threshold", [{**HOSTS, "threshold": True}, SUPERVISORS]),
        ("out_of_range", "locks[1].officers", [HOSTS, {**SUPERVISORS, "officers": []}]),
        ("no_such_seat", "locks[1].officers[0].account", [HOSTS, a_lock("supervisor", "wu")]),
        ("wrong_seat", "locks[1].officers[0].account", [a_lock("host", HOST.id), a_lock("supervisor", DEPUTY.id)]),
        ("two_locks", "locks[1].officers[0].account", [HOSTS, a_lock("third", DEPUTY.id)]),
        (
            "two_locks",
            "locks[1].officers[0].certificate",
            [HOSTS, {**SUPERVISORS, "officers": [officer(SUPERVISOR.id, an_officer(HOST.id))]}],
        ),
        (  # the same key, certified anew
            "two_locks",
            "locks[1].officers[0].certificate",
            [HOSTS, {**SUPERVISORS, "officers": [officer(SUPERVISOR.id, again(an_officer(HOST.id)))]}],
        ),
        ("unfit_certificate", "locks[1].officers[0].certificate", [HOSTS, {**SUPERVISORS, "officers": [SIGNING]}]),
        ("unfit_certificate", "locks[1].officers[0].certificate", [HOSTS, {**SUPERVISORS, "officers": [RSA]}]),
        (
            "malformed",
            "locks[1].officers[0].certificate",
            [HOSTS, {**SUPERVISORS, "officers": [{**SIGNING, "certificate": "%%"}]}],
        ),
        (
            "unfit_certificate",
            "locks[1].officers[0].certificate",
            [HOSTS, {**SUPERVISORS, "officers": [{**SIGNING, "certificate": "AAAA"}]}],
        ),
    ],
)
def test_a_careless_lock_is_refused_with_the_field_and_the_rule(code: str, field: str, locks: Any) -> None:
    with pytest.raises(PlanRefused) as no:
        a_plan(locks=locks)
    assert (no.value.code, no.value.field) == (code, field)


def test_where_the_rules_want_locks_an_opening_without_them_is_not_announced() -> None:
    strict = replace(load("cn-works"), barrier=replace(load("cn-works").barrier, mode=Barrier.SPLIT))
    with pytest.raises(PlanRefused) as no:
        read_locks({}, (), strict)
    assert (no.value.code, no.value.field) == ("locks_missing", "locks")
