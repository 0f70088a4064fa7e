"""The form that announces an opening: into a tender file, back from one, and what is wrong in it.

Pure. A form is flat: the name of an input is the path of the member in the tender file
(sessions/announcing/announcement.py), so what the rules refuse is found again in the page. Windows and reading pace
carry the rule pack in front (``cn-works/windows.decrypt``), because each pack has its own; they are typed in minutes
and seconds. The opening time is typed in Beijing time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sessions.announcing.lock_terms import MEMBERS
from sessions.announcing.rulebook import available, load
from sessions.errors import PlanRefused
from sessions.plan import Plan
from sessions.quote import KINDS
from sessions.roles import STAFF
from sessions.store.accounts import Account
from sessions.wording.refusals import PLAN_REFUSALS, plan_refusal
from web.forms import locks as lock_form
from web.pages.binding import BEIJING, day
from web.wording.i18n import Language
from web.wording.words import word

Form = Mapping[str, str]
Reads = Callable[[Mapping[str, Any]], Plan]

_BOTH: Final = ("title", "tenderer", "agent", "place")
_ROW: Final = re.compile(r"(quote\.fields|seats|officers)\[(\d{1,3})\]\.(.*)")
_LISTS: Final = {"quote.fields": 40, "seats": 12, "officers": 16}
_MINUTES: Final = re.compile(r"\d{1,5}(\.\d{1,3})?")
_LOCAL: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?")
_MEMBERS: Final = {
    "quote.fields": ("id", "kind", "label.zh", "label.en"),
    "seats": ("account", "role", "name"),
    "officers": lock_form.COLUMNS,
}
_FIRST_FIELDS: Final = (
    ("price", "money", "投标报价", "Price"),
    ("duration", "integer", "工期（日历天）", "Duration, calendar days"),
    ("quality", "text", "质量目标", "Quality"),
    ("manager", "text", "项目经理", "Project manager"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with one input, in the reader's words."""

    input: str
    text: str


def blank() -> dict[str, str]:
    """Return the form as it is first shown: four fields to read out and the three parts of the staff."""
    form = {"currency": "CNY", "envelopes": "1", "pack": available()[0], "place.zh": "网络开标大厅"}
    form["place.en"] = "This hall, on the network"
    for i, field in enumerate(_FIRST_FIELDS):
        named = zip(_MEMBERS["quote.fields"], field, strict=True)
        form |= {f"quote.fields[{i}].{name}": text for name, text in named}
        form[f"quote.fields[{i}].required"] = "on"
    for i, role in enumerate(("host", "deputy", "supervisor")):
        form[f"seats[{i}].role"] = role
    return form


def rows(form: Form, name: str) -> list[int]:
    """Return the numbers of the rows of a list in the form: ``quote.fields``, ``seats`` or ``officers``."""
    found = (_ROW.fullmatch(key) for key in form)
    return sorted({int(one[2]) for one in found if one and one[1] == name})


def changed(form: Form, act: str) -> dict[str, str]:
    """Return the form with a row more (``add seats``) or less (``drop seats[2]``); unchanged for anything else."""
    verb, _, place = act.partition(" ")
    if verb == "add" and place in _LISTS and len(rows(form, place)) < _LISTS[place]:
        new = max(rows(form, place), default=-1) + 1
        return {**form, **{f"{place}[{new}].{name}": "" for name in _MEMBERS[place]}}
    dropped = _ROW.fullmatch(f"{place}.") if verb == "drop" else None
    return dict(form) if dropped is None else dict(_without(form, dropped[1], int(dropped[2])))


def _without(form: Form, name: str, gone: int) -> Iterable[tuple[str, str]]:
    """Yield the form without row ``gone`` of the list ``name``; the rows after it move up."""
    for key, text in form.items():
        row = _ROW.fullmatch(key)
        if row is None or row[1] != name or int(row[2]) < gone:
            yield key, text
        elif int(row[2]) > gone:
            yield f"{name}[{int(row[2]) - 1}].{row[3]}", text


