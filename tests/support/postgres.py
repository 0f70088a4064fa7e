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
import subprocess
import tempfile
import time
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Thread

from sessions.store.database import Database
from sessions.store.migrations import migrate
from web.bench import postgres

CLUSTER = "KAIBIAO_TEST_CLUSTER"
TEMPLATE = "kaibiao"
MOST = 120
"""Databases kept, so that a long run does not fill the disk (8 MB each): the oldest that nobody is in goes first."""


class Cluster:
    """A running cluster. ``folder`` holds its data and its socket."""

    def __init__(self, folder: Path, server: subprocess.Popen[bytes] | None = None) -> None:
        self.folder = folder
        self.server = server
        self._made: list[str] = []

    @property
    def socket(self) -> str:
        """Where it listens."""
        return str(self.folder / ".s.PGSQL.5432")

    def url(self, database: str = TEMPLATE, *, user: str = postgres.OWNER, port: int | None = None) -> str:
        """Return the address of one of its databases: by its socket, or by a proxy in front of it on this port."""
        if port is not None:
            return f"postgresql+asyncpg://{user}@127.0.0.1:{port}/{database}"
        return postgres.url(self.folder, database, user=user)

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
        return postgres.sql(self.folder, statement, database)

    def stop(self) -> None:
        """Stop it at once, and leave nothing behind."""
        if self.server is not None:
            postgres.stop(self.server)
            self.server = None
            shutil.rmtree(self.folder, ignore_errors=True)


def start(*, fsync: bool = False) -> Cluster:
    """Start a cluster with a migrated template in it, and clear away what killed runs left an hour ago or more."""
    for left in Path("/tmp").glob("kaibiao-pg-*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > 3600 and not (left / "data" / "postmaster.pid").exists():
                shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(prefix="kaibiao-pg-", dir="/tmp"))  # a socket's path has room for 107 bytes
    durable = "on" if fsync else "off"
    try:
        server = postgres.start(
            folder,
            fsync=durable,
            full_page_writes=durable,
            max_connections="80",
            shared_buffers="32MB",
            max_wal_size="256MB",
            autovacuum="off",
        )
    except BaseException:
        shutil.rmtree(folder)
        raise
    cluster = Cluster(folder, server)
    try:
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
