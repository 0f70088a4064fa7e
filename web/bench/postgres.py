"""A PostgreSQL cluster for a bench or a test: made, run and removed in a folder of its own, where the programs are.

It runs as ``postgres`` where this process is root, since PostgreSQL refuses to run as that, listens on a socket in
its folder alone, and does not outlive the process that started it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Final
from urllib.parse import parse_qs, urlsplit

OWNER: Final = "hall"
PATIENCE: Final = 600  # twentieths of a second: some 30 s on a busy machine


def tool(name: str) -> str | None:
    """Return the path of one of PostgreSQL's programs, if it is here; Debian keeps the servers' off the path."""
    newest = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return str(newest[-1]) if newest else shutil.which(name)


def url(folder: Path, database: str, *, user: str = OWNER) -> str:
    """Return the address of a database in the cluster at ``folder``."""
    return f"postgresql+asyncpg://{user}@/{database}?host={folder}"


def process(address: str) -> int:
    """Return the process that serves a database whose ``url`` this is."""
    host = parse_qs(urlsplit(address).query)["host"][0]
    return int((Path(host) / "data" / "postmaster.pid").read_text("ascii").split()[0])


def sql(folder: Path, statement: str, database: str = "postgres") -> str:
    """Let the owner of everything say something, and return the answer; raise RuntimeError."""
    command = [tool("psql") or "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", str(folder), "-U", OWNER]
    done = subprocess.run(  # noqa: S603  # our own words
        [*command, "-d", database, "-c", statement], check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.strip()


def start(folder: Path, **settings: str) -> subprocess.Popen[bytes]:
    """Make a cluster in ``folder``, which is empty, and run it; ``settings`` are postgresql.conf's."""
    initdb = tool("initdb")
    if initdb is None:
        raise FileNotFoundError("initdb")
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    options = ["-A", "trust", "-U", OWNER, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
    subprocess.run(  # noqa: S603  # our own words
        [*_plain(), initdb, "-D", str(folder / "data"), *options], check=True, capture_output=True, cwd=folder
    )
    return run(folder, **settings)


def run(folder: Path, **settings: str) -> subprocess.Popen[bytes]:
    """Run the cluster that was made in ``folder``."""
    postgres = tool("postgres") or "postgres"
    flags = ["-D", str(folder / "data"), *(f"--{name}={value}" for name, value in settings.items())]
    flags += [f"--unix_socket_directories={folder}", "--listen_addresses="]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(  # noqa: S603  # our own words
            [*_plain(), postgres, *flags],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    for _ in range(PATIENCE):
        try:
            sql(folder, "SELECT 1")
        except RuntimeError:
            if server.poll() is not None:
                raise RuntimeError((folder / "log").read_text()) from None
            time.sleep(0.05)
        else:
            return server
    stop(server)
    raise RuntimeError("PostgreSQL did not start")


def _plain() -> list[str]:
    who = ["--reuid", "postgres", "--regid", "postgres", "--init-groups"] if os.geteuid() == 0 else []
    return ["setpriv", *who, "--pdeathsig", "QUIT"]


def stop(server: subprocess.Popen[bytes]) -> None:
    """Stop it at once: nobody needs what is in it."""
    server.send_signal(3)  # SIGQUIT: immediate shutdown
    server.wait(20)


@contextmanager
def a_cluster(folder: Path) -> Iterator[str]:
    """Run a cluster with the defaults of PostgreSQL, fsync among them, and give the address of an empty database.

    Its data are on the disk of ``folder``, or, where the path is too long for a socket, of temporary files.
    """
    place = Path(mkdtemp(prefix="pg-", dir=folder if len(str(folder)) < 80 else None))
    for parent in place.parents:
        if not parent.stat().st_mode & 0o001 and os.geteuid() == 0:
            shutil.rmtree(place)
            place = Path(mkdtemp(prefix="kaibiao-pg-"))
            break
    try:
        server = start(place)
        try:
            sql(place, "CREATE DATABASE kaibiao")
            yield url(place, "kaibiao")
        finally:
            stop(server)
    finally:
        shutil.rmtree(place, ignore_errors=True)
