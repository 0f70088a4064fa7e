"""The hall's machines: the real service, hub and timekeeper over a shared disk that can fail, and a bus that forgets.

Only what lies outside the core is played: the disk, the bus, the reading of sealed files.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from hall.buses.bus import Hearer, Listener
from hall.hub import Hub
from hall.limits import Limits
from hall.timekeeper import Timekeeper
from sessions.acts.submission import Submissions
from sessions.clock import Clock
from sessions.commands import Opened
from sessions.errors import Fenced, Stale, Unanswered, Unchecked
from sessions.events import Recorded
from sessions.ids import BidderId, SessionId
from sessions.keys.hallkey import HallKeys
from sessions.opening import CheckSeals, OpenBids, Opening
from sessions.outside.certifying import Certifying
from sessions.service import Sessions, Stores
from sessions.store.events import Append
from sessions.store.together import Asking, Together
from sessions.watch.membership import Duties, Membership
from sessions.watch.steady import ClockGuard
from sessions.watch.vigil import Local, Vigil
from tests.sim.stores import Disk, MemoryBlobs, MemoryIntake, MemoryLog, MemoryMembers, Nothing
from tests.support.ceremony import digest
from tests.support.shell import LIMITS, the_trust

T = TypeVar("T")

SESSION = SessionId("gx-1")
BESIDE = (SessionId("gx-2"), SessionId("gx-3"))
"""Lesser openings with the same T0, where a world has them."""

_running: contextvars.ContextVar[Machine | None] = contextvars.ContextVar("machine", default=None)


class Gone(Exception):
    """The connection broke: whether anything happened, nobody knows."""


def set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class Trouble:
    """What goes wrong now; the world's faults set it."""

    writes_fail: int = 0  # that many writes fail before anything is written
    answers_lost: int = 0  # that many are written, and the answer is lost
    disk_delay: float = 0.0  # seconds each access takes
    away: bool = False  # the database does not answer
    drift: timedelta = timedelta()  # somebody set this machine's clock by so much
    goes_on: asyncio.Event = field(default_factory=set_event)  # unset by SIGSTOP: nothing reaches the disk
    rings_lost: bool = False
    ring_delay: float = 0.0


CHECKED = frozenset(
    [
        "append",
        "append_all",
        "keep",
        "add_upload",
        "claim",
        "let_go",
        "arrive",
        "depart",
        "complete_upload",
        "abandon",
        "adopt",
        "drop_upload",
        "answer",
        "fence",
        "take",
        "hold",
        "pulse",
        "begin",
        "end",
    ]
)
"""What only a machine writes that has its place (Database.writing)."""

UNCHECKED = frozenset(["join", "renew", "leave", "release"])


class Cable:
    """One machine's way to a store: slow, cut, or answering into the void."""

    def __init__(self, machine: Machine, store: object) -> None:
        self._machine = machine
        self._store = store

    async def _takes(self) -> None:
        machine, trouble = self._machine, self._machine.trouble
        await asyncio.sleep(0.0002 + 0.0038 * machine.chance.random() + trouble.disk_delay)
        if not trouble.goes_on.is_set():
            await trouble.goes_on.wait()
        machine.must_live()
        if trouble.away:
            raise Unanswered

    def __getattr__(self, name: str) -> Any:
        """Make the way to one of the store's functions, the first time that it is asked for."""
        way = self.__dict__[name] = self._way(name, getattr(self._store, name))
        return way

    def _way(self, name: str, done: Any) -> Any:
        if name == "turn":  # the lock on a session's row: in memory a transaction is one step
            return done

        async def reads(*args: Any, **kwargs: Any) -> Any:
            await self._takes()
            return await done(*args, **kwargs)

        async def writes(*args: Any, **kwargs: Any) -> Any:
            began = asyncio.get_running_loop().time()
            await self._takes()
            trouble = self._machine.trouble
            if trouble.writes_fail:
                trouble.writes_fail -= 1
                raise OSError("the disk is gone")
            if name in CHECKED:
                self._machine.must_have_its_place()
            result = await done(*args, **kwargs)
            if trouble.answers_lost:
                trouble.answers_lost -= 1
                raise OSError("the answer is lost")
            await self._takes()
            if name == "pulse":  # which says how long the database took
                return result[0], asyncio.get_running_loop().time() - began
            return result

        return writes if name in CHECKED | UNCHECKED else reads


