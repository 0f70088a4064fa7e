"""The supervisor over small programs that stand in for workers: what it starts, starts again, drains and gives up."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from web.serving import supervisor
from web.serving.supervisor import Berth, GaveUp, Supervisor, listen

WORKER = """
import json, os, signal, sys, time
folder, berth = sys.argv[1], json.loads(sys.argv[2])
def note(what):
    with open(f"{folder}/notes", "a") as notes:
        notes.write(json.dumps([what, berth["slot"], os.getpid(), berth["name"], berth["instead_of"]]) + chr(10))
def go(*_):
    note("drained")
    sys.exit(0)
signal.signal(signal.SIGTERM, go)
if os.path.exists(f"{folder}/broken"):
    sys.exit(3)
note("began")
os.write(berth["ready"], b"1")
while True:
    time.sleep(0.05)
"""


class Notes:
    """What the workers wrote down."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "notes"

    def of(self, what: str) -> list[tuple[int, int, str, str | None]]:
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        return [(slot, pid, name, of) for said, slot, pid, name, of in map(json.loads, lines) if said == what]


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@asynccontextmanager
async def supervised(folder: Path, count: int = 2) -> AsyncIterator[tuple[Notes, asyncio.Task[None]]]:
    def command(berth: Berth) -> list[str]:
        return [sys.executable, "-c", WORKER, str(folder), berth.to_text()]

    with listen("127.0.0.1", 0, 16) as door:
        running = asyncio.create_task(Supervisor(command, door, count).run())
        try:
            yield Notes(folder), running
        finally:
            if not running.done():
                os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.gather(running, return_exceptions=True)


async def test_told_to_stop_it_lets_every_worker_finish(tmp_path: Path) -> None:
    async with supervised(tmp_path, 3) as (notes, running):
        await until(lambda: len(notes.of("began")) == 3)
        os.kill(os.getpid(), signal.SIGTERM)
        await running
    assert {slot for slot, *_ in notes.of("drained")} == {0, 1, 2}


async def test_a_worker_that_dies_is_replaced_by_one_that_stands_in_for_it(tmp_path: Path) -> None:
    async with supervised(tmp_path) as (notes, _):
        await until(lambda: len(notes.of("began")) == 2)
        slot, pid, name, _none = notes.of("began")[0]
        os.kill(pid, signal.SIGKILL)
        await until(lambda: len(notes.of("began")) == 3)
        assert (notes.of("began")[2][0], notes.of("began")[2][3]) == (slot, name)


async def test_a_hangup_replaces_them_one_by_one(tmp_path: Path) -> None:
    async with supervised(tmp_path) as (notes, _):
        await until(lambda: len(notes.of("began")) == 2)
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: len(notes.of("began")) == 4)
    said = [json.loads(line)[:2] for line in (tmp_path / "notes").read_text().splitlines()]
    assert said[2:6] == [["drained", 0], ["began", 0], ["drained", 1], ["began", 1]]


async def test_when_nothing_begins_to_serve_it_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_REST", 0.001)
    (tmp_path / "broken").touch()
    async with supervised(tmp_path, 1) as (notes, running):
        with pytest.raises(GaveUp):
            await running
    assert notes.of("began") == []


def test_a_berth_reads_what_it_wrote() -> None:
    berth = Berth(slot=1, listening=3, ready=4, lifeline=5, name="a", instead_of=None)
    assert Berth.read(berth.to_text()) == berth
