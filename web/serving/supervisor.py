"""Several processes behind one listening socket: started, started again when they die, drained, and rolled.

The supervisor opens the socket once and never touches a connection or the database. A worker that dies is replaced
at once by one that stands in its place (sessions.watch.membership), so that what it led is led again within seconds;
one that dies over and over is given longer and longer rests.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from web.process.notify import Notifier

FIRST_REST: Final = 0.1
LONGEST_REST: Final = 10.0
STEADY: Final = 30.0
"""A worker that lived so long is not one that dies over and over."""

TRIES: Final = 5
"""Starts that may fail in a row before anything has served: then something is wrong that no rest puts right."""

PATIENCE: Final = 60.0
"""Seconds that a worker has to begin to serve, or to drain."""

WATCH: Final = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Berth:
    """What a worker is told at its birth: the sockets it inherits, its name, and whose place it takes."""

    slot: int
    listening: int
    ready: int
    lifeline: int  # ends with the supervisor
    name: str
    instead_of: str | None

    @classmethod
    def read(cls, text: str) -> Berth:
        """Read what ``to_text`` wrote."""
        return cls(**json.loads(text))

    def to_text(self) -> str:
        """Return it as an argument of a command."""
        return json.dumps(asdict(self))

    def serves(self) -> None:
        """Tell the supervisor that this worker has begun to serve."""
        os.write(self.ready, b"1")
        os.close(self.ready)

    def watch(self, alone: Callable[[], object]) -> None:
        """Call ``alone`` when the supervisor is gone, however it went; with the event loop running."""
        loop = asyncio.get_running_loop()

        def ended() -> None:
            loop.remove_reader(self.lifeline)
            alone()

        loop.add_reader(self.lifeline, ended)

    def socket(self) -> socket.socket:
        """Return the socket to listen on."""
        return socket.socket(fileno=self.listening)


class GaveUp(Exception):
    """No worker begins to serve."""

    hint = "what the workers said stands above; `kaibiao doctor` looks at the usual reasons"


@dataclass(slots=True)
class _Child:
    process: Process
    name: str
    began: float


class Supervisor:
    """Keeps ``count`` workers alive until it is told to stop (SIGTERM, SIGINT); rolls them one by one on SIGHUP."""

    def __init__(
        self,
        command: Callable[[Berth], Sequence[str]],
        door: socket.socket,
        count: int,
        beside: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        """``command`` returns how to start a worker in a berth; ``beside`` runs as long as this does."""
        self._beside = beside
        self._command = command
        self._door = door
        self._children: list[_Child | None] = [None] * count
        self._stopping = asyncio.Event()
        self._rolling = asyncio.Lock()
        self._notifier = Notifier()
        self._ready: set[int] = set()
        self._lifeline, self._held = os.pipe()  # nobody writes; the kernel closes it when this process ends

    async def run(self) -> None:
        """Serve until told to stop. Raises GaveUp."""
        loop = asyncio.get_running_loop()
        tasks: set[asyncio.Task[None]] = set()
        for stop in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(stop, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: tasks.add(loop.create_task(self._roll())))
        slots = [loop.create_task(self._keep(slot)) for slot in range(len(self._children))]
        tasks.add(loop.create_task(self._watch()))
        if self._beside is not None:
            tasks.add(loop.create_task(self._beside()))
        try:
            await asyncio.gather(*slots)
        finally:
            self._stopping.set()
            for task in (*slots, *tasks):
                task.cancel()
            await asyncio.gather(*slots, *tasks, return_exceptions=True)
            await asyncio.gather(*(self._end(child) for child in self._children if child is not None))
            os.close(self._lifeline)
            os.close(self._held)

    async def _keep(self, slot: int) -> None:
        """Keep one worker alive."""
        loop = asyncio.get_running_loop()
        gone: str | None = None
        failures, served = 0, False
        while not self._stopping.is_set():
            child = await self._start(slot, gone)
            gone = child.name
            ended = loop.create_task(child.process.wait())
            stopped = loop.create_task(self._stopping.wait())
            await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if self._stopping.is_set():
                await self._end(child)
                return
            served = served or slot in self._ready
            self._ready.discard(slot)
            if child.process.returncode == 0:  # it was asked to go
                failures = 0
                continue
            failures = 0 if loop.time() - child.began > STEADY else failures + 1
            _log.error("a worker died", extra={"slot": slot, "code": child.process.returncode})
            if not served and failures >= TRIES:
                raise GaveUp
            await self._rest(min(FIRST_REST * 2**failures, LONGEST_REST))

    async def _start(self, slot: int, instead_of: str | None) -> _Child:
        ready, says_ready = os.pipe()
        door = self._door.fileno()
        name = secrets.token_hex(8)
        berth = Berth(
            slot=slot,
            listening=door,
            ready=says_ready,
            lifeline=self._lifeline,
            name=name,
            instead_of=instead_of,
        )
        inherited = (door, says_ready, self._lifeline)
        hidden = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")  # whoever started us asks us, not them
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        process = await asyncio.create_subprocess_exec(
            *self._command(berth), pass_fds=inherited, env=environment, start_new_session=True
        )
        os.close(says_ready)
        child = _Child(process, name, asyncio.get_running_loop().time())
        self._children[slot] = child
        try:
            async with asyncio.timeout(PATIENCE):
                if await asyncio.to_thread(os.read, ready, 1):
                    self._ready.add(slot)
                    self._tell()
        except TimeoutError:
            _log.error("a worker does not begin to serve", extra={"slot": slot})
            process.kill()
        finally:
            os.close(ready)
        return child

    async def _end(self, child: _Child) -> None:
        """Let a worker finish what it has begun."""
        if child.process.returncode is None:
            child.process.terminate()
            try:
                async with asyncio.timeout(PATIENCE):
                    await child.process.wait()
            except TimeoutError:
                child.process.kill()
                await child.process.wait()

    async def _roll(self) -> None:
        """Replace the workers one by one: each drains, and the next one goes only when its successor serves."""
        async with self._rolling:
            for slot, old in enumerate(tuple(self._children)):
                if old is None or self._stopping.is_set():
                    return
                await self._end(old)
                while self._children[slot] is old or slot not in self._ready:  # noqa: ASYNC110  # _keep starts it
                    await asyncio.sleep(0.05)
            _log.info("every worker was replaced")

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    def _tell(self) -> None:
        if len(self._ready) == len(self._children):
            self._notifier.ready()
        self._notifier.status(f"{len(self._ready)} of {len(self._children)} workers serve")

    async def _watch(self) -> None:
        """Give systemd its sign of life while anybody serves."""
        while True:
            await asyncio.sleep(WATCH)
            if self._ready and self._notifier.watchdog is not None:
                self._notifier.alive()


def listen(host: str, port: int, backlog: int) -> socket.socket:
    """Return the socket that every worker will accept from."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    door = socket.socket(family)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind((host, port))
    door.listen(backlog)
    door.set_inheritable(True)
    return door


def again(words: Sequence[str], berth: Berth) -> list[str]:
    """Return the command by which a worker starts: this program's own, with ``words``."""
    return [sys.executable, "-m", "web.cli", "serve", *words, "--berth", berth.to_text()]
