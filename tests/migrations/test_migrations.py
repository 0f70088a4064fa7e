"""Migrations: they lead to the tables the code speaks of, from wherever they are installed."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from sessions.store import migrations, tables
from sessions.store.database import Database
from sessions.store.migrations import NoMigrations, migrate, pending, scripts
from tests.support.team import by_hand, database_url

ROOT = Path(__file__).resolve().parents[2]


def database(folder: Path) -> Database:
    return Database(database_url(folder, migrated=False))


async def test_the_migrations_lead_to_the_tables_the_code_speaks_of(tmp_path: Path) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), tables.metadata))

    store = database(tmp_path)
    await migrate(store)
    async with store.reading() as connection:
        assert await connection.run_sync(differences) == []
    await store.close()


async def test_migrating_twice_is_harmless(tmp_path: Path) -> None:
    store = database(tmp_path)
    assert await pending(store)
    await migrate(store)
    await migrate(store)
    assert not await pending(store)
    await store.close()


async def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "web" / "migrations"
    shutil.copytree(ROOT / "alembic", folder)
    newest = ScriptDirectory(str(folder)).get_current_head()
    (folder / "versions" / "9999_breaks.py").write_text(
        f"from alembic import op\nrevision = '9999'\ndown_revision = '{newest}'\n"
        "def upgrade():\n    op.execute('CREATE TABLE half (id INTEGER)')\n    op.execute('nonsense')\n"
    )
    monkeypatch.setattr(migrations, "__file__", str(tmp_path / "sessions" / "store" / "migrations.py"))
    store = database(tmp_path)
    with pytest.raises(Exception, match="nonsense"):
        await migrate(store)
    await store.close()
    with by_hand(tmp_path) as connection:
        assert connection.tables() == []


def test_a_wheels_copy_goes_before_the_library_of_the_same_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "__file__", str(tmp_path / "sessions" / "store" / "migrations.py"))
    (tmp_path / "alembic").mkdir()  # the library, as in site-packages
    with pytest.raises(NoMigrations):
        scripts()
    shutil.copytree(ROOT / "alembic", tmp_path / "web" / "migrations")
    assert scripts() == tmp_path / "web" / "migrations"


@pytest.mark.solo("by hand alembic needs a synchronous driver, and none for PostgreSQL is installed")
def test_alembic_runs_by_hand_too(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'by-hand.db'}"
    command = [sys.executable, "-m", "alembic", "-x", f"url={url}", "upgrade", "head"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with sqlite3.connect(tmp_path / "by-hand.db") as connection:
        newest = ScriptDirectory(str(ROOT / "alembic")).get_current_head()
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(newest,)]
    connection.close()


@pytest.mark.solo("PRAGMA is SQLite's; what PostgreSQL is asked for is in sessions_shell/test_postgresql.py")
@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 10_000)],
)
async def test_every_connection_is_durable_and_strict(tmp_path: Path, pragma: str, value: object) -> None:
    store = database(tmp_path)
    async with store.reading() as one, store.reading() as two:
        for connection in (one, two):
            assert (await connection.execute(text(f"PRAGMA {pragma}"))).scalar() == value
    await store.close()
