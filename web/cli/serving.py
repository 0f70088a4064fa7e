"""``kaibiao serve``, ``migrate`` and ``doctor``: the operator's commands."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
import uvicorn

from hall.media.port.processes import Processes
from sessions.clock import SystemClock
from sessions.errors import Unanswered
from sessions.store.database import Database
from sessions.store.grants import grant
from sessions.store.integrity import AT_START, chained, readable, written_down
from sessions.store.migrations import migrate, pending
from web.app import create_app
from web.bootstrap import NotMigrated, Place, Services, build
from web.cli.doctor import examine
from web.cli.media import processes
from web.cli.refused import Refused
from web.cli.supervisor import Berth, GaveUp, Supervisor, again, listen
from web.door.gate import HallGate, through
from web.process.descriptors import allowed
from web.process.notify import Notifier
from web.settings import Settings, load

Config = Annotated[Path | None, typer.Option("--config", help="TOML file with settings (docs/settings.md).")]

OURS = ("crypto", "sessions", "hall", "web")
"""Whose loggers follow `log_level` down to debug."""

BACKLOG = 4096
"""Connections that may wait to be accepted: at T0 a crowd comes at once."""

SWITCH = 0.0005
"""Seconds that a thread may keep the interpreter from the event loop. A fan-out is a system call for each reader, and
after each of them bids that are being checked may take their turn: 5 ms, Python's own, make it six times as long."""


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
    server = HallServer(services)

    def begun() -> None:
        settle()
        berth.serves()
        berth.watch(server.stop)

    server.begun = begun
    server.run(sockets=[berth.socket()])


def settle() -> None:
    """Let the garbage collector look no more at what stays as long as we serve: code, tables, templates.

    A full collection of a hall that just started looked at 198,000 objects for 60 to 130 ms, in which no reader hears
    anything, and a crowd that comes causes several. After this it looks at what is new since: at first nothing.

    Done again some seconds before each opening time: its own work makes the collector look, while all wait for it.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


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


class HallServer(uvicorn.Server):
    """A server that sends readers home as it begins to stop: a stream would otherwise be waited for."""

    begun: Callable[[], object] | None = None
    """Called once it listens."""

    def __init__(
        self, services: Services, *, beside: Callable[[str], Processes | None] | None = None, **more: Any
    ) -> None:
        """``more`` goes to ``uvicorn.Config``, over what ``SERVER`` says.

        ``beside`` returns the media processes to keep alive, for the address at which this hall is reached.
        """
        address = {"host": services.settings.host, "port": services.settings.port}
        super().__init__(
            uvicorn.Config(
                create_app(services),
                **(SERVER | {"http": through(HallGate(services, descriptors=allowed()))} | address | more),
            )
        )
        self._services = services
        self._notifier = Notifier()
        self._beside = beside
        self._media: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and tell systemd once it is so."""
        await super().startup(sockets)
        if self.started:
            self._notifier.ready()
            if self.begun is not None:
                self.begun()
            if self._beside is not None:
                host, port = self.servers[0].sockets[0].getsockname()[:2]
                if (kept := self._beside(reached_at(host, port))) is not None:
                    self._media = asyncio.create_task(kept.run())

    def stop(self) -> None:
        """Begin to stop, as a signal would have it."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: streams end and are resumed elsewhere, requests that have begun are finished."""
        self._notifier.stopping()
        if self._media is not None:
            self._media.cancel()
            await asyncio.wait({self._media})
        await self._services.hub.close()
        await self._services.retire()
        await self._stop_accepting()
        await super().shutdown(sockets)

    async def _stop_accepting(self) -> None:
        """Take no more connections, and let those just taken get as far as being told that the hall stops.

        asyncio forgets, open and unread, a connection whose server closes between ``accept`` and its first callback
        (Python 3.11, ``Server._attach``): whoever is on it would wait for this process to end.
        """
        loop = asyncio.get_running_loop()
        for server in self.servers:
            for door in server.sockets:
                loop.remove_reader(door)
        for _ in range(_TURNS):
            await asyncio.sleep(0)


_TURNS = 3  # of the loop, until an accepted connection stands in the server's list


def reached_at(host: str, port: int) -> str:
    """Return the address at which a program of this machine reaches a hall that listens there."""
    here = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104  # compared, not bound
    return f"http://[{here}]:{port}" if ":" in here else f"http://{here}:{port}"


SERVER: dict[str, Any] = {
    "backlog": BACKLOG,
    "access_log": False,  # addresses of bidders beside moments say who bid
    "log_config": None,
    "server_header": False,
    "date_header": True,
    "proxy_headers": False,  # web.asking.addresses believes only the proxies it was told of
    "ws": "websockets-sansio",
    "ws_max_size": 4096,  # a stream is receive-only
    "ws_per_message_deflate": False,
    "ws_ping_interval": 25.0,
    "timeout_keep_alive": 15,
    "timeout_graceful_shutdown": 10,
    "lifespan": "on",
}
"""How every hall is served; a test serves with the same."""


def log_to(settings: Settings) -> None:
    """Send the logs of this process to the error stream, as readable lines or as JSON."""
    shown: structlog.typing.Processor = structlog.dev.ConsoleRenderer(colors=False)
    if settings.log_format == "json":
        shown = structlog.processors.JSONRenderer(ensure_ascii=False)
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_colour,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _silence_in_a_line,
                structlog.processors.format_exc_info,
                shown,
            ],
            foreign_pre_chain=shared,
        )
    )
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    # Other people's debug lines hold what nobody may read: drivers log every value that is stored, clients every
    # header, cookies included. What we log ourselves we know.
    logging.basicConfig(level=max(level, logging.INFO), handlers=[handler], force=True)
    for package in OURS:
        logging.getLogger(package).setLevel(level)
    for talkative in ("alembic", "httpx"):
        logging.getLogger(talkative).setLevel(max(level, logging.WARNING))
    logging.getLogger("uvicorn.error").addFilter(_tells_no_visitor)


def _tells_no_visitor(record: logging.LogRecord) -> bool:
    """Drop the server's line for each stream, which has its reader's address and query: it tells who follows what."""
    return '"WebSocket ' not in str(record.msg)


def _silence_in_a_line(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Say why the store is silent instead of where we asked it: all ask again at once, and 38 s were 54,000 lines."""
    match event.get("exc_info"):
        case (_, Unanswered(__cause__=cause) as error, _):
            del event["exc_info"]
            event["reason"] = str(getattr(cause, "orig", None) or cause or type(error).__name__).partition("\n")[0]
    return event


def _without_colour(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event.pop("color_message", None)  # uvicorn's second copy of its messages
    return event


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
