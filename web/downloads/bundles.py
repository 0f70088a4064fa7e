"""Archive bundles, each made once: a finished opening does not change, so its bundle is kept beside the bids.

A bundle may hold hundreds of megabytes of film: it is made on disk and read in pieces.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from crypto.digest import sha256_hex
from sessions.acts.notary import Notary
from sessions.archive.bundle import Archive
from sessions.errors import CommandRefused
from sessions.ids import Digest, SessionId
from sessions.opening import OVER
from sessions.ports import BlobStore
from sessions.recording.tail import PATIENCE as RECORDER
from sessions.recording.tail import Tail
from sessions.service import Sessions
from sessions.zipped import PIECE

PATIENCE = 3.0
"""Seconds that the first who asks waits for the witnesses of the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle that was made."""

    name: str
    size: int
    sha256: Digest


@dataclass(slots=True, kw_only=True)
class Bundles:
    """Hands out bundles. Many may ask for one at once; it is made once, in a thread (sessions.archive.bundle).

    ``folder`` is where it lies while it is made.
    """

    sessions: Sessions
    notary: Notary
    tail: Tail
    archive: Archive
    blobs: BlobStore
    folder: Path
    _making: dict[SessionId, asyncio.Task[None]] = field(default_factory=dict)
    _made: dict[str, Bundle] = field(default_factory=dict)

    async def bundle(self, session: SessionId) -> Bundle:
        """Return the bundle. Raises UnknownSession, or CommandRefused ``not_over`` while the opening goes on."""
        opening = await self.sessions.state(session)
        if opening.status not in OVER:
            raise CommandRefused("not_over", status=opening.status.value)
        await self.notary.finished(session, PATIENCE)
        await self.tail.finished(session, RECORDER + PATIENCE)
        name = await self._name(session)
        try:
            return await self._known(name)
        except FileNotFoundError:
            pass
        if session not in self._making:
            self._making[session] = asyncio.create_task(self._make(session, name))
            self._making[session].add_done_callback(lambda _: self._making.pop(session, None))
        await asyncio.shield(self._making[session])
        return await self._known(name)

    async def pieces(self, bundle: Bundle) -> AsyncIterator[bytes]:
        """Yield the ZIP, of which no more than a piece is in memory."""
        with await asyncio.to_thread(self.blobs.open, bundle.name) as file:
            async for piece in _pieces(file):
                yield piece

    async def _name(self, session: SessionId) -> str:
        """What the bundle is kept as: anew when a witness has answered or the recording was closed since."""
        answered = len(await self.notary.answers(session))
        if (told := await self.tail.told(session)) is not None:
            return f"bundle-{sha256_hex(f'{session}/{answered}/{told}'.encode())[:32]}"
        return f"bundle-{sha256_hex(f'{session}/{answered}'.encode())[:32]}"

    async def _known(self, name: str) -> Bundle:
        """Return a bundle that is there. Raises FileNotFoundError."""
        if name not in self._made:
            self._made[name] = await asyncio.to_thread(self._measured, name)
        return self._made[name]

    def _measured(self, name: str) -> Bundle:
        size, hashed = 0, sha256()
        with self.blobs.open(name) as file:
            while piece := file.read(PIECE):
                size += len(piece)
                hashed.update(piece)
        return Bundle(name=name, size=size, sha256=Digest(hashed.hexdigest()))

    async def _make(self, session: SessionId, name: str) -> None:
        with tempfile.TemporaryFile(dir=self.folder) as file:
            await self.archive.write(session, file)
            size = file.seek(0, 2)
            file.seek(0)
            await self.blobs.discard(name)  # what a crash left half written
            await self.blobs.append(name, 0, _pieces(file), size)
        await self.blobs.finish(name)


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, PIECE):
        yield piece