def tender_of(form: Form, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the tender file that the form spells; ``names`` are the accounts' own, for seats that give none."""

    def text(name: str) -> str:
        return form.get(name, "").strip()

    pack = text("pack")
    tender: dict[str, Any] = {name: text(name) for name in ("id", "lot", "currency", "pack")}
    tender |= {name: {"zh": text(f"{name}.zh"), "en": text(f"{name}.en")} for name in _BOTH}
    if not any(tender["agent"].values()):
        del tender["agent"]
    tender["deadline"] = _moment(text("deadline"))
    tender["envelopes"] = 2 if text("envelopes") == "2" else 1
    if ceiling := text("ceiling").replace(",", ""):
        tender["ceiling"] = ceiling
    if session := text("session"):
        tender["session"] = session
    if text("rehearsal"):
        tender["rehearsal"] = True
    if pack in available():
        typed = {name: text(f"{pack}/windows.{name}") for name in load(pack).windows}
        tender["windows"] = {name: _seconds(value, 60) for name, value in typed.items() if value}
        if pace := text(f"{pack}/reading_pace_s"):
            tender["reading_pace_s"] = _seconds(pace, 1)
    tender["quote"] = {"fields": [_field(form, f"quote.fields[{i}]") for i in rows(form, "quote.fields")]}
    seats = [{name: text(f"seats[{i}].{name}") for name in _MEMBERS["seats"]} for i in rows(form, "seats")]
    tender["seats"] = [
        {**seat, "name": seat["name"] or names.get(seat["account"], seat["account"])}
        for seat in seats
        if _filled(seat)
    ]
    called = {seat["account"]: seat["name"] for seat in tender["seats"]}
    thresholds = {lock: text(f"threshold.{lock}") for lock in lock_form.LOCKS}
    return tender | lock_form.locks_of([row for _, row in _officers(form)], thresholds, {**names, **called})


def form_of(tender: Mapping[str, Any]) -> dict[str, str]:
    """Return the form that a tender file fills in. What has not the form of one is left out."""
    flat = dict(_flat({name: value for name, value in tender.items() if name not in MEMBERS}, ""))
    pack = flat.get("pack", "")
    form = {}
    for name, value in flat.items():
        if name.startswith("windows."):
            form[f"{pack}/{name}"] = _minutes(value) if value.isdecimal() else value
        elif name == "reading_pace_s":
            form[f"{pack}/{name}"] = value
        elif name == "deadline":
            form[name] = _local(value)
        elif name == "rehearsal" or name.endswith(".required"):
            form |= {name: "on"} if value == "True" else {}
        else:
            form[name] = value
    for i in rows(form, "quote.fields"):
        if f"quote.fields[{i}].required" not in flat:  # left out, it is required
            form[f"quote.fields[{i}].required"] = "on"
    officers, thresholds = lock_form.rows_of(tender)
    form |= {f"threshold.{lock}": text for lock, text in thresholds.items()}
    form |= {f"officers[{i}].{name}": text for i, row in enumerate(officers) for name, text in row.items()}
    return form


def faults_of(
    form: Form, reads: Reads, accounts: Sequence[Account], now: datetime, language: Language
) -> tuple[Fault, ...]:
    """Return everything that the rules refuse in the form, in the order they look at it.

    ``reads`` is the one judge (web.forms.tender_file): asked again after each refusal with a value it takes there.
    """
    names: dict[str, str] = {account.id: account.name for account in accounts}
    typed, mended = form, dict(form)
    found: dict[str, Fault] = {}
    while True:
        tender = tender_of(mended, names)
        try:
            plan = reads(tender)
        except PlanRefused as refused:
            fault = fault_of(refused, form, language)
            if fault.input == "session" and not (typed.get("id", "").strip() and typed.get("lot", "").strip()):
                mended["session"] = "x"  # it is made of these two, which are missing
                continue
            if fault.input in found or (good := _good(fault.input)) is None:
                found.setdefault(fault.input, fault)
                return tuple(found.values())
            found[fault.input] = fault
            mended[fault.input] = good
        else:
            break
    if "deadline" not in found and plan.t0 <= now:
        found["deadline"] = Fault(input="deadline", text=word("tender_fault", "past", language))
    known: dict[str, Account] = {account.id: account for account in accounts if not account.disabled}
    for i in (i for i in rows(typed, "seats") if _filled(_seat(typed, i))):
        name, seat = f"seats[{i}].account", _seat(typed, i)
        account = known.get(seat["account"])
        if name not in found and account is None:
            found[name] = Fault(input=name, text=word("tender_fault", "no_account", language))
        elif name not in found and account is not None and seat["role"] not in account.roles:
            found[name] = Fault(input=name, text=word("tender_fault", "other_role", language))
    return tuple(found.values())


def fault_of(refused: PlanRefused, form: Form, language: Language) -> Fault:
    """Return a refusal of the rules as the fault of an input of the form."""
    pack = form.get("pack", "")
    path = refused.field.removeprefix("tender.")
    name = f"{pack}/{path}" if path.startswith("windows.") or path == "reading_pace_s" else path
    listed = re.fullmatch(r"seats\[(\d+)\](.*)", name)
    if listed:  # rows left empty were passed over
        kept = [i for i in rows(form, "seats") if _filled(_seat(form, i))]
        name = f"seats[{kept[int(listed[1])]}]{listed[2]}"
    name = lock_form.input_of(path, _officers(form)) or name
    empty = not form.get(name, "").strip()
    code = (
        "missing"
        if empty and refused.code in {"malformed", "not_a_moment", "unfit_certificate"} and name != "session"
        else refused.code
    )
    facts = {key: _minutes(value) if "/windows." in name else value for key, value in refused.facts.items()}
    if "role" in facts:
        facts["role"] = word("role", facts["role"], language)
    title, hint = plan_refusal(code if code in PLAN_REFUSALS else "malformed", label(name, language), facts)
    text = f"{title.zh}{hint.zh}" if language == "zh" else f"{title.en} {hint.en}"
    return Fault(input=name, text=text)


def label(name: str, language: Language) -> str:
    """Return what the input ``name`` is called in the page."""
    row = _ROW.fullmatch(name)
    if row:
        number = int(row[2]) + 1
        return f"{word('tender', row[1], language)} {number}: {word('tender', f'{row[1]}.{row[3]}', language)}"
    return word("tender", name.partition("/")[2] or name, language)


def values(
    form: Form,
    language: Language,
    *,
    faults: Sequence[Fault] = (),
    accounts: Iterable[Account] = (),
    checked: str = "",
    plan: Plan | None = None,
    rehearsals: bool = False,
    file: str = "",
) -> dict[str, Any]:
    """Return what the template needs. ``checked`` is the tender file once nothing is wrong, ``plan`` its plan.

    ``file`` is a tender file that was pasted and has a fault.
    """
    return {
        "form": form,
        "fields": rows(form, "quote.fields"),
        "seats": rows(form, "seats"),
        "officers": rows(form, "officers"),
        "locks": lock_form.LOCKS,
        "faults": faults,
        "wrong": {fault.input: fault.text for fault in faults},
        "packs": [load(name) for name in available()],
        "kinds": sorted(KINDS),
        "roles": sorted(STAFF),
        "accounts": [account for account in accounts if not account.disabled],
        "checked": checked,
        "plan": plan,
        "opens": _said(plan, language) if plan else "",
        "rehearsals": rehearsals,
        "file": file,
        "anchor": anchor,
        "minutes": _minutes,
    }


def anchor(name: str) -> str:
    """Return the id of the input ``name`` in the page."""
    return "i-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _field(form: Form, place: str) -> dict[str, Any]:
    made: dict[str, Any] = {name: form.get(f"{place}.{name}", "").strip() for name in ("id", "kind")}
    made["label"] = {name: form.get(f"{place}.label.{name}", "").strip() for name in ("zh", "en")}
    made["required"] = bool(form.get(f"{place}.required"))
    if currency := form.get(f"{place}.currency"):
        made["currency"] = currency
    return made


def _seat(form: Form, i: int) -> dict[str, str]:
    return {name: form.get(f"seats[{i}].{name}", "").strip() for name in _MEMBERS["seats"]}


def _officers(form: Form) -> list[tuple[int, dict[str, str]]]:
    """Return the rows of officers that something was put in, with their numbers."""
    every = (
        (i, {name: form.get(f"officers[{i}].{name}", "").strip() for name in lock_form.COLUMNS})
        for i in rows(form, "officers")
    )
    return [(i, row) for i, row in every if row["account"] or row["certificate"]]


def _filled(seat: Mapping[str, str]) -> bool:
    """A row with neither account nor name is a chair that nobody was put on."""
    return bool(seat["account"] or seat["name"])


def _moment(text: str) -> str:
    return f"{text}{':00' if len(text) == 16 else ''}+08:00" if _LOCAL.fullmatch(text) else text


def _local(text: str) -> str:
    try:
        when = datetime.fromisoformat(text).astimezone(BEIJING)
    except ValueError:
        return text
    return f"{when:%Y-%m-%dT%H:%M:%S}" if when.second else f"{when:%Y-%m-%dT%H:%M}"


def _said(plan: Plan, language: Language) -> str:
    when = plan.t0.astimezone(BEIJING)
    return f"{day(when, language)} {when:%H:%M:%S}"


def _seconds(text: str, unit: int) -> int | str:
    """Return typed minutes or seconds as whole seconds; what is no number is left to the rules to refuse."""
    return round(Decimal(text) * unit) if _MINUTES.fullmatch(text) else text


def _minutes(length: object) -> str:
    """Return seconds, or a span, as minutes without needless zeros."""
    seconds = Decimal(str(length.total_seconds() if isinstance(length, timedelta) else length))
    return f"{(seconds / 60).quantize(Decimal('0.001')).normalize():f}"


def _good(name: str) -> str | None:
    """Return what the rules take in this input, so that they go on to the next; None where there is no such thing."""
    row = _ROW.fullmatch(name)
    member = row[3] if row else name.rpartition("/")[2]
    number = row[2] if row else ""
    return {
        "id": f"x{number}",
        "lot": "1",
        "session": "x",
        "account": f"x{number}",
        "name": "x",
        "role": "supervisor",
        "kind": "text",
        "currency": "CNY",
        "ceiling": "",
        "reading_pace_s": "",
        "deadline": "2026-01-01T09:00",
        "pack": available()[0],
        **{f"{one}.{language}": "x" for one in (*_BOTH, "label") for language in ("zh", "en")},
    }.get(member, "" if member.startswith("windows.") else None)


def _flat(value: object, path: str) -> Iterable[tuple[str, str]]:
    match value:
        case Mapping():
            for name, member in value.items():
                yield from _flat(member, f"{path}.{name}" if path else str(name))
        case list():
            for i, member in enumerate(value):
                yield from _flat(member, f"{path}[{i}]")
        case str() | int():
            yield path, str(value)
        case _:
            return
