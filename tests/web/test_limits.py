"""The page of limits says what was measured, of any bench, and what the hall itself limits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from web.bench import limits, log, opening

WHERE = {"machine": "2 cores", "commit": "abc1234", "date": "2026-11-22"}


OPENED = [
    {"name": "facts delivered to spectators", "value": 12_000},
    {"name": "facts that did not come to a spectator, or twice", "value": 0},
    {"name": "received by spectators", "value": 3.5},
    {"name": "a fact from its decision to a spectator, median", "value": 40},
    {"name": "a fact from its decision to a spectator, p99", "value": 1_001},
    {"name": "a fact from its decision to a spectator, latest", "value": 1_200},
    {"name": "T0 to set frozen, best of those alone", "value": 56.6},
    {"name": "T0 to set frozen, waited for others, median", "value": 80.25},
    {"name": "T0 to set frozen, waited for others, longest", "value": 201},
    {"name": "T0 to set frozen, waited at most 200 ms, of 2", "value": 1},
    {"name": "a bidder from the challenge to the answer, median", "value": 0.142},
    {"name": "processor, hall", "value": 1.5},
    {"name": "waited for a core, hall", "value": 0.25},
    {"name": "memory at T0, hall", "value": 200},
    {"name": "memory at the end, hall", "value": 210},
    {"name": "before T0: sending all bids", "value": 27.4},
]


def report(bench: str, **members: Any) -> dict[str, Any]:
    return WHERE | {"command": f"kaibiao bench {bench}"} | members


def test_the_page_is_what_the_files_beside_it_say() -> None:
    page = limits.document(limits.read(Path("docs/limits").glob("*.json")))
    assert Path("docs/limits.md").read_text("utf-8") == page


def test_crowds_stand_in_the_order_of_their_size(tmp_path: Path) -> None:
    for size in ("10000", "2000", "5000"):
        (tmp_path / f"fanout-{size}.json").write_text(f'{{"of": {size}}}')
    assert [each["of"] for each in limits.read(tmp_path.iterdir())] == [2000, 5000, 10_000]


def test_a_crowd_is_shown_with_where_and_how_it_was_measured() -> None:
    table = {"title": "Doors", "columns": ["server", "ms"], "rows": [["a|b", "1.5"], ["absent"]]}
    crowd = report("fanout --json", title="A crowd", what="2000 readers", tables=[table], notes=["So it", "is."])
    shown = limits.part(crowd)
    assert shown.startswith("\n## A crowd\n\n")
    assert "2,000 readers.\n" in shown
    assert all(value in shown for value in crowd.values() if isinstance(value, str) and value != "2000 readers")
    assert "| server | ms |\n| --- | ---: |\n| a\\|b | 1.5 |\n| absent |  |\n" in shown
    assert shown.endswith("\nSo it is.\n")


def test_the_log_says_of_each_database_and_verifier_what_was_aimed_at() -> None:
    each = {"per_s": 2754.8, "ms": 181.503, "ratio": 4.102}
    appending = dict.fromkeys((log.TOGETHER, log.SINGLY, log.SYNC), each)
    there = {"version": "15.18 (Debian)", "appending": appending, "together_to_singly": 0.21}
    cases = {"Python": {"ms": 5001.0, "ok": True}, "V8, by way of Node": {"ms": 1533.0, "ok": True}}
    shown = limits.part(
        report(
            "log --json",
            what="500 acts",
            appending=appending,
            checking={log.CHAIN: each},
            together_to_singly=0.0666,
            postgresql=there,
            verifying={"what": "a record of 300 bidders", "cases": cases},
        )
    )
    assert "**Acts into SQLite**" in shown
    assert "| 0.0666 | at most 0.2: met |" in shown
    assert "**Acts into PostgreSQL 15.18**" in shown
    assert "| 0.21 | at most 0.2: missed |" in shown
    assert "| all at once: one commit for as many as wait | 2,755 | 182 | 4.1 |" in shown
    assert "| Python | 5.00 | at most 5 | missed | every check holds |" in shown
    assert "| V8, by way of Node | 1.53 | at most 2 | met | every check holds |" in shown


def test_openings_at_one_moment_say_how_long_they_waited_for_each_other() -> None:
    shown = limits.part(
        report(
            "opening --bidders 12 --spectators 500 --sessions 2 --mode team",
            what="2 x 12 bidders",
            figures=OPENED,
            seconds_after_t0={kind: number / 2 for number, kind in enumerate(opening.MILESTONES)},
            sessions={"nobody wants to read": {"t0": 0}},
        )
    )
    assert "## 2 openings of 12 bidders at the same second before 500 spectators, Team\n" in shown
    assert "| keys are taken | 1 | 0.5 |" in shown
    assert "| T0 to set frozen | 56.6 | 80.2 | 201 | 1 of 2 | missed |" in shown
    assert "| a fact on its way, ms, 99 of 100 | 1,001 | at most 1,000 | missed |" in shown
    assert "| facts that did not come, or twice | 0 | 0 | met |" in shown
    assert "| hall | 1.5 | 0.25 | 200 | 210 |" in shown
    assert "nobody wants to read" not in shown


def test_a_single_opening_waited_for_nobody() -> None:
    alone = [each for each in OPENED if "T0 to set frozen" not in each["name"]]
    command = "opening --bidders 500 --spectators 10000 --sessions 1 --mode solo"
    after = dict.fromkeys(opening.MILESTONES, 1.0)
    shown = limits.part(report(command, what="1 x 500 bidders", figures=alone, seconds_after_t0=after))
    assert "## An opening with 500 bidders before 10,000 spectators, Solo\n" in shown
    assert "waited" not in shown.replace("waited for a core", "")


def test_pictures_and_sealed_bids_are_shown_with_what_they_are_beside() -> None:
    goal = {
        "name": "a : b",
        "measured": 0.0551,
        "limit": 0.7,
        "above": True,
        "one": "7 ms",
        "other": "9",
        "met": True,
    }
    assert "| a : b | 0.0551 | at most 0.7 | met | 7 ms | 9 |" in limits.part(
        report("media --json", what="medians", goals={"a : b": goal})
    )
    cases = {"openssl": {"mb_per_s": 1234.5, "ratio_to_openssl": 1}}
    assert "| openssl | 1,234 | 1 |" in limits.part(report("unseal --json", what="5 documents", cases=cases))


def test_a_busy_machine_is_told_of() -> None:
    assert "Others were using this machine" in limits.part(
        report("unseal", what="5 documents", cases={}, note="others were using this machine")
    )


def test_what_the_hall_limits_follows_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LIMITS", replace(limits.LIMITS, watchers=4_321))
    assert any("4,321" in row[1] for row in limits.designed())
