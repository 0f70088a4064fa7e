"""What every bench says about the machine it ran on, and the few things it asks of it (Linux)."""

from __future__ import annotations

import os
import platform
import re
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sessions.clock import SystemClock

BUSY: Final = 1.5
"""The load average above which figures may show the neighbours rather than us."""

_ROOT: Final = Path(__file__).parents[2]


def describe() -> dict[str, Any]:
    """Return machine, commit and load as members of a report. Call before measuring: our own work is load too."""
    load = os.getloadavg()[0]
    report = {
        "machine": _machine(),
        "commit": _commit(),
        "date": SystemClock().now().date().isoformat(),
        "command": " ".join(["kaibiao", *sys.argv[1:]]),
        "load_average": round(load, 2),
    }
    if load > BUSY:
        report["note"] = f"load average {load:.1f} at the start: others were using this machine"
    return report


def heading(report: Mapping[str, Any]) -> str:
    """Return the lines that stand above a table."""
    lines = [report["machine"], f"commit {report['commit']}", report.get("note"), report["what"]]
    return "\n".join(line for line in lines if line) + "\n\n"


def free_port() -> int:
    """Return a loopback port that nobody listens on just now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def cpu_seconds(pid: int) -> float:
    """Return the processor seconds of a process, ended threads included: its clock of clock_getcpuclockid(3)."""
    return time.clock_gettime(~pid << 3 | 2)


def scheduled(pid: int) -> tuple[float, float]:
    """Return how many seconds the threads of a process ran and waited for a core (/proc/PID/task/*/schedstat)."""
    return _summed(Path(f"/proc/{pid}/task").glob("*/schedstat"))


def scheduled_here() -> tuple[float, float]:
    """Return the same of this very thread."""
    return _summed([Path("/proc/thread-self/schedstat")])


def _summed(files: Iterable[Path]) -> tuple[float, float]:
    ran = waited = 0
    for each in files:
        fields = each.read_text("ascii").split()
        ran, waited = ran + int(fields[0]), waited + int(fields[1])
    return ran / 1e9, waited / 1e9


def resident(pid: int) -> int:
    """Return how many bytes of memory a process holds (proc(5), statm)."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def family(pid: int) -> tuple[int, ...]:
    """Return a process and all that it started, directly or not, and that still run."""
    found = [pid]
    for each in found:
        for task in Path(f"/proc/{each}/task").glob("[0-9]*"):
            with suppress(OSError):  # it ended
                found += map(int, (task / "children").read_text("ascii").split())
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a family of processes has used so far: processor seconds, seconds it stood in line for a core, bytes."""

    cpu: float
    waited: float
    memory: int

    def since(self, before: Spent) -> Spent:
        """Return what was used since; the memory as it is now."""
        return Spent(cpu=self.cpu - before.cpu, waited=self.waited - before.waited, memory=self.memory)


def spent(pid: int) -> Spent:
    """Return what a process and its children have used (proc(5): task/TID/schedstat; of those that ended, stat)."""
    cpu = waited = memory = 0
    for each in family(pid):
        with suppress(OSError):
            memory += resident(each)
            ended = Path(f"/proc/{each}/stat").read_text("ascii").rpartition(")")[2].split()[13:15]
            cpu += sum(map(int, ended)) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
        for task in Path(f"/proc/{each}/task").glob("[0-9]*"):
            with suppress(OSError):
                ran, stood, _ = (task / "schedstat").read_text("ascii").split()
                cpu, waited = cpu + int(ran), waited + int(stood)
    return Spent(cpu=cpu / 1e9, waited=waited / 1e9, memory=memory)


def cores() -> tuple[int, int]:
    """Return a core for who is measured and another for who measures; the same one where there is no second."""
    ours = sorted(os.sched_getaffinity(0))
    return ours[0], ours[-1]


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Keep this thread on one core, where the machine lets us."""
    before = os.sched_getaffinity(0)
    with suppress(OSError):
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, before)


def allow_descriptors(count: int) -> None:
    """Let this process and its children open ``count`` files; raise OSError if the machine does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise OSError(f"{count} open files are needed and {hard} allowed: raise `ulimit -Hn`, or ask for less")
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def _machine() -> str:
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text("utf-8"))
    return f"{os.cpu_count()} cores, {model[1] if model else platform.machine()}, Python {platform.python_version()}"


def _commit() -> str:
    """Return the commit of this checkout, with + when files differ from it."""
    if not (_ROOT / ".git").exists():
        return "unknown: an installed package"
    with suppress(OSError, subprocess.CalledProcessError):
        words = ("git", "-C", str(_ROOT), "describe", "--always", "--dirty=+", "--exclude=*")
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603  (our own words)
    return "unknown: git did not say"
