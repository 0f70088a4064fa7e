"""Make a hall from the file: into an empty place, with every digest compared before anything is believed."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from sqlalchemy import Integer, MetaData, Table, func, insert, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from crypto.digest import sha256_hex
from crypto.endorsements import read_keys
from crypto.errors import CryptoRefused
from crypto.signing import HallPublicKey, verify
from sessions.backup import keychest
from sessions.backup import recordings as media
from sessions.backup.archive import (
    KEYS,
    KIND,
    MANIFEST,
    PUBLIC,
    SIGNATURE,
    BackupRefused,
    Manifest,
    Member,
    damaged,
    from_line,
)
from sessions.backup.writing import PIECE, ROWS
from sessions.ports import BlobStore
from sessions.store.database import Database
from sessions.store.migrations import upgrade

_UNREADABLE = (KeyError, BadZipFile, zlib.error, EOFError, NotImplementedError)
MOST_SMALL = 16 * 1024 * 1024  # bytes of a member that is read at once


class Backup:
    """An open backup file. Everything in it is somebody else's until its digest was compared."""

    def __init__(self, path: Path) -> None:
        """Open the file and read what it says of itself. Raises BackupRefused, OSError."""
        try:
            self._archive = ZipFile(path)
        except BadZipFile as error:
            raise damaged(path.name) from error
        content = self._small(MANIFEST)
        self.manifest = Manifest.parse(content)
        try:
            self.keys: tuple[HallPublicKey, ...] = read_keys(self._small(PUBLIC))
            signer = next(key for key in self.keys if key.kid == self.manifest.kid)
            stated = verify(self._small(SIGNATURE).decode("ascii"), KIND, signer)
        except (CryptoRefused, StopIteration, UnicodeDecodeError) as error:
            raise damaged(SIGNATURE) from error
        if stated != {"v": 1, "sha256": sha256_hex(content)}:
            raise damaged(MANIFEST)

    def close(self) -> None:
        """Close the file."""
        self._archive.close()

    def private_keys(self, passphrase: bytes) -> dict[str, bytes]:
        """Return the hall's key files. Raises BackupRefused."""
        return keychest.open_chest(self._small(KEYS), passphrase)

    def lines(self, table: str) -> Iterator[bytes]:
        """Yield a table's lines, column names first. Raises BackupRefused if they are not what they were."""
        member, digest, count = self.manifest.tables[table], hashlib.sha256(), -1
        name = f"tables/{table}.jsonl"
        try:
            with self._archive.open(name) as file:
                for line in file:
                    digest.update(line)
                    count += 1
                    yield line
        except _UNREADABLE as error:
            raise damaged(name) from error
        if Member(count=count, sha256=digest.hexdigest()) != member:
            raise damaged(name)

    def blob(self, name: str) -> AsyncIterator[bytes]:
        """Yield a blob. Raises BackupRefused at the end if it is not what it was."""
        return self._pieces(f"blobs/{name}", self.manifest.blobs[name])

    def recording(self, name: str) -> AsyncIterator[bytes]:
        """Yield a file of a recording, likewise."""
        return self._pieces(f"media/{name}", (self.manifest.media or {})[name])

    async def _pieces(self, name: str, member: Member) -> AsyncIterator[bytes]:
        digest, size = hashlib.sha256(), 0
        try:
            with self._archive.open(name) as file:
                while piece := await asyncio.to_thread(file.read, PIECE):
                    digest.update(piece)
                    size += len(piece)
                    yield piece
        except _UNREADABLE as error:
            raise damaged(name) from error
        if Member(count=size, sha256=digest.hexdigest()) != member:
            raise damaged(name)

    def _small(self, name: str) -> bytes:
        try:
            if self._archive.getinfo(name).file_size > MOST_SMALL:
                raise damaged(name)
            return self._archive.read(name)
        except _UNREADABLE as error:
            raise damaged(name) from error


async def restore(
    backup: Backup,
    *,
    database: Database,
    blobs: BlobStore,
    recordings: Path | None = None,
) -> None:
    """Fill an empty database and an empty store of bids. The database is filled in one transaction, at the end.

    ``recordings`` is the folder that what was recorded goes into; None leaves it in the file.

    Raises:
        BackupRefused: the target is not empty, or the file is damaged.
    """
    await refuse_full(backup, database, blobs, recordings)
    for name, member in backup.manifest.blobs.items():
        await blobs.discard(name)  # what an earlier try left half written
        await blobs.append(name, 0, backup.blob(name), member.count)
        await blobs.finish(name)
    if recordings is not None:
        for name in backup.manifest.media or {}:
            await media.put(recordings, name, backup.recording(name))
    async with database.writing() as connection:
        await connection.run_sync(upgrade, backup.manifest.revision)
        found = MetaData()
        await connection.run_sync(found.reflect)
        for table in found.sorted_tables:
            if table.name in backup.manifest.tables:
                await _fill(connection, table, backup)
        await connection.run_sync(upgrade, "head")


async def refuse_full(backup: Backup, database: Database, blobs: BlobStore, recordings: Path | None) -> None:
    """Raise BackupRefused unless there is neither a table, a bid nor a recording of this backup in the target."""
    async with database.reading() as connection:
        there = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    if there:
        raise BackupRefused(
            "the target has a database already", "Restore into an empty folder, and an empty database."
        )
    for name in backup.manifest.blobs:
        try:
            (await asyncio.to_thread(blobs.open, name)).close()
        except FileNotFoundError:
            continue
        raise BackupRefused("the target has bids already", "Restore into an empty folder, and an empty bucket.")
    if recordings is not None and any((recordings / name).exists() for name in backup.manifest.media or {}):
        raise BackupRefused("the target has recordings already", "Restore into an empty folder.")


async def _fill(connection: AsyncConnection, table: Table, backup: Backup) -> None:
    lines = backup.lines(table.name)
    try:
        columns = from_line(next(lines))
        if set(columns) - set(table.columns.keys()):
            raise damaged(f"tables/{table.name}.jsonl")
        while rows := [dict(zip(columns, from_line(line), strict=True)) for line in islice(lines, ROWS)]:
            await connection.execute(insert(table), rows)
    except (StopIteration, ValueError, TypeError) as error:
        raise damaged(f"tables/{table.name}.jsonl") from error
    keys = list(table.primary_key.columns)
    if connection.dialect.name == "postgresql" and len(keys) == 1 and isinstance(keys[0].type, Integer):
        # What was numbered elsewhere: the next number is to follow.
        last = (await connection.execute(select(func.max(keys[0])))).scalar_one()
        if last is not None:
            place = text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)")
            told = {"table": table.name, "column": keys[0].name, "last": last}
            await connection.execute(place, told)
