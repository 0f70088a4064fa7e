"""One track of sound: exactly as many samples as time went by, whatever is said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hall.media.voice.mixer import PAUSE, STALE, UNDER, Clip, Mixer
from hall.media.voice.sound import silence

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


def test_a_live_voice_is_heard_as_it_is_while_nothing_is_read_out() -> None:
    mixer, live = Mixer(), b"\xe8\x03" * 4800
    assert mixer.take(4800, live) == live
    assert mixer.take(4800) == silence(4800)
    assert mixer.now == 9600


def test_a_line_makes_a_live_voice_low_and_gives_it_back() -> None:
    mixer, live = Mixer(), (1000).to_bytes(2, "little") * 4800
    mixer.add(Clip(pcm=(2000).to_bytes(2, "little") * 9600, at=0))
    under = memoryview(mixer.take(4800, live)).cast("h").tolist()
    assert under[0] == 2900  # by a tenth at a time: no click
    assert under[-1] == 2000 + 1000 * UNDER
    assert memoryview(mixer.take(4800)).cast("h").tolist() == [2000] * 4800  # and nobody speaks
    while mixer.busy:
        mixer.take(4800, live)
    back = memoryview(mixer.take(4800, live)).cast("h").tolist()
    assert back[0] < back[-1] == 1000
    assert mixer.take(4800, live) == live


def test_two_loud_voices_are_cut_off_at_the_top_and_never_wrap() -> None:
    mixer, loud = Mixer(), (32767).to_bytes(2, "little") * 4800
    mixer.add(Clip(pcm=loud, at=0))
    assert set(memoryview(mixer.take(4800, loud)).cast("h")) == {32767}
