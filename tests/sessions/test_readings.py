"""Readings of names: pinyin with tone numbers, one syllable a character, and nothing else."""

import pytest

from sessions.wording.readings import NotPinyin, checked, marked


def test_a_reading_has_a_syllable_for_each_chinese_character() -> None:
    assert checked("单行（AB）建设", "  Shan4 hang2 jian4  SHE4 ") == "shan4 hang2 jian4 she4"
    assert checked("吕", "lü3") == "lv3"


@pytest.mark.parametrize(
    ("name", "reading"),
    [
        ("单行", "shan4"),
        ("单行", "shan4 hang2 x"),
        ("单", "shan"),
        ("单", "shan6"),
        ("单", "<b>4"),
        ("ABC", ""),
        ("单", ""),
    ],
)
def test_what_cannot_be_the_reading_of_a_name_is_refused(name: str, reading: str) -> None:
    with pytest.raises(NotPinyin):
        checked(name, reading)


@pytest.mark.parametrize(
    ("reading", "shown"),
    [
        ("shan4 hang2 jian4 she4", "shàn háng jiàn shè"),
        ("lv3 gui4 jiu3 gou3 dou1", "lǚ guì jiǔ gǒu dōu"),
        ("lve4 de5 xiong2 ng2", "lüè de xióng ng"),
    ],
)
def test_people_are_shown_tone_marks(reading: str, shown: str) -> None:
    assert marked(reading) == shown
