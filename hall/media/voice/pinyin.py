"""Chinese text as a voice reads it: pinyin with tone numbers. Names may have a reading of their own. Pure.

pypinyin knows the usual readings of words; what a company calls itself only the company knows (单, 行, 乐 are read in
two ways or more), so a reading that somebody wrote down goes before it (sessions.wording.readings).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from pypinyin import Style, lazy_pinyin

from sessions.wording.readings import is_chinese

_PUNCTUATION: Final = str.maketrans("，。；：、！？（）《》“”‘’…—·", ",.;:,!?,,,,    ,, ")
_LETTERS: Final = {
    **{"a": "ei1", "b": "bi4", "c": "xi1", "d": "di4", "e": "yi4", "f": "ai2 fu5", "g": "ji4", "h": "ai2 chi3"},
    **{"i": "ai4", "j": "jie4", "k": "kai4", "l": "ai2 lou5", "m": "ai2 mu5", "n": "en1", "o": "ou1", "p": "pi4"},
    **{"q": "kou4", "r": "a4 er5", "s": "ai2 si5", "t": "ti4", "u": "you1", "v": "wei1", "w": "da2 bu5 liu5"},
    **{"x": "ai2 ke5 si5", "y": "wai4", "z": "zei4"},
}


def reading_of(text: str, readings: Mapping[str, str] | None = None) -> str:
    """Return ``text`` as pinyin with tone numbers; ``readings`` of names in it go first, the longest name before.

    Latin letters are named one by one; figures must have been spelled out.
    """
    names = sorted(readings or {}, key=len, reverse=True)
    parts = re.split("(" + "|".join(map(re.escape, names)) + ")", text) if names else [text]
    said = [(readings or {})[part] if part in names else _plain(part) for part in parts if part]
    return re.sub(r"\s+", " ", re.sub(r"\s+([,.;:!?])", r"\1", " ".join(said))).strip()


def latin(text: str, readings: Mapping[str, str] | None = None) -> str:
    """Return ``text`` with Chinese in it as an English voice can read it: pinyin without tones, a word a run.

    Of names that have a reading it is the reading's.
    """
    for name in sorted(readings or {}, key=len, reverse=True):
        text = text.replace(name, re.sub(r"[1-5 ]", "", (readings or {})[name]).replace("v", "u").title())
    return re.sub(r"[\u3400-\u4dbf\u4e00-\u9fff]+", lambda run: "".join(lazy_pinyin(run[0])).title(), text)


def suggested(name: str) -> str:
    """Return what would be read without anybody's help: a place to begin editing from."""
    return " ".join(_syllables("".join(one for one in name if is_chinese(one))))


def _syllables(text: str) -> list[str]:
    return lazy_pinyin(text, style=Style.TONE3, neutral_tone_with_five=True)


def _plain(text: str) -> str:
    said = []
    for piece in re.findall(r"[A-Za-z]+|[^A-Za-z]+", text.translate(_PUNCTUATION)):
        if piece.isascii() and piece.isalpha():
            said += [_LETTERS[letter] for letter in piece.lower()]
        else:
            said += _syllables(piece)
    return " ".join(said)
