"""The sheet as CSV: readable in any spreadsheet, and nothing in it runs there."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from hall.views.patch import without_nulls
from web.downloads.sheet_csv import plain, sheet_csv
from web.pages import gallery
from web.wording.i18n import LANGUAGES, Language


def table(state: str, language: Language = "en", **first: Any) -> list[list[str]]:
    view = gallery.view(state)
    if first:
        view["bids"]["1"] |= first
    text = sheet_csv(without_nulls(view), language).decode("utf-8")
    assert text.startswith("\ufeff")
    assert text.endswith("\r\n")
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", gallery.STATES)
def test_every_row_has_a_cell_for_every_heading(state: str, language: Language) -> None:
    rows = table(state, language)
    assert {len(row) for row in rows} == {12}
    assert len(rows) == 1 + len(gallery.view(state)["bids"])


def test_a_price_is_plain_digits_and_a_moment_is_beijing_time() -> None:
    rows = table("readout")
    cells = dict(zip(rows[0], rows[1], strict=True))
    assert (cells["Price"], cells["State"]) == ("12864500.00", "opened")
    assert cells["Received (Beijing time)"].endswith("09:11:22")


@pytest.mark.parametrize("state", ["listed", "decrypt"])
def test_no_price_is_in_it_before_the_barrier(state: str) -> None:
    assert [row[7:11] for row in table(state)[1:]] == [[""] * 4] * 5


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "  =1", "=cmd|x!A0"])
def test_what_begins_like_a_formula_is_made_text(name: str) -> None:
    rows = table("readout", name=name)
    assert rows[1][1] == f"'{name}"


@pytest.mark.parametrize("text", ["甲公司", "12.00", "a=b", "'=1", ""])
def test_every_other_text_stays_as_it_is(text: str) -> None:
    assert plain(text) == text


def test_a_name_with_quotes_commas_and_lines_stays_one_cell() -> None:
    name = '甲 "建设", 公司\n第二行'
    assert table("readout", name=name)[1][1] == name
