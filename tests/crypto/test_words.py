"""Every refusal has a code that is documented, and words in both languages."""

import re
from pathlib import Path

import pytest

from crypto.errors import CryptoRefused
from crypto.words import WORDS, Words

CRYPTO = Path(__file__).parents[2] / "crypto"
SESSIONS = CRYPTO.parent / "sessions"
RAISED = re.compile(r'(?:Refused|Broken|parse_sheet)\(\s*(?:self\.whole\(\w+\), )?"([a-z_]+)"')


def codes_in_source() -> set[str]:
    return {code for path in CRYPTO.rglob("*.py") for code in RAISED.findall(path.read_text())}


def test_every_code_raised_has_words() -> None:
    assert codes_in_source() <= WORDS.keys()


def test_every_code_with_words_is_raised_somewhere() -> None:
    quoted = {
        code
        for path in (*CRYPTO.rglob("*.py"), *SESSIONS.rglob("*.py"))  # what is kept as evidence is judged in sessions
        if path.name != "words.py"
        for code in WORDS
        if f'"{code}"' in path.read_text()
    }
    assert quoted == WORDS.keys()


def test_every_code_stands_in_the_specification() -> None:
    text = (CRYPTO / "FORMAT.md").read_text()
    assert {code for code in WORDS if f"`{code}`" not in text} == set()


@pytest.mark.parametrize("code", WORDS)
def test_words_are_whole_sentences_in_both_languages(code: str) -> None:
    words: Words = WORDS[code]
    for english in (words.en, words.hint_en):
        assert re.fullmatch(r"[A-Z].*\.", english)
    for chinese in (words.zh, words.hint_zh):
        assert chinese.endswith("。")
        assert re.search(r"[\u4e00-\u9fff]", chinese)


def test_an_error_carries_its_code_and_its_next_step() -> None:
    error = CryptoRefused("wrong_sizes", detail="header")
    assert (error.code, error.detail) == ("wrong_sizes", "header")
    assert error.hint == WORDS["wrong_sizes"].hint_en
