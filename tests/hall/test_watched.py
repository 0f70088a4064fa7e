"""What a page shows of the witnesses: one state, from the rules' own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hall.views.watched import watch
from sessions.plan import AnchorKind, WitnessMode
from tests.support.hall_story import Story, a_plan, a_watched_plan, a_watched_story


def shown(story: Story) -> dict[str, object]:
    assert story.opening is not None
    made = watch(story.plan, story.opening.points, story.opening.disputes)
    assert made is not None
    return made


def frozen(mode: WitnessMode = WitnessMode.CLOSED) -> Story:
    return Story(a_watched_plan(mode), bids=3).to_checkin().seat_staff().to_t0()


def test_where_nobody_was_announced_nothing_is_shown() -> None:
    assert watch(a_plan(), (), ()) is None


def test_before_the_first_point_witnesses_are_announced_and_nothing_waits() -> None:
    made = shown(Story(a_watched_plan(), bids=3))
    assert (made["state"], made["ready"], made["points"]) == ("announced", True, {})


def test_a_point_waits_until_its_quorum_is_there() -> None:
    story = frozen()
    assert (shown(story)["state"], shown(story)["held"], shown(story)["ready"]) == ("waiting", 0, False)
    story.anchor("close", "w1.example").anchor("close", "tsa", AnchorKind.STAMP)
    assert (shown(story)["state"], shown(story)["held"], shown(story)["ready"]) == ("waiting", 1, False)
    story.anchor("close", "w2.example")
    assert (shown(story)["state"], shown(story)["held"], shown(story)["ready"]) == ("held", 2, True)


@pytest.mark.parametrize(("mode", "ready"), [(WitnessMode.CLOSED, False), (WitnessMode.OPEN, True)])
def test_a_missed_point_lets_the_ceremony_go_on_in_open_mode_only(mode: WitnessMode, ready: bool) -> None:
    made = shown(frozen(mode).wait(seconds=timedelta(minutes=2).total_seconds()))
    assert (made["state"], made["ready"]) == ("missed", ready)


def test_a_witness_is_shown_with_the_furthest_it_has_seen() -> None:
    story = frozen().anchor("close", "w1.example")
    witnesses = shown(story)["witnesses"]
    assert isinstance(witnesses, dict)
    assert witnesses["1"]["size"] == story.opening.points[0].anchors[0].size  # type: ignore[union-attr]
    assert witnesses["2"] == {"name": "w2.example", "size": None, "at": None}


def test_a_dispute_goes_before_everything_else() -> None:
    made = shown(a_watched_story())
    assert made["state"] == "disputed"
    assert made["dispute"] == {"by": "w2.example", "kind": "split", "size": 9, "held": 20}
