"""Amounts of money as people read them: with group separators, in Chinese capitals (大写), in English words.

An amount is a decimal string, as bidders seal it. Nothing here rounds or repairs: what is not an amount of at most
two decimals is refused, and whoever reads it out shows it as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_AMOUNT = re.compile(r"(?P<whole>0|[1-9][0-9]{0,15})(?:\.(?P<part>[0-9]{1,2}))?")
_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_THOUSANDS = ("", " thousand", " million", " billion", " trillion", " quadrillion")
_UNITS = {"CNY": ("yuan", "fen"), "USD": ("dollars", "cents"), "EUR": ("euros", "cents")}


def is_amount(text: str) -> bool:
    """Return whether ``text`` is an amount: no sign, no separators, at most 16 digits and two decimals."""
    return _AMOUNT.fullmatch(text) is not None


def grouped(amount: str) -> str:
    """Return ``1,200,000.00`` for ``1200000.00``; the decimals stay as they were written."""
    whole, part = _split(amount)
    return f"{int(whole):,}" + (f".{part}" if part else "")


def in_chinese(amount: str) -> str:
    """Return 壹佰贰拾万元整 for ``1200000``: the capitals of cheques and bid sheets (支付结算办法, annex 1).

    整 follows 元; after 角 it is left out.
    """
    whole, part = _split(amount)
    jiao, fen = (int(digit) for digit in part.ljust(2, "0"))
    if not int(whole) and not jiao and not fen:
        return "零元整"
    words = f"{by_places(int(whole), _DIGITS, _PLACES)}元" if int(whole) else ""
    if not jiao and not fen:
        return words + "整"
    if jiao:
        words += _DIGITS[jiao] + "角"
    elif words:
        words += "零"
    return words + (_DIGITS[fen] + "分" if fen else "")


def in_english(amount: str, currency: str = "CNY") -> str:
    """Return ``one million two hundred thousand yuan`` for ``1200000``."""
    whole, part = _split(amount)
    unit, cent = _UNITS.get(currency, (currency, "hundredths"))
    words = f"{_english_integer(int(whole))} {unit}"
    hundredths = int(part.ljust(2, "0"))
    return f"{words} and {_english_integer(hundredths)} {cent}" if hundredths else words


def by_places(number: int, digits: str, places: Sequence[str]) -> str:
    """Return an integer by place value, in ten ``digits`` and the ``places`` of four; nothing for 0."""
    for unit, size in (("亿", 10**8), ("万", 10**4)):
        head, rest = divmod(number, size)
        if head:
            zero = digits[0] if 0 < rest < size // 10 else ""
            return by_places(head, digits, places) + unit + zero + by_places(rest, digits, places)
    words, gap = "", False
    for place in range(3, -1, -1):
        digit = number // 10**place % 10
        if not digit:
            gap = bool(words)
            continue
        words += (digits[0] if gap else "") + digits[digit] + places[place]
        gap = False
    return words


def _split(amount: str) -> tuple[str, str]:
    match = _AMOUNT.fullmatch(amount)
    if match is None:
        raise ValueError("an amount is a decimal string of at most 16 digits and two decimals")
    return match["whole"], match["part"] or ""


def _english_integer(number: int) -> str:
    if number < 1000:
        return _english_group(number)
    parts = []
    for index in range(len(_THOUSANDS) - 1, -1, -1):
        group = number // 1000**index % 1000
        if group:
            parts.append(_english_group(group) + _THOUSANDS[index])
    return " ".join(parts)


def _english_group(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    words = [f"{_SMALL[hundreds]} hundred"] if hundreds else []
    if rest >= 20:
        ten, one = divmod(rest, 10)
        words.append(_TENS[ten - 2] + (f"-{_SMALL[one]}" if one else ""))
    elif rest or not hundreds:
        words.append(_SMALL[rest])
    return " ".join(words)
