"""The evidence of a failure certificate as one reads it: in order, each figure with its name and in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from web.pages.binding import local
from web.wording.i18n import Language
from web.wording.words import WORDS, word

_WORDED: Final = {"seal": "seal", "last_attempt_code": "failure"}


def figures(evidence: Mapping[str, str], language: Language) -> list[tuple[str, str]]:
    """Return the evidence in the order in which one reads it, each figure with its name and in words.

    What was signed, to the letter, stands beneath them on the page.
    """
    order = list(WORDS["evidence"])
    names = sorted(evidence, key=lambda name: order.index(name) if name in order else len(order))
    return [(word("evidence", name, language), _told(name, evidence[name], language)) for name in names]


def _told(name: str, value: str, language: Language) -> str:
    if not value:
        return ""
    if name.endswith("_at"):
        return f"{local(value):%Y-%m-%d %H:%M:%S}"
    group = _WORDED.get(name)
    return value if group is None else word(group, value, language)
