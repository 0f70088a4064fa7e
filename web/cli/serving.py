"""``kaibiao serve``, ``migrate`` and ``doctor``: the operator's commands."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from sessions.clock import SystemClock
from sessions.store.database import Database
from sessions.store.grants import grant
from sessions.store.integrity import AT_START, chained, readable, written_down
from sessions.store.migrations import migrate, pending
from web.bootstrap import Place, build
from web.cli.doctor import examine
from web.refused import Refused
from web.services import NotMigrated
from web.serving.logs import log_to
from web.serving.media import processes
from web.serving.server import AT_A_TIME, BACKLOG, SWITCH, HallServer, reached_at, settle
from web.serving.supervisor import Berth, GaveUp, Supervisor, again, listen
from web.settings import Settings, load

Config = Annotated[Path | None, typer.Option("--config", help="TOML file with settings (docs/settings.md).")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to ``app``."""
    app.command("serve")(serve)
    app.command("migrate")(migrate_command)
    app.command("doctor")(doctor)


def serve(
    config: Config = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve.")] = None,
    berth: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Open the hall. Bring the database up to date first: `kaibiao migrate`."""
    settings = load(config, host=host, port=port, workers=workers)
    if berth is not None:
        serve_in(Berth.read(berth), settings)
        return
    if settings.workers > 1 and not settings.team:
        raise Refused(
            "One process serves a hall on SQLite; several need Team mode: PostgreSQL, named by `database_url`.",
            "Leave --workers at 1: one process carries a hall and thousands of readers.",
        )
    if asyncio.run(_is_behind(settings)):
        raise Refused(str(NotMigrated()), "Run `kaibiao migrate`.")
    log_to(settings)
    if settings.workers > 1:
        supervise(settings, config)
    else:
        sys.setswitchinterval(SWITCH)
        services = build(settings)
        services.timekeeper.before_t0 = settle
        server = HallServer(services, beside=partial(processes, settings, config))
        server.begun = settle
        server.run()


def supervise(settings: Settings, config: Path | None) -> None:
    """Serve with several processes until told to stop."""
    with listen(settings.host, settings.port, BACKLOG) as door:
        port = door.getsockname()[1]
        given = ["--config", str(config)] if config is not None else []
        words = [*given, "--host", settings.host, "--port", str(port), "--workers", str(settings.workers)]
        try:
            beside = processes(settings, config, reached_at(settings.host, port))
            run = beside.run if beside is not None else None
            asyncio.run(Supervisor(partial(again, words), door, settings.workers, run).run())
        except GaveUp as error:
            raise Refused("No worker begins to serve.", error.hint) from error


def serve_in(berth: Berth, settings: Settings) -> None:
    """Serve as one of several workers."""
    if settings.metrics_address is not None:
        host, port = settings.metrics_address
        settings = settings.model_copy(update={"metrics_listen": f"{host}:{port and port + berth.slot}"})
    log_to(settings)
    sys.setswitchinterval(SWITCH)
    services = build(settings, place=Place(name=berth.name, instead_of=berth.instead_of))
    services.timekeeper.before_t0 = settle
    server, door = HallServer(services, backlog=AT_A_TIME), berth.socket()

    def begun() -> None:
        door.listen(BACKLOG)  # asyncio has one number for how many it accepts at a time and how many may wait
        settle()
        berth.serves()
        berth.watch(server.stop)

    server.begun = begun
    server.run(sockets=[door])


def migrate_command(
    config: Config = None,
    serve_as: Annotated[
        str | None, typer.Option(help="PostgreSQL: let this role serve, unable to change the log.")
    ] = None,
) -> None:
    """Bring the database to the form this version needs. Harmless when it has it already."""
    settings = load(config)
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    asyncio.run(_migrate(settings, serve_as))
    sys.stderr.write("The database is up to date.\n")


def doctor(config: Config = None) -> None:
    """Look whether this machine, as it is set up, is fit to hold an opening."""
    findings = asyncio.run(examine(load(config), SystemClock()))
    for finding in findings:
        sys.stdout.write(f"{'ok ' if finding.ok else 'fix'}  {finding.about}: {finding.found}\n")
        if not finding.ok:
            sys.stdout.write(f"     {finding.fix}\n")
    unfit = sum(not finding.ok for finding in findings)
    if unfit:
        raise Refused(f"{unfit} of {len(findings)} things need to be put right.", "Do what stands below each `fix`.")
    sys.stderr.write("Fit to hold an opening. Next: kaibiao serve\n")


async def _migrate(settings: Settings, serve_as: str | None) -> None:
    database = Database(settings.database)
    try:
        await database.reach()
        await migrate(database)
        if serve_as is not None:
            if not database.shared:
                raise Refused("SQLite knows no roles.", "Leave --serve-as out.")
            await grant(database, serve_as)
    finally:
        await database.close()


async def _is_behind(settings: Settings) -> bool:
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(settings.database)
    try:
        await readable(database, within=AT_START)
        await database.reach()
        await written_down(database)
        if behind := await pending(database):
            return behind
        await chained(database)
        return False
    finally:
        await database.close()
