"""One opening in virtual time, or three with one T0, with whatever goes wrong: a seed is a world.

``play(seed)`` returns the world after the end, every promise checked; ``Broken`` tells the story of the seed.
``python -m tests.sim.world FIRST LAST`` plays many, tells of each what came of it, and keeps the seeds that broke.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp

from hall.views.audience import PUBLIC, Audience
from sessions.announcing.announcement import make_plan
from sessions.announcing.rulebook import load
from sessions.ids import BidderId, SessionId
from sessions.keys.hallkey import HallKeys
from sessions.opening import OVER
from sessions.plan import Plan
from sessions.roles import Role
from tests.sim.machines import BESIDE, SESSION, Machine, Wire, on_its_machine
from tests.sim.people import Official, Onlooker, Person, Tenderer
from tests.sim.promises import check
from tests.sim.stores import Disk
from tests.sim.virtual import VirtualClock, VirtualLoop, run
from tests.support.bidders import Sealed
from tests.support.ceremony import DEPUTY, HOST, SUPERVISOR, T0, TENDER
from tests.support.shell import a_bid_for_this, the_actor

KEPT = Path(__file__).with_name("kept.txt")
"""Seeds that once broke a promise, one a line with what broke; they are played with the first ones."""

SPEAK, SEVERAL = 0.3, 0.15
"""In how many worlds bidders ask for the floor, and how many have lesser openings with the same T0."""

STAFF = (HOST, DEPUTY, SUPERVISOR)

LONGEST = timedelta(hours=2)
"""Beyond it an opening hangs."""

BEFORE = timedelta(seconds=100)
SHORT = {"checkin": 60, "draw": 30, "decrypt": 60, "confirm": 30, "objection": 30, "sign": 30}
"""Windows of a rehearsal, in seconds: what happens in them does not depend on their length."""

DRAWS = [{"id": "k", "title": {"zh": "系数", "en": "Coefficient"}, "values": ["0.95", "0.96", "0.97"], "pick": 1}]


@cache
def the_keys() -> HallKeys:
    return HallKeys.in_folder(Path(mkdtemp(prefix="kaibiao-sim-")))


@cache
def a_bid(number: int, version: int, lot: int = 1) -> Sealed:
    """Return one of a pool of sealed bids: sealing is dear, and every world is of the same tender.

    Sealed until its digest begins with its number, because rows of one millisecond stand by their digests.
    """
    while True:
        sealed = a_bid_for_this(f"第{number}号有限公司", f"{1_000_000 * lot + 7 * number}.0{version}", lot=str(lot))
        if sealed.bid.header_sha256.startswith(f"{number:x}"):
            return sealed


class Broken(AssertionError):
    """A promise was broken: the seed, and what happened until then."""


@dataclass
class Ceremony:
    """One of the openings of a world, and who takes part in it."""

    plan: Plan
    lot: int
    tenderers: list[Tenderer]
    officials: list[Official]
    onlookers: list[Onlooker]

    @property
    def session(self) -> SessionId:
        return self.plan.session

    @property
    def people(self) -> list[Person]:
        return [*self.officials, *self.tenderers]

    @property
    def prices(self) -> dict[BidderId, str]:
        """What each bidder sealed."""
        sealed = enumerate(self.tenderers)
        return {BidderId(one.actor.id): f"{1_000_000 * self.lot + 7 * n}.00" for n, one in sealed}


@dataclass
class World:
    seed: int
    loop: VirtualLoop
    chance: random.Random = field(init=False)
    machines: list[Machine] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)  # promises, noticed where nobody could raise
    disk: Disk = field(default_factory=Disk)
    away_until: float = 0.0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.clock = VirtualClock(self.loop, T0 - BEFORE)
        self.wire = Wire(self.chance)
        self.keys = the_keys()
        self.loop.set_task_factory(on_its_machine)
        plan = self._plan()
        tenderers = [self._tenderer(number) for number in range(self.chance.choice((3, 4, 4, 5, 6, 12)))]
        officials = [Official(SESSION, who, self, self.chance) for who in STAFF]
        watchers = [PUBLIC, PUBLIC, Audience(self.chance.choice((Role.HOST, Role.SUPERVISOR)))]
        watchers += [Audience(Role.BIDDER, BidderId(one.actor.id)) for one in tenderers[:1]]
        onlookers = [Onlooker(SESSION, each, self, self.chance) for each in watchers]
        self.ceremonies = [Ceremony(plan, 1, tenderers, officials, onlookers)]
        # What came later draws by itself: the worlds that have none of it stay as they were.
        later = random.Random(f"{self.seed} later")
        self.speech = later if later.random() < SPEAK else None
        if later.random() < SEVERAL:
            self.ceremonies += [self._lesser(session, lot, later) for lot, session in enumerate(BESIDE, start=2)]

    def _lesser(self, session: SessionId, lot: int, chance: random.Random) -> Ceremony:
        """One that is there for its T0; mostly it is given up soon after."""
        rules = load("cn-gov")
        windows = {name: SHORT[name] for name in rules.windows}
        tender = {**TENDER, "lot": str(lot), "pack": "cn-gov", "ceiling": None, "windows": windows}
        plan = make_plan({**tender, "reading_pace_s": 1}, session=session, rehearsal=True)
        hurries = chance.random() < 0.8
        around = [-60_000, -1000, -300, -100, -30, -10, -3, -1, 0]
        tenderers = [
            Tenderer(
                session,
                the_actor(a_bid(number, 0, lot).bidder),
                self,
                chance,
                bids=[(T0 + timedelta(milliseconds=chance.choice(around)), a_bid(number, 0, lot).data)],
            )
            for number in range(2)
        ]
        officials = [Official(session, who, self, chance, hurries=hurries) for who in STAFF]
        return Ceremony(plan, lot, tenderers, officials, [Onlooker(session, PUBLIC, self, chance)])

    def _plan(self) -> Plan:
        pack = self.chance.choice(("cn-works", "cn-works", "cn-gov", "intl-two-role"))
        ceiling = None if pack == "intl-two-role" else self.chance.choice((None, "1500000.00"))
        drawn = [] if pack == "intl-two-role" else self.chance.choice(([], DRAWS))
        rules = load(pack)
        windows = {name: SHORT[name] for name in rules.windows}
        tender = {**TENDER, "pack": pack, "ceiling": ceiling, "draws": drawn, "windows": windows, "reading_pace_s": 1}
        return make_plan(tender, session=SESSION, rehearsal=True)

    def _tenderer(self, number: int) -> Tenderer:
        chance = self.chance
        around = [-90_000, -75_000, -60_000, -30_000, -1000, -500, -1, 0, 1, 500]  # milliseconds to T0
        moments = sorted(
            T0 + timedelta(milliseconds=chance.choice(around) + chance.randint(-300, 300) * (chance.random() < 0.5))
            for _ in range(chance.choice((1, 1, 1, 2)))
        )
        bids = [(moment, a_bid(number, version).data) for version, moment in enumerate(moments)]
        return Tenderer(
            SESSION,
            the_actor(a_bid(number, 0).bidder),
            self,
            chance,
            bids=bids,
            comes=chance.random() < 0.95,
            keeps_its_key=chance.random() < 0.9,
            quarrels=chance.random() < 0.1,
        )

    @property
    def prices(self) -> dict[SessionId, dict[BidderId, str]]:
        return {each.session: each.prices for each in self.ceremonies}

    def note(self, what: str) -> None:
        self.story.append(f"{self.clock.now():%H:%M:%S.%f}"[:-3] + f"  {what}")

    def any_machine(self) -> Machine | None:
        """Return a machine that answers, if there is one: whoever connects gets any."""
        ready = [machine for machine in self.machines if machine.ready]
        return self.chance.choice(ready) if ready else None

    async def boots(self) -> Machine:
        """Start a machine; when the disk fails it, start it again, as its supervisor does."""
        for _ in range(100):
            name = f"m{len(self.machines) + 1}"
            machine = Machine(name, self.disk, self.wire, self.clock, self.chance, self.keys, self.prices)
            self.machines.append(machine)
            starting = machine.spawn(machine.start())
            await asyncio.wait({starting, machine.died}, return_when=asyncio.FIRST_COMPLETED)
            if not machine.dead and starting.done() and starting.exception() is None:
                self.note(f"{name} is up")
                return machine
            why = starting.exception() if starting.done() and not starting.cancelled() else "killed"
            machine.kill()
            self.note(f"{name} could not start: {why!r}")
            await asyncio.sleep(0.5)
        raise Broken("no machine starts any more")

    async def over(self) -> None:
        """Return when the log says that every opening is over."""
        until = T0 + LONGEST
        while True:
            calendar = await self.disk.events.calendar()
            if len(calendar) == len(self.ceremonies) and all(each.status in OVER for each in calendar):
                return
            if self.clock.now() > until:
                raise Broken(f"nothing ended: {[(each.status, each.step, each.due) for each in calendar]}")
            await asyncio.sleep(2)

    # -- what goes wrong -----------------------------------------------------------------------------------------

    async def a_machine_dies(self) -> None:
        if (machine := self.any_machine()) is not None:
            self.note(f"{machine.name} is killed")
            machine.kill()
            await asyncio.sleep(self.chance.choice((0.1, 3, 20)))
            await self.boots()

    async def writes_fail(self) -> None:
        if (machine := self.any_machine()) is not None:
            machine.trouble.writes_fail = self.chance.randint(1, 4)
            self.note(f"{machine.name}: {machine.trouble.writes_fail} writes will fail")

    async def answers_get_lost(self) -> None:
        if (machine := self.any_machine()) is not None:
            machine.trouble.answers_lost = self.chance.randint(1, 3)
            self.note(f"{machine.name}: {machine.trouble.answers_lost} answers of the disk will be lost")

    async def the_disk_is_slow(self) -> None:
        if (machine := self.any_machine()) is not None:
            machine.trouble.disk_delay = self.chance.choice((0.2, 2, 10))
            self.note(f"{machine.name}: the disk takes {machine.trouble.disk_delay} s")
            await asyncio.sleep(self.chance.uniform(1, 20))
            machine.trouble.disk_delay = 0

    async def the_bus_goes_quiet(self) -> None:
        if (machine := self.any_machine()) is not None:
            machine.trouble.rings_lost, machine.trouble.ring_delay = self.chance.choice(((True, 0.0), (False, 5.0)))
            self.note(f"{machine.name}: rings are {'lost' if machine.trouble.rings_lost else 'late'}")
            await asyncio.sleep(self.chance.uniform(1, 60))
            machine.trouble.rings_lost, machine.trouble.ring_delay = False, 0.0

    async def a_machine_stands_still(self) -> None:
        if (machine := self.any_machine()) is not None:
            seconds = self.chance.choice((1, 7, 12, 30))
            self.note(f"{machine.name} is stopped for {seconds} s")
            machine.trouble.goes_on.clear()
            await asyncio.sleep(seconds)
            machine.trouble.goes_on.set()

    async def the_database_goes_away(self) -> None:
        seconds = self.chance.choice((3, 15, 45, 90))
        self.note(f"the database is away for {seconds} s")
        until, self.away_until = self.loop.time() + seconds, max(self.away_until, self.loop.time() + seconds)
        while self.loop.time() < until:
            for machine in self.machines:
                machine.trouble.away = True
            await asyncio.sleep(0.5)  # one that starts meanwhile does not reach it either
        if self.loop.time() >= self.away_until:
            for machine in self.machines:
                machine.trouble.away = False
            self.note("the database is back")

    async def somebody_sets_a_clock(self) -> None:
        if (machine := self.any_machine()) is not None:
            machine.trouble.drift = timedelta(seconds=self.chance.choice((-86_400, -300, -1, 1, 300)))
            self.note(f"{machine.name}: its clock is set by {machine.trouble.drift.total_seconds():.0f} s")
            await asyncio.sleep(self.chance.choice((3, 30)))
            machine.trouble.drift = timedelta()

    async def goes_wrong(self) -> None:
        """Up to ten faults, most of them where it hurts: around T0 and while keys come in."""
        faults: tuple[Callable[[], Awaitable[None]], ...] = (
            self.a_machine_dies,
            self.a_machine_dies,
            self.writes_fail,
            self.answers_get_lost,
            self.a_machine_stands_still,
            self.the_disk_is_slow,
            self.the_bus_goes_quiet,
            self.the_database_goes_away,
            self.somebody_sets_a_clock,
        )
        t0 = BEFORE.total_seconds()
        moments = sorted(
            self.chance.choice(
                (self.chance.gauss(t0, 3), self.chance.uniform(1, t0), self.chance.uniform(t0, t0 + 420))
            )
            for _ in range(self.chance.randint(0, 10))
        )
        for moment in moments:
            await asyncio.sleep(max(0.0, moment - self.loop.time()))
            await self.chance.choice(faults)()

    # -- the whole of it -----------------------------------------------------------------------------------------

    async def lives(self) -> None:
        first = await self.boots()
        for _ in range(self.chance.choice((0, 1, 1, 2))):
            await self.boots()
        for each in self.ceremonies:
            await first.ask(partial(first.sessions.create, each.plan))
        onlookers = [one for each in self.ceremonies for one in each.onlookers]
        at_it = [asyncio.create_task(one.live()) for each in self.ceremonies for one in each.people]
        at_it += [asyncio.create_task(one.live()) for one in onlookers]
        at_it += [asyncio.create_task(one.submits()) for each in self.ceremonies for one in each.tenderers]
        at_it.append(asyncio.create_task(self.goes_wrong()))
        ending = asyncio.create_task(self.over())
        running = {ending, *at_it}
        while not ending.done():
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        for _ in range(50):  # whoever reads slowly comes to the end
            await asyncio.sleep(1.2)
            if all(one.number == self.disk.events.last(one.session) for one in onlookers):
                break
        for task in at_it:
            task.cancel()
        await asyncio.gather(*at_it, return_exceptions=True)
        machine = await self.boots()
        for each in self.ceremonies:
            await check(self, each, machine)


def play(seed: int) -> World:
    """Play the world of ``seed`` to its end; raise ``Broken`` with its story when a promise is broken."""
    worlds: list[World] = []

    async def story(loop: VirtualLoop) -> None:
        worlds.append(World(seed, loop))
        await worlds[0].lives()

    try:
        run(story)
    except Exception as error:
        told = "\n".join(worlds[0].story[-40:]) if worlds else ""
        raise Broken(f"seed={seed}: {type(error).__name__}: {error}\n{told}") from error
    return worlds[0]


def fingerprint(world: World) -> str:
    """Return a digest of all that happened: what was drawn by chance, what went wrong, every fact with its moment."""
    log = [record for each in world.ceremonies for record in world.disk.events.all(each.session)]
    facts = [(each.number, each.at, type(each.event).__name__) for each in log]
    told = (world.seed, world.loop.time(), world.chance.getstate(), world.story, facts)
    return sha256(repr(told).encode()).hexdigest()[:16]


def main(first: int, last: int) -> int:
    """Play these worlds, tell the story of each that breaks and keep its seed; return how many broke."""
    broke = 0
    for seed in range(first, last):
        try:
            said = fingerprint(play(seed))
        except Broken as error:
            broke += 1
            said = str(error)
            KEPT.write_text(f"{KEPT.read_text('utf-8')}{seed}  {said.splitlines()[0]}\n", "utf-8")
        sys.stdout.write(f"{seed} {said}\n")
        sys.stdout.flush()
    return broke


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])) > 0)
