"""The bench of the programme measures what it says: ratios of real work, each held against its limit."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pytest

from web.bench import limits, media, programme
from web.bench.goal import Goal

MISSED = Goal(name="lame : good", measured=2.0, limit=1.0, above=True, one="2 s", other="1 s")
MET = Goal(name="good : lame", measured=2.0, limit=1.0, above=False, one="2 s", other="1 s")


def test_painting_and_encoding_are_measured_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programme, "ROUNDS", 1)
    monkeypatch.setattr(programme, "SECONDS", 1)
    monkeypatch.setattr(programme, "CHROMIUM", None)
    painting, *encoding = programme.goals()
    assert min(goal.measured for goal in (painting, *encoding)) > 0
    assert len(encoding) == 3
    assert all("% of a core" in goal.one for goal in encoding)


@pytest.mark.parametrize(("goals", "code"), [([MET], 0), ([MET, MISSED], 1)])
def test_a_missed_goal_is_said_and_is_the_exit_code(
    goals: list[Goal], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measured() -> Iterator[Goal]:
        yield from goals

    monkeypatch.setattr(media, "measured", measured)
    monkeypatch.setattr(sys, "argv", ["kaibiao", "bench", "media", "--json"])
    for as_json in (True, False):
        try:
            media.run(as_json)
            left: object = 0
        except SystemExit as ended:
            left = ended.code
        assert left == code
        told = capsys.readouterr().out
        if as_json:
            report = json.loads(told)
            assert report["goals"]["good : lame"]["met"] is True
            assert "| good : lame | 2 | at least 1 | met | 2 s | 1 s |" in limits.part(report)
        else:
            assert ("MISSED" in told) == bool(code)
