"""The form that announces an opening: what is typed is what a file would say, every fault found at its input."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import pytest

from sessions.announcing.rulebook import available, load
from sessions.ids import AccountId
from sessions.roles import Role
from sessions.store.accounts import Account
from tests.support.house import BEFORE, TENDER
from tests.support.locked import AGENT, TENDERERS, TRUST, TRUSTEES, TWO_LOCKS, seats
from web.cli.example import tender as example
from web.forms.tender import blank, changed, faults_of, form_of, rows, tender_of
from web.forms.tender_file import plan_of
from web.wording.i18n import LANGUAGES
from web.wording.words import WORDS

READS = partial(plan_of, rehearsal_allowed=False, quorum=0)
STAFF = tuple(
    Account(id=AccountId(role), name=f"{role} 甲", roles=frozenset({role}))
    for role in (Role.HOST, Role.DEPUTY, Role.SUPERVISOR)
)
GOOD = {
    **blank(),
    "id": "ZB-2026-009",
    "lot": "1",
    "title.zh": "河道整治",
    "title.en": "River works",
    "tenderer.zh": "水务局",
    "tenderer.en": "Water office",
    "deadline": "2026-12-01T09:30",
    "pack": "cn-works",
    "ceiling": "13,200,000.00",
    "cn-works/windows.decrypt": "45",
    **{f"seats[{i}].account": role for i, role in enumerate(("host", "deputy", "supervisor"))},
}

LOCKED = {
    **TENDER,
    "seats": seats(AGENT, *TRUSTEES),
    "locks": TWO_LOCKS,
    "tenderer_share": TENDERERS,
    "escrow": TRUST,
}


def faults(form: dict[str, str], now: datetime = BEFORE, language: Any = "en") -> dict[str, str]:
    return {fault.input: fault.text for fault in faults_of(form, READS, STAFF, now, language)}


def test_what_is_typed_in_beijing_time_and_minutes_is_the_tender_file() -> None:
    tender = tender_of(GOOD, {"host": "林致远"})
    plan = READS(tender)
    assert faults(GOOD) == {}
    assert plan.t0.isoformat() == "2026-12-01T01:30:00+00:00"
    assert plan.windows["decrypt"].total_seconds() == 2700
    assert (plan.tender.ceiling, plan.tender.agent, plan.session) == ("13200000.00", None, "zb-2026-009-1")
    assert [seat.name for seat in plan.seats] == ["林致远", "deputy", "supervisor"]


@pytest.mark.parametrize("tender", [example("2026-12-01T01:00:00Z"), TENDER], ids=["example", "house"])
def test_a_file_that_fills_the_form_comes_out_of_it_again(tender: dict[str, Any]) -> None:
    assert READS(tender_of(form_of(tender), {})) == READS(tender)


def test_a_file_with_every_kind_of_lock_comes_out_of_the_form_again() -> None:
    def held(tender: dict[str, Any]) -> list[Any]:
        locks = READS(tender).every_lock
        return [
            (lock.id, lock.threshold, [(one.account, one.certificate) for one in lock.officers]) for lock in locks
        ]

    tender = {**LOCKED, "locks": [{**TWO_LOCKS[0], "threshold": 2}, TWO_LOCKS[1]]}
    again = held(tender_of(form_of(tender), {}))
    assert again == held(tender)
    assert [one[:2] for one in again] == [("host", 2), ("supervisor", 1), ("tenderer", 1), ("escrow", 2)]


def test_a_certificate_is_taken_as_its_file_has_it() -> None:
    (officer,) = TWO_LOCKS[1]["officers"]
    pem = f"-----BEGIN CERTIFICATE-----\r\n{officer['certificate']}\r\n-----END CERTIFICATE-----\r\n"
    plain, armoured = form_of(LOCKED), form_of(LOCKED)
    place = next(name for name, text in plain.items() if text == officer["certificate"])
    armoured[place] = pem
    assert READS(tender_of(armoured, {})) == READS(tender_of(plain, {}))


@pytest.mark.parametrize(
    ("name", "typed", "sentence"),
    [
        ("officers[0].account", "nobody", "is nobody of the seats"),
        ("officers[1].certificate", "", "is missing"),
        ("officers[1].account", "{officers[0].account}", "is used elsewhere"),
        ("threshold.escrow", "4", "1 to 3"),
        ("threshold.host", "two", "1 to 2"),
    ],
)
def test_each_fault_of_a_lock_is_told_at_its_own_input(name: str, typed: str, sentence: str) -> None:
    form = {**form_of(LOCKED), "officers[20].lock": "host"}
    refused = faults({**form, name: form.get(typed[1:-1], typed)})
    assert sentence in refused[name], refused


def test_a_window_in_seconds_goes_through_the_form_unchanged() -> None:
    tender = {**example("2026-12-01T01:00:00Z"), "windows": {"decrypt": 1801}, "reading_pace_s": 7}
    plan = READS(tender_of(form_of(tender), {}))
    assert (plan.windows["decrypt"].total_seconds(), plan.reading_pace.total_seconds()) == (1801, 7)


def test_an_empty_form_names_everything_that_is_missing_at_once() -> None:
    found = faults(blank())
    wanted = {"id", "lot", "title.zh", "title.en", "tenderer.zh", "tenderer.en", "deadline"}
    assert wanted <= found.keys()
    assert found["title.en"] == "Title, in English is missing. Add it."


@pytest.mark.parametrize(
    ("name", "typed", "sentence"),
    [
        ("ceiling", "a lot", "Price ceiling is no amount."),
        ("currency", "yuan", "Currency has the wrong form."),
        ("cn-works/windows.decrypt", "1", "From 10 to 120 is allowed."),
        ("cn-works/windows.decrypt", "soon", "Unlocking, minutes has the wrong form."),
        ("cn-works/reading_pace_s", "500", "Read-out of one row, seconds is outside"),
        ("quote.fields[1].id", "Days!", "Read-out field 2: Short name has the wrong form."),
        ("quote.fields[1].id", "price", "Read-out field 2: Short name has the wrong form."),
        ("quote.fields[3].label.zh", " ", "Read-out field 4: Label, in Chinese is missing."),
        ("quote.fields[0].kind", "gold", "Read-out field 1: Kind is no known kind."),
        ("seats[1].account", "host", "occurs twice"),
        ("seats[1].account", "nobody", "Nobody has this account here."),
        ("seats[1].role", "supervisor", ""),
        ("deadline", "2026-11-01T09:00", "The opening time is over."),
        ("deadline", "tomorrow", "Opening time (Beijing) is no moment."),
        ("session", "no/slashes", "Name in addresses has the wrong form."),
        ("pack", "moon", "There is no such rule pack."),
    ],
)
def test_each_fault_is_told_at_its_own_input(name: str, typed: str, sentence: str) -> None:
    found = faults({**GOOD, name: typed})
    at = "seats[1].account" if name == "seats[1].role" else name  # the account may not have this part
    assert list(found) == [at]
    assert sentence in found[at]


def test_a_fault_behind_a_row_left_empty_is_told_at_its_own_row() -> None:
    form = {**GOOD, "seats[1].account": "", "seats[2].account": "host"}
    assert "seats[2].account" in faults(form)


def test_a_form_without_a_host_says_who_is_missing() -> None:
    form = {**GOOD, "seats[0].account": ""}
    assert "The rules want somebody as Host." in faults(form)["seats"]


def test_the_faults_are_told_in_both_languages() -> None:
    assert [faults(blank(), language=language)["id"] for language in LANGUAGES] == [
        "缺少“项目编号”。请补上。",
        "Project number is missing. Add it.",
    ]


def test_rows_are_added_at_the_end_and_close_up_when_one_is_dropped() -> None:
    more = changed(GOOD, "add quote.fields")
    assert rows(more, "quote.fields") == [0, 1, 2, 3, 4]
    less = changed(more, "drop quote.fields[1]")
    assert rows(less, "quote.fields") == [0, 1, 2, 3]
    assert [less[f"quote.fields[{i}].id"] for i in range(4)] == ["price", "quality", "manager", ""]


@pytest.mark.parametrize("act", ["", "add", "add nothing", "drop", "drop seats", "drop seats[99]", "drop seats[x]"])
def test_an_act_that_means_nothing_changes_nothing(act: str) -> None:
    assert changed(GOOD, act) == GOOD


def test_no_list_grows_without_end() -> None:
    form = dict(GOOD)
    for _ in range(60):
        form = changed(form, "add seats")
    assert len(rows(form, "seats")) == 12


def test_every_window_of_every_pack_has_its_words() -> None:
    windows = {f"windows.{name}" for pack in available() for name in load(pack).windows}
    assert windows <= WORDS["tender"].keys()
