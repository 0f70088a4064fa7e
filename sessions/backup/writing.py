"""Make the file while the hall serves: tables of one moment, then the bids and recordings that this moment names."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, Table, null, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from crypto.digest import sha256_hex
from crypto.encoding import canonical
from crypto.signing import sign
from sessions.backup import keychest
from sessions.backup.archive import (
    ABOUT,
    EPHEMERAL,
    KEYS,
    KIND,
    MANIFEST,
    PUBLIC,
    README,
    SIGNATURE,
    WITH_KEYS,
    WITHOUT_KEYS,
    BackupRefused,
    Manifest,
    Member,
    to_line,
)
from sessions.backup.recordings import index_of
from sessions.clock import Clock
from sessions.events import TrackBegan
from sessions.ids import SessionId
from sessions.keys import keyfiles
from sessions.keys.hallkey import HallKeys
from sessions.ports import BlobStore, UploadState
from sessions.recording.index import BadIndex
from sessions.shape import rfc3339
from sessions.store import tables
from sessions.store.database import Database
from sessions.store.recordings import FolderRecordings

PIECE = 1 << 20
ROWS = 500
RESTS = (0.2, 1.0, 3.0)
"""Seconds between looks for a bid whose last step, the renaming, the hall is just about to take."""


async def write(
    out: Path,
    *,
    database: Database,
    blobs: BlobStore,
    folder: Path,
    clock: Clock,
    recordings: Path | None = None,
    passphrase: bytes | None = None,
) -> Manifest:
    """Write the backup to ``out``, whole and durable or not at all. With a passphrase the keys of ``folder`` too.

    ``recordings`` is the folder of the recorder; None leaves what was recorded out.

    Raises:
        BackupRefused: there is a file already, a bid or a recording is missing, or the database is not migrated.
    """
    if await asyncio.to_thread(out.exists):
        raise BackupRefused(f"{out} is there already", "Name a file that is not.")
    part = out.with_name(out.name + ".part")
    keys = HallKeys.in_folder(folder)
    chest = None if passphrase is None else await asyncio.to_thread(keychest.seal, folder, passphrase)
    try:
        with ZipFile(part, "w", ZIP_DEFLATED, allowZip64=True) as archive:
            keys_zh, keys_en = WITHOUT_KEYS if chest is None else WITH_KEYS
            archive.writestr(README, ABOUT.format(keys_zh=keys_zh, keys_en=keys_en))
            archive.writestr(PUBLIC, canonical(keys.document()))
            at = clock.now()
            taken = await _tables(archive, database)
            held: dict[str, Member] = {}
            for name in sorted(taken.blobs):
                held[name] = await _blob(archive, blobs, name)
            media = None if recordings is None else await _media(archive, recordings, taken)
            manifest = Manifest(
                at=rfc3339(at),
                revision=taken.revision,
                tables=taken.members,
                blobs=held,
                media=media,
                heads=taken.heads,
                keys=chest is not None,
                kid=keys.newest.public.kid,
            )
            if chest is not None:
                archive.writestr(KEYS, chest)
            content = manifest.to_json()
            archive.writestr(MANIFEST, content)
            archive.writestr(SIGNATURE, sign({"v": 1, "sha256": sha256_hex(content)}, KIND, keys.newest))
        await asyncio.to_thread(_finish, part, out)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return manifest


class _Taken:
    """What the tables of one moment come to."""

    def __init__(self, revision: str) -> None:
        self.revision = revision
        self.members: dict[str, Member] = {}
        self.heads: dict[str, dict[str, int]] = {}
        self.blobs: set[str] = set()
        self.parts: set[tuple[str, str]] = set()  # of recordings, as the log names them: session and part


async def _tables(archive: ZipFile, database: Database) -> _Taken:
    async with database.reading() as connection:
        if database.shared:  # a slow disk to write to is no reason to be cut off
            await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = '10min'"))
        # The first reading statement of the transaction fixes its moment for all that follow.
        revision = await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())
        if revision is None:
            raise BackupRefused("the database is empty", "Run `kaibiao migrate` first, or name the right data_dir.")
        taken = _Taken(revision)
        found = MetaData()
        await connection.run_sync(found.reflect)
        for table in found.sorted_tables:
            if table.name not in EPHEMERAL:
                taken.members[table.name] = await _table(archive, connection, table)
        await _referenced(connection, taken)
    return taken


async def _table(archive: ZipFile, connection: AsyncConnection, table: Table) -> Member:
    gone = {column for column in table.columns for key in column.foreign_keys if key.column.table.name in EPHEMERAL}
    columns = [null().label(column.name) if column in gone else column for column in table.columns]
    wanted = select(*columns).order_by(*table.primary_key.columns)
    count, digest = 0, hashlib.sha256()
    with _member(archive, f"tables/{table.name}.jsonl", ZIP_DEFLATED) as file:
        lines = to_line([column.name for column in table.columns])
        async for rows in (await connection.stream(wanted)).partitions(ROWS):
            lines += b"".join(to_line(list(row)) for row in rows)
            count += len(rows)
            digest.update(lines)
            await asyncio.to_thread(file.write, lines)
            lines = b""
        digest.update(lines)
        file.write(lines)
    return Member(count=count, sha256=digest.hexdigest())


async def _referenced(connection: AsyncConnection, taken: _Taken) -> None:
    """Note where the streams end, and which bids had come."""
    event, upload, answer = tables.events.c, tables.uploads.c, tables.answers.c
    for row in await connection.execute(select(event.session, event.stream, event.number)):
        ends = taken.heads.setdefault(row.session, {})
        ends[row.stream] = max(ends.get(row.stream, 0), row.number)
    complete = await connection.execute(select(upload.id).where(upload.state != UploadState.OPEN.value))
    answered = await connection.execute(select(answer.blob).where(answer.blob.is_not(None)))
    taken.blobs = {*complete.scalars(), *answered.scalars()}
    for began_in in await connection.execute(
        select(event.session, event.data).where(event.type == TrackBegan.__name__)
    ):
        began = json.loads(began_in.data)
        taken.parts.add((began_in.session, f"{began['track']}-{began['part']}"))


async def _media(archive: ZipFile, folder: Path, taken: _Taken) -> dict[str, Member]:
    """Copy what the log names and what is there besides, of the openings that there were at this moment."""
    store = FolderRecordings(folder)
    held: dict[str, Member] = {}
    there = await asyncio.to_thread(lambda: {(s, part) for s in taken.heads for part in store.parts(SessionId(s))})
    for session, part in sorted(there | taken.parts):
        for rest in (*RESTS, None):
            try:
                held |= await asyncio.to_thread(_copy_part, archive, folder, session, part)
                break
            except (FileNotFoundError, BadIndex) as error:
                if rest is None:
                    hint = (
                        "Its files lie on the machine that records: back up there, or share the folder "
                        "(docs/runbooks/before-an-opening.en.md). Or leave all recordings out: --without-recordings."
                    )
                    raise BackupRefused(f"the recording {part} of {session} is not whole here", hint) from error
                await asyncio.sleep(rest)
    return held


def _copy_part(archive: ZipFile, folder: Path, session: str, part: str) -> dict[str, Member]:
    index, size = index_of(folder, session, part)
    path = folder / session / f"{part}.mp4"
    if path.stat().st_size < size:
        raise FileNotFoundError(path)  # before anything of it is in the archive
    left, digest = size, hashlib.sha256()
    with path.open("rb") as source, _member(archive, f"media/{session}/{part}.mp4", ZIP_STORED) as file:
        while left and (piece := source.read(min(PIECE, left))):
            left -= len(piece)
            digest.update(piece)
            file.write(piece)
    with _member(archive, f"media/{session}/{part}.jsonl", ZIP_DEFLATED) as file:
        file.write(index)
    return {
        f"{session}/{part}.mp4": Member(count=size - left, sha256=digest.hexdigest()),
        f"{session}/{part}.jsonl": Member(count=len(index), sha256=sha256_hex(index)),
    }


async def _blob(archive: ZipFile, blobs: BlobStore, name: str) -> Member:
    for rest in (*RESTS, None):
        try:
            return await asyncio.to_thread(_copy, archive, blobs, name)
        except FileNotFoundError as error:
            if rest is None:
                hint = "Let the hall run: it finishes a bid that came before a stop. Then try again."
                raise BackupRefused(f"the bid {name} is not there", hint) from error
            await asyncio.sleep(rest)
    raise AssertionError


def _copy(archive: ZipFile, blobs: BlobStore, name: str) -> Member:
    size, digest = 0, hashlib.sha256()
    with (
        blobs.open(name) as source,
        _member(archive, f"blobs/{name}", ZIP_STORED) as file,
    ):  # sealed: not to be packed
        for piece in _pieces(source):
            size += len(piece)
            digest.update(piece)
            file.write(piece)
    return Member(count=size, sha256=digest.hexdigest())


def _pieces(source: Any) -> Iterable[bytes]:
    while piece := source.read(PIECE):
        yield piece


@contextmanager
def _member(archive: ZipFile, name: str, packed: int) -> Iterator[IO[bytes]]:
    info = ZipInfo(name, date_time=time.gmtime()[:6])
    info.compress_type = packed
    info.external_attr = 0o600 << 16
    with archive.open(info, "w", force_zip64=True) as file:
        yield file


def _finish(part: Path, out: Path) -> None:
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.rename(out)
    keyfiles.sync(out.parent)
