"""The recording of a finished opening as members of its archive (ARCHIVE.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial

from crypto.encoding import canonical
from crypto.tlog import Tree
from sessions.chaining import core
from sessions.commands import Fragment
from sessions.events import FragmentsKept, Recorded, Stream
from sessions.keys.hallkey import HallKeys
from sessions.opening import Opening
from sessions.outside.anchoring import cosigned
from sessions.outside.opening_log import LogDoubted, sign_head
from sessions.ports import CheckpointStore, EventStore, RecordingStore
from sessions.recording.captions import captions, chapters
from sessions.recording.log import CHECKPOINT, origin_of
from sessions.recording.mp4 import NotOurs, finished
from sessions.recording.state import PROGRAMME, Part, Recording, evolve
from sessions.zipped import PIECE, Large

EVENTS = "events/recording.jsonl"
FOLDER = "recording/"
LARGEST = 300_000_000
"""Bytes of files that come along; of those that have no room the bundle has the digests alone."""


def member(part: Part) -> str:
    """Return the name of a part."""
    return f"{FOLDER}{part.name}.mp4"


def is_film(name: str) -> bool:
    """Return whether a member is a part, and as large as those are."""
    return name.startswith(FOLDER) and name.endswith(".mp4")


def caption_member(language: str) -> str:
    """Return the name of the captions."""
    return f"{FOLDER}captions.{language}.vtt"


def inside(recording: Recording) -> tuple[Part, ...]:
    """Return the parts whose files belong into the bundle.

    Track by track, the programme first and then the sources as they began: a track comes whole, if there is room.
    """
    kept, taken, room = [part for part in recording.parts if part.fragments], list[Part](), LARGEST
    for track in dict.fromkeys([PROGRAMME, *(part.track for part in kept)]):
        parts = [part for part in kept if part.track == track]
        if (size := sum(part.size for part in parts)) <= room:
            taken, room = [*taken, *parts], room - size
    return tuple(taken)


def told(log: Sequence[Recorded]) -> Recording:
    """Return the recording that its events add up to."""
    recording = Recording()
    for record in log:
        recording = evolve(recording, record)
    return recording


def fragments_of(log: Sequence[Recorded], part: Part) -> tuple[Fragment, ...]:
    """Return the fragments of one part."""
    kept = (record.event for record in log if isinstance(record.event, FragmentsKept))
    return tuple(
        one for event in kept if (event.track, event.part) == (part.track, part.part) for one in event.fragments
    )


async def collect(
    opening: Opening,
    log: Sequence[Recorded],
    *,
    events: EventStore,
    checkpoints: CheckpointStore,
    store: RecordingStore | None,
    hall: HallKeys,
) -> dict[str, bytes | Large]:
    """Return the members; none for an opening that was announced without a recording.

    A file that is gone, or is not what was recorded, is left out: then the check of the bundle says so.
    """
    if not opening.plan.recording:
        return {}
    recorded = await events.read(opening.plan.session, Stream.RECORDING)
    members: dict[str, bytes | Large] = {EVENTS: b"".join(canonical(core(record)) + b"\n" for record in recorded)}
    recording = told(recorded)
    if opening.plan.watch is not None and recording.closed:
        tree = Tree(bytes.fromhex(record.digest) for record in recorded)

        async def grown() -> Tree:
            return tree

        origin = origin_of(opening.plan.watch)
        try:
            signed = await sign_head(checkpoints, hall.of(opening.plan), opening.plan.session, origin, grown)
        except LogDoubted:
            pass
        else:
            kept = await checkpoints.kept(opening.plan.session, Stream.RECORDING)
            members[CHECKPOINT] = cosigned(signed, kept).encode()
    if store is not None:
        files = await asyncio.to_thread(lambda: dict(_files(opening, log, recorded, recording, store)))
        members |= files
    return members


def _files(
    opening: Opening,
    log: Sequence[Recorded],
    recorded: Sequence[Recorded],
    recording: Recording,
    store: RecordingStore,
) -> Iterator[tuple[str, bytes | Large]]:
    parts = inside(recording)
    for part in parts:
        try:
            yield member(part), Large(partial(pieces, opening, log, recorded, part, store))
        except (OSError, NotOurs):
            continue
    shown = [part for part in parts if part.track == PROGRAMME]
    if shown:
        for language in ("zh", "en"):
            yield caption_member(language), captions(log, shown[0].utc, shown[-1].ends, language).encode()


def head(opening: Opening, log: Sequence[Recorded], recorded: Sequence[Recorded], part: Part, init: bytes) -> bytes:
    """Return what stands before the fragments in the finished file of a part. Raises NotOurs."""
    return finished(init, fragments_of(recorded, part), chapters(opening.plan, log, part))


def pieces(
    opening: Opening, log: Sequence[Recorded], recorded: Sequence[Recorded], part: Part, store: RecordingStore
) -> Iterator[bytes]:
    """Yield the finished file of a part, never holding more than a piece. Blocks. Raises OSError, NotOurs."""
    with store.open(opening.plan.session, part.name) as file:
        yield head(opening, log, recorded, part, file.read(part.init_length))
        left = part.size - part.init_length
        while left:
            piece = file.read(min(PIECE, left))
            if not piece:
                raise OSError("the file is shorter than what was recorded")
            left -= len(piece)
            yield piece
