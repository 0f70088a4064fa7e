"""Papers as PDF: made on request in a thread, once for each state of the log, and the sealed ones kept for good.

A seal is not made twice alike, so the first one of a finished opening is kept beside the bids and given to everyone.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509

from crypto.certificates import Credential, load_credential
from crypto.digest import sha256_hex
from crypto.encoding import canonical
from crypto.errors import CertificateRefused
from crypto.paths import Trust
from crypto.receipt_file import ReceiptFile
from sessions.clock import Clock
from sessions.events import Recorded
from sessions.ids import SessionId
from sessions.opening import OVER, Opening, evolve
from sessions.outside.stamping import Stamping
from sessions.papers.layout import Language, Paper
from sessions.papers.receipt_paper import Known, receipt_paper
from sessions.papers.record_paper import About, record_paper
from sessions.papers.seal import DocumentSeal, NotSealed
from sessions.papers.typesetting import typeset
from sessions.ports import BlobStore
from sessions.service import Sessions
from sessions.shape import moment
from web.answers.problems import Problem
from web.settings import Settings

PIECE: Final = 1 << 20
AGAIN: Final = timedelta(minutes=1)
"""How long a paper that could not be sealed is given out before the authorities are asked again."""

_MOST: Final = 32
_Worded = Callable[[str | None], Paper]
"""A paper as it is worded with the seal of somebody on it, or with none."""

_LOG = logging.getLogger(__name__)


class SealUnusable(Exception):
    """The file of the document seal does not open or holds something else."""

    hint = "docs/settings.md: seal_file is a PKCS#12 and seal_password_file holds its password, and nothing else"


def load_seal(settings: Settings) -> Credential | None:
    """Return key and certificates of the seal that the settings name, if they name one. Raises SealUnusable."""
    if settings.seal_file is None:
        return None
    try:
        password = settings.seal_password_file.read_bytes().rstrip(b"\r\n") if settings.seal_password_file else None
        return load_credential(settings.seal_file.read_bytes(), password)
    except OSError as error:
        raise SealUnusable(f"{error.filename}: {error.strerror}") from None
    except CertificateRefused as error:
        raise SealUnusable(f"{settings.seal_file}: {error}") from None


def document_seal(settings: Settings, trust: Callable[[], Trust], stamping: Stamping) -> DocumentSeal | None:
    """Return the seal that the settings name, if they name one. Raises SealUnusable."""
    credential = load_seal(settings)
    if credential is None:
        return None
    own = tuple(each for each in credential.chain if each.issuer == each.subject)
    stamps = tuple(authority.anchor for authority in stamping.authorities)

    def evidence() -> Trust:
        current = trust()
        anchors: dict[x509.Certificate, None] = dict.fromkeys((*current.anchors, *own, *stamps))
        return replace(current, anchors=tuple(anchors))

    return DocumentSeal(credential=credential, trust=evidence, stamp=stamping.any)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A paper. ``until`` is when it is made anew; None: it stays as it is."""

    content: bytes
    sealed: bool
    until: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Papers:
    """Hands out papers. Many may ask at once: each is made once, and one at a time."""

    sessions: Sessions
    blobs: BlobStore
    clock: Clock
    origin: str
    seal: DocumentSeal | None
    _made: OrderedDict[str, Made] = field(default_factory=OrderedDict)
    _making: dict[str, asyncio.Task[Made]] = field(default_factory=dict)
    _turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    async def record(self, session: SessionId, language: Language) -> Made:
        """Return the opening record. Raises UnknownSession, or Problem ``not_drawn`` before it is drawn."""
        opening = await self.sessions.state(session)
        if opening.drawn is None and opening.status not in OVER:
            raise Problem("not_drawn")
        name = _name("record", session, str(opening.length), language)
        return await self._once(name, lambda: self._record(session, opening.length, language, name))

    async def receipt(self, file: ReceiptFile, opening: Opening, bidder: str, language: Language) -> Made:
        """Return a bidder's receipt. It goes to that bidder alone: the caller has checked who asks.

        Before the set is frozen it is not sealed: an authority that is asked for a timestamp whenever a receipt is
        printed could count the bids.
        """
        early = opening.frozen is None
        data = file.to_bytes()
        at = moment(file.receipt().received_at)

        def paper(seal: str | None) -> Paper:
            known = Known(plan=opening.plan, bidder=bidder, origin=self.origin, seal=seal, early=early)
            return receipt_paper(file, known, language)

        name = _name("receipt", sha256_hex(data), bidder, language, "early" if early else "frozen")
        return await self._once(name, lambda: self._plain(paper, at) if early else self._sealed(paper, at))

    async def _record(self, session: SessionId, length: int, language: Language, name: str) -> Made:
        log = await self.sessions.events(session, limit=length)  # of this moment, though more may have come since
        opening = await asyncio.to_thread(_replayed, log)
        last = log[-1]

        def paper(seal: str | None) -> Paper:
            about = About(number=last.number, head=last.digest, origin=self.origin, seal=seal)
            return record_paper(opening, about, language)

        return await self._paper(name, paper, last.at, final=opening.status in OVER)

    async def _paper(self, name: str, paper: _Worded, at: datetime, *, final: bool) -> Made:
        """Return the kept paper ``name``, else make it: with the seal on it, if it is final and there is a seal."""
        if not final:
            return await self._plain(paper, at)
        with suppress(FileNotFoundError):
            return Made(content=await asyncio.to_thread(self._read, name), sealed=True)
        made = await self._sealed(paper, at)
        if made.sealed:
            await self._keep(name, made.content)
        return made

    async def _sealed(self, paper: _Worded, at: datetime) -> Made:
        seal, until = self.seal, None
        if seal is not None:
            try:
                sealed = await asyncio.to_thread(lambda: seal.put_on(typeset(paper(seal.name), at)))
                return Made(content=sealed, sealed=True)
            except NotSealed as error:
                _LOG.warning("a paper goes out unsealed", extra={"why": str(error)})
                until = self.clock.now() + AGAIN
        return replace(await self._plain(paper, at), until=until)

    async def _plain(self, paper: _Worded, at: datetime) -> Made:
        return Made(content=await asyncio.to_thread(lambda: typeset(paper(None), at)), sealed=False)

    async def _once(self, name: str, make: Callable[[], Awaitable[Made]]) -> Made:
        made = self._made.get(name)
        if made is not None and (made.until is None or self.clock.now() < made.until):
            self._made.move_to_end(name)
            return made
        if name not in self._making:
            self._making[name] = asyncio.create_task(self._in_turn(name, make))
            self._making[name].add_done_callback(lambda _: self._making.pop(name, None))
        return await asyncio.shield(self._making[name])

    async def _in_turn(self, name: str, make: Callable[[], Awaitable[Made]]) -> Made:
        async with self._turn:
            made = await make()
        self._made[name] = made
        self._made.move_to_end(name)
        while len(self._made) > _MOST:
            self._made.popitem(last=False)
        return made

    def _read(self, name: str) -> bytes:
        with self.blobs.open(name) as file:
            return file.read()

    async def _keep(self, name: str, content: bytes) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(content), PIECE):
                yield content[start : start + PIECE]

        await self.blobs.discard(name)  # what a crash left half written
        await self.blobs.append(name, 0, pieces(), len(content))
        await self.blobs.finish(name)


def _name(*parts: str) -> str:
    return f"paper-{sha256_hex(canonical(list(parts)))[:32]}"


def _replayed(log: tuple[Recorded, ...]) -> Opening:
    opening: Opening | None = None
    for recorded in log:
        opening = evolve(opening, recorded)
    if opening is None:
        raise LookupError("an opening begins with its announcement")
    return opening
