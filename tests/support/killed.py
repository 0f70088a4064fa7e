"""Plays an opening in process after process, each killed at a failpoint: ``python -m tests.support.killed``.

Reads ``[FOLDER, STORY, PLACE, [STEP, ...]]`` from its standard input, a line each (without steps, every step is
killed), and answers with a line of JSON: where it was killed, what people were told, what lies in the database.

Everything is imported and every bid sealed once; then each life of the hall is a fork, killed by SIGKILL, and the
next one goes on in the same folder. People outlive the hall: what they made (statements, the ids of uploads) they
send again as it was, under the same idempotency keys.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import pickle
import signal
import sqlite3
import sys
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from sessions import failpoint
from sessions.codec import Command
from sessions.events import Recorded
from sessions.failpoint import Point
from sessions.roles import Actor
from sessions.watch.vigil import Vigil
from tests.support.ceremony import MINUTE, SECOND, T0
from tests.support.fake_clock import FakeClock
from tests.support.set_clock import SetClock, over
from tests.support.shell import SESSION, Shell, a_shell

NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What people or the hall do next. ``kills``: at which events, or whole failpoints, a life each."""

    name: str
    play: Callable[[Stage], Awaitable[object]]
    kills: tuple[str, ...] = ()
    watched: bool = False
    """Whether the hall watches over itself in this story: then its first step says so."""


@dataclass
class Life:
    """What outlives a process: how far the story is, what people know, what they were told."""

    step: int = 0
    kills: list[str] = field(default_factory=list)
    memory: dict[str, Any] = field(default_factory=dict)
    told: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    statements: list[tuple[str, str]] = field(default_factory=list)
    now: datetime | None = None
    drift: timedelta = timedelta()


