"""Numbers as they are spoken, in Mandarin and in English. No figure is left, so no voice can read one wrongly. Pure.

Both voices of espeak-ng 1.52 read 123450000 as something else; what is spelled out here they read as it stands.
Mandarin by GB/T 15835 and the habits of read-outs: years and identifiers figure by figure (一 stays yī), amounts and
counts by place value (两 is not used, as on bid sheets).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from sessions.amounts import by_places
from sessions.amounts import in_english as _english_amount

_DIGITS: Final = "零一二三四五六七八九"
_PLACES: Final = ("", "十", "百", "千")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October"),
    *("November", "December"),
)
_ONES: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_ORDINALS: Final = {
    **{"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth"},
    "twelve": "twelfth",
}

_TOKENS: Final = re.compile(
    r"(?P<date>(?<![\w-])(?P<y>\d{4})-(?P<mo>0[1-9]|1[0-2])-(?P<d>0[1-9]|[12]\d|3[01])(?![\w-]))"
    r"|(?P<time>(?<![\d:])(?P<h>[01]\d|2[0-3]):(?P<mi>[0-5]\d)(?::(?P<s>[0-5]\d))?(?![\d:]))"
    r"|(?P<id>(?<![A-Za-z0-9])(?:[A-Za-z0-9]+[-/_])+[A-Za-z0-9]+|[A-Za-z]+\d[A-Za-z0-9]*|\d+[A-Za-z][A-Za-z0-9]*)"
    r"|(?P<percent>(?P<pn>[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)\s?%)"
    r"|(?P<number>(?<![\w.])[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)"
    r"|(?P<digits>\d)",
    re.ASCII,
)


def chinese(text: str) -> str:
    """Return ``text`` with every figure in Chinese words: 12.5% as 百分之十二点五, 09:30 as 九点三十分."""
    return _spelled(text, _chinese_token, chinese_digits)


def english(text: str) -> str:
    """Return ``text`` with every figure in English words: 12.5% as twelve point five percent."""
    return _spelled(text, _english_token, english_digits)


def chinese_integer(number: int) -> str:
    """Return an integer by place value: 10500 as 一万零五百, 15 as 十五."""
    if number < 0:
        return "负" + chinese_integer(-number)
    if number >= 10**24:
        return chinese_digits(str(number))
    words = by_places(number, _DIGITS, _PLACES)
    return words.removeprefix("一") if words.startswith("一十") else words or "零"


def chinese_digits(figures: str) -> str:
    """Return figures one by one: 2026 as 二零二六."""
    return "".join(_DIGITS[int(figure)] for figure in figures)


def english_integer(number: int) -> str:
    """Return an integer in words; from a quadrillion on figure by figure."""
    if number < 0:
        return "minus " + english_integer(-number)
    figures = str(number)
    return _english_amount(figures).removesuffix(" yuan") if len(figures) <= 16 else english_digits(figures)


def english_digits(figures: str) -> str:
    """Return figures one by one: 2026 as two zero two six."""
    return " ".join(_ONES[int(figure)] for figure in figures)


def _spelled(text: str, token: Callable[[re.Match[str]], str], digits: Callable[[str], str]) -> str:
    done = _TOKENS.sub(token, text)
    # Figures of other scripts (full width, superscripts with a value) become figures of ours.
    return re.sub(r"\d", lambda found: digits(str(int(found[0]))), done)


def _chinese_token(found: re.Match[str]) -> str:
    match next(name for name in _KINDS if found[name] is not None):
        case "date":
            month, day = chinese_integer(int(found["mo"])), chinese_integer(int(found["d"]))
            return f"{chinese_digits(found['y'])}年{month}月{day}日"
        case "time":
            minutes = _chinese_two(found["mi"]) + "分" if found["s"] or int(found["mi"]) else "整"
            seconds = _chinese_two(found["s"]) + "秒" if found["s"] and int(found["s"]) else ""
            return f"{chinese_integer(int(found['h']))}点{minutes}{seconds}"
        case "id":
            return _identifier(found["id"], chinese_digits, "杠", "")
        case "percent":
            sign, number = _sign(found["pn"])
            return ("负" if sign == "-" else "") + "百分之" + _chinese_number(number)
        case "number":
            sign, number = _sign(found["number"])
            return {"-": "负", "+": "正"}.get(sign, "") + _chinese_number(number)
        case _:
            return chinese_digits(found[0])


def _english_token(found: re.Match[str]) -> str:
    match next(name for name in _KINDS if found[name] is not None):
        case "date":
            day = _ordinal(english_integer(int(found["d"])))
            return f"{_MONTHS[int(found['mo']) - 1]} {day}, {_english_year(found['y'])}"
        case "time":
            return _english_time(found)
        case "id":
            return _identifier(found["id"], english_digits, "dash", " ")
        case "percent":
            sign, number = _sign(found["pn"])
            return ("minus " if sign == "-" else "") + _english_number(number) + " percent"
        case "number":
            sign, number = _sign(found["number"])
            return {"-": "minus ", "+": "plus "}.get(sign, "") + _english_number(number)
        case _:
            return english_digits(found[0])


_KINDS: Final = ("date", "time", "id", "percent", "number", "digits")


def _sign(number: str) -> tuple[str, str]:
    return (number[0], number[1:]) if number[0] in "+-" else ("", number)


def _chinese_number(number: str) -> str:
    whole, _, part = number.replace(",", "").partition(".")
    if len(whole) > 1 and whole[0] == "0":
        return chinese_digits(whole) + ("点" + chinese_digits(part) if part else "")
    part = part.rstrip("0") if len(part) == 2 else part  # .00 of an amount is not said
    return chinese_integer(int(whole)) + ("点" + chinese_digits(part) if part else "")


def _english_number(number: str) -> str:
    whole, _, part = number.replace(",", "").partition(".")
    if len(whole) > 1 and whole[0] == "0":
        return english_digits(whole) + (" point " + english_digits(part) if part else "")
    part = part.rstrip("0") if len(part) == 2 else part
    return english_integer(int(whole)) + (" point " + english_digits(part) if part else "")


def _identifier(text: str, digits: Callable[[str], str], dash: str, between: str) -> str:
    said = [
        digits(part) if part.isdigit() else between.join(part) if part.isupper() else part
        for part in re.findall(r"\d+|[A-Za-z]+|[-/_]", text)
    ]
    return (between or "").join(dash if part in "-/_" else part for part in said)


def _chinese_two(figures: str) -> str:
    number = int(figures)
    return ("零" if 0 < number < 10 else "") + chinese_integer(number)


def _english_year(figures: str) -> str:
    high, low = int(figures[:2]), int(figures[2:])
    if high % 10 == 0 and low < 10:
        return english_integer(int(figures))
    tail = "hundred" if not low else english_integer(low) if low >= 10 else f"oh {english_integer(low)}"
    return f"{english_integer(high)} {tail}"


def _english_time(found: re.Match[str]) -> str:
    hour, minutes, seconds = int(found["h"]), int(found["mi"]), int(found["s"] or 0)
    said = english_integer(hour)
    said += " o'clock" if not minutes else " " + ("oh " if minutes < 10 else "") + english_integer(minutes)
    if seconds:
        said += f" and {english_integer(seconds)} second" + ("s" if seconds > 1 else "")
    return said


def _ordinal(number: str) -> str:
    head, _, last = number.rpartition("-")
    last = _ORDINALS.get(last, f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return f"{head}-{last}" if head else last
