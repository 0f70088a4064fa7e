"""One track of sound: exactly as many samples as time went by, whatever is said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hall.media.mixer import PAUSE, STALE, Clip, Mixer

ONE = b"\1\0"


def _clip(samples: int, at: int = 0, *, patient: bool = False) -> Clip:
    return Clip(pcm=ONE * samples, at=at, patient=patient)


def test_silence_is_as_long_as_was_asked() -> None:
    assert Mixer().take(4800) == bytes(9600)


def test_a_line_is_said_at_once_and_once() -> None:
    mixer = Mixer()
    mixer.add(_clip(3))
    assert mixer.take(5) == ONE * 3 + bytes(4)
    assert ONE not in mixer.take(2 * PAUSE)
    assert not mixer.busy


def test_lines_follow_one_another_with_a_pause() -> None:
    mixer = Mixer()
    mixer.add(_clip(2))
    mixer.add(_clip(2))
    assert mixer.take(4 + PAUSE) == ONE * 2 + bytes(2 * PAUSE) + ONE * 2


def test_a_line_that_could_not_begin_in_time_is_left_out() -> None:
    mixer = Mixer()
    mixer.add(_clip(STALE + 1))
    mixer.add(_clip(2))
    mixer.take(STALE + 1)
    assert ONE not in mixer.take(2 * PAUSE)


def test_the_second_language_waits_for_nobody_and_gives_way() -> None:
    mixer = Mixer()
    mixer.add(_clip(1))
    mixer.add(_clip(5, patient=True))
    mixer.add(_clip(2))
    assert mixer.take(3 + PAUSE) == ONE + bytes(2 * PAUSE) + ONE * 2


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans())), st.lists(st.integers(1, 4000), min_size=1))
def test_the_track_never_has_a_sample_too_many_or_too_few(clips: list[tuple[int, bool]], takes: list[int]) -> None:
    mixer = Mixer()
    for samples, patient in clips:
        mixer.add(_clip(samples, patient=patient))
    for samples in takes:
        assert len(mixer.take(samples)) == 2 * samples
    assert mixer.now == sum(takes)
