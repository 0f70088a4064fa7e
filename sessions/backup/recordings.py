"""The recordings in a backup: of each part the whole lines of its index, and the bytes that they speak of.

A recorder may be writing meanwhile. Its index tells only what the system has, and grows after the file it speaks of:
so lines first, then just as many bytes, and the two belong together.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final

from crypto.digest import sha256_hex
from sessions.backup.archive import damaged
from sessions.commands import Fragment
from sessions.events import Recorded
from sessions.ids import SessionId
from sessions.keys import keyfiles
from sessions.recording.bundle import fragments_of, told
from sessions.recording.index import Began, read

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}/[a-z0-9][a-z0-9-]{0,63}-[1-9][0-9]{0,5}\.(?:mp4|jsonl)")


def index_of(folder: Path, session: str, part: str) -> tuple[bytes, int]:
    """Return the whole lines of a part's index, and how many bytes of its file they speak of. Blocks.

    Raises FileNotFoundError; BadIndex for lines that no recorder wrote.
    """
    data = (folder / session / f"{part}.jsonl").read_bytes()
    lines, length = read(data)
    size = 0
    for line in lines:
        match line:
            case Began(init_length=begins):
                size = begins
            case Fragment(offset=offset, length=more):
                size = offset + more
            case _:
                pass
    return data[:length], size


async def put(folder: Path, name: str, pieces: AsyncIterator[bytes]) -> None:
    """Write one file of a recording, whole and durable or not at all. Raises BackupRefused for what is no name."""
    if not _NAME.fullmatch(name):
        raise damaged(name)
    path = folder / name
    new = path.with_name(path.name + ".new")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with await asyncio.to_thread(open, new, "wb", opener=_private) as file:
            async for piece in pieces:
                await asyncio.to_thread(file.write, piece)
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
        new.rename(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    keyfiles.sync(path.parent)


def faults_in(folder: Path, session: SessionId, log: Sequence[Recorded]) -> Iterator[str]:
    """Yield what of a recording is not what its events say, a sentence each part. Blocks."""
    for part in told(log).parts:
        wanted = [(part.init_length, part.init_sha256), *((f.length, f.sha256) for f in fragments_of(log, part))]
        try:
            with (folder / session / f"{part.name}.mp4").open("rb") as file:
                good = all(sha256_hex(file.read(length)) == digest for length, digest in wanted)
        except FileNotFoundError:
            yield f"{session}: the recording {part.name} is missing"
            continue
        if not good:
            yield f"{session}: the recording {part.name} is another"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
