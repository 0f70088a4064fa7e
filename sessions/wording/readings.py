"""How names are read aloud, where the usual reading is wrong: pinyin with tone numbers, a syllable a character. Pure.

What a company calls itself only the company knows: 单, 行 and 乐 are read in two ways or more.
"""

from __future__ import annotations

import re
from typing import Final

MOST: Final = 500  # names of a session
LONGEST: Final = 100  # characters of a name

_SYLLABLE: Final = re.compile(r"(?:zh|ch|sh|[bpmfdtnlgkhjqxzcsryw])?(?:[aeiouv]{1,4}(?:ng?|r)?|ng?|m)[1-5]")
_MARKED: Final = {"a": "āáǎàa", "e": "ēéěèe", "i": "īíǐìi", "o": "ōóǒòo", "u": "ūúǔùu", "v": "ǖǘǚǜü"}


class NotPinyin(ValueError):
    """The reading is no pinyin with tone numbers: write one syllable a character, such as ``shan4 hang2``."""


def checked(name: str, reading: str) -> str:
    """Return ``reading`` tidied, if it can be that of ``name``: as many syllables as it has Chinese characters.

    Raises:
        NotPinyin: it cannot.
    """
    syllables = reading.lower().replace("ü", "v").split()
    characters = sum(map(is_chinese, name))
    if not 1 <= characters == len(syllables) or len(name) > LONGEST:
        raise NotPinyin(f"{characters} syllables with tone numbers are needed")
    if not all(_SYLLABLE.fullmatch(one) for one in syllables):
        raise NotPinyin("a syllable has letters and a tone from 1 to 5")
    return " ".join(syllables)


def is_chinese(one: str) -> bool:
    """Return whether a character is a Chinese one."""
    return "\u4e00" <= one <= "\u9fff" or "\u3400" <= one <= "\u4dbf"


def marked(reading: str) -> str:
    """Return ``shàn háng`` for ``shan4 hang2``: for people. The mark stands on a or e, on the o of ou, else last."""
    return " ".join(map(_mark, reading.split()))


def _mark(syllable: str) -> str:
    letters, tone = syllable[:-1], int(syllable[-1])
    vowels = [place for place, letter in enumerate(letters) if letter in _MARKED]
    if not vowels:
        return letters
    best = [place for place in vowels if letters[place] in "ae"] or [letters.find("ou")]
    place = best[0] if best[0] >= 0 else vowels[-1]
    return (
        letters[:place].replace("v", "ü") + _MARKED[letters[place]][tone - 1] + letters[place + 1 :].replace("v", "ü")
    )
