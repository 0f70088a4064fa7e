"""Nothing acknowledged is ever lost, whenever the process is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from sessions.chaining import Head, check
from sessions.clock import SystemClock
from sessions.events import SupervisorNoted
from tests.support.ceremony import a_plan
from tests.support.shell import SESSION, a_shell

ROOT = Path(__file__).resolve().parents[2]


async def a_session_long_before_t0(folder: Path) -> None:
    deadline = (SystemClock().now() + timedelta(days=30)).replace(microsecond=0)
    async with a_shell(folder, SystemClock()) as hall:
        await hall.sessions.create(a_plan(deadline=deadline.strftime("%Y-%m-%dT%H:%M:%SZ")))


def start(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    script = Path(__file__).with_name("a_writer.py")
    command = [sys.executable, str(script), str(folder), *options]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE)


async def told(folder: Path) -> dict[int, str]:
    """Return number and text of every note in the log, whose chain must hold."""
    async with a_shell(folder, SystemClock()) as hall:
        log = await hall.sessions.events(SESSION)
        assert check(Head(), log).number == len(log)
        assert len((await hall.state()).notes) == len(log) - 1
        return {r.number: r.event.private["text"] for r in log if isinstance(r.event, SupervisorNoted)}


@pytest.mark.parametrize("acknowledged", [1, 40, 400])
async def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path, acknowledged: int) -> None:
    await a_session_long_before_t0(tmp_path)
    with start(tmp_path) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(acknowledged)]
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()
    assert writer.returncode == -signal.SIGKILL
    kept = await told(tmp_path)
    whole = [line.decode().split() for line in lines if line.endswith(b"\n")]
    assert len(whole) >= acknowledged
    assert [(number, text) for number, text in whole if kept.get(int(number)) != text] == []


async def test_a_writer_killed_between_commit_and_announcement_lost_nothing(tmp_path: Path) -> None:
    await a_session_long_before_t0(tmp_path)
    with start(tmp_path, "--die-at", "100") as writer:
        assert writer.stdout is not None
        lines = [line.decode().split() for line in writer.stdout.readlines()]
    assert writer.returncode == -signal.SIGKILL
    kept = await told(tmp_path)
    assert max(kept) >= 100
    assert all(kept[int(number)] == text for number, text in lines)
