"""Every figure, with its unit in its name and a sentence for whoever meets it on a dashboard.

One object a process, without a global registry: two halls in one test do not add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hall.hub import Census
from sessions.errors import CommandRefused, Overloaded, Stale
from sessions.events import BiddersListed, Recorded, Stream
from sessions.opening import Opening
from sessions.roles import STAFF, Actor, Role
from sessions.watch.steady import ClockGuard
from web.metrics.process import ProcessFigures

SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
LAGS: Final = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
EVENTS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Counts(Protocol):
    """What is needed of a hub."""

    def census(self) -> Census: ...


class Metrics:
    """The figures of one process. Every method returns at once and raises nothing."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._lag = Histogram(
            "kaibiao_loop_lag_seconds",
            "How much later than asked the event loop came back, from 0.05 on; beyond 0.1 readers notice.",
            buckets=LAGS,
            registry=registry,
        )
        self._commands = Counter(
            "kaibiao_commands",
            "Commands of people that were answered: done, or the code of the refusal. "
            "Those of bidders count once their opening has listed who bid.",
            ["outcome"],
            registry=registry,
        )
        self._batch = Histogram(
            "kaibiao_append_events",
            "Public events that shared one transaction.",
            buckets=EVENTS,
            registry=registry,
        )
        self._commit = Histogram(
            "kaibiao_append_seconds",
            "Time until a transaction with public events was durable.",
            buckets=SECONDS,
            registry=registry,
        )
        self._late = Histogram(
            "kaibiao_timer_late_seconds",
            "How long after it fell due something was taken up; the record states the due moment all the same.",
            buckets=SECONDS,
            registry=registry,
        )
        self._outside = Counter(
            "kaibiao_outside_calls",
            "Questions to witnesses, timestamp authorities and the mail server (kind), by whether they were answered "
            "(outcome).",
            ["kind", "outcome"],
            registry=registry,
        )
        self._outside_seconds = Histogram(
            "kaibiao_outside_seconds",
            "How long witnesses, timestamp authorities and the mail server took to answer.",
            ["kind"],
            buckets=SECONDS,
            registry=registry,
        )
        self._bids = Counter(
            "kaibiao_bids_listed", "Bids in the openings that have listed who bid.", registry=registry
        )
        self._ready = Gauge(
            "kaibiao_ready",
            "1 if /readyz last found this in order, 0 if not.",
            ["of"],
            registry=registry,
        )
        registry.register(ProcessFigures())

    @property
    def instruments(self) -> tuple[Counter | Gauge | Histogram, ...]:
        """Those that are counted here; others are read off when somebody looks."""
        return tuple(each for each in vars(self).values() if isinstance(each, Counter | Gauge | Histogram))

    def watch(self, hub: Counts) -> None:
        """Show who is in the rooms of ``hub`` whenever somebody looks."""
        self.registry.register(_Rooms(hub))

    def watch_clock(self, guard: ClockGuard) -> None:
        """Show what the time sources say of the clock."""
        self.registry.register(_Clock(guard))

    def lagged(self, seconds: float) -> None:
        """The loop came back so much later than it was asked to. What a single request may cost counts as nothing."""
        self._lag.observe(seconds if seconds >= LAGS[0] else 0)

    def answered(self, actor: Actor, opening: Opening | None, error: Exception | None) -> None:
        """A command got its answer. What the clock sends, and bidders before the list, is not counted."""
        listed = opening is not None and opening.listed
        if actor.role in STAFF or (actor.role is Role.BIDDER and listed):
            self._commands.labels(_outcome(error)).inc()

    def appended(self, records: Sequence[Recorded], seconds: float) -> None:
        """A transaction is durable. One in which nothing public happened is not counted."""
        public = [record for record in records if record.stream is Stream.OPENING]
        if not public:
            return
        self._batch.observe(len(public))
        self._commit.observe(seconds)
        for record in public:
            if isinstance(record.event, BiddersListed):
                self._bids.inc(len(record.event.bids))

    def late(self, by: timedelta) -> None:
        """Something that fell due is taken up so long afterwards."""
        self._late.observe(max(by.total_seconds(), 0))

    def asked(self, kind: str, outcome: str, seconds: float) -> None:
        """Somebody outside was asked."""
        self._outside.labels(kind, outcome).inc()
        self._outside_seconds.labels(kind).observe(seconds)

    def ready(self, found: Iterable[tuple[str, bool]]) -> None:
        """``/readyz`` looked."""
        for name, well in found:
            self._ready.labels(name).set(well)


def _outcome(error: Exception | None) -> str:
    match error:
        case None:
            return "done"
        case CommandRefused():
            return error.code
        case Overloaded():
            return "overloaded"
        case Stale():
            return "out_of_step"
        case _:
            return "fault"


class _Clock(Collector):
    """What the time sources said last."""

    def __init__(self, guard: ClockGuard) -> None:
        self._guard = guard

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """See Collector."""
        last = self._guard.last
        family = GaugeMetricFamily(
            "kaibiao_clock_offset_seconds", "How far the time sources are from the hall's clock, by the last look."
        )
        if last is not None:
            family.add_metric([], last.offset.total_seconds())
        yield family


class _Rooms(Collector):
    """The rooms as they are at the moment somebody looks."""

    def __init__(self, hub: Counts) -> None:
        self._hub = hub

    def collect(self) -> Iterable[Metric]:
        """See Collector."""
        census = self._hub.census()
        yield GaugeMetricFamily("kaibiao_rooms", "Openings that this process has warm.", value=census.rooms)
        readers = GaugeMetricFamily(
            "kaibiao_readers",
            "Open streams by door and by who reads. Bidders count once their opening has listed who bid.",
            labels=["door", "who"],
        )
        for (door, who), count in sorted(census.readers.items()):
            readers.add_metric([door, who], count)
        yield readers
        yield CounterMetricFamily(
            "kaibiao_sent_bytes",
            "Bytes of facts and signals written to readers. Bidders count once their opening has listed who bid.",
            value=census.sent,
        )
        yield CounterMetricFamily(
            "kaibiao_readers_cut",
            "Readers sent away because they took nothing for 30 seconds; they come back where they were. "
            "Bidders count once their opening has listed who bid.",
            value=census.cut,
        )
