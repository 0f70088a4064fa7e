"""Sound and picture of a source on one clock by its reports: over the wrap, late, drifting, and after it was set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hall.media.edge.moments import RATES, REPORTS, Moments, since
from hall.media.edge.sdp import Kind

NTP = 0xEE12_3456_8000_0000  # a moment in 2026


def ntp(seconds: float, *, begins: int = NTP) -> int:
    return begins + round(seconds * 2**32) & 0xFFFF_FFFF_FFFF_FFFF


def rtp(kind: Kind, seconds: float, first: int) -> int:
    return first + round(seconds * RATES[kind]) & 0xFFFF_FFFF


def test_before_a_report_nothing_is_known() -> None:
    moments = Moments()
    assert moments.sent(Kind.AUDIO, 5) is None
    assert moments.timestamp(Kind.AUDIO, 5.0) is None
    moments.reported(Kind.VIDEO, NTP, 5, 1.0)
    assert moments.sent(Kind.VIDEO, 5) == 0
    assert moments.sent(Kind.AUDIO, 5) is None


def test_a_report_without_a_clock_says_nothing() -> None:
    moments = Moments()
    moments.reported(Kind.VIDEO, 0, 5, 1.0)
    assert moments.sent(Kind.VIDEO, 5) is None


@given(
    begins=st.integers(1, 2**64 - 1),
    firsts=st.tuples(*[st.integers(0, 2**32 - 1)] * 2),
    at=st.lists(st.floats(0, 20_000), min_size=1, max_size=6).map(sorted),
    asked=st.floats(-3, 3600),
    wraps=st.integers(0, 3),
)
def test_what_happened_at_once_is_sent_at_once_whatever_wraps(
    begins: int, firsts: tuple[int, int], at: list[float], asked: float, wraps: int
) -> None:
    """Also the clock of NTP does, in 2036. Reports come when they like, and times with or without their wraps."""
    moments, first = Moments(), dict(zip(Kind, firsts, strict=True))
    for second in at:
        for kind in Kind:
            if (stated := ntp(second, begins=begins)) != 0:
                moments.reported(kind, stated, rtp(kind, second, first[kind]), second + 0.05)
    moment = at[-1] + asked
    heard, seen = (moments.sent(kind, rtp(kind, moment, first[kind]) + (wraps << 32)) for kind in Kind)
    if heard is not None and seen is not None:
        assert heard == pytest.approx(seen, abs=1e-4)
    for kind in Kind:
        if (told := moments.timestamp(kind, moment + 0.05)) is not None:
            assert since(told, rtp(kind, moment, first[kind])) / RATES[kind] == pytest.approx(0, abs=1e-4)


@given(late=st.lists(st.floats(0, 1.5), min_size=1, max_size=REPORTS), order=st.sampled_from(list(Kind)))
def test_reports_that_come_late_move_nothing_once_one_was_quick(late: list[float], order: Kind) -> None:
    moments = Moments()
    moments.reported(order, ntp(0), 0, 100.0)
    for second, delay in enumerate(late, 1):
        moments.reported(Kind.AUDIO, ntp(second), 48_000 * second, 100.0 + second + delay)
    last = len(late)
    held = 0.0 if last < REPORTS else min(late)  # the quick one is forgotten in time: clocks drift
    told = moments.timestamp(Kind.AUDIO, 100.0 + last)
    assert told is not None
    assert since(told, 48_000 * last) / 48_000 == pytest.approx(-held, abs=1e-4)


@given(st.floats(-200e-6, 200e-6), st.floats(-200e-6, 200e-6))
def test_clocks_that_drift_are_followed(sender: float, sound: float) -> None:
    """The source's wall clock against ours, and its sound card against that: for two hours, a report every 5 s."""
    moments = Moments()
    for second in range(0, 7200, 5):
        shown = second * (1 + sender)
        moments.reported(Kind.VIDEO, ntp(shown), rtp(Kind.VIDEO, shown, 7), second + 0.02)
        moments.reported(Kind.AUDIO, ntp(shown), rtp(Kind.AUDIO, shown * (1 + sound), 9), second + 0.3)
        pair = [
            moments.sent(Kind.VIDEO, rtp(Kind.VIDEO, shown, 7)),
            moments.sent(Kind.AUDIO, rtp(Kind.AUDIO, shown * (1 + sound), 9)),
        ]
        assert pair[0] == pytest.approx(pair[1], abs=1e-4)
        told = moments.timestamp(Kind.VIDEO, second + 0.02)
        assert told is not None
        assert abs(since(told, rtp(Kind.VIDEO, shown, 7))) <= 90_000 * REPORTS * 5 * 200e-6 + 2


def test_a_clock_that_is_set_is_believed_of_one_stream_only_once_it_reported_again() -> None:
    moments = Moments()
    for kind in Kind:
        moments.reported(kind, ntp(0), 0, 10.0)
    moments.reported(Kind.VIDEO, ntp(5 + 3600), 5 * 90_000, 15.0)
    assert moments.sent(Kind.AUDIO, 5 * 48_000) is None
    assert moments.timestamp(Kind.VIDEO, 15.0) == 5 * 90_000
    moments.reported(Kind.AUDIO, ntp(6 + 3600), 6 * 48_000, 16.0)
    assert moments.sent(Kind.AUDIO, 6 * 48_000) == moments.sent(Kind.VIDEO, 6 * 90_000)
