"""Both languages: which one a reader gets, and the catalogue of the templates' sentences.

The templates are written in English; ``locale/zh.po`` holds the Chinese, read at start, so there is no compile step.
Words that name a value (a state, a cause) are not sentences: they stand in web/wording/words.py.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from babel.messages.pofile import read_po

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
HTML_LANG: dict[Language, str] = {"zh": "zh-CN", "en": "en"}

_PO = Path(__file__).parents[1] / "locale" / "zh.po"
_RANGE = re.compile(r"([A-Za-z]{1,8})(?:-[A-Za-z0-9]{1,8})*(?:\s*;\s*q=([01](?:\.[0-9]{0,3})?))?$")


@cache
def catalogue() -> dict[str, str]:
    """Return English sentence -> Chinese sentence."""
    with _PO.open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file) if message.id and message.string}


def sentence(english: str, language: Language) -> str:
    """Return the template's sentence in ``language``; one that nobody translated stays English."""
    return english if language == "en" else catalogue().get(english, english)


def choose(query: str | None, cookie: str | None, accepted: str | None) -> Language:
    """Return the language for a request: what it asks for, what it asked for before, what its browser prefers.

    Chinese is the default. Malformed ranges of ``Accept-Language`` (RFC 9110 section 12.5.4) are passed over.
    """
    for wanted in (query, cookie):
        for language in LANGUAGES:
            if wanted == language:
                return language
    ranges: list[tuple[float, Language]] = []
    for part in (accepted or "").split(",")[:20]:
        found = _RANGE.match(part.strip())
        if found is None:
            continue
        for language in LANGUAGES:
            if found[1].lower() == language:
                ranges.append((float(found[2] or 1), language))
    ranges.sort(key=lambda pair: -pair[0])
    return ranges[0][1] if ranges and ranges[0][0] > 0 else "zh"
