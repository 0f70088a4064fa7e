"""The third stream: what the recorder wrote becomes fact, in order, and ends when the opening does."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions import recording
from sessions.commands import (
    BeginTrack,
    BreakTrack,
    CloseRecording,
    Fragment,
    KeepFragments,
    NoteRecording,
    RecordingCommand,
)
from sessions.errors import CommandRefused
from sessions.events import FragmentsKept, RecordingClosed, RecordingNoted, TrackBegan, TrackBroken
from sessions.opening import Status
from sessions.recording import Gap, Recording
from sessions.roles import CLOCK, Actor
from tests.support.ceremony import HOST, MINUTE, SECOND, T0, Ceremony, a_plan, digest

BEGAN = BeginTrack(
    track="programme", part=1, codec="avc1.42c01f,opus", init_length=900, init_sha256=digest("init"), utc=T0
)


def pieces(count: int, *, at: int = 900, ms: int = 0) -> tuple[Fragment, ...]:
    return tuple(
        Fragment(
            offset=at + 80 * n,
            length=80,
            sha256=digest(f"{at} {n}"),
            time_ms=ms + 500 * n,
            duration_ms=500,
            keyframe=n % 4 == 0,
        )
        for n in range(count)
    )


class Taking:
    def __init__(self) -> None:
        self.c = Ceremony(replace(a_plan(), recording=True), at=T0 - 3 * 60 * MINUTE)
        self.state = Recording()
        self.now = T0

    def send(self, command: RecordingCommand, actor: Actor = CLOCK) -> list[object]:
        made = recording.decide(self.state, command, actor, self.now, of=self.c.it)
        for happening in made:
            self.state = recording.evolve(self.state, happening)
        return [happening.event for happening in made]


@pytest.fixture
def taking() -> Taking:
    return Taking()


def test_a_file_begins_grows_and_breaks_off(taking: Taking) -> None:
    assert isinstance(taking.send(BEGAN)[0], TrackBegan)
    kept = KeepFragments(track="programme", part=1, fragments=pieces(3))
    assert taking.send(kept) == [FragmentsKept(track="programme", part=1, fragments=pieces(3))]
    assert taking.send(BreakTrack(track="programme", part=1)) == [TrackBroken(track="programme", part=1)]
    part = taking.state.parts[0]
    assert (part.fragments, part.size, part.end_ms, part.broken) == (3, 900 + 240, 1500, True)


def test_what_is_known_is_not_recorded_twice(taking: Taking) -> None:
    taking.send(BEGAN)
    assert taking.send(BEGAN) == []
    taking.send(KeepFragments(track="programme", part=1, fragments=pieces(3)))
    assert taking.send(KeepFragments(track="programme", part=1, fragments=pieces(3))) == []
    (more,) = taking.send(KeepFragments(track="programme", part=1, fragments=pieces(5)))
    assert isinstance(more, FragmentsKept)
    assert more.fragments == pieces(5)[3:]


@pytest.mark.parametrize(
    "wrong",
    [
        KeepFragments(track="programme", part=1, fragments=pieces(1, at=901)),
        KeepFragments(track="programme", part=2, fragments=pieces(1)),
        KeepFragments(track="programme", part=1, fragments=(*pieces(2), *pieces(1, at=1060, ms=10))),
        replace(BEGAN, part=3),
        replace(BEGAN, track="../x", part=1),
        BreakTrack(track="host", part=1),
    ],
)
def test_what_does_not_follow_is_refused(taking: Taking, wrong: RecordingCommand) -> None:
    taking.send(BEGAN)
    with pytest.raises(CommandRefused) as refused:
        taking.send(wrong)
    assert refused.value.code == "recording_gap"


def test_nobody_can_stop_it_before_the_end(taking: Taking) -> None:
    taking.send(BEGAN)
    with pytest.raises(CommandRefused) as refused:
        taking.send(CloseRecording(whole=True))
    assert refused.value.code == "not_over"
    with pytest.raises(CommandRefused) as refused:
        taking.send(CloseRecording(whole=True), HOST)
    assert refused.value.code == "not_your_role"


def test_it_is_closed_once_the_opening_is_over(taking: Taking) -> None:
    taking.send(BEGAN)
    taking.c.state = replace(taking.c.it, status=Status.ABORTED)
    assert taking.send(CloseRecording(whole=False)) == [RecordingClosed(fragments=0, whole=False)]
    assert taking.send(CloseRecording(whole=False)) == []
    with pytest.raises(CommandRefused) as refused:
        taking.send(KeepFragments(track="programme", part=1, fragments=pieces(1)))
    assert refused.value.code == "recording_closed"


def test_an_opening_that_was_not_announced_with_it_is_not_recorded() -> None:
    plain = Ceremony(a_plan(), at=T0 - 3 * 60 * MINUTE)
    with pytest.raises(CommandRefused) as refused:
        recording.decide(Recording(), BEGAN, CLOCK, T0, of=plain.it)
    assert refused.value.code == "not_recorded"
    plain.wait(timedelta(hours=2, minutes=30))
    with pytest.raises(CommandRefused) as refused:
        plain.send(NoteRecording(size=1, root=digest("root")), CLOCK)
    assert refused.value.code == "not_recorded"


def test_the_opening_notes_how_far_it_has_come_and_never_back() -> None:
    c = Ceremony(replace(a_plan(), recording=True), at=T0 - 3 * 60 * MINUTE)
    c.wait(timedelta(hours=2, minutes=30))
    c.send(NoteRecording(size=3, root=digest("three")), CLOCK)
    assert c.facts[-1].event == RecordingNoted(size=3, root=digest("three"))
    count = len(c.facts)
    c.send(NoteRecording(size=3, root=digest("three")), CLOCK)
    c.send(NoteRecording(size=2, root=digest("two")), CLOCK)
    assert len(c.facts) == count
    with pytest.raises(CommandRefused):
        c.send(NoteRecording(size=4, root=digest("four")), HOST)


def test_gaps_are_computed_from_the_clock_on_the_wall(taking: Taking) -> None:
    taking.send(BEGAN)
    taking.send(KeepFragments(track="programme", part=1, fragments=pieces(6)))  # three seconds from T0
    taking.send(replace(BEGAN, part=2, utc=T0 + 9 * SECOND))
    taking.send(KeepFragments(track="programme", part=2, fragments=pieces(4)))  # two more
    found = list(recording.gaps(taking.state, T0 - 5 * SECOND, T0 + 20 * SECOND))
    assert found == [
        Gap(since=T0 - 5 * SECOND, until=T0),
        Gap(since=T0 + 3 * SECOND, until=T0 + 9 * SECOND),
        Gap(since=T0 + 11 * SECOND, until=T0 + 20 * SECOND),
    ]


def test_a_recording_without_a_hole_has_no_gap(taking: Taking) -> None:
    taking.send(BEGAN)
    taking.send(KeepFragments(track="programme", part=1, fragments=pieces(40)))
    assert list(recording.gaps(taking.state, T0, T0 + 20 * SECOND)) == []


def test_a_hole_between_fragments_is_a_gap(taking: Taking) -> None:
    taking.send(BEGAN)
    taking.send(KeepFragments(track="programme", part=1, fragments=(*pieces(2), *pieces(2, at=1060, ms=5000))))
    assert list(recording.gaps(taking.state, T0, T0 + 6 * SECOND)) == [Gap(since=T0 + SECOND, until=T0 + 5 * SECOND)]


def test_nothing_recorded_is_one_gap() -> None:
    assert list(recording.gaps(Recording(), T0, T0 + MINUTE)) == [Gap(since=T0, until=T0 + MINUTE)]


@given(cuts=st.lists(st.integers(0, 20), max_size=6))
def test_in_whatever_batches_it_comes_it_is_the_same_recording(cuts: list[int]) -> None:
    whole, split = Taking(), Taking()
    for one in (whole, split):
        one.send(BEGAN)
    everything = pieces(20)
    whole.send(KeepFragments(track="programme", part=1, fragments=everything))
    for end in [*sorted(cuts), 20]:
        split.send(KeepFragments(track="programme", part=1, fragments=everything[:end]))
    assert split.state.parts == whole.state.parts
