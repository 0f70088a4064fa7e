"""What ``kaibiao doctor`` finds about the database: its form, what guards the log in it, and whether commits last."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_address
from typing import Final

from sqlalchemy.engine import make_url

from sessions.store.database import CONNECTIONS, SIGNS, Database, DatabaseRefused, DatabaseSilent
from sessions.store.grants import Server, ask, unguarded
from sessions.store.integrity import DatabaseDamaged, chained, readable
from sessions.store.migrations import NoMigrations, pending
from web.cli.finding import Finding
from web.settings import Settings

OLDEST: Final = 140000
"""PostgreSQL 14: the tests run on 15, and what is older has no support."""

_ABOUT: Final = "Database"


async def about_database(settings: Settings) -> AsyncIterator[Finding]:
    """Yield every finding about the database, or the one that keeps it from being asked."""
    try:
        database = Database(settings.database)
    except DatabaseRefused as error:
        yield Finding(about=_ABOUT, found=str(error), fix=f"Correct it: {error.hint}.")
        return
    try:
        await readable(database)
        await database.reach()
        behind = await pending(database)
        yield Finding(
            about=_ABOUT,
            found="an older form, or empty" if behind else "as this version needs it",
            fix="Run `kaibiao migrate`." if behind else "",
        )
        if not behind:
            yield guarded(await unguarded(database))
            await chained(database)
            yield Finding(about=_ABOUT, found="the chains of the openings that are not over hold")
        if database.shared and not behind:
            for finding in server(await ask(database), settings):
                yield finding
    except NoMigrations as error:
        yield Finding(about=_ABOUT, found=str(error), fix="Install kaibiao again.")
    except DatabaseDamaged as error:
        yield Finding(about=_ABOUT, found=str(error), fix=f"{error.hint.capitalize()}.")
    except DatabaseSilent as error:
        yield Finding(about=_ABOUT, found=str(error), fix=f"{error.hint.capitalize()}.")
    finally:
        await database.close()


def guarded(missing: tuple[str, ...]) -> Finding:
    """Look whether the triggers stand that keep the log from being changed."""
    if not missing:
        return Finding(about=_ABOUT, found="triggers keep the log append-only")
    found = f"the log can be changed: {', '.join(missing)} missing or switched off"
    return Finding(
        about=_ABOUT, found=found, fix="Find out who dropped them, then restore the database from a backup."
    )


def server(said: Server, settings: Settings) -> Iterator[Finding]:
    """Look at what PostgreSQL says of itself. A rehearsal may do without what only an attacker would use."""
    rehearsal = settings.rehearsal_allowed
    fix = "" if said.number >= OLDEST else "Upgrade to PostgreSQL 14 or newer."
    yield Finding(about="PostgreSQL", found=said.version, fix=fix)
    if said.fsync and said.full_page_writes:
        yield Finding(about="PostgreSQL", found="a commit is on its disk when it returns")
    else:
        off = " and ".join(name for name in ("fsync", "full_page_writes") if not getattr(said, name))
        fix = "Turn it on (postgresql.conf): a power cut would take back what was acknowledged."
        yield Finding(about="PostgreSQL", found=f"{off} is off", fix=fix)
    need = settings.workers * (CONNECTIONS + SIGNS) + 5
    fix = "" if said.connections >= need else f"Set max_connections to {need} or more."
    yield Finding(about="PostgreSQL", found=f"{said.connections} connections, {need} may be needed", fix=fix)
    if said.encrypted or _on_this_machine(settings):
        yield Finding(about="PostgreSQL", found="the way to it is encrypted, or on this machine")
    else:
        fix = "" if rehearsal else "Add ?ssl=verify-full to database_url, and let the server have a certificate."
        yield Finding(about="PostgreSQL", found="the way to it is in the clear", fix=fix)
    if said.owns:
        fix = "" if rehearsal else "Serve as another role: as the owner run `kaibiao migrate --serve-as ROLE`."
        yield Finding(about="PostgreSQL", found="this role may drop the triggers that keep the log", fix=fix)
    else:
        yield Finding(about="PostgreSQL", found="this role can add to the log, and nothing else")


def _on_this_machine(settings: Settings) -> bool:
    host = make_url(settings.database).host
    try:
        return host is None or host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
