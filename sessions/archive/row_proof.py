"""What shows that a row of the read-out is the bid that was sealed: the same bytes that the archive will hold.

Nothing of a bid leaves here before it was opened, or found not to open.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import BinaryIO

from crypto.container import Container, read_header
from crypto.errors import CryptoRefused
from crypto.header import QUOTE
from crypto.receipt import tracker
from crypto.signing import peek
from sessions.ids import SessionId
from sessions.opening.state import Bid, BidState
from sessions.ports import BlobStore, IntakeStore

DECIDED = frozenset({BidState.OPENED, BidState.NOT_OPENED})


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProof:
    """``sealed`` and ``key`` are None for a bid whose quote was not opened with its own key."""

    header: bytes
    sealed: bytes | None
    key: str | None


async def row_proof(intake: IntakeStore, blobs: BlobStore, session: SessionId, bid: Bid) -> RowProof | None:
    """Return the proof of ``bid``, which must be decided; None if its stored bytes are lost or changed."""
    if bid.state not in DECIDED:
        raise ValueError("nothing of a sealed bid is shown before it is opened")
    answers = await intake.answers(session, bid.bidder)
    mine = (each for each in answers if each.code is None and tracker(peek(each.statement)[1]) == bid.tracker)
    receipt = next(mine, None)
    if receipt is None or receipt.blob is None:
        return None
    return await asyncio.to_thread(_read, blobs, receipt.blob, bid)


def _read(blobs: BlobStore, blob: str, bid: Bid) -> RowProof | None:
    try:
        with blobs.open(blob) as file:
            container = read_header(file)
            if container.header_sha256 != bid.header_sha256:
                return None
            sealed = sealed_quote(file, container) if bid.quote_key else None
    except (CryptoRefused, OSError):
        return None
    return RowProof(header=container.header_bytes, sealed=sealed, key=bid.quote_key or None)


def sealed_quote(file: BinaryIO, container: Container) -> bytes:
    """Return the sealed quote of the bid in ``file``, to the byte."""
    part = container.header.part(QUOTE)
    file.seek(container.body + part.off)
    return file.read(part.length)
