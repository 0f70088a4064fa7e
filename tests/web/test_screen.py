"""What a screen says beyond the view: the same in Python and in the browser, by one file of examples."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from hall.views.patch import without_nulls
from web.pages import gallery
from web.pages.binding import Bound, holds
from web.pages.screen import rows_read, said, screen
from web.wording.words import WORDS, table

VECTORS = Path(__file__).parents[1] / "vectors" / "screen.json"
BIDDER = "bidder:91430100MA4L1AAA1X"
SHOWN = (
    ("session.title", "words"),
    ("t0", "clock"),
    ("t0", "fine"),
    ("t0", "moment"),
    ("t0", "day"),
    ("head", "digest"),
    ("bids", "size"),
    ("status", "word:status"),
    ("bids.5.cause", "word:cause"),
    ("bids.5.consequence", "word:consequence"),
    ("bids.9.state", "word:bid"),
    ("bids.1.amount", "words"),
    ("bids.1.amount.grouped", "text"),
    ("bids.1.checked_in", "text"),
    ("bids.4.flags.0", "word:flag"),
    ("bids.1.quote.nothing", "text"),
)
CONDITIONS = (
    "bids",
    "late",
    "hold",
    "!hold",
    "status=live",
    "status=ended,live",
    "!status=live",
    "status=live bids !failed",
    "bids.1.checked_in=true",
    "bids.5.checked_in=true",
    "bids.1.flags",
    "bids.4.flags",
    "nothing.at.all",
    "hold=",
)


def examples() -> dict[str, Any]:
    """Return what ``tests/vectors/screen.json`` holds; ``python -m tests.web.test_screen`` writes it."""
    data = gallery.view("readout", BIDDER)
    cases = []
    for state in gallery.STATES:
        reading = 3 if state == "readout" else 0
        view = gallery.view(state, BIDDER)  # which has everything a page of any reader may need
        made = screen(view, reading)["screen"]
        cases.append({"name": state, "view": view, "reading": reading, "screen": made})
    view = gallery.view("checkin", BIDDER)
    view = {**view, "own": {**view["own"], "sent": True, "checked_in": True}}
    cases.append({"name": "checkin, a bid sent", "view": view, "reading": 0, "screen": screen(view)["screen"]})
    moments = [
        f"2026-11-23T01:{clock}.000Z" for clock in ("29:59", "30:00", "30:09", "30:10", "30:39", "30:40", "45:00")
    ]
    bound = {language: Bound(data, language) for language in ("zh", "en")}  # type: ignore[arg-type]
    return {
        "said": said(),
        "cases": cases,
        "reading": [{"now": at, "rows": rows_read(data, datetime.fromisoformat(at))} for at in moments],
        "words": {"zh": table(WORDS, "zh"), "en": table(WORDS, "en")},
        "shown": [
            {"path": path, "as": as_, **{name: one.shown(path, as_) for name, one in bound.items()}}
            for path, as_ in SHOWN
        ],
        "conditions": [{"condition": one, "held": holds(one, data)} for one in CONDITIONS],
    }


def test_the_examples_for_the_browser_are_what_the_server_does() -> None:
    assert json.loads(VECTORS.read_text("utf-8")) == json.loads(json.dumps(examples()))


@pytest.mark.parametrize("state", gallery.STATES)
def test_a_view_without_its_null_members_gives_the_same_screen(state: str) -> None:
    view = gallery.view(state, BIDDER)
    lean = screen(without_nulls(view), 0)["screen"]
    assert without_nulls(lean) == without_nulls(screen(view, 0)["screen"])


def test_before_t0_the_figures_count_to_t0() -> None:
    shown = screen(gallery.view("checkin"))["screen"]
    assert (shown["due"], shown["face"]) == (gallery.view("checkin")["t0"], "t0")


def test_a_pause_counts_to_nothing() -> None:
    shown = screen(gallery.view("paused"))["screen"]
    assert (shown["due"], shown["face"]) == (None, "hold")


def test_rows_are_read_one_after_the_other_at_the_pace_of_the_pack() -> None:
    view = gallery.view("readout")
    begun = [
        rows_read(view, datetime.fromisoformat(f"2026-11-23T01:30:{second:02}+00:00"))
        for second in (0, 9, 10, 39, 40)
    ]
    assert begun == [1, 1, 2, 4, 5]


def test_a_pause_stops_the_reading() -> None:
    view = gallery.view("readout") | {"hold": {"reason": "x"}}
    assert rows_read(view, datetime.fromisoformat("2026-11-23T01:30:20+00:00")) == 0


@pytest.mark.parametrize(
    ("state", "act"), [("scheduled", "seal"), ("decrypt", "unlock"), ("sign", "sign"), ("ended", "over")]
)
def test_a_bidder_is_shown_the_one_thing_to_do(state: str, act: str) -> None:
    assert screen(gallery.view(state, BIDDER))["screen"]["act"] == act


@pytest.mark.parametrize(
    ("known", "seal", "checkin"), [({}, "current", "current"), ({"sent": True}, "done", "current")]
)
def test_a_seat_says_before_t0_what_it_knows_of_itself(known: dict[str, bool], seal: str, checkin: str) -> None:
    view = gallery.view("checkin", BIDDER)
    tasks = screen({**view, "own": {**view["own"], **known}})["screen"]["tasks"]
    assert (tasks["seal"], tasks["checkin"]) == (seal, checkin)
    present = screen({**view, "own": {**view["own"], **known, "checked_in": True}})["screen"]["tasks"]
    assert present["checkin"] == "done"


def test_the_host_may_not_sign_while_an_objection_is_open() -> None:
    view = gallery.view("objection", "host")
    view["steps"]["objection"]["state"] = "complete"
    step = screen(view)["screen"]["next"]
    assert (step["step"], step["needs"]["objections"], step["ready"]) == ("sign", False, False)


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(examples(), ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")
