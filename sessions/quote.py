"""The read-out sheet (开标一览表): what its fields may hold, and the facts to flag when one is read out.

Values are checked strictly when a bid is sealed. At the opening nothing is repaired or rejected: what is odd becomes
a flag, a fact for the committee to judge (招标投标法实施条例 art. 51).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from crypto.encoding import parse_canonical
from crypto.errors import EncodingRefused
from sessions.amounts import is_amount
from sessions.errors import CommandRefused
from sessions.plan import QuoteField, Tender

KINDS = frozenset({"money", "integer", "percent", "date", "text"})

_INTEGER = re.compile(r"0|[1-9][0-9]{0,14}")
_PERCENT = re.compile(r"(0|[1-9][0-9]{0,2})(\.[0-9]{1,4})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class QuoteRefused(CommandRefused):
    """A read-out sheet that may not be sealed: ``field`` is the one at fault, empty for the sheet as a whole.

    Codes: malformed_quote, quote_missing, quote_malformed, quote_unknown, price_not_positive.
    """

    def __init__(self, code: str, field: str = "") -> None:
        super().__init__(code, field=field)
        self.field = field


def read_sheet(quote: bytes) -> dict[str, str]:
    """Return the sheet in ``quote``, which must be a canonical JSON object of strings, at most 64 KiB.

    Looks at the form only, so it is what an opening uses: what the values are worth is a matter of ``flags``.
    """
    try:
        sheet = parse_canonical(quote)
    except EncodingRefused as error:
        raise QuoteRefused("malformed_quote") from error
    if not isinstance(sheet, dict) or not all(isinstance(value, str) for value in sheet.values()):
        raise QuoteRefused("malformed_quote")
    return sheet


def check_quote(fields: tuple[QuoteField, ...], quote: bytes) -> Mapping[str, str]:
    """Return the sheet in ``quote`` if it may be sealed for a tender with these ``fields``; refuse the first fault.

    Stricter than the opening, because here a repair is free: no field missing, unknown or malformed, and the price
    (the first money field) above zero.
    """
    sheet = read_sheet(quote)
    for problem in problems(fields, sheet):
        kind, _, field = problem.partition(":")
        raise QuoteRefused(f"quote_{kind}", field)
    money = next((field.id for field in fields if field.kind == "money"), None)
    if money in sheet and not Decimal(sheet[money]):
        raise QuoteRefused("price_not_positive", money)
    return sheet


def is_well_formed(kind: str, value: str) -> bool:
    """Return whether ``value`` is what a field of this kind holds."""
    match kind:
        case "money":
            return is_amount(value)
        case "integer":
            return _INTEGER.fullmatch(value) is not None
        case "percent":
            return _PERCENT.fullmatch(value) is not None
        case "date":
            return _is_date(value)
        case _:
            return bool(value.strip()) and len(value) <= 500 and not _CONTROL.search(value)


def problems(fields: tuple[QuoteField, ...], quote: Mapping[str, str]) -> tuple[str, ...]:
    """Return ``missing:price``, ``malformed:price``, ``unknown:x`` for what a sheet has wrong, in field order."""
    found = []
    for field in fields:
        value = quote.get(field.id)
        if value is None:
            found += [f"missing:{field.id}"] if field.required else []
        elif not is_well_formed(field.kind, value):
            found.append(f"malformed:{field.id}")
    known = {field.id for field in fields}
    return (*found, *(f"unknown:{name}" for name in sorted(quote.keys() - known)))


def price(tender: Tender, quote: Mapping[str, str]) -> str | None:
    """Return the amount in the first money field, if it is one."""
    field = next((field for field in tender.quote if field.kind == "money"), None)
    value = quote.get(field.id) if field else None
    return value if value is not None and is_amount(value) else None


def flags(tender: Tender, quote: Mapping[str, str]) -> tuple[str, ...]:
    """Return the facts to show beside a row: ``over_ceiling`` and whatever ``problems`` finds."""
    amount = price(tender, quote)
    over = amount is not None and tender.ceiling is not None and Decimal(amount) > Decimal(tender.ceiling)
    return (*(("over_ceiling",) if over else ()), *problems(tender.quote, quote))


def _is_date(value: str) -> bool:
    if not _DATE.fullmatch(value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True