class Stage:
    """The hall in this process, and the people around it."""

    def __init__(
        self, hall: Shell, clock: FakeClock, life: Life, tell: Callable[[object], None], vigils: list[Vigil]
    ) -> None:
        self.hall, self.clock = hall, clock
        self._vigils = vigils
        self.name = ""
        self._life, self._tell = life, tell

    async def once(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what was made the first time this step was tried, in whichever life."""
        key = f"{self.name}/{name}"
        if key not in self._life.memory:
            made = make()
            self._life.memory[key] = await made if isinstance(made, Awaitable) else made
            self._tell(("knows", key, self._life.memory[key]))
        return self._life.memory[key]

    def told(self, name: str, records: tuple[Recorded, ...]) -> None:
        """Somebody outside has the answer now."""
        self._tell(("told", f"{self.name}/{name}", tuple(record.digest for record in records)))

    def holds(self, kind: str, statement: str) -> None:
        """Somebody outside holds a statement with the hall's signature now: a ``receipt`` or a ``slip``."""
        self._tell(("holds", (kind, statement)))

    async def send(self, command: Command, actor: Actor) -> None:
        """Send it under the key of this step."""
        self.told("", await self.hall.sessions.handle(SESSION, command, actor, key=self.name))

    async def at(self, moment: datetime) -> None:
        """Go to a moment, and let happen and be done what falls due."""
        moment = max(moment, self.clock.now())
        self._tell(("now", moment))
        self.clock.set(moment)
        await self.hall.sessions.settle(SESSION)
        await self.hall.work_done()

    async def passes(self, until: datetime) -> None:
        """Let time pass with the hall at work, a sign of life now and then; then settle."""
        while self.clock.now() < until:
            self.clock.advance(min(20 * SECOND, until - self.clock.now()))
            await self._vigils[0].recover()
            self._tell(("now", self.clock.now()))
        await self.at(until)

    def sets_the_clock(self, to: timedelta) -> None:
        """Let somebody set the machine's clock, so far from the hall's."""
        assert isinstance(self.clock, SetClock)
        self._tell(("drift", to))
        self.clock.step(to - self.clock.drift())

    async def due(self) -> None:
        """Go to when something falls due next, as it stood when this step was first tried."""

        async def next_due() -> datetime:
            due = (await self.hall.state()).due
            assert due is not None
            return due

        await self.at(await self.once("due", next_due))


def next_kill(step: Step, killed: list[str], place: str) -> tuple[str, str] | None:
    """Return the failpoint at which this step is killed next, and what that is called."""
    kills = () if place == NOWHERE else step.kills
    return next(
        ((_wish(kill, place), name) for kill in kills if (name := _name(step, kill, place)) not in killed), None
    )


def _wish(kill: str, place: str) -> str:
    return kill if kill in list(Point) else f"{place}@{kill}"


def _name(step: Step, kill: str, place: str) -> str:
    return f"{step.name}: {_wish(kill, place)}"


async def live(folder: Path, story: list[Step], place: str, life: Life, tell: Callable[[object], None]) -> None:
    """Go on with the story until its end, or until killed."""
    watched = story[0].watched
    clock = SetClock(T0 - 4 * MINUTE) if watched else FakeClock()
    if life.now is not None:
        clock.set(life.now)
    if isinstance(clock, SetClock):
        clock.step(life.drift)
    vigils: list[Vigil] = []

    def arm(step: Step) -> None:
        wish, name = next_kill(step, life.kills, place) or (None, None)
        tell(("armed", name))
        failpoint.arm(wish, allowed=True)

    if life.step < len(story):
        arm(story[life.step])  # before the hall takes up what was interrupted
    made = over(clock, vigils) if isinstance(clock, SetClock) else None
    async with a_shell(folder, clock, watched=made) as hall:
        stage = Stage(hall, clock, life, tell, vigils)
        for number in range(life.step, len(story)):
            step = story[number]
            stage.name = step.name
            arm(step)
            await step.play(stage)
            tell(("done", number + 1))
        failpoint.arm(None, allowed=True)


def play(folder: Path, story: list[Step], place: str) -> Life:
    """Play it to the end and return how it went."""
    life, armed = Life(), None
    while True:
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(ours)
            _die_after(live(folder, story, place, life, partial(_write, theirs)))
        os.close(theirs)
        with os.fdopen(ours, "rb") as told:
            for line in told:
                if not line.endswith(b"\n"):
                    break  # killed in the middle of a word
                match pickle.loads(base64.b64decode(line)):
                    case ("knows", key, value):
                        life.memory[key] = value
                    case ("told", key, digests):
                        life.told.append((key, digests))
                    case ("holds", statement):
                        life.statements.append(statement)
                    case ("now", moment):
                        life.now = moment
                    case ("drift", drift):
                        life.drift = drift
                    case ("done", number):
                        life.step = number
                    case ("armed", name):
                        armed = name
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            if os.WEXITSTATUS(status):
                raise RuntimeError(f"the hall failed after {life.kills[-1:]} in step {story[life.step].name!r}")
            return life
        assert os.WTERMSIG(status) == signal.SIGKILL
        assert armed is not None
        life.kills.append(armed)


def _die_after(work: Coroutine[Any, Any, None]) -> NoReturn:
    try:
        asyncio.run(work)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def _write(to: int, said: object) -> None:
    line = memoryview(base64.b64encode(pickle.dumps(said)) + b"\n")
    while line:
        line = line[os.write(to, line) :]


def acts(folder: Path) -> list[str]:
    """Return who did what, stream by stream, as it lies in the database."""
    with closing(sqlite3.connect(folder / "kaibiao.db")) as database:
        rows = database.execute("SELECT stream, type, role, actor FROM events ORDER BY stream, number").fetchall()
    return [" ".join(row) for row in rows]


def main() -> None:
    from tests.support.killed_stories import PRICES, STORIES, a_bid

    for line in sys.stdin:
        folder, name, place, only = json.loads(line)
        story = [step if step.name in only or not only else replace(step, kills=()) for step in STORIES[name]()]
        life = play(Path(folder), story, place)
        expected = [] if place == NOWHERE else [_name(step, kill, place) for step in story for kill in step.kills]
        answer = {
            "kills": life.kills,
            "expected": expected,
            "told": life.told,
            "statements": life.statements,
            "acts": acts(Path(folder)),
            "prices": {a_bid(name).bidder.id: price for name, price in PRICES.items()},
        }
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
