"""``kaibiao keys``: the hall's own keys, and new ones. Run it where the data are; a serving hall need not stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sessions.keys.hallkey import HallKeys
from sessions.store.database import Database
from sessions.store.masterkey import MasterKeys
from sessions.store.migrations import pending
from sessions.store.resealing import StillInUse, reseal, retire, under
from web.refused import Refused
from web.settings import Settings, load

app = typer.Typer(help="The hall's own keys: list, rotate, retire.", no_args_is_help=True)

Config = Annotated[Path | None, typer.Option("--config", help="TOML file with settings (docs/settings.md).")]


class Which(StrEnum):
    """The keys that can be rotated."""

    HALL = "hall"  # signs
    MASTER = "master"  # seals what is stored


class Retirable(StrEnum):
    """The keys that can be deleted: every hall key is needed as long as its archives are asked for."""

    MASTER = "master"


def register(kaibiao: typer.Typer) -> None:
    """Add the commands of this module to the command line."""
    kaibiao.add_typer(app, name="keys")


@app.command("list")
def every(*, config: Config = None) -> None:
    """List the keys: hall keys by their kid, master keys with how much is sealed under each."""

    async def listed(settings: Settings, database: Database) -> None:
        for place, key in enumerate(HallKeys.in_folder(settings.data_dir).public, start=1):
            typer.echo(f"hall {place}\t{key.kid}")
        for number, count in sorted((await under(database, MasterKeys(settings.data_dir))).items(), key=str):
            typer.echo(f"master {number}\t{count} sealed" if number else f"no key\t{count} that do not open")

    _run(config, listed)


@app.command("rotate")
def rotate(which: Which, *, config: Config = None) -> None:
    """Make a new key, which is used from now on. The old ones stay.

    hall: openings that were announced keep their key to the end; the old key endorses the new one. Give witnesses the
    new one as well (/api/v1/log-key). master: follow with `kaibiao keys reseal` and `kaibiao keys retire master`.
    """

    async def rotated(settings: Settings, _: Database) -> None:
        match which:
            case Which.HALL:
                typer.echo(f"hall key {HallKeys.in_folder(settings.data_dir).rotate().public.kid}")
            case Which.MASTER:
                typer.echo(f"master key {MasterKeys(settings.data_dir).rotate()}")
        typer.echo("Back the data folder's keys up now.", err=True)

    _run(config, rotated)


@app.command("reseal")
def reseal_command(*, config: Config = None) -> None:
    """Seal every stored secret anew under the newest master key. If it is interrupted, run it again."""

    async def resealed(settings: Settings, database: Database) -> None:
        done = await reseal(database, MasterKeys(settings.data_dir))
        typer.echo(f"{done.anew} secrets were sealed anew.", err=True)
        if done.damaged:
            raise Refused(
                f"{len(done.damaged)} open under no key that is here: {', '.join(done.damaged[:5])}",
                "Put the master key they were sealed with back from the backup, and run this again.",
            )

    _run(config, resealed)


@app.command("retire")
def retire_command(which: Retirable, *, config: Config = None) -> None:
    """Delete all master keys but the newest, if nothing is sealed under them any more.

    Backups of the database from before still need them: keep the old keys with those, and nowhere else.
    """

    async def retired(settings: Settings, database: Database) -> None:
        try:
            gone = await retire(database, MasterKeys(settings.data_dir))
        except StillInUse as error:
            raise Refused(f"{str(error).capitalize()}.", f"{StillInUse.hint.capitalize()}.") from None
        typer.echo(f"{len(gone)} {which} keys were deleted.", err=True)

    _run(config, retired)


def _run(config: Path | None, act: Callable[[Settings, Database], Awaitable[None]]) -> None:
    async def run() -> None:
        settings = load(config)
        async with _database(settings) as database:
            await act(settings, database)

    asyncio.run(run())


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.database)
    try:
        if not settings.data_dir.is_dir() or await pending(database):
            raise Refused("There is no hall here, or its database is of an older form.", "Run `kaibiao migrate`.")
        yield database
    finally:
        await database.close()
