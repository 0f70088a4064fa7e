"""``kaibiao backup`` and ``kaibiao restore``: a hall in one file, and a hall from it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from sessions.backup import keychest
from sessions.backup.archive import BackupRefused, Manifest
from sessions.backup.checking import Kept, faults
from sessions.backup.reading import Backup, restore
from sessions.backup.writing import write
from sessions.clock import SystemClock
from sessions.ports import BlobStore
from sessions.store.checkpoints import SqlCheckpoints
from sessions.store.database import Database
from sessions.store.events import SqlEvents
from sessions.store.intake import SqlIntake
from sessions.store.masterkey import MASTER
from web.bootstrap import blobs
from web.cli.outside import newer_outside
from web.refused import Refused
from web.settings import Settings, load

Config = Annotated[Path | None, typer.Option("--config", help="TOML file with settings (docs/settings.md).")]
Password = Annotated[
    Path | None, typer.Option("--password-file", help="File with the passphrase for the keys, 12 bytes or more.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to ``app``."""
    app.command("backup")(backup_command)
    app.command("restore")(restore_command)


def backup_command(
    to: Annotated[Path, typer.Argument(metavar="DIR|FILE", help="Folder to put the file into, or its name.")],
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Put the hall's private keys in, under the passphrase.")
    ] = False,
    without_recordings: Annotated[
        bool, typer.Option("--without-recordings", help="Leave out what was recorded of openings: the large part.")
    ] = False,
    password_file: Password = None,
    config: Config = None,
) -> None:
    """Write one file with everything this hall keeps, while it serves. Before T0 it tells who bid: guard it."""
    if with_keys != (password_file is not None):
        raise Refused("The keys go into a backup only under a passphrase.", "Give --with-keys and --password-file.")
    settings, clock = load(config), SystemClock()
    out = to / f"kaibiao-{clock.now():%Y%m%dT%H%M%SZ}.zip" if to.is_dir() else to
    passphrase = None if password_file is None else password_file.read_bytes().strip()
    recordings = None if without_recordings else settings.data_dir / "media"
    asyncio.run(_backup(settings, out, passphrase, clock, recordings))


def restore_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    into: Annotated[Path, typer.Option("--into", help="Empty folder: the data_dir of the hall to be.")],
    password_file: Password = None,
    config: Config = None,
) -> None:
    """Make a hall from a backup, in an empty folder and an empty database, and check all of it.

    The database is that of the settings (KAIBIAO_DATABASE_URL for PostgreSQL), else a new SQLite file in DIR: so a
    hall also moves from one to the other.
    """
    settings = load(config, data_dir=into)
    passphrase = None if password_file is None else password_file.read_bytes().strip()
    asyncio.run(_restore(settings, file, passphrase))


async def _backup(
    settings: Settings, out: Path, passphrase: bytes | None, clock: SystemClock, recordings: Path | None
) -> None:
    database = Database(settings.database)
    try:
        manifest = await write(
            out,
            database=database,
            blobs=_blobs(settings),
            folder=settings.data_dir,
            clock=clock,
            recordings=recordings,
            passphrase=passphrase,
        )
    finally:
        await database.close()
    typer.echo(out)
    rows = sum(member.count for member in manifest.tables.values())
    size = sum(member.count for member in manifest.blobs.values())
    typer.echo(f"{len(manifest.heads)} openings, {rows} rows, {len(manifest.blobs)} bids of {size} bytes", err=True)
    if manifest.media is None:
        typer.echo("What was recorded of openings is not in it: copy the folder media of data_dir.", err=True)
    elif manifest.media:
        size = sum(member.count for member in manifest.media.values())
        typer.echo(f"{len(manifest.media) // 2} parts of recordings of {size} bytes", err=True)
    if not manifest.keys:
        names = ", ".join(sorted(keychest.key_files(settings.data_dir)))
        typer.echo(f"No keys are in it. Keep these elsewhere, apart from it: {names}", err=True)
    typer.echo("Before an opening time it tells who has bid: guard it as you guard the database.", err=True)


async def _restore(settings: Settings, file: Path, passphrase: bytes | None) -> None:
    backup = Backup(file)
    folder, manifest = settings.data_dir, backup.manifest
    if passphrase is not None and not manifest.keys:
        raise Refused("There are no keys in this backup.", "Leave --password-file out, and put the key files back.")
    if strange := _strange(folder):
        raise BackupRefused(f"{folder} is not empty: {strange} is there", "Name a folder that is empty or new.")
    if passphrase is not None and keychest.key_files(folder):
        raise BackupRefused(f"{folder} has keys already", "Leave --password-file out, or name an empty folder.")
    keys = None if passphrase is None else backup.private_keys(passphrase)  # a wrong one is told before anything else
    database = Database(settings.database)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        if keys is not None:
            keychest.put_back(folder, keys)
        had_master = bool(keychest.key_files(folder).keys() & {MASTER})
        blobs = _blobs(settings)
        recordings = folder / "media"
        await restore(backup, database=database, blobs=blobs, recordings=recordings)
        kept = Kept(
            events=SqlEvents(database),
            intake=SqlIntake(database),
            checkpoints=SqlCheckpoints(database),
            blobs=blobs,
            recordings=None if manifest.media is None else recordings,
        )
        wrong = [fault async for fault in faults(kept, backup.keys)]
        newer = await newer_outside(settings, kept, await kept.events.calendar(), backup.keys)
    finally:
        backup.close()
        await database.close()
    _tell(manifest, wrong, newer)
    if not had_master:
        typer.echo("The keys are not here yet: put hall-key*.pem, hall-key*.jws and master*.key into", err=True)
        typer.echo(f"{folder} before you serve, or the hall makes new ones that open nothing.", err=True)
    if wrong or newer:
        raise Refused(
            "What was restored does not hold, or others hold more of it.",
            "Do not serve it as it is: docs/runbooks/restore.en.md.",
        )
    typer.echo(
        f"Next: KAIBIAO_DATA_DIR={folder} kaibiao doctor, then serve. What came after the backup is not in it."
    )


def _tell(manifest: Manifest, wrong: list[str], newer: list[str]) -> None:
    typer.echo(f"Restored as it stood at {manifest.at}: {len(manifest.heads)} openings, {len(manifest.blobs)} bids.")
    for session, ends in sorted(manifest.heads.items()):
        typer.echo(f"  {session}: {ends.get('opening', 0)} public events")
    for sentence in wrong:
        typer.echo(f"broken  {sentence}")
    for sentence in newer:
        typer.echo(f"newer   {sentence}")
    if not wrong:
        typer.echo("Every chain, log and checkpoint holds, and every bid with a receipt is here.")


def _blobs(settings: Settings) -> BlobStore:
    return blobs(settings, SystemClock())


def _strange(folder: Path) -> str:
    """Return the name of something in the folder that a hall to be does not have: all but its keys and trust."""
    ours = {"anchors", "crls", "timestamps.toml", *keychest.key_files(folder)}
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return next((name for name in names if name not in ours and not name.endswith((".toml", ".txt"))), "")
