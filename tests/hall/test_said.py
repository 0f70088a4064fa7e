"""One form of words: what the voice says, what captions and screens show, what is searched; the browser's too."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hall.media.voice.readouts import of_row
from hall.rooms.lane import SharedLane
from hall.views import seen as views
from hall.views.audience import PUBLIC
from hall.views.readout import row_words
from sessions import commands as c
from sessions.chaining import core
from sessions.opening import Opening, evolve
from sessions.recording.captions import captions, said
from sessions.shape import rfc3339, to_json
from sessions.wording.words import describe
from tests.support.hall_story import HOST, SUPERVISOR, Story, a_full_story

VECTORS = Path(__file__).parents[1] / "vectors" / "said.json"


def read_out() -> Story:
    """Three rows of eight seconds; somebody stops it in the second."""
    story = Story(bids=3).to_checkin().seat_staff()
    story.wait(hours=2).advance("ceiling").advance("decrypt")
    for number in (1, 2, 3):
        story.release(number)
    story.wait(seconds=1).advance("readout").wait(seconds=11)
    story.send(c.Pause(reason="停电"), SUPERVISOR).wait(minutes=2).send(c.Resume(), HOST).wait(minutes=1)
    return story.wait(minutes=1)


def facts(story: Story) -> list[dict[str, Any]]:
    """Return what the public is sent."""
    lane, opening = SharedLane(PUBLIC), None
    for record in story.records:
        words = describe(record, opening)
        opening = evolve(opening, record)
        lane.add(record, opening, words, core(record))
    told = [json.loads(lane.fact(number)) for number in range(1, len(story.records) + 1)]
    for fact in told:
        fact["patch"].pop("head")  # over salts, which are others each time
    return [{name: fact[name] for name in ("n", "at", "type", "words", "patch")} for fact in told]


def examples() -> list[dict[str, Any]]:
    """Return what ``tests/vectors/said.json`` holds; ``python -m tests.hall.test_said`` writes it."""
    return [
        {
            "facts": facts(story),
            "said": [
                {"n": one.number, "at": rfc3339(one.at), "words": to_json(one.words), "row": one.row}
                for one in said(story.records)
            ],
        }
        for story in (a_full_story(), read_out())
    ]


def test_the_examples_for_the_browser_are_what_captions_are_made_of() -> None:
    assert json.loads(VECTORS.read_text("utf-8")) == json.loads(json.dumps(examples()))


def test_captions_read_the_rows_out_in_the_words_of_voice_and_screen() -> None:
    story, opening = a_full_story(), None
    view: dict[str, Any] | None = None
    for record in story.records:
        opening = evolve(opening, record)
        assert isinstance(opening, Opening)
        if opening.reading() is not None and view is None:
            view = views.view(opening, PUBLIC, record.number, record.at, record.digest)
    assert view is not None
    spoken = [row_words(view, place) for place in range(1, len(view["reading"]["rows"]) + 1)]
    assert [one.words for one in said(story.records) if one.row] == spoken
    line = of_row(view, 1)
    assert line is not None
    assert spoken[0] is not None
    assert line.words.zh == spoken[0].zh
    told = captions(story.records, story.records[0].at, story.records[-1].at + timedelta(minutes=1), "zh")
    assert all(one is not None and one.zh in told for one in spoken)


def test_a_row_that_a_pause_interrupted_is_read_again_when_it_is_over() -> None:
    rows = [one for one in said(read_out().records) if one.row]
    first, second, third = (one.words.zh.partition("，")[0] for one in (rows[0], rows[1], rows[-1]))
    assert (first, second, third) == ("第1号", "第2号", "第3号")
    assert [one.words.zh.partition("，")[0] for one in rows] == ["第1号", "第2号", "第2号", "第3号"]
    assert rows[1].at - rows[0].at == timedelta(seconds=8)
    assert rows[3].at - rows[2].at < timedelta(seconds=8)  # it had been read for three already


@pytest.mark.parametrize("pace", [0, 1])
def test_a_read_out_without_a_pause_between_rows_says_every_row(pace: int) -> None:
    from sessions.wording.readout import begun

    since = a_full_story().records[0].at
    assert begun(since, timedelta(milliseconds=pace), 3, since + timedelta(seconds=1)) == 4


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(examples(), ensure_ascii=False, indent=1) + "\n", "utf-8")
