"""A good bundle passes every check, and the rules explain every log that they themselves have made."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions.archive import bundle as archive
from sessions.chaining import core
from sessions.codec import event_to_json
from sessions.events import Recorded
from sessions.opening import OVER
from sessions.verify import Outcome, verify
from sessions.verify.events import read
from sessions.verify.replay import replay_opening
from sessions.verify.report import Failed
from sessions.verify.sentences import SENTENCES
from sessions.visibility import public_afterwards
from tests.support.bundles import failed, the_bundle
from tests.support.finished import a_bundle
from tests.support.hall_story import Story, a_failed_story, a_full_story, an_aborted_story, wander


def test_a_good_bundle_passes_every_check_there_is() -> None:
    report = verify(the_bundle()[0])
    assert report.ok
    assert [check.id for check in report.checks] == list(SENTENCES)
    assert all(check.detail for check in report.checks)
    assert report.session == "gx-1"
    assert report.hall_key == the_bundle()[1].public.kid


def test_a_bundle_is_checked_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "session.zip").write_bytes(the_bundle()[0])
    assert verify(tmp_path / "session.zip").ok


def test_every_check_says_what_it_means_in_both_languages() -> None:
    for words in SENTENCES.values():
        assert words.zh.endswith("。")
        assert words.en.endswith(".")


def test_the_report_can_be_read_by_a_program() -> None:
    told = json.loads(json.dumps(verify(the_bundle()[0]).to_json()))
    assert told["ok"] is True
    assert {check["outcome"] for check in told["checks"]} == {"passed"}


def test_what_stands_on_a_failed_check_is_skipped_and_is_no_pass() -> None:
    report = verify(b"not a zip file")
    assert not report.ok
    assert [check.id for check in report.failed] == ["bundle.file"]
    assert {check.outcome for check in report.checks[1:]} == {Outcome.SKIPPED}


async def test_too_much_disclosed_is_as_wrong_as_too_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "public_afterwards", lambda *_: True)
    assert failed(await a_bundle(tmp_path)) == {"bundle.contents"}


# -- the rules, asked about logs -------------------------------------------------------------------------------


def replayed(story: Story, records: list[Recorded]) -> Any:
    """Replay ``records`` from what a bundle of this story would disclose."""
    opening = story.opening
    assert opening is not None
    shown = {
        record.number: {"salt": record.salt, "value": event_to_json(record.event)[2]}
        for record in records
        if record.salt is not None and (opening.status not in OVER or public_afterwards(opening, type(record.event)))
    }
    return replay_opening(read([core(record) for record in records], shown, story.plan)).value.opening


@pytest.mark.parametrize(
    ("tell", "status"), [(a_full_story, "ended"), (a_failed_story, "failed"), (an_aborted_story, "aborted")]
)
def test_every_event_of_a_ceremony_is_explained(tell: Callable[[], Story], status: str) -> None:
    story = tell()
    assert replayed(story, story.records).status == status


@settings(max_examples=40)
@given(st.lists(st.integers(0, 400), max_size=60), st.integers(0, 5))
def test_every_event_of_any_ceremony_is_explained(choices: list[int], bids: int) -> None:
    story = wander(choices, bids)
    opening = replayed(story, story.records)
    assert story.opening is not None
    assert (opening.status, opening.at, opening.runs) == (story.opening.status, story.opening.at, story.opening.runs)


def test_a_ceremony_with_any_one_event_left_out_is_not_explained() -> None:
    story = a_full_story()
    harmless = set()
    for index in range(1, len(story.records)):
        try:
            replayed(story, [*story.records[:index], *story.records[index + 1 :]])
        except Failed:
            continue
        harmless.add(type(story.records[index].event).__name__)
    # What nothing later stands on: the chain alone guards it, and does.
    assert harmless <= {"SupervisorNoted", "LateBidRefused", "ActDeclined", "SessionEnded"}
