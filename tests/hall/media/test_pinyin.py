"""Names are read as their owners say, and everything else as people usually do."""

from __future__ import annotations

import pytest

from hall.media.voice.pinyin import latin, reading_of, suggested
from sessions.wording.readings import NotPinyin, checked


def test_words_are_read_with_their_usual_tones() -> None:
    assert reading_of("银行，行业。") == "yin2 hang2, hang2 ye4."


def test_a_reading_that_was_given_goes_before_the_usual_one() -> None:
    name = "单行建设"
    assert reading_of(f"{name}有限公司", {name: checked(name, "shan4 xing2 jian4 she4")}).startswith(
        "shan4 xing2 jian4 she4 you3 xian4"
    )


def test_the_longest_name_wins() -> None:
    readings = {"乐山": "yue4 shan1", "乐山路桥": "le4 shan1 lu4 qiao2"}
    assert reading_of("乐山路桥", readings) == "le4 shan1 lu4 qiao2"


def test_latin_letters_are_named() -> None:
    assert reading_of("AB标") == "ei1 bi4 biao1"


@pytest.mark.parametrize("reading", ["", "shan4", "shan hang2", "shan4 hang2 gong1", "sh4n hang9", "<b> hang2"])
def test_what_cannot_be_the_reading_of_a_name_is_refused(reading: str) -> None:
    with pytest.raises(NotPinyin):
        checked("单行", reading)


@pytest.mark.parametrize("name", ["绿源女装", "青禾路桥有限公司", "嗯哪儿"])
def test_what_is_suggested_is_accepted_as_it_stands(name: str) -> None:
    assert checked(name, suggested(name)).split()


def test_an_english_voice_gets_letters_for_chinese_names() -> None:
    assert latin("青禾 opened") == "Qinghe opened"
