"""What a paper consists of, whatever it is about: a head, blocks, a foot. ``paper.typ`` gives it its form.

Every text here is data: the typesetter shows it and never reads it as markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from sessions.plan import Words

Language = Literal["zh", "en"]


class Style(StrEnum):
    """How a line looks."""

    PLAIN = ""
    STRONG = "strong"
    MUTED = "muted"  # smaller and grey: what explains the line above it
    MONO = "mono"  # digests and codes
    FIGURE = "figure"  # the amounts that were read out
    NOT = "not"  # what did not happen


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text; long ones wrap."""

    text: str
    style: Style = Style.PLAIN


Cell = tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Labels and what they say, in columns."""

    items: tuple[tuple[str, Cell], ...]
    columns: int = 2
    kind: Literal["facts"] = "facts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column's head and how wide it is: ``auto``, millimetres (``12mm``) or a share of the rest (``2fr``)."""

    head: str
    width: str = "1fr"
    right: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with its head, which is repeated on each page. ``lead`` marks the one the paper is about."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: Cell = ()
    lead: bool = False
    kind: Literal["table"] = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A title with lines under it."""

    title: str
    lines: Cell
    kind: Literal["passage"] = "passage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A code to read out, large."""

    title: str
    text: str
    note: str = ""
    kind: Literal["code"] = "code"


Block = Facts | Table | Passage | Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """The file that the paper was made from, inside it."""

    name: str
    media: str
    description: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """All of a paper. ``link`` is what its QR code leads to; ``pages`` says page x of y around the two numbers."""

    language: Language
    landscape: bool
    name: str
    title: str
    author: str
    stamp: str | None
    link: str
    link_note: Cell
    blocks: tuple[Block, ...]
    closing: Cell
    foot: tuple[str, str]
    pages: tuple[str, str, str]
    attached: Attached


def said(words: Words | Mapping[str, str], language: Language) -> str:
    """Return what ``words`` say in ``language``."""
    if isinstance(words, Words):
        return words.zh if language == "zh" else words.en
    return words[language]


def table(
    title: str, columns: Sequence[Column], rows: Sequence[tuple[Cell, ...]], note: Cell = (), *, lead: bool = False
) -> tuple[Table, ...]:
    """Return the table, or nothing if it has no rows."""
    if not rows:
        return ()
    return (Table(title=title, columns=tuple(columns), rows=tuple(rows), note=note, lead=lead),)
