"""From a tender file to a plan: every value checked against the rule pack before anything is announced.

The file (``tender.json``) is an object with these members; those marked ? may be left out::

    id, lot, title{zh,en}, tenderer{zh,en}, agent{zh,en}?, place{zh,en}, deadline "2026-11-21T01:00:00Z",
    currency, ceiling? (decimal string), envelopes? (1 or 2), pack, windows{checkin: seconds, ...}?, reading_pace_s?,
    quote{fields [{id, kind, label{zh,en}, required?, currency?}]}, seats [{account, role, name}],
    locks? [{id, title{zh,en}?, threshold, officers [officer]}], tenderer_share? {threshold, officers [officer]},
    escrow? {threshold, trustees [officer]}      officer = {account, name, certificate (base64 of DER)},
    draws? [{id, title{zh,en}, values? [text, ...], pick?}]
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from crypto.encoding import check_identifier
from crypto.errors import EncodingRefused
from sessions.amounts import is_amount
from sessions.announcing.lock_terms import MEMBERS as LOCK_MEMBERS
from sessions.announcing.lock_terms import read_locks
from sessions.announcing.rulebook import available, load
from sessions.errors import PlanRefused
from sessions.ids import AccountId, SessionId
from sessions.plan import DrawRule, Plan, QuoteField, RulePack, Seat, StepKind, Tender, Words
from sessions.quote import KINDS
from sessions.roles import STAFF, Role

_MEMBERS = {
    *("id", "lot", "title", "tenderer", "agent", "place", "deadline", "currency", "ceiling", "envelopes", "pack"),
    *("windows", "reading_pace_s", "quote", "seats", "draws"),
    *LOCK_MEMBERS,
}
_OPTIONAL = {"agent", "ceiling", "envelopes", "windows", "reading_pace_s", "draws", *LOCK_MEMBERS}
_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
_DEADLINE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.000)?(?:Z|[+-]\d{2}:\d{2})")
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,31}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_LONGEST_PACE = timedelta(minutes=2)


def make_plan(
    tender: Mapping[str, Any],
    *,
    session: str,
    rehearsal: bool = False,
    windows: Mapping[str, timedelta] | None = None,
    reading_pace: timedelta | None = None,
) -> Plan:
    """Return the plan for one opening of ``tender``; raise PlanRefused naming the field and the rule.

    ``windows`` and ``reading_pace`` go before what the file says, with finer steps than its seconds. A rehearsal
    (演练) may go below the shortest windows of the pack, and is marked as one wherever it is shown.
    """
    _members(tender, "tender", _MEMBERS, _OPTIONAL)
    if not _SESSION.fullmatch(session):
        raise PlanRefused("malformed", "session")
    pack = _pack(tender["pack"])
    lengths = {**_seconds(tender.get("windows", {}), pack), **(windows or {})}
    pace = reading_pace if reading_pace is not None else _pace(tender, pack)
    if not timedelta() <= pace <= _LONGEST_PACE:
        raise PlanRefused("out_of_range", "reading_pace_s", longest=_LONGEST_PACE.seconds)
    plan = Plan(
        session=SessionId(session),
        tender=_tender(tender, pack),
        pack=pack,
        t0=_deadline(tender["deadline"]),
        windows=_windows(lengths, pack, rehearsal=rehearsal),
        reading_pace=pace,
        seats=tuple(_seats(tender["seats"], pack)),
        rehearsal=rehearsal,
    )
    return replace(plan, **read_locks(tender, plan.seats, pack))


def _pack(name: object) -> RulePack:
    if not isinstance(name, str) or name not in available():
        raise PlanRefused("unknown_pack", "pack", available=", ".join(available()))
    return load(name)


def _tender(form: Mapping[str, Any], pack: RulePack) -> Tender:
    envelopes = form.get("envelopes", 1)
    if type(envelopes) is not int or envelopes not in (1, 2):
        raise PlanRefused("out_of_range", "envelopes", shortest=1, longest=2)
    ceiling = form.get("ceiling")
    if ceiling is not None and not (isinstance(ceiling, str) and is_amount(ceiling)):
        raise PlanRefused("not_an_amount", "ceiling")
    return Tender(
        id=_identifier(form["id"], "id"),
        lot=_identifier(form["lot"], "lot"),
        title=_words(form["title"], "title"),
        tenderer=_words(form["tenderer"], "tenderer"),
        agent=_words(form["agent"], "agent") if form.get("agent") is not None else None,
        place=_words(form["place"], "place"),
        envelopes=envelopes,
        quote=tuple(_quote(form["quote"])),
        ceiling=ceiling,
        currency=_currency(form["currency"], "currency"),
        draws=tuple(_draws(form.get("draws", []), pack)),
    )


def _draws(form: object, pack: RulePack) -> Iterator[DrawRule]:
    if not isinstance(form, list) or len(form) > 20:
        raise PlanRefused("malformed", "draws")
    if form and all(step.kind is not StepKind.DRAW for step in pack.steps):
        raise PlanRefused("no_draw_here", "draws")
    seen: set[str] = set()
    for index, draw in enumerate(form):
        where = f"draws[{index}]"
        _members(draw, where, {"id", "title", "values", "pick"}, {"values", "pick"})
        name, values, pick = draw["id"], draw.get("values", []), draw.get("pick")
        if not isinstance(name, str) or not _FIELD.fullmatch(name) or name in seen:
            raise PlanRefused("malformed", f"{where}.id")
        if not isinstance(values, list) or len(values) == 1 or len(values) > 1000:
            raise PlanRefused("out_of_range", f"{where}.values", shortest=2, longest=1000)
        texts = tuple(_text(value, f"{where}.values") for value in values)
        if len(set(texts)) < len(texts):
            raise PlanRefused("twice", f"{where}.values")
        if pick is not None and (type(pick) is not int or not 1 <= pick <= (len(texts) or 1000)):
            raise PlanRefused("out_of_range", f"{where}.pick", shortest=1, longest=len(texts) or 1000)
        seen.add(name)
        yield DrawRule(id=name, title=_words(draw["title"], f"{where}.title"), values=texts, pick=pick)


def _quote(form: object) -> Iterator[QuoteField]:
    _members(form, "quote", {"fields"})
    fields = form["fields"] if isinstance(form, Mapping) else None
    if not isinstance(fields, list) or not 1 <= len(fields) <= 40:
        raise PlanRefused("out_of_range", "quote.fields", shortest=1, longest=40)
    seen: set[str] = set()
    for index, field in enumerate(fields):
        where = f"quote.fields[{index}]"
        _members(field, where, {"id", "kind", "label", "required", "currency"}, {"required", "currency"})
        name, kind, required, currency = (field.get(key) for key in ("id", "kind", "required", "currency"))
        if not isinstance(name, str) or not _FIELD.fullmatch(name) or name in seen:
            raise PlanRefused("malformed", f"{where}.id")
        if kind not in KINDS:
            raise PlanRefused("unknown_kind", f"{where}.kind", known=", ".join(sorted(KINDS)))
        if required not in (None, True, False):
            raise PlanRefused("malformed", f"{where}.required")
        seen.add(name)
        yield QuoteField(
            id=name,
            kind=kind,
            label=_words(field["label"], f"{where}.label"),
            required=required is not False,
            currency=None if currency is None else _currency(currency, f"{where}.currency"),
        )


def _seats(form: object, pack: RulePack) -> Iterator[Seat]:
    if not isinstance(form, list):
        raise PlanRefused("malformed", "seats")
    seats: list[Seat] = []
    for index, seat in enumerate(form):
        where = f"seats[{index}]"
        _members(seat, where, {"account", "role", "name"})
        if seat["role"] not in STAFF:
            raise PlanRefused("unknown_role", f"{where}.role", known=", ".join(sorted(STAFF)))
        account = AccountId(_identifier(seat["account"], f"{where}.account"))
        if any(other.account == account for other in seats):
            raise PlanRefused("twice", f"{where}.account")  # one person, one part
        seats.append(Seat(account=account, role=Role(seat["role"]), name=_text(seat["name"], f"{where}.name")))
    for role in {Role.HOST, *pack.chairs} - {seat.role for seat in seats}:
        raise PlanRefused("seat_missing", "seats", role=role.value)
    if pack.two_person and len(seats) < 2:
        raise PlanRefused("second_person_missing", "seats")
    yield from seats


def _seconds(form: object, pack: RulePack) -> dict[str, timedelta]:
    if not isinstance(form, Mapping):
        raise PlanRefused("malformed", "windows")
    for name, value in form.items():
        if name not in pack.windows:
            raise PlanRefused("unknown_window", f"windows.{name}", known=", ".join(pack.windows))
        if type(value) is not int:
            raise PlanRefused("malformed", f"windows.{name}")
    return {name: timedelta(seconds=value) for name, value in form.items()}


def _windows(lengths: Mapping[str, timedelta], pack: RulePack, *, rehearsal: bool) -> dict[str, timedelta]:
    chosen = {name: lengths.get(name, rule.default) for name, rule in pack.windows.items()}
    for name, length in chosen.items():
        rule = pack.windows[name]
        shortest = timedelta(milliseconds=1) if rehearsal else rule.shortest
        if not shortest <= length <= rule.longest:
            limits = {"shortest": _whole(shortest), "longest": _whole(rule.longest)}
            raise PlanRefused("out_of_range", f"windows.{name}", **limits)
    return chosen


def _whole(length: timedelta) -> int:
    return int(length.total_seconds())


def _pace(form: Mapping[str, Any], pack: RulePack) -> timedelta:
    pace = form.get("reading_pace_s")
    if pace is None:
        return pack.reading_pace
    if type(pace) is not int or pace < 1:
        raise PlanRefused("out_of_range", "reading_pace_s", shortest=1)
    return timedelta(seconds=pace)


def _deadline(text: object) -> datetime:
    """The deadline stands in every sealed bid in whole seconds (crypto/FORMAT.md section 2)."""
    if not isinstance(text, str) or not _DEADLINE.fullmatch(text):
        raise PlanRefused("not_a_moment", "deadline")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise PlanRefused("not_a_moment", "deadline") from error


def _members(form: object, where: str, known: set[str], optional: set[str] | None = None) -> None:
    if not isinstance(form, Mapping):
        raise PlanRefused("malformed", where)
    for name in sorted(form.keys() - known):
        raise PlanRefused("unknown_field", f"{where}.{name}")
    for name in sorted(known - (optional or set()) - form.keys()):
        raise PlanRefused("missing", f"{where}.{name}")


def _words(form: object, where: str) -> Words:
    _members(form, where, {"zh", "en"})
    texts = form if isinstance(form, Mapping) else {}
    return Words(zh=_text(texts["zh"], f"{where}.zh"), en=_text(texts["en"], f"{where}.en"))


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 400:
        raise PlanRefused("malformed", where)
    return value


def _identifier(value: object, where: str) -> str:
    try:
        return check_identifier(value)
    except EncodingRefused as error:
        raise PlanRefused("malformed", where) from error


def _currency(value: object, where: str) -> str:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise PlanRefused("malformed", where)
    return value
