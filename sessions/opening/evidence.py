"""Who could reach whom while keys were handed over: from signs of life to figures (LIFECYCLE.md, Evidence).

A bidder's program says at a steady cadence, signed, that it is there and how its key is; the hall answers each with a
signed acknowledgement, and notes at the same cadence that it works itself. What follows here is arithmetic over those
moments, so that whoever has the files comes to the same figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from sessions.ids import BidderId
from sessions.opening import stops
from sessions.opening.state import Bid, Opening
from sessions.plan import EvidenceRule, StepKind
from sessions.shape import rfc3339

RELEASED = "released"
"""The state of a key that a bidder's program has handed over, as it believes."""

LATE = "answered_late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A sign of life of a bidder's program that arrived: when the hall had it, when it had answered it.

    ``key`` is the state of the bidder's key by its own signed word; ``lost`` how many of its requests, by the same
    word, got no answer since the beat before.
    """

    bidder: BidderId
    number: int
    made_at: datetime
    heard_at: datetime
    answered_at: datetime
    key: str
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A sign of life of the hall itself: when, and how long its store took. ``run`` is new at each start."""

    at: datetime
    took_ms: int
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """The measures of one window: those of the rule pack, shorter where the window is short."""

    cadence: timedelta
    gap: timedelta
    slow: timedelta


def measure(o: Opening, rule: EvidenceRule) -> Measure:
    """Return the measures: a gap is at most a quarter of the window, but never less than five seconds."""
    window = o.plan.windows[StepKind.DECRYPT]
    return Measure(
        cadence=max(timedelta(milliseconds=500), min(rule.cadence, window / 12)),
        gap=max(timedelta(seconds=5), min(rule.gap, window / 4)),
        slow=rule.slow,
    )


def outages(
    probes: Sequence[Probe], limits: Measure, *, start: datetime, end: datetime
) -> tuple[tuple[datetime, datetime], ...]:
    """Return the stretches between ``start`` and ``end`` in which the hall gave no healthy sign of life for too long.

    The hall's clock is never set while it runs (sessions.clock), so a stretch is time that passed. A hall that noted
    nothing at all was not watching, and nothing follows from that.
    """
    if not probes:
        return ()
    well = [probe.at for probe in probes if probe.took_ms <= limits.slow / timedelta(milliseconds=1)]
    points = [start, *(at for at in well if start < at < end), end]
    return tuple((one, other) for one, other in pairwise(points) if other - one > limits.gap)


def thinned(beats: Iterable[Beat], start: datetime, cadence: timedelta) -> tuple[Beat, ...]:
    """Return the beats that show when the hall was reached: of each stretch of ``cadence`` the first of two bidders.

    Two, so that one is left when the question is whether *others* reached it.
    """
    kept: dict[int, list[Beat]] = {}
    for beat in beats:
        slot = kept.setdefault((beat.heard_at - start) // cadence, [])
        if len(slot) < 2 and all(other.bidder != beat.bidder for other in slot):
            slot.append(beat)
    return tuple(beat for slot in sorted(kept) for beat in kept[slot])


def facts(
    o: Opening, bid: Bid, own: Sequence[Beat], reach: Sequence[Beat], probes: Sequence[Probe]
) -> Mapping[str, str]:
    """Return the figures on one bidder whose key is missing, as the opening stands once the barrier has passed.

    ``own`` are its beats, ``reach`` those of everybody (`thinned`), ``probes`` the hall's; each in order.
    """
    run, barrier, rule = o.run_of(StepKind.DECRYPT), o.barrier, o.plan.pack.evidence
    if run is None or barrier is None or rule is None:
        raise ValueError("there is no evidence before the barrier, or under rules that ask for none")
    limits, end = measure(o, rule), barrier.at
    heard = [beat.heard_at for beat in own] + [try_.at for try_ in bid.attempts if try_.at <= end]
    since = max(heard, default=run.entered_at)
    others = _others(o, bid, reach, end)
    seen = [moment for moment in others if since <= moment]
    down = outages(probes, limits, start=run.entered_at, end=end)
    fault = sum((ended - began for began, ended in down), timedelta())
    made_up = sum((past.made_up for past in o.faults), timedelta())
    made_up += sum((stops.made_up(o.pauses, began, ended) for began, ended in down), timedelta())
    slow = sum(beat.answered_at - beat.heard_at > limits.slow for beat in own)
    last = own[-1] if own else None
    return {
        "beats": str(len(own)),
        "last_heard_at": rfc3339(since) if heard else "",
        "key_state": last.key if last else "",
        "lost": str(sum(beat.lost for beat in own)),
        "silent_s": _seconds(end - since),
        "gap_s": _seconds(limits.gap),
        "others_heard": str(len(others)),
        "others_heard_in_silence": str(len(seen)),
        "longest_unheard_s": _seconds(max(b - a for a, b in pairwise([since, *seen, end]))),
        "slow_answers": str(slow),
        "probes": str(len(probes)),
        "hall_down_s": _seconds(fault),
        "made_up_s": _seconds(made_up),
        "others_heard_while_down": str(sum(a < moment < b for a, b in down for moment in others)),
    }


def _others(o: Opening, bid: Bid, reach: Sequence[Beat], end: datetime) -> list[datetime]:
    """The moments at which anybody else reached the hall and was answered: by a beat, or by trying its key."""
    beats = [beat.heard_at for beat in reach if beat.bidder != bid.bidder]
    tries = [try_.at for other in o.bids if other.bidder != bid.bidder for try_ in other.attempts]
    return sorted(moment for moment in (*beats, *tries) if moment <= end)


def _seconds(length: timedelta) -> str:
    return str(length // timedelta(seconds=1))
