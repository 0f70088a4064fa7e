"""The n-th statement, commit, read or fsync fails, for every n: the opening goes on, and ends as if it had not.

People try again what failed. A failed fsync is not tried again: it ends the process, and the next one goes on.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from sessions.acts import submission
from sessions.barrier import work
from sessions.chaining import Head, check
from sessions.events import Stream
from sessions.opening import evolve
from sessions.store import failing
from sessions.store.blobs import FolderBlobs
from sessions.store.database import Database
from tests.support.ceremony import a_plan
from tests.support.fake_clock import FakeClock
from tests.support.killed import Life, Stage, Step, acts
from tests.support.killed_stories import STORIES
from tests.support.shell import SESSION, a_shell

pytestmark = pytest.mark.solo("its own disk fails under SQLite and a folder")
TRIES = 3
KINDS = {"execute", "commit", "fsync", "open"}


class Stopped(BaseException):
    """In place of the process's end."""


class Disk:
    """Counts what is asked of it, and fails once."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.fails_at = fails_at
        self.count = 0
        self.failed = ""
        self.stopped = False

    def ask(self, what: str) -> None:
        self.count += 1
        if self.count == self.fails_at:
            self.failed = what
            if what not in ("execute", "commit"):
                raise OSError(errno.EIO, "the disk failed")
            raise OperationalError(what, None, sqlite3.OperationalError("disk I/O error"))

    def stop(self) -> None:
        self.stopped = True
        raise Stopped


@contextmanager
def failing_disk(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    fsync, opening, make = os.fsync, FolderBlobs.open, Database.__init__

    def asked_fsync(handle: int) -> None:
        disk.ask("fsync" if "/bids" in os.readlink(f"/proc/self/fd/{handle}") else "fsync of a key")
        fsync(handle)

    def asked_open(self: FolderBlobs, name: str) -> Any:
        disk.ask("open")
        return opening(self, name)

    def asked_database(self: Database, url: str, **more: Any) -> None:
        make(self, url, **more)
        engine = self.engine.sync_engine
        event.listen(engine, "before_cursor_execute", lambda *_: disk.ask("execute"))
        event.listen(engine, "commit", lambda _: disk.ask("commit"))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", asked_fsync)
        patch.setattr(FolderBlobs, "open", asked_open)
        patch.setattr(Database, "__init__", asked_database)
        patch.setattr(failing, "stop", disk.stop)
        patch.setattr(submission, "RESTS", (0.01,) * 4)
        patch.setattr(work, "FIRST_REST", 0.01)
        yield


async def play(folder: Path, story: list[Step]) -> None:
    """Play it to its end; whatever fails is tried again, and whoever stopped starts again."""
    life, clock = Life(), FakeClock()
    shutil.copytree(folder.parent / "empty", folder)
    while life.step < len(story):
        try:
            async with a_shell(folder, clock) as hall:
                stage = Stage(hall, clock, life, lambda _: None, [])
                while life.step < len(story):
                    step = story[life.step]
                    stage.name = step.name
                    for left in reversed(range(TRIES)):
                        try:
                            await step.play(stage)
                            break
                        except (OSError, OperationalError):
                            if not left:
                                raise
                    life.step += 1
        except (Stopped, OSError, OperationalError):
            continue  # it ended, or did not even start


async def what_must_hold(folder: Path, undisturbed: list[str]) -> None:
    assert without_failed_tries(acts(folder)) == without_failed_tries(undisturbed)
    async with a_shell(folder, FakeClock(), start=False) as hall:
        for stream in Stream:
            log = await hall.sessions.events(SESSION, stream)
            assert check(Head(), log).number == len(log)
        replayed = None
        for record in await hall.sessions.events(SESSION):
            replayed = evolve(replayed, record)
        assert replayed == await hall.state()


def without_failed_tries(acts: list[str]) -> list[str]:
    """A key that the hall could not check is on record as its own failure, and is handed over again."""
    return [act for act in acts if "AttemptFailed" not in act]


async def every(story: str, stride: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Let every ``stride``-th I/O of a story fail, each in an opening of its own; return the kinds that failed."""
    (folder / "empty").mkdir()
    async with a_shell(folder / "empty"):  # its tables and its key
        pass
    whole, failed = Disk(), set()
    with failing_disk(whole, monkeypatch):
        await play(folder / "whole", STORIES[story]())
    undisturbed = acts(folder / "whole")
    for number in range(1, whole.count + 1, stride):
        disk = Disk(fails_at=number)
        with failing_disk(disk, monkeypatch):
            await play(folder / str(number), STORIES[story]())
        assert disk.failed, number
        assert disk.stopped == (disk.failed == "fsync"), number
        await what_must_hold(folder / str(number), undisturbed)
        failed.add(disk.failed)
    return failed


@pytest.mark.slow
async def test_whatever_fails_once_an_opening_that_is_called_off_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await every("called_off", 1, tmp_path, monkeypatch) == KINDS


@pytest.mark.slow
async def test_whatever_fails_once_of_every_thirtieth_a_whole_opening_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await every("whole", 30, tmp_path, monkeypatch) >= {"execute", "commit"}


async def test_a_database_that_could_not_be_made_durable_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[bool] = []
    monkeypatch.setattr(failing, "stop", lambda: stopped.append(True))
    async with a_shell(tmp_path) as hall:

        def fails(_: object) -> None:
            lost = sqlite3.OperationalError("disk I/O error")
            lost.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise OperationalError("COMMIT", None, lost)

        event.listen(hall.database.engine.sync_engine, "commit", fails, once=True)
        with pytest.raises(OperationalError):
            await hall.sessions.create(a_plan())
    assert stopped == [True]


def test_the_process_ends_at_once_with_the_status_of_an_io_error() -> None:
    code = "from sessions.store import failing; failing.stop()"
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert ended.returncode == failing.CODE
