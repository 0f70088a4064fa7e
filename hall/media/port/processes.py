"""The media processes of a machine, started and started again: whoever serves the hall keeps them alive.

They end with the one who started them, however that went: each holds the reading end of a pipe that nobody writes
to. One that dies is started again after a rest that grows; nothing else waits for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import os
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping, Sequence
from typing import Final

FIRST_REST: Final = 0.5
LONGEST_REST: Final = 30.0
STEADY: Final = 30.0
"""Seconds after which a process is not one that dies over and over."""

PATIENCE: Final = 10.0
"""Seconds a process has to end."""

NEEDED: Final = ("aiortc", "av", "PIL", "pypinyin", "espeakng_loader")

_log = logging.getLogger(__name__)


def installed() -> bool:
    """Return whether the extra ``media`` is installed. Nothing of it is loaded."""
    return all(importlib.util.find_spec(name) is not None for name in NEEDED)


class Processes:
    """Keeps one process a name alive while ``run`` runs."""

    def __init__(self, commands: Mapping[str, Sequence[str]]) -> None:
        """``commands``: how each is started; the number of its lifeline comes last."""
        self._commands = commands
        self.running: dict[str, Process] = {}

    async def run(self) -> None:
        """Keep them alive until cancelled; then end them."""
        lifeline, held = os.pipe()
        try:
            async with asyncio.TaskGroup() as keeping:
                for name in self._commands:
                    keeping.create_task(self._keep(name, lifeline))
        finally:
            os.close(lifeline)
            os.close(held)

    async def _keep(self, name: str, lifeline: int) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            began = loop.time()
            # A session of its own: a Ctrl-C at the terminal is for whoever started it, who then ends it in order.
            process = await asyncio.create_subprocess_exec(
                *self._commands[name], str(lifeline), pass_fds=(lifeline,), start_new_session=True
            )
            self.running[name] = process
            try:
                code = await process.wait()
            finally:
                del self.running[name]
                await _end(process)
            failures = 0 if loop.time() - began > STEADY else failures + 1
            _log.warning("a media process died", extra={"name_of_process": name, "code": code})
            await asyncio.sleep(min(FIRST_REST * 2 ** (failures - 1), LONGEST_REST) if failures else FIRST_REST)


def watch(lifeline: int, alone: Callable[[], object]) -> None:
    """In a media process: call ``alone`` when whoever started it is gone; with the event loop running."""
    loop = asyncio.get_running_loop()

    def ended() -> None:
        loop.remove_reader(lifeline)
        alone()

    loop.add_reader(lifeline, ended)


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(PATIENCE):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def killed(process: Process) -> None:
    """End a process at once, and wait for its end and those of its pipes, which nobody else may be reading."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    if (pipe := process.stdin) is not None:
        if not pipe.is_closing():
            pipe.transport.abort()  # what waits in it goes nowhere
        with contextlib.suppress(OSError):
            await pipe.wait_closed()
    await process.communicate()
