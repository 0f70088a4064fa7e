"""A paper into PDF/A-3b, by typst: no system library, no system font, the same bytes for the same paper.

Takes from 0.1 s to some seconds (300 bids: 1.2 s), with the interpreter free for others: call it in a thread.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import pylopdf_fonts_zh_cn
import segno
import typst

from crypto.encoding import canonical
from sessions.papers.layout import Paper

_HERE: Final = Path(__file__).parent
_FONTS: Final = pylopdf_fonts_zh_cn.sans_path().parent
_STANDARD: Final = "a-3b"
_RUN: Final = re.compile(r"[!-~]{25,}")  # nothing to break a line at
_PIECE: Final = 8


def typeset(paper: Paper, at: datetime) -> bytes:
    """Return ``paper`` as PDF/A-3b with its source attached; ``at`` is the date it bears.

    A character that no face here has, or that would turn the line round, is written as its number: ``[U+1F3D7]``. The
    attached source has it as it is.
    """
    form = asdict(replace(paper, attached=replace(paper.attached, data=b"")))
    del form["attached"]["data"]
    everything = unicodedata.normalize("NFC", "".join(_strings(form)))
    form = _shown(form, _unknown("".join(sorted(set(everything)))))
    qr = io.BytesIO()
    segno.make(paper.link, error="m", micro=False).save(qr, kind="svg", border=0, svgclass=None, lineclass=None)
    inputs = {
        "paper": canonical(form).decode(),
        "attached": paper.attached.data.decode(),
        "qr": qr.getvalue().decode(),
    }
    at = at.replace(microsecond=0)
    made = _compiler("paper.typ").compile(sys_inputs=inputs, format="pdf", pdf_standards=_STANDARD, timestamp=at)
    if not isinstance(made, bytes):
        raise TypeError("one PDF was asked for")
    return made


@cache
def _compiler(template: str) -> typst.Compiler:
    return typst.Compiler(_HERE / template, root=_HERE, font_paths=[_FONTS], ignore_system_fonts=True)


_NAMES: Final = frozenset({"language", "kind", "style", "width", "link", "attached"})


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for name, each in value.items():
                if name not in _NAMES:
                    yield from _strings(each)
        case list() | tuple():
            for each in value:
                yield from _strings(each)


def _shown(value: Any, unknown: frozenset[str]) -> Any:
    match value:
        case str():
            return _text(value, unknown)
        case dict():
            return {name: each if name in _NAMES else _shown(each, unknown) for name, each in value.items()}
        case list() | tuple():
            return [_shown(each, unknown) for each in value]
        case _:
            return value


def _text(text: str, unknown: frozenset[str]) -> str:
    shown = "".join(
        f"[U+{ord(each):04X}]" if each in unknown else each for each in unicodedata.normalize("NFC", text)
    )
    return _RUN.sub(lambda run: "\u200b".join(_pieces(run[0])), shown)


def _pieces(run: str) -> Iterator[str]:
    return (run[start : start + _PIECE] for start in range(0, len(run), _PIECE))


def _unknown(characters: str) -> frozenset[str]:
    """Return those that cannot be shown as they are: control characters, and what no face has."""
    turning = {each for each in characters if unicodedata.category(each)[0] == "C" and each != "\n"}
    return frozenset(turning | set(_without_face("".join(each for each in characters if each not in turning))))


def _without_face(characters: str) -> str:
    """Return what the typesetter refuses to show, found by halving: mostly nothing, in one attempt."""
    try:
        inputs = {"text": "\n".join(characters)}
        _compiler("trial.typ").compile(sys_inputs=inputs, format="pdf", pdf_standards=_STANDARD, timestamp=0)
    except typst.TypstError as error:
        if "could not be displayed" not in error.message:
            raise
        half = len(characters) // 2
        if not half:
            return characters
        return _without_face(characters[:half]) + _without_face(characters[half:])
    return ""
