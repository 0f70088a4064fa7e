"""Bring a database to the present form: ``alembic/`` in a checkout, its copy ``web/migrations`` in a wheel."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from sessions.store.database import Database

_LOCK = 0x6B616962  # of this program among the advisory locks of a database


class NoMigrations(Exception):
    """The migration scripts are missing from this installation, or are not new enough."""

    hint = "install kaibiao again, in its newest version"

    def __init__(self, sentence: str = "the migration scripts are missing") -> None:
        super().__init__(sentence)


def scripts() -> Path:
    """Return the folder of the migration scripts."""
    home = Path(__file__).resolve().parents[2]
    # The wheel's copy first: beside an installed package, ``alembic`` is the library.
    for folder in (home / "web" / "migrations", home / "alembic"):
        if (folder / "versions").is_dir() and (folder / "env.py").is_file():
            return folder
    raise NoMigrations


async def migrate(database: Database) -> None:
    """Apply what is missing; harmless when nothing is. One transaction: it is all done, or nothing is."""
    async with database.writing() as connection:
        if database.shared:  # of two that migrate at once the second waits, and finds nothing to do
            await connection.execute(text("SET LOCAL statement_timeout = '10min'"))
            await connection.execute(text("SET LOCAL lock_timeout = '1min'"))
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        await connection.run_sync(upgrade)


async def pending(database: Database) -> bool:
    """Return whether ``migrate`` would change something."""
    async with database.reading() as connection:
        return await connection.run_sync(_behind)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the database of a connection in a write transaction to a form; ``head`` is that of this version.

    Raises:
        NoMigrations: the form is not known here.
    """
    try:
        command.upgrade(_config(connection), revision)
    except CommandError as error:
        raise NoMigrations(f"the database's form {revision} is not known to this version") from error


def _behind(connection: Connection) -> bool:
    head = ScriptDirectory.from_config(_config(connection)).get_current_head()
    return MigrationContext.configure(connection).get_current_revision() != head
