"""Media processes are started, started again when they die, and end with whoever started them."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from hall.media.port import processes
from hall.media.port.processes import Processes

STAYS = """
import os, pathlib, sys
pathlib.Path(sys.argv[1]).joinpath(str(os.getpid())).touch()
os.read(int(sys.argv[2]), 1)
"""


async def _born(folder: Path, known: set[str]) -> str:
    while not (new := set(os.listdir(folder)) - known):  # noqa: ASYNC110 - another process makes the file
        await asyncio.sleep(0.02)
    return new.pop()


def _lives(process: str) -> bool:
    """Return whether a process runs: one that ended may stand in the table until somebody asks for its code."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_one_that_is_killed_is_started_again_and_the_other_one_never_notices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "FIRST_REST", 0.01)
    folders = {name: tmp_path / name for name in ("edge", "programme")}
    for folder in folders.values():
        folder.mkdir()
    kept = Processes({name: [sys.executable, "-c", STAYS, str(folder)] for name, folder in folders.items()})
    running = asyncio.create_task(kept.run())
    first, other = await _born(folders["edge"], set()), await _born(folders["programme"], set())
    os.kill(int(first), 9)
    second = await _born(folders["edge"], {first})
    assert os.listdir(folders["programme"]) == [other]
    running.cancel()
    await asyncio.wait({running})
    assert kept.running == {}
    assert not any(_lives(process) for process in (second, other))


async def test_they_end_when_the_one_who_started_them_is_killed(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys; from hall.media.port.processes import Processes\n"
        "asyncio.run(Processes({'edge': [sys.executable, '-c', sys.argv[1], sys.argv[2]]}).run())"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, STAYS, str(tmp_path))
    child = await _born(tmp_path, set())
    parent.kill()
    await parent.wait()
    while _lives(child):  # noqa: ASYNC110 - it is nobody's child any more
        await asyncio.sleep(0.02)
