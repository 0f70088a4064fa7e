"""Tells every reader on this worker what happened: the service's announcer, and what every door talks to.

Commit first, announce after: what comes in here is already durable, and whatever gets lost on the way is read from
the log again. A reader is a cursor (hall.rooms.watcher), so one that is slow costs the others nothing.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NotRequired, Protocol, TypedDict, Unpack

from hall.buses.bus import Bus, LocalBus
from hall.limits import LIMITS, Limits
from hall.rooms.lag import Rounds
from hall.rooms.live import Live
from hall.rooms.presence import heard
from hall.rooms.room import Room, Snapshot
from hall.rooms.seat import Seat, Tally, Write
from hall.rooms.watcher import Watcher
from hall.views.audience import PUBLIC, Audience
from hall.wire.errors import BadCursor, FullHouse, GoingAway, Stalled, TooManyWatchers
from hall.wire.frames import PING, Form
from sessions.clock import Clock
from sessions.errors import UnknownSession
from sessions.events import Recorded, Stream
from sessions.ids import SessionId
from sessions.opening import OVER, Status
from sessions.roles import Role

_log = logging.getLogger(__name__)

_ROUND = 1.0  # seconds between housekeeping rounds: counts, beats, rooms that nobody needs


_DOORS = {
    Form.LINES: "lines",
    Form.SSE: "sse",
    Form.CHUNKED: "sse",
    Form.WEBSOCKET: "websocket",
    Form.DEFLATED: "websocket",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """How many rooms are warm on this worker, and open streams by door and role; what Tally counts."""

    rooms: int
    readers: Mapping[tuple[str, str], int]
    sent: int = 0
    cut: int = 0


class Log(Protocol):
    """What the hub needs of the event store (sessions.ports.EventStore)."""

    async def read(
        self, session: SessionId, stream: Stream, *, after: int = 0, limit: int | None = None
    ) -> Sequence[Recorded]:
        """Return the events numbered above ``after``, in order."""

    async def heads(self, sessions: Sequence[SessionId]) -> Mapping[SessionId, int]:
        """Return the number of the last event of each opening that exists."""


class Terms(TypedDict):
    """How the hub deals with a reader. ``closed`` is called with a close code once the hub wants it gone."""

    form: Form
    write: Write
    closed: Callable[[int], object]
    address: NotRequired[str | None]


class Hub:
    """The rooms of this worker and everyone in them, on one event loop.

    Call ``start`` with the loop running and ``close`` before it ends.
    """

    def __init__(self, log: Log, clock: Clock, *, bus: Bus | None = None, limits: Limits = LIMITS) -> None:
        self.limits = limits
        self.closing = False
        self.as_of: Callable[[], datetime | None] = lambda: None
        """When the log was last known to be read to its end, while it cannot be: told to every reader."""
        self._log = log
        self._clock = clock
        self._bus = bus or LocalBus()
        self._live: dict[SessionId, Live] = {}
        self._warming: dict[SessionId, asyncio.Task[Live]] = {}
        self._addresses: Counter[str] = Counter()
        self._readers = 0
        self._tally = Tally()
        self._name = secrets.token_hex(8)
        self._housekeeper: asyncio.Task[None] | None = None
        self._poller: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen to the bus and to keep house."""
        self._bus.listen(self._heard)
        self._bus.hear(self._told)
        if self._bus.lossy:
            self._poller = asyncio.get_running_loop().create_task(self._keep_looking(), name="look at the log")
        self._housekeeper = asyncio.get_running_loop().create_task(self._keep_house(), name="hall")

    async def close(self) -> None:
        """Send every reader home: streams end, seats are told. They come back elsewhere with their number (1012)."""
        self.closing = True
        tasks = [self._housekeeper, self._poller, *self._warming.values()]
        for live in self._live.values():
            for seat in live.seats:
                seat.closed(GoingAway.close)
            tasks.append(live.catching_up)
            if live.flush is not None:
                live.flush.cancel()
        running = [task for task in tasks if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._bus.close()

    # -- what happened -----------------------------------------------------------------------------------------

    def announce(self, session: SessionId, records: tuple[Recorded, ...]) -> None:
        """Tell the halls what was appended (sessions.ports.Announcer). Returns at once and never raises."""
        opening = [record for record in records if record.stream is Stream.OPENING]
        if not opening:
            return
        live = self._live.get(session)
        if live is not None:
            try:
                self._feed(live, opening)
            except Exception:  # the facts are durable; the next look at the log brings them
                _log.exception("an announcement could not be taken", extra={"session": session})
        self._bus.ring(session, opening[-1].number)

    def foresee(self, session: SessionId, records: tuple[Recorded, ...]) -> None:
        """Have at hand what is told of these once they are announced (sessions.ports.Announcer). Never raises."""
        live = self._live.get(session)
        if live is not None:
            try:
                live.room.foresee(records)
            except Exception:  # it is told then as if nobody had foreseen it
                _log.exception("what is expected could not be prepared", extra={"session": session})

    def _heard(self, session: SessionId, number: int) -> None:
        live = self._live.get(session)
        if live is not None and number > live.room.number:
            self._catch_up(live, number)

    def _told(self, session: SessionId, what: bytes) -> None:
        live = self._live.get(session)
        now = asyncio.get_running_loop().time()
        worker, here = heard(what, now)
        if live is not None and worker != self._name:
            live.elsewhere.hear(worker, here, now)

    async def look(self) -> None:
        """Ask the log for the newest number of every open room: a ring may have been lost."""
        for session, number in (await self._log.heads(tuple(self._live))).items():
            self._heard(session, number)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_ROUND)
            try:
                await self.look()
            except Exception:
                _log.exception("the log could not be looked at; the next round tries again")

    def _feed(self, live: Live, records: Sequence[Recorded]) -> None:
        before = live.room.number
        if not live.room.add(records):
            self._catch_up(live, records[-1].number)
        if live.room.number > before:
            self._tell_soon(live)

    def _catch_up(self, live: Live, number: int) -> None:
        live.heard_of = max(live.heard_of, number)
        if live.catching_up is None or live.catching_up.done():
            live.catching_up = asyncio.get_running_loop().create_task(self._read_missing(live))

    async def _read_missing(self, live: Live) -> None:
        session = live.room.session
        try:
            while missing := await self._log.read(session, Stream.OPENING, after=live.room.number):
                self._feed(live, missing)
                if live.room.number >= live.heard_of:
                    return
        except Exception:
            _log.exception(
                "the log could not be read; the next ring or round tries again", extra={"session": session}
            )

    def _tell_soon(self, live: Live) -> None:
        """At once after a quiet moment, else once a tick: ten events in one write cost little more than one.

        Once a tick on average, that is. Facts that come each tick, some later than others, would else all be as late
        as the latest: each would wait a whole tick after the one before (110 ms where their way takes 20).
        """
        if live.flush is None and not self.closing:
            loop = asyncio.get_running_loop()
            live.flush = loop.call_at(max(loop.time(), live.next_flush), self._tell, live)

    def _tell(self, live: Live) -> None:
        now, tick = asyncio.get_running_loop().time(), self.limits.tick.total_seconds()
        live.flush, live.next_flush = None, max(live.next_flush + tick, now)
        live.last_word = self._clock.now()
        live.seats.tell()

    # -- readers -----------------------------------------------------------------------------------------------

    async def attach(
        self,
        session: SessionId,
        audience: Audience,
        after: int,
        **terms: Unpack[Terms],
    ) -> Seat:
        """Take in a reader of what ``audience`` may see after fact ``after``: without a task, for crowds.

        Call ``seat.resume`` to begin, ``seat.pause`` and ``seat.resume`` as the transport's buffer fills and drains,
        ``seat.leave`` when the connection is gone.

        Raises:
            UnknownSession, BadCursor, TooManyWatchers, GoingAway: nobody was taken in.
        """
        self.refuse_crowd(audience, terms.get("address"))  # before anything is read for it
        live = await self.warm(session)
        if after > live.room.number and self._bus.lossy:  # another worker showed what was not rung for here yet
            await self._read_missing(live)
        self.refuse_crowd(audience, terms.get("address"))
        return self._seat(live, audience, after, terms)

    def attach_now(
        self,
        session: SessionId,
        audience: Audience,
        after: int,
        **terms: Unpack[Terms],
    ) -> Seat | None:
        """Do as ``attach`` does if nothing has to be read for it, else return None."""
        self.refuse_crowd(audience, terms.get("address"))
        live = self._live.get(session)
        if live is None or (after > live.room.number and self._bus.lossy):
            return None
        return self._seat(live, audience, after, terms)

    def _seat(self, live: Live, audience: Audience, after: int, terms: Terms) -> Seat:
        if audience.bidder is not None and live.devices[audience.bidder] >= self.limits.watchers_per_bidder:
            raise TooManyWatchers(retry_after=30)
        if not 0 <= after <= live.room.number:
            raise BadCursor
        form, address = terms["form"], terms.get("address")
        self._count(live, audience, form, address, 1)
        watcher = Watcher(audience, form, after=after)
        gone = partial(self._count, live, audience, form, address, -1)
        seat = Seat(live.seats, watcher, terms["write"], terms["closed"], gone)
        live.seats.behind[seat] = None
        return seat

    def refuse_crowd(self, audience: Audience, address: str | None) -> None:
        """Raise ``GoingAway``, ``FullHouse`` or ``TooManyWatchers`` if a reader like this cannot come in now."""
        if self.closing:
            raise GoingAway
        if self._readers >= self.limits.watchers + self.limits.reserve(audience):
            raise FullHouse(retry_after=5)
        if address is not None and self._addresses[address] >= self.limits.watchers_per_address:
            raise TooManyWatchers(retry_after=30)

    def shed(self, count: int) -> int:
        """Send up to ``count`` readers without a login home (1013), the newest first; return how many.

        For when descriptors run out: who keeps the opening going needs them more, and the public can poll.
        """
        public = [seat for live in self._live.values() for seat in live.seats if seat.watcher.audience == PUBLIC][
            -count:
        ]
        for seat in public:
            seat.closed(FullHouse.close)
        return len(public)

    def _count(self, live: Live, audience: Audience, form: Form, address: str | None, by: int) -> None:
        live.count(audience, form, by)
        self._readers += by
        if address is not None:
            self._addresses[address] += by
            if not self._addresses[address]:
                del self._addresses[address]

    async def reported(self, session: SessionId, within_ms: int) -> None:
        """Count that a spectator saw what is new within so many ms (hall.rooms.lag), or raise UnknownSession."""
        (await self.warm(session)).report(within_ms)

    def census(self) -> Census:
        """Return who is here now. Bidders are left out until their opening has listed who bid."""
        readers: Counter[tuple[str, str]] = Counter()
        for live in self._live.values():
            listed = live.room.opening is not None and live.room.opening.listed
            for (form, role), count in live.doors.items():
                if role is not Role.BIDDER or listed:
                    readers[_DOORS[form], role.value] += count
        return Census(rooms=len(self._live), readers=dict(readers), sent=self._tally.sent, cut=self._tally.cut)

    def seated(self) -> dict[SessionId, int]:
        """Return how many devices of bidders and staff are here, by session under way."""
        return {
            session: live.devices.total() + live.chairs.total()
            for session, live in self._live.items()
            if live.room.opening and live.room.opening.status is Status.LIVE
        }

    def dismissed(self) -> frozenset[SessionId]:
        """Return the sessions whose people may leave: those that are over, and every one once this hub closes."""
        return frozenset(
            session
            for session, live in self._live.items()
            if self.closing or (live.room.opening and live.room.opening.status in OVER)
        )

    # -- reading without a stream ------------------------------------------------------------------------------

    async def snapshot(self, session: SessionId, audience: Audience) -> Snapshot:
        """Return the audience's view at the newest fact; raise UnknownSession."""
        return (await self.warm(session)).room.snapshot(audience)

    def number(self, session: SessionId) -> int | None:
        """Return the number of the newest fact that this worker shows, or None if nobody looks at it here."""
        live = self._live.get(session)
        return None if live is None else live.room.number

    async def facts(self, session: SessionId, audience: Audience, after: int) -> bytes:
        """Return ``{"view_n": int, "events": [...]}`` as JSON: what follows ``after``, at most 500 facts."""
        room = (await self.warm(session)).room
        events = room.facts(audience, after, self.limits.facts_per_call)
        return b'{"view_n":%d,"events":[%b]}' % (room.number, b",".join(events))

    async def head(self, session: SessionId) -> tuple[bytes, str]:
        """Return how far the public's log is, as JSON, and the ETag that changes with it."""
        snapshot = await self.snapshot(session, PUBLIC)
        told = b'{"n":%d,"head":"%b","segment":%d}'
        body = told % (snapshot.number, snapshot.view["head"].encode(), self.limits.segment)
        return body, snapshot.etag

    async def segment(self, session: SessionId, number: int) -> tuple[bytes, bool] | None:
        """Return one segment of the public's log, numbered from 0, and whether it is full; None if it has nothing."""
        room = (await self.warm(session)).room
        size = self.limits.segment
        if number < 0 or number * size >= room.number:
            return None
        facts = room.facts(PUBLIC, number * size, size)
        return b'{"segment":%d,"events":[%b]}' % (number, b",".join(facts)), len(facts) == size

    # -- rooms -------------------------------------------------------------------------------------------------

    async def warm(self, session: SessionId) -> Live:
        """Return the room, read from the log if this worker does not have it. Many may ask; one reads.

        Raises:
            UnknownSession, GoingAway.
        """
        live = self._live.get(session)
        if live is not None:
            live.empty_since = None
            return live
        task = self._warming.get(session)
        if task is None:
            task = self._warming[session] = asyncio.get_running_loop().create_task(self._read_room(session))
            task.add_done_callback(lambda done: self._warmed(session, done))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():  # by close; a caller's own cancellation leaves the task to the others
                raise GoingAway from None
            raise

    def _warmed(self, session: SessionId, done: asyncio.Task[Live]) -> None:
        del self._warming[session]
        if not done.cancelled():
            done.exception()  # whoever asked has it; if nobody waits any more, it is no news

    async def _read_room(self, session: SessionId) -> Live:
        records = await self._log.read(session, Stream.OPENING)
        if not records:
            raise UnknownSession(session)
        room = await asyncio.to_thread(_furnished, Room(session, self.limits), records)
        live = self._live[session] = Live(
            room=room, last_word=self._clock.now(), tally=self._tally, rounds=Rounds(alone=not self._bus.lossy)
        )
        # From here on announcements reach the room; this finds what came between the first reading and now.
        await self._read_missing(live)
        return live

    async def _keep_house(self) -> None:
        rounds = 0
        while True:
            await asyncio.sleep(_ROUND)
            rounds += 1
            if not rounds % round(self.limits.ping.total_seconds() / _ROUND):
                for live in self._live.values():
                    live.seats.ping(PING)
            for session, live in tuple(self._live.items()):
                try:
                    self._tidy(session, live)
                except Exception:
                    _log.exception("a room could not be tidied", extra={"session": session})

    def _tidy(self, session: SessionId, live: Live) -> None:
        now = self._clock.now()
        for seat in live.seats.stalled(round(self.limits.stall.total_seconds() / _ROUND)):
            live.seats.cut(seat, Stalled.close)
        as_of = self.as_of()
        behind = as_of is not None or live.as_of is not None  # each second: who comes in now has to know too
        quiet = live.readers and (behind or now - live.last_word >= self.limits.beat)
        if quiet:
            live.beat(now, as_of)
        if self._bus.lossy:
            moment = asyncio.get_running_loop().time()
            live.elsewhere.forget(moment)
            if live.has_news(moment):
                self._bus.tell(session, live.here().told(self._name, moment))
        if live.presence() or quiet:
            self._tell_soon(live)
        if live.readers:
            return
        live.empty_since = live.empty_since or now
        if now - live.empty_since >= self.limits.idle:
            del self._live[session]


def _furnished(room: Room, records: Sequence[Recorded]) -> Room:
    """Fill a room that nobody is in yet; off the loop, because a long session takes a while to encode."""
    room.lane(PUBLIC)
    room.add(records)
    return room
