"""A PostgreSQL cluster of this test process's own, with a database for each folder a hall is opened in.

Started when it is first needed, as a user without privileges, on a socket in a folder of its own; gone with the
process. Processes that a test starts find it by the environment. Without fsync, unless a test starts one of its own
with it: what is tested here is what the database promises while the machine stays up.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Thread

from sessions.store.database import Database
from sessions.store.migrations import migrate

CLUSTER = "KAIBIAO_TEST_CLUSTER"
TEMPLATE = "kaibiao"
MOST = 120
"""Databases kept, so that a long run does not fill the disk (8 MB each): the oldest that nobody is in goes first."""


class Cluster:
    """A running cluster. ``folder`` holds its data and its socket."""

    def __init__(
        self, folder: Path, server: subprocess.Popen[bytes] | None = None, *, port: int | None = None
    ) -> None:
        self.folder = folder
        self.server = server
        self.port = port  # on loopback besides, where a test wants to stand between
        self._made: list[str] = []

    @property
    def socket(self) -> str:
        """Where it listens."""
        return str(self.folder / f".s.PGSQL.{self.port or 5432}")

    def url(self, database: str = TEMPLATE, *, user: str = "hall", port: int | None = None) -> str:
        """Return the address of one of its databases: by its socket, or by TCP on this port."""
        if port is not None:
            return f"postgresql+asyncpg://{user}@127.0.0.1:{port}/{database}"
        return f"postgresql+asyncpg://{user}@/{database}?host={self.folder}"

    def database(self, folder: Path, *, migrated: bool = True) -> str:
        """Return the name of the database of a hall in ``folder``; made when it is first asked for."""
        name = "t_" + sha256(str(folder.absolute()).encode()).hexdigest()[:20]
        if name not in self._made and not self.sql(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):
            self.sql(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE if migrated else 'template1'} STRATEGY wal_log")
            self._made.append(name)
            if len(self._made) > MOST:
                self._drop(self._made.pop(0))
        return name

    def _drop(self, name: str) -> None:
        try:
            self.sql(f"DROP DATABASE {name}")
        except RuntimeError:  # in use: its turn comes again
            self._made.append(name)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Let the database's owner say something, and return the answer."""
        command = [tool("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", "hall", "-d", database]
        done = subprocess.run([*command, "-c", statement], check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()

    def stop(self, *, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it, at once unless told otherwise, and leave nothing behind."""
        if self.server is not None:
            self.server.send_signal(how)
            self.server.wait(20)
            self.server = None
            shutil.rmtree(self.folder, ignore_errors=True)


def tool(name: str) -> str:
    """Return the path of one of PostgreSQL's programs; Debian keeps the servers' off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}")) or [Path(shutil.which(name) or name)]
    return str(found[-1])


def start(*, fsync: bool = False, port: int | None = None) -> Cluster:
    """Start a cluster with a migrated template in it."""
    folder = Path(tempfile.mkdtemp(prefix="kaibiao-pg-", dir="/tmp"))  # a socket's path has room for 107 bytes
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    data = folder / "data"
    options = ["-A", "trust", "-U", "hall", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
    making = [*_somebody(), tool("initdb"), "-D", data, *options]
    subprocess.run(making, check=True, capture_output=True, cwd=folder)
    settings = {
        "unix_socket_directories": folder,
        "listen_addresses": "127.0.0.1" if port else "",
        "port": port or 5432,
        "fsync": "on" if fsync else "off",
        "full_page_writes": "on" if fsync else "off",
        "max_connections": 80,
        "shared_buffers": "32MB",
        "max_wal_size": "256MB",
        "autovacuum": "off",
    }
    flags = [f"--{name}={value}" for name, value in settings.items()]
    running = [*_somebody(), tool("postgres"), "-D", data, *flags]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(running, cwd=folder, stdout=subprocess.DEVNULL, stderr=log)
    cluster = Cluster(folder, server, port=port)
    try:
        _wait(cluster)
        cluster.sql(f"CREATE DATABASE {TEMPLATE}")
        _apart(cluster.url())
    except BaseException:
        cluster.stop()
        raise
    return cluster


@cache
def cluster() -> Cluster:
    """Return this process's cluster, or that of the process that started it."""
    if CLUSTER in os.environ:
        return Cluster(Path(os.environ[CLUSTER]))
    started = start()
    os.environ[CLUSTER] = str(started.folder)
    atexit.register(started.stop)
    return started


def _somebody() -> list[str]:
    """PostgreSQL refuses to run as root, and must not outlive the tests, even if they are killed."""
    who = ["--reuid", "postgres", "--regid", "postgres", "--init-groups"] if os.geteuid() == 0 else []
    return ["setpriv", *who, "--pdeathsig", "QUIT"]


def _wait(cluster: Cluster) -> None:
    for _ in range(600):
        try:
            cluster.sql("SELECT 1")
        except RuntimeError:
            assert cluster.server is not None
            if cluster.server.poll() is not None:
                raise RuntimeError((cluster.folder / "log").read_text()) from None
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("PostgreSQL did not start")


def _apart(url: str) -> None:
    """Migrate in a thread of its own: whoever asks may be inside a loop."""

    async def work() -> None:
        database = Database(url)
        await migrate(database)
        await database.close()

    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:
            failed.append(error)

    thread = Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
