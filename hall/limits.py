"""How much of everything, as data, and the buckets that count commands. Pure: the caller brings the clock."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hall.views.audience import Audience


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one worker allows. The defaults hold a county on a small machine (2 to 6 KiB a watcher)."""

    watchers: int = 15_000  # in total; stays below the usual 20,000 descriptors
    for_bidders: int = 2_000  # beyond that, so that a crowd keeps no bidder out
    for_staff: int = 200  # and beyond that
    watchers_per_address: int = 200  # a carrier's NAT is one address
    watchers_per_bidder: int = 3  # a seat, its spare and a phone
    chunk: int = 262_144  # bytes handed to a door at once, so that a long replay needs no long buffer
    inbound_frame: int = 4_096  # a stream is receive-only: what comes in are close and ping frames
    facts_per_call: int = 500
    segment: int = 50  # facts; on the wire, so it never changes
    tick: timedelta = timedelta(milliseconds=100)  # events closer together than this travel in one write
    beat: timedelta = timedelta(seconds=15)
    stall: timedelta = timedelta(seconds=30)  # a door closes (1013) a reader that takes nothing for so long
    ping: timedelta = timedelta(seconds=25)  # keeps a line in use that goes through proxies, which cut idle ones
    unheard: timedelta = timedelta(seconds=14)  # TCP gives a line up that acknowledges nothing: with the beat, 29 s
    send_buffer: int = 65_536  # in the kernel, which takes 4 MiB for a reader that stalls if nobody says how much
    write_buffer: int = 65_536  # in the process; beyond it a seat is paused
    pings: int = 50  # control frames that a reader may send at once, and then four a second
    idle: timedelta = timedelta(minutes=10)  # then an unwatched room is forgotten; the log has everything

    def reserve(self, audience: Audience) -> int:
        """Return how many streams beyond ``watchers`` readers like this may have: the public is shed first."""
        if audience.staff:
            return self.for_bidders + self.for_staff
        return 0 if audience.bidder is None else self.for_bidders


LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """``burst`` at once, then ``count`` in every ``per``."""

    count: int
    per: timedelta
    burst: int

    @property
    def interval(self) -> timedelta:
        return self.per / self.count


RATES = {
    "command": Rate(count=10, per=timedelta(seconds=1), burst=20),
    "login": Rate(count=5, per=timedelta(minutes=1), burst=5),
    "login_address": Rate(count=20, per=timedelta(minutes=1), burst=20),
    "release": Rate(count=20, per=timedelta(minutes=30), burst=20),
    "shares": Rate(count=20, per=timedelta(minutes=10), burst=20),
    "heartbeat": Rate(count=3, per=timedelta(seconds=1), burst=20),
    "speed": Rate(count=10, per=timedelta(minutes=1), burst=10),
    "stream": Rate(count=10, per=timedelta(minutes=1), burst=10),
    "lag": Rate(count=15, per=timedelta(seconds=1), burst=200),  # an address has 200 watchers, each every 16 s
    "upload": Rate(count=30, per=timedelta(hours=1), burst=30),
    "floor": Rate(count=6, per=timedelta(minutes=5), burst=6),  # every asking is a fact that everybody reads
    "media": Rate(count=20, per=timedelta(minutes=1), burst=10),
    "media_address": Rate(count=2, per=timedelta(seconds=1), burst=50),  # an office behind one address
    "media_house": Rate(count=20, per=timedelta(seconds=1), burst=100),  # a join is 4 ms of one core
    "receipt": Rate(count=10, per=timedelta(seconds=1), burst=10),
}
"""By what is asked for. Each is counted by account, bidder or address, as the route says."""


@dataclass(slots=True)
class Buckets:
    """Token buckets by key, kept as the one moment each would be full again (GCRA, ITU-T I.371).

    In one process and lost with it: a limit protects the machine, it is no rule of the ceremony. ``most`` bounds the
    memory; buckets that are full again are forgotten first.
    """

    most: int = 100_000
    _full_at: dict[Hashable, datetime] = field(default_factory=dict)

    def take(self, key: Hashable, rate: Rate, now: datetime) -> timedelta | None:
        """Take one token. Return None if there was one, else how long to wait for the next."""
        if len(self._full_at) >= self.most:
            self._full_at = {k: full for k, full in self._full_at.items() if full > now}
        full = max(self._full_at.get(key, now), now)
        wait = full - now - rate.interval * (rate.burst - 1)
        if wait > timedelta():
            return wait
        self._full_at[key] = full + rate.interval
        return None

    def __len__(self) -> int:
        return len(self._full_at)
