"""Only plain mail addresses are taken, and none that could say something else in a header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.notices.addresses import LONGEST, NotAnAddress, address_of


@pytest.mark.parametrize("typed", ["bids@huadong.example", " a.b+c@x-y.example ", "o'brien@1.example.cn"])
def test_an_ordinary_address_is_kept_without_the_spaces_around_it(typed: str) -> None:
    assert address_of(typed) == typed.strip()


def test_full_width_signs_are_those_of_a_chinese_keyboard_and_made_plain() -> None:
    assert address_of("bids＠huadong．example") == "bids@huadong.example"


@pytest.mark.parametrize(
    "typed",
    [
        *("", "bids", "bids@", "@huadong.example", "bids@localhost", "a@b@c.example", "a b@c.example"),
        *("a..b@c.example", ".a@c.example", "a@-c.example", "a@c..example", '"a b"@c.example', "a@[127.0.0.1]"),
        *("a@c.example\r\nBcc: b@c.example", "a@c.example,b@c.example", "A <a@c.example>", "投标@c.example"),
        *("a@公司.example", "a" * 65 + "@c.example", "a@" + ".".join(["b" * 60] * 5)),
    ],
)
def test_what_is_no_single_plain_address_is_refused(typed: str) -> None:
    with pytest.raises(NotAnAddress):
        address_of(typed)


@given(st.text(st.characters(codec="utf-8") | st.sampled_from('@.\r\n,<>"')))
def test_whatever_is_taken_is_one_line_of_ascii(typed: str) -> None:
    for text in (typed, f"{typed}@c.example", f"a@{typed}.example"):
        try:
            address = address_of(text)
        except NotAnAddress:
            continue
        assert address.isascii()
        assert address.isprintable()
        assert len(address) <= LONGEST
        assert not set(address) & set(' ,;<>()[]:\\"')
        assert address.count("@") == 1
