"""Archive bundles, each made once: a finished opening does not change, so its bundle is kept beside the bids."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from crypto.digest import sha256_hex
from sessions.archive import Archive
from sessions.errors import CommandRefused
from sessions.ids import SessionId
from sessions.notary import Notary
from sessions.opening import OVER
from sessions.ports import BlobStore
from sessions.recording.tail import PATIENCE as RECORDER
from sessions.recording.tail import Tail
from sessions.service import Sessions

PIECE = 1 << 20

PATIENCE = 3.0
"""Seconds that the first who asks waits for the witnesses of the end."""


@dataclass(slots=True, kw_only=True)
class Bundles:
    """Hands out bundles. Many may ask for one at once; it is made once, in a thread (sessions.archive)."""

    sessions: Sessions
    notary: Notary
    tail: Tail
    archive: Archive
    blobs: BlobStore
    _making: dict[SessionId, asyncio.Task[None]] = field(default_factory=dict)

    async def bundle(self, session: SessionId) -> bytes:
        """Return the ZIP. Raises UnknownSession, or CommandRefused ``not_over`` while the opening goes on."""
        opening = await self.sessions.state(session)
        if opening.status not in OVER:
            raise CommandRefused("not_over", status=opening.status.value)
        await self.notary.finished(session, PATIENCE)
        await self.tail.finished(session, RECORDER + PATIENCE)
        name = await self._name(session)
        try:
            return await asyncio.to_thread(self._read, name)
        except FileNotFoundError:
            pass
        if session not in self._making:
            self._making[session] = asyncio.create_task(self._make(session, name))
            self._making[session].add_done_callback(lambda _: self._making.pop(session, None))
        await asyncio.shield(self._making[session])
        return await asyncio.to_thread(self._read, name)

    async def _name(self, session: SessionId) -> str:
        """What the bundle is kept as: anew when a witness has answered or the recording was closed since."""
        answered = len(await self.notary.answers(session))
        if (told := await self.tail.told(session)) is not None:
            return f"bundle-{sha256_hex(f'{session}/{answered}/{told}'.encode())[:32]}"
        return f"bundle-{sha256_hex(f'{session}/{answered}'.encode())[:32]}"

    def _read(self, name: str) -> bytes:
        with self.blobs.open(name) as file:
            return file.read()

    async def _make(self, session: SessionId, name: str) -> None:
        content = await self.archive.bundle(session)

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(content), PIECE):
                yield content[start : start + PIECE]

        await self.blobs.discard(name)  # what a crash left half written
        await self.blobs.append(name, 0, pieces(), len(content))
        await self.blobs.finish(name)
