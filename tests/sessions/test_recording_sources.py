"""Whose a track is, and which tracks a bundle has room for."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from sessions.ids import Digest
from sessions.opening import Opening
from sessions.recording import Part, Recording
from sessions.recording.bundle import LARGEST, inside
from sessions.recording.rules import TRACK
from sessions.recording.sources import sent, track_of
from tests.support.ceremony import T0

CODE = "91330100MA2B1C3D4E"
ONE = Part(
    track="programme",
    part=1,
    codec="avc1",
    init_length=1,
    init_sha256=Digest("0" * 64),
    utc=T0,
    size=100,
    fragments=1,
)


def tracks(*parts: tuple[str, int]) -> list[str]:
    made = [replace(ONE, track=track, part=n, size=size) for n, (track, size) in enumerate(parts, start=1)]
    return [part.name for part in inside(Recording(parts=tuple(made)))]


@pytest.mark.parametrize(
    "source", ["host", f"bidder:{CODE}", "bidder:" + "x" * 80, "programme", "bidder:../../etc", "名"]
)
def test_every_source_has_a_track_that_the_rules_take_and_none_is_the_programme(source: str) -> None:
    assert TRACK.fullmatch(track_of(source))
    assert track_of(source) != "programme"


def test_two_bidders_never_share_a_track() -> None:
    assert len({track_of(f"bidder:{name}") for name in (CODE, CODE.lower(), "A-1", "A:1", "a-1")}) == 5


def test_the_programme_comes_first_and_a_source_comes_whole_or_not() -> None:
    assert tracks(("host", 5), ("programme", 5), ("host", 5)) == ["programme-2", "host-1", "host-3"]
    assert tracks(("host", LARGEST), ("programme", 5), ("deputy", 5)) == ["programme-2", "deputy-3"]
    assert tracks(("programme", LARGEST), ("host", 1)) == ["programme-1"]
    assert tracks(("programme", LARGEST + 1), ("host", LARGEST)) == ["host-2"]


def test_a_file_of_a_source_is_named_after_who_sent_it() -> None:
    bid = SimpleNamespace(bidder=CODE, name="滨江建设")
    opening = cast(Opening, SimpleNamespace(bids=(bid,), listed=True))
    later = T0 + timedelta(seconds=5)
    parts = (
        replace(ONE, track=track_of(f"bidder:{CODE}"), utc=later),
        replace(ONE, track="host"),
        replace(ONE, track="deputy", fragments=0),
        ONE,
    )
    found = [(one.part.track, one.role, one.name) for one in sent(Recording(parts=parts), opening)]
    assert found == [("host", "host", ""), (f"bidder-{CODE.lower()}", "bidder", "滨江建设")]
    unknown = cast(Opening, SimpleNamespace(bids=(bid,), listed=False))
    assert [one.name for one in sent(Recording(parts=parts), unknown)] == ["", ""]
