"""Amounts in figures and words; the Chinese capitals against a second, independent implementation."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.amounts import grouped, in_chinese, in_english, is_amount

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # cn2an's own syntax warnings, on import
    import cn2an

# Beyond 万亿 the two differ in style: cn2an leaves 亿 out of 一千二百三十四万五千六百七十八亿.
amounts = st.builds(
    lambda whole, part: f"{whole}.{part:02}" if part is not None else str(whole),
    st.one_of(st.integers(0, 10**12 - 1), st.sampled_from([10**n for n in range(12)])),
    st.one_of(st.none(), st.integers(0, 99)),
)


@given(amount=amounts)
def test_capitals_agree_with_a_second_opinion(amount: str) -> None:
    assert in_chinese(amount) == cn2an.an2cn(amount, "rmb")


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("1200000", "壹佰贰拾万元整"),
        ("1200000.00", "壹佰贰拾万元整"),
        ("0", "零元整"),
        ("0.05", "伍分"),
        ("0.50", "伍角"),
        ("10.05", "壹拾元零伍分"),
        ("107000.53", "壹拾万柒仟元伍角叁分"),
        ("100010001", "壹亿零壹万零壹元整"),
        ("1234567890123456", "壹仟贰佰叁拾肆万伍仟陆佰柒拾捌亿玖仟零壹拾贰万叁仟肆佰伍拾陆元整"),
    ],
)
def test_capitals_as_they_stand_on_a_bid_sheet(amount: str, words: str) -> None:
    assert in_chinese(amount) == words


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("1200000", "one million two hundred thousand yuan"),
        ("0", "zero yuan"),
        ("21.05", "twenty-one yuan and five fen"),
        ("1000110.50", "one million one hundred ten yuan and fifty fen"),
    ],
)
def test_english_words(amount: str, words: str) -> None:
    assert in_english(amount) == words


def test_figures_are_grouped_and_nothing_is_rounded() -> None:
    assert grouped("1234567.5") == "1,234,567.5"
    assert grouped("999") == "999"
    assert in_english("5", "USD") == "five dollars"
    assert in_english("5", "CHF") == "five CHF"


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "01", "1.", ".5", "1.005", "1,000", "１", "1e9", " 1", "1" * 17, "NaN"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    assert not is_amount(text)
    with pytest.raises(ValueError, match="amount"):
        in_chinese(text)
