"""The checkpoints of a finished opening as members of its archive, with everything that witnesses said under them."""

from __future__ import annotations

from crypto.digest import sha256_hex
from sessions.ids import SessionId
from sessions.opening import Opening
from sessions.outside.anchoring import cosigned
from sessions.outside.opening_log import LogDoubted, OpeningLog
from sessions.plan import AnchorKind
from sessions.ports import CheckpointStore

FINAL_CHECKPOINT = "log/opening.checkpoint"


def checkpoint_member(size: int) -> str:
    """Return the name of the checkpoint of a point: the first ``size`` events."""
    return f"log/opening-{size}.checkpoint"


def dispute_member(number: int) -> str:
    """Return the name of the note that the N-th LogDisputed is about."""
    return f"log/dispute-{number}.checkpoint"


async def watched(
    session: SessionId, opening: Opening, openings: OpeningLog, checkpoints: CheckpointStore
) -> dict[str, bytes]:
    """Return the members: the checkpoint of the whole log, those of the points, and what speaks against the hall."""
    watch = opening.plan.watch
    if watch is None:
        return {}
    kept = [one for one in await checkpoints.kept(session) if one.kind is AnchorKind.WITNESS]
    notes: dict[int, str] = {}
    for size in dict.fromkeys(one.size for one in kept):
        signed = await checkpoints.at(watch.origin, size)
        if signed is not None:
            notes[size] = cosigned(signed, kept)
    members = {checkpoint_member(size): note for size, note in notes.items() if size != opening.length}
    try:
        final = await openings.checkpoint(session, watch.origin)
        members[FINAL_CHECKPOINT] = notes.get(final.size, final.note)
    except LogDoubted:
        pass  # the hall signs no more of this log, and the check of the bundle says so
    convictions = [note for convicted, _, note in await checkpoints.convictions() if convicted == session]
    proofs = {sha256_hex(note.encode()): note for note in convictions}
    for number, dispute in enumerate(opening.disputes, start=1):
        if dispute.sha256 in proofs:
            members[dispute_member(number)] = proofs[dispute.sha256]
    return {name: note.encode() for name, note in members.items()}
