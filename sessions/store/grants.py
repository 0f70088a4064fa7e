"""What the role that serves may do in PostgreSQL, when another role owns the tables.

Triggers keep the log as it is against everybody but their owner, who could drop them, and superusers. A hall that
serves as a role of its own can add to the log and read it; not even its own mistakes can change it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from sessions.store import tables
from sessions.store.database import Database

APPEND_ONLY: Final = ("events", "entries", "checkpoints", "anchors", "convictions", "proofs")
"""Tables whose triggers refuse every change."""

IN_ORDER: Final = ("events", "entries")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What PostgreSQL says of itself. ``owns``: this role may drop the triggers."""

    version: str
    number: int
    fsync: bool
    full_page_writes: bool
    encrypted: bool
    connections: int
    owns: bool


async def grant(database: Database, role: str) -> None:
    """Let ``role`` serve: read everything, add to the log, change only what is not the log."""
    async with database.writing() as connection:
        named = connection.dialect.identifier_preparer
        who = named.quote(role)
        schema = (await connection.execute(text("SELECT quote_ident(current_schema())"))).scalar_one()
        statements = [
            f"GRANT USAGE ON SCHEMA {schema} TO {who}",
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {who}",
            f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {who}",
            f"GRANT SELECT ON alembic_version TO {who}",
        ]
        for table in tables.metadata.sorted_tables:
            rights = "SELECT, INSERT" if table.name in APPEND_ONLY else "SELECT, INSERT, UPDATE, DELETE"
            statements.append(f"GRANT {rights} ON {named.format_table(table)} TO {who}")
        for statement in statements:
            await connection.execute(text(statement))


async def unguarded(database: Database) -> tuple[str, ...]:
    """Return the triggers that are missing from the database, or do not fire: without them the log can be changed."""
    verbs = ("change", "go", "go_at_once") if database.shared else ("change", "go")
    wanted = {f"{table}_never_{verb}" for table in APPEND_ONLY for verb in verbs}
    wanted |= {f"{table}_come_in_order" for table in IN_ORDER}
    there = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"
    if not database.shared:
        there = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    async with database.reading() as connection:
        return tuple(sorted(wanted.difference((await connection.execute(text(there))).scalars())))


async def ask(database: Database) -> Server:
    """Return what the server says of itself and of this role."""
    owner = (
        "SELECT rolsuper OR pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = 'events'::regclass),"
        " 'MEMBER') FROM pg_roles WHERE rolname = current_user"
    )
    local_or_tls = "SELECT inet_client_addr() IS NULL OR ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    async with database.reading() as connection:

        async def said(statement: str) -> str:
            return str((await connection.execute(text(statement))).scalar_one())

        return Server(
            version=await said("SHOW server_version"),
            number=int(await said("SHOW server_version_num")),
            fsync=await said("SHOW fsync") == "on",
            full_page_writes=await said("SHOW full_page_writes") == "on",
            encrypted=await said(local_or_tls) == "True",
            connections=int(await said("SHOW max_connections")),
            owns=await said(owner) == "True",
        )
