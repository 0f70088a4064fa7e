"""Numbers are spoken as words, and no figure is ever left for a voice to misread."""

from __future__ import annotations

import cn2an
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hall.media.voice.spelling import chinese, chinese_integer, english, english_integer


@pytest.mark.parametrize(
    ("written", "zh", "en"),
    [
        ("0", "零", "zero"),
        ("15", "十五", "fifteen"),
        ("105", "一百零五", "one hundred five"),
        ("10500", "一万零五百", "ten thousand five hundred"),
        ("1,200,000.00", "一百二十万", "one million two hundred thousand"),
        ("123450000", "一亿二千三百四十五万", "one hundred twenty-three million four hundred fifty thousand"),
        ("100015", "十万零一十五", "one hundred thousand fifteen"),
        ("1000100000000", "一万零一亿", "one trillion one hundred million"),
        ("12.50", "十二点五", "twelve point five"),
        ("3.05", "三点零五", "three point zero five"),
        ("-3.5", "负三点五", "minus three point five"),
        ("12.5%", "百分之十二点五", "twelve point five percent"),
        ("-2 %", "负百分之二", "minus two percent"),
        ("2026-11-22", "二零二六年十一月二十二日", "November twenty-second, twenty twenty-six"),
        ("2000-01-03", "二零零零年一月三日", "January third, two thousand"),
        ("1905-12-30", "一九零五年十二月三十日", "December thirtieth, nineteen oh five"),
        ("09:30", "九点三十分", "nine thirty"),
        ("10:00", "十点整", "ten o'clock"),
        ("10:05:09", "十点零五分零九秒", "ten oh five and nine seconds"),
        ("007", "零零七", "zero zero seven"),
        ("GC-2026-0417", "GC杠二零二六杠零四一七", "G C dash two zero two six dash zero four one seven"),
    ],
)
def test_figures_are_spoken_as_people_say_them(written: str, zh: str, en: str) -> None:
    assert chinese(written) == zh
    assert english(written) == en


def test_words_round_figures_stay_as_they_are() -> None:
    assert chinese("共 5 家，第 3 标段。") == "共 五 家，第 三 标段。"
    assert english("Lot 3: 5 bids, 12% below.") == "Lot three: five bids, twelve percent below."


@settings(max_examples=100)
@given(st.text(max_size=30))
def test_no_figure_of_any_script_is_left(text: str) -> None:
    assert not any(one.isdecimal() for one in chinese(text))
    assert not any(one.isdecimal() for one in english(text))


@given(st.from_regex(r"[0-9A-Z,.:%+\- ]{1,24}", fullmatch=True))
def test_no_arrangement_of_figures_is_left_unspelled(text: str) -> None:
    assert not any(one.isdigit() for one in chinese(text) + english(text))


@given(st.integers(0, 10**12 - 1))
def test_another_program_reads_the_chinese_words_as_the_same_number(number: int) -> None:
    assert cn2an.cn2an(chinese_integer(number), "smart") == number


@given(st.integers(0, 10**12 - 1))
def test_another_program_writes_the_same_chinese_words(number: int) -> None:
    other = cn2an.an2cn(str(number), "low")
    assert chinese_integer(number) == (other[1:] if other.startswith("一十") else other)


@given(st.integers(0, 10**16 - 1), st.integers(0, 10**16 - 1))
def test_different_numbers_have_different_english_words(one: int, other: int) -> None:
    assert (english_integer(one) == english_integer(other)) == (one == other)


def test_numbers_beyond_all_words_are_read_figure_by_figure() -> None:
    assert chinese_integer(10**24) == "一" + "零" * 24
    assert english_integer(10**16) == "one" + " zero" * 16
