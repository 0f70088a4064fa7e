"""Is what this database holds what the hall signed? Every chain, log, checkpoint, bid received, recording."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from crypto.container import read_header
from crypto.errors import ChainBroken, CryptoRefused
from crypto.signing import HallPublicKey
from crypto.tlog import Tree, open_checkpoint
from sessions.backup.recordings import faults_in
from sessions.chaining import Head, check
from sessions.events import Recorded, Stream
from sessions.ids import SessionId
from sessions.keys.hallkey import kid_in
from sessions.ports import BlobStore, CheckpointStore, EventStore, IntakeStore, Summary

PAGE = 1000
INTAKE, RECORDING = "/intake", "/recording"
"""What the logs of a session besides that of its opening are named for, after its own name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Those stores of a hall that can be checked without a private key."""

    events: EventStore
    intake: IntakeStore
    checkpoints: CheckpointStore
    blobs: BlobStore
    recordings: Path | None = None  # the folder of the recorder, if it is to be checked


async def faults(kept: Kept, keys: Sequence[HallPublicKey]) -> AsyncIterator[str]:
    """Yield what does not hold, a sentence each. ``keys``: the hall's, the oldest first."""
    for summary in await kept.events.calendar():
        async for fault in _session(kept, keys, summary):
            yield fault


async def _session(kept: Kept, keys: Sequence[HallPublicKey], summary: Summary) -> AsyncIterator[str]:
    session = summary.session
    trees = {"": Tree(), INTAKE: Tree(await kept.events.entries(session)), RECORDING: Tree()}
    grow = {Stream.OPENING: trees[""], Stream.RECORDING: trees[RECORDING]}
    for stream in Stream:
        head = Head()
        try:
            while records := await kept.events.read(session, stream, after=head.number, limit=PAGE):
                head = await asyncio.to_thread(check, head, records)
                if stream in grow:
                    _grow(grow[stream], records)
        except (ChainBroken, ValueError, KeyError, TypeError) as error:
            yield f"{session}: the chain of {stream.value} breaks after event {head.number} ({type(error).__name__})"
    async for fault in _signed(kept, keys, summary, trees):
        yield fault
    if kept.recordings is not None and summary.plan.get("recording"):
        recorded, folder = await kept.events.read(session, Stream.RECORDING), kept.recordings
        for fault in await asyncio.to_thread(lambda: list(faults_in(folder, session, recorded))):
            yield fault
    for answer in await kept.intake.answers(session):
        if answer.code is None and answer.blob is not None:
            found = await asyncio.to_thread(_header, kept.blobs, answer.blob)
            if found != answer.header_sha256:
                yield f"{session}: a bid that has a receipt is {'another' if found else 'missing'} ({answer.blob})"


def _header(blobs: BlobStore, name: str) -> str | None:
    """Return the digest of a bid's header; None where there is no bid."""
    try:
        with blobs.open(name) as file:
            return read_header(file).header_sha256
    except FileNotFoundError:
        return None
    except CryptoRefused:
        return "damaged"


async def _signed(
    kept: Kept, keys: Sequence[HallPublicKey], summary: Summary, trees: dict[str, Tree]
) -> AsyncIterator[str]:
    """Compare the root and the signature of every checkpoint."""
    watch = summary.plan.get("watch")
    if not isinstance(watch, dict):
        return
    kid = kid_in(summary.plan)
    key = next((key for key in keys if kid is None or key.kid == kid), None)
    if key is None:
        yield f"{summary.session}: the hall's key {kid} is missing"
        return
    for suffix, tree in trees.items():
        origin = f"{watch['origin']}{suffix}"
        for size in await kept.checkpoints.sizes(origin):
            signed = await kept.checkpoints.at(origin, size)
            assert signed is not None
            try:
                held = open_checkpoint(signed.note, key, origin)
            except CryptoRefused:
                yield f"{summary.session}: the checkpoint of {size} entries of {origin} is not signed by the hall"
                continue
            if size > len(tree) or not (tree.root(size) == held.root == signed.root and held.size == size):
                yield f"{summary.session}: the checkpoint of {size} entries of {origin} is of another log"


def _grow(tree: Tree, records: Sequence[Recorded]) -> None:
    for record in records:
        tree.append(bytes.fromhex(record.digest))


async def ahead(kept: Kept, session: SessionId, note: str, key: HallPublicKey, origin: str) -> str:
    """Return what a checkpoint from outside says against this database; empty if nothing.

    A note that the hall did not sign says nothing.
    """
    try:
        held = open_checkpoint(note, key, origin)
    except CryptoRefused:
        return ""
    if origin.endswith(f"{session}{INTAKE}"):
        tree = Tree(await kept.events.entries(session))
    else:
        stream = Stream.RECORDING if origin.endswith(f"{session}{RECORDING}") else Stream.OPENING
        tree = Tree(bytes.fromhex(digest) for digest in await kept.events.digests(session, stream))
    if held.size > len(tree):
        return f"holds {held.size} events, of which this database has {len(tree)}"
    return "" if tree.root(held.size) == held.root else f"holds another log of {held.size} events"
