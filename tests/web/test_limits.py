"""The page of limits says what was measured, of any bench, and what the hall itself limits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from web.bench import limits

WHERE = {"machine": "2 cores", "commit": "abc1234", "date": "2026-11-22", "command": "kaibiao bench x --json"}


def test_the_page_is_what_the_files_beside_it_say() -> None:
    files = sorted(Path("docs/limits").glob("*.json"))
    page = limits.document(json.loads(file.read_text("utf-8")) for file in files)
    assert Path("docs/limits.md").read_text("utf-8") == page


def test_a_report_with_tables_is_shown_with_where_and_how_it_was_made() -> None:
    table = {"title": "Doors", "columns": ["server", "ms"], "rows": [["a|b", "1.5"], ["absent"]]}
    report = {"title": "A crowd", "what": "two readers", "tables": [table], "notes": ["So it", "is."]}
    shown = limits.part(WHERE | report)
    assert shown.startswith("\n## A crowd\n\ntwo readers.\n")
    assert all(value in shown for value in WHERE.values())
    assert "| server | ms |\n| --- | ---: |\n| a\\|b | 1.5 |\n| absent |  |\n" in shown
    assert shown.endswith("\nSo it is.\n")


def test_a_report_with_figures_needs_nothing_else() -> None:
    figures = [{"name": "last screen, from T0", "value": 4.25, "unit": "s"}, {"name": "facts", "value": 12000}]
    shown = limits.part(WHERE | {"figures": figures})
    assert "## kaibiao bench x --json\n" in shown
    assert "| last screen, from T0 | 4.25 | s |\n| facts | 12,000 |  |\n" in shown


def test_a_report_with_cases_only_is_shown_by_its_numbers() -> None:
    cases = {"together": {"ms": 2.0, "seconds": [0.1, 0.2]}, "singly": {"ms": 31.254, "per_s": 1600}}
    shown = limits.part(WHERE | {"appending": cases, "together_to_singly": 0.06, "turns": {"a": {"b": 1}}})
    assert "**appending**" in shown
    assert "|  | ms | per_s |\n| --- | ---: | ---: |\n| together | 2 |  |\n| singly | 31.25 | 1,600 |\n" in shown
    assert "turns" not in shown


def test_cases_that_lie_deeper_are_shown_too() -> None:
    shown = limits.part(WHERE | {"verifying": {"what": "300 bidders", "cases": {"Python": {"ms": 3.0, "ok": True}}}})
    assert shown.endswith("\n300 bidders.\n\n**verifying, cases**\n\n|  | ms |\n| --- | ---: |\n| Python | 3 |\n")


def test_a_busy_machine_is_told_of() -> None:
    assert "others were using this machine" in limits.part(WHERE | {"note": "others were using this machine"})


def test_what_the_hall_limits_follows_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    from hall import limits as halls

    monkeypatch.setattr(halls, "LIMITS", replace(halls.LIMITS, watchers=4_321))
    assert any("4,321" in row[1] for row in limits.designed())