class SharedLog:
    """One machine's way to the log where several openings use it: what they append at a moment shares a write."""

    def __init__(self, machine: Machine, log: MemoryLog) -> None:
        self._disk, self._chance = machine.disk, machine.chance
        self._cable = Cable(machine, log)
        self._together = Together(self._write, own=(Stale, Unchecked))
        self._ends = Asking(self._cable.ends_of)

    async def append(self, session: SessionId, records: Sequence[Recorded], **more: Any) -> None:
        alone = {"summary": None, "outcomes": (), "entries": None, "closes": None, **more}
        one = Append(session=session, records=records, **alone)
        try:
            await self._together.add(one)
        except (Stale, Unchecked):
            if not any(each is one for each in self._disk.refused):
                self._disk.taken_along.append(session)
            raise

    async def ends(self, session: SessionId) -> Any:
        return await self._ends.ask(session)

    async def _write(self, batch: Sequence[Append]) -> None:
        sessions = [one.session for one in batch]
        self._disk.writing.update(sessions)
        try:
            await asyncio.sleep(self._chance.uniform(0, 0.2))  # a busy disk, before which many gather
            await self._cable.append_all(batch)
        finally:
            self._disk.writing.subtract(sessions)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cable, name)


class SharedIntake:
    """One machine's way to the intake where several openings use it: what they ask at one moment is asked once."""

    def __init__(self, machine: Machine, intake: MemoryIntake) -> None:
        self._cable = Cable(machine, intake)
        self._holding = Asking(self._cable.holding_of)

    async def holding(self, session: SessionId, t0: datetime) -> bool:
        return bool(await self._holding.ask((session, t0)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cable, name)


class Reading:
    """Stands for the reading of sealed files: tells what each bidder sealed, and nothing before the barrier."""

    def __init__(self, prices: Mapping[SessionId, Mapping[BidderId, str]], machine: Machine) -> None:
        self._prices = prices
        self._machine = machine

    async def check_seals(self, opening: Opening, work: CheckSeals, _: object) -> dict[BidderId, str]:
        await asyncio.sleep(self._machine.chance.uniform(0.05, 2))
        return {bidder: "ok" for bidder, _ in work.headers}

    async def open_bids(self, opening: Opening, work: OpenBids) -> tuple[Opened, ...]:
        assert opening.barrier is not None, "a bid is opened before the barrier"
        await asyncio.sleep(self._machine.chance.uniform(0.05, 2))
        keys = {bidder for bidder, _ in work.released}
        prices = self._prices[opening.plan.session]
        return tuple(_opened(bid.bidder, prices) if bid.bidder in keys else _shut(bid.bidder) for bid in opening.bids)


def _opened(bidder: BidderId, prices: Mapping[BidderId, str]) -> Opened:
    price = prices[bidder]
    return Opened(bidder=bidder, quote={"price": price}, quote_sha256=digest(price), quote_key="aWs", code=None)


def _shut(bidder: BidderId) -> Opened:
    return Opened(bidder=bidder, quote=None, quote_sha256=None, quote_key=None, code=None)


class Wire:
    """The bus between the machines: it may lose, delay and repeat."""

    def __init__(self, chance: random.Random) -> None:
        self.listeners: dict[str, list[Listener]] = {}
        self.hearers: dict[str, Hearer] = {}
        self._chance = chance

    def silence(self, name: str) -> None:
        self.listeners.pop(name, None)
        self.hearers.pop(name, None)

    def carry(self, sender: Machine, session: SessionId, number: int) -> None:
        loop = asyncio.get_running_loop()
        if sender.trouble.rings_lost:
            return
        for name, listeners in self.listeners.items():
            for _ in range(self._chance.choice((1, 1, 1, 2)) if name != sender.name else 0):
                delay = self._chance.uniform(0, 0.01) + sender.trouble.ring_delay
                for listener in listeners:
                    loop.call_later(delay, listener, session, number)


class Line:
    """One machine's end of the bus."""

    lossy = True
    away = False

    def __init__(self, machine: Machine, wire: Wire) -> None:
        self._machine = machine
        self._wire = wire

    def ring(self, session: SessionId, number: int) -> None:
        if not self._machine.dead:
            self._wire.carry(self._machine, session, number)

    def listen(self, listener: Listener) -> None:
        self._wire.listeners.setdefault(self._machine.name, []).append(listener)

    def tell(self, session: SessionId, what: bytes) -> None:
        if not self._machine.dead and not self._machine.trouble.rings_lost:
            for name, hearer in self._wire.hearers.items():
                if name != self._machine.name:
                    asyncio.get_running_loop().call_soon(hearer, session, what)

    def hear(self, hearer: Hearer) -> None:
        self._wire.hearers[self._machine.name] = hearer

    async def close(self) -> None:
        self._wire.silence(self._machine.name)


@dataclass(frozen=True, slots=True)
class Watch:
    """This machine's clock: it goes as all do, and can tell that somebody set the machine's."""

    clock: Clock
    trouble: Trouble

    def now(self) -> datetime:
        return self.clock.now()

    def drift(self) -> timedelta:
        return self.trouble.drift


@dataclass
class Machine:
    """One process of the hall, from its start to its death. What it had in memory dies with it."""

    name: str
    disk: Disk
    wire: Wire
    clock: Clock
    chance: random.Random
    keys: HallKeys
    prices: Mapping[SessionId, Mapping[BidderId, str]]
    trouble: Trouble = field(default_factory=Trouble)
    dead: bool = False
    ready: bool = False
    number: int | None = None
    tasks: dict[asyncio.Task[Any], None] = field(default_factory=dict)  # in the order they began

    def __post_init__(self) -> None:
        disk, nothing = self.disk, Nothing()
        log, intake = MemoryLog(disk), MemoryIntake(disk, lambda: self.number)
        several = len(self.prices) > 1
        members: Any = Cable(self, MemoryMembers(disk, self.clock, self.joined))
        stores: Any = Stores(
            events=SharedLog(self, log) if several else Cable(self, log),  # type: ignore[arg-type]  # pass on by name
            intake=SharedIntake(self, intake) if several else Cable(self, intake),  # type: ignore[arg-type]
            secrets=Cable(self, disk.secrets),  # type: ignore[arg-type]
            evidence=nothing,  # type: ignore[arg-type]
            blobs=MemoryBlobs(disk.blobs, self.clock, self.must_live),
            checkpoints=nothing,  # type: ignore[arg-type]
            proofs=nothing,  # type: ignore[arg-type]
        )
        limits = Limits(tick=timedelta(milliseconds=self.chance.choice((0, 50, 100))))
        bus = Line(self, self.wire)
        self.hub = Hub(stores.events, self.clock, bus=bus, limits=limits)
        self.membership = Membership(members, self.clock, name=self.name, alone=False)
        pulses: Any = Cable(self, disk.pulses)
        guard = ClockGuard(Watch(self.clock, self.trouble))
        well = Local(present={}, dismissed=frozenset(), free_bytes=1 << 40)
        self.vigil = Vigil(pulses, guard, now=self.clock.now, worker=self.name, look=lambda: well)
        self.sessions = Sessions(
            stores,
            clock=self.clock,
            announcer=self.hub,
            leading=self.membership,
            holds=members,
            guard=self.vigil,
        )
        bus.listen(self.sessions.heard)
        self.sessions._worker._unsealing = Reading(self.prices, self)  # type: ignore[assignment]
        self.submissions = Submissions(
            self.sessions,
            stores,
            clock=self.clock,
            certifying=Certifying(the_trust, proofs=stores.proofs),
            hall=self.keys,
            limits=LIMITS,
        )
        self.timekeeper = Timekeeper(self.sessions, self.clock)
        self.died: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def must_live(self) -> None:
        """Stop whoever still runs on a machine that is dead: nothing it does may reach the disk."""
        if self.dead:
            raise Gone

    def joined(self, number: int) -> None:
        self.number = number

    def must_have_its_place(self) -> None:
        """Raise Fenced where every write transaction does."""
        if self.number is not None and self.number not in self.disk.workers:
            raise Fenced

    async def start(self) -> None:
        """As the real one does (web.bootstrap)."""
        await self.hub.start()
        await self.membership.start(
            Duties(
                catch_up=(self.vigil.recover, self.submissions.recover),
                begin=(self.sessions.start,),
                stop=(self.sessions.stop,),
                look=(self.sessions.look, partial(self.submissions.adopt, self.membership)),
                lose=self.sessions.lose,
                quiet=self.sessions.quiet,
            )
        )
        self.vigil.start(self.sessions, self.membership.leads)
        self.timekeeper.start()
        self.ready = True

    def kill(self) -> None:
        """Kill -9."""
        self.dead, self.ready = True, False
        self.wire.silence(self.name)
        if not self.died.done():
            self.died.set_result(None)
        for task in list(self.tasks):
            task.cancel()

    async def ask(self, doing: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do something on this machine for somebody outside, who sees only a broken line when it dies."""
        if not self.ready:
            raise Gone
        task = self.spawn(doing())
        await asyncio.wait({task, self.died}, return_when=asyncio.FIRST_COMPLETED)
        if self.dead or not task.done() or task.cancelled():
            raise Gone
        try:
            return task.result()
        except (OSError, Fenced, Unanswered) as error:
            raise Gone from error

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin something on this machine; whatever it begins in turn dies with the machine too."""
        context = contextvars.copy_context()
        context.run(_running.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)


def on_its_machine(loop: asyncio.AbstractEventLoop, work: Any, context: Any = None) -> asyncio.Task[Any]:
    """A task factory that remembers on which machine each task runs."""
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, context=context)
    machine = (context or contextvars.copy_context()).get(_running)
    if machine is not None:
        machine.tasks[task] = None
        task.add_done_callback(lambda done: machine.tasks.pop(done, None))
    return task
