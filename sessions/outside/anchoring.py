"""A checkpoint held outside: what is asked of whom, what of the answer is believed, and the note with all they said.

The three logs of a session have this in common; who is asked when is their own affair (``notary`` for the events of
the opening, ``receipt_proofs``, ``recording.log``).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Protocol

from crypto.errors import NoteRefused
from crypto.signing import HallPublicKey
from crypto.timestamps import DRIFT
from crypto.tlog import Checkpoint, Tree, open_checkpoint, with_signatures
from sessions.clock import Clock
from sessions.errors import CommandRefused
from sessions.opening import Opening
from sessions.plan import AnchorKind, Watch
from sessions.ports import Anchor, Kept, NotAnchored, Said, Signed, ToAnchor
from sessions.proofs import Act, accept

_log = logging.getLogger(__name__)


class Outside(Protocol):
    """Everybody whom this hall can ask (``notary.Outside``)."""

    def named(self, watch: Watch) -> Mapping[tuple[AnchorKind, str], Anchor]: ...


def asking(signed: Signed, tree: Tree) -> ToAnchor:
    """Return the question whether somebody will hold this checkpoint; ``tree`` has its entries, or more."""
    return ToAnchor(
        origin=signed.origin,
        size=signed.size,
        root=signed.root,
        note=signed.note,
        prove=lambda old: tree.consistency_proof(old, signed.size),
    )


async def answered(opening: Opening, anchor: Anchor, asked: ToAnchor, clock: Clock) -> Said | None:
    """Return what ``anchor`` said; None, and the reason in the log, if it may be asked again.

    What is dated more than ``DRIFT`` before it was asked for, or after it came, is not taken: whoever checks the
    archive could not tell it from a log that was made up afterwards (log.witnesses).

    Raises:
        HoldsAnother: it shows a checkpoint instead, to be judged by ``convicting``.
    """
    began = clock.now()
    try:
        said = await anchor.hold(asked)
        if anchor.kind is AnchorKind.STAMP:  # the rule pack may want to know how the authority's certificate stood
            accept(opening.plan.pack.revocation, Act.STAMP, said.proof, wanted=bool(opening.plan.proofs))
    except NotAnchored as error:
        _log.warning(
            "a checkpoint was not held", extra={"by": anchor.name, "origin": asked.origin, "why": str(error)}
        )
    except CommandRefused as refused:
        _log.warning("a stamp is not taken", extra={"by": anchor.name, "origin": asked.origin, "why": refused.code})
    else:
        if began - DRIFT <= said.at <= clock.now() + DRIFT:
            return said
        _log.warning("an answer is dated otherwise than this hall", extra={"by": anchor.name, "at": said.at})
    return None


def convicting(note: str, *, by: str, hall: HallPublicKey, origin: str, tree: Tree) -> Checkpoint | None:
    """Return the checkpoint in ``note`` if it proves that the hall signed another log than ``tree``, else None.

    A witness is believed only what the hall's own signature proves. ``tree`` must have been read after the note was.
    """
    try:
        held = open_checkpoint(note, hall, origin)
    except NoteRefused as error:
        _log.warning("a witness shows a checkpoint that is not ours", extra={"by": by, "code": error.code})
        return None
    if held.size <= len(tree) and tree.root(held.size) == held.root:
        return None  # it only has another size than it was asked to go on from
    _log.critical("a witness holds another log", extra={"by": by, "origin": origin, "size": held.size})
    return held


def cosigned(signed: Signed, kept: Collection[Kept]) -> str:
    """Return the checkpoint with the cosignatures that were given for it."""
    note = signed.note
    for one in kept:
        if one.kind is AnchorKind.WITNESS and one.size == signed.size:
            note = with_signatures(note, one.said.evidence.decode())
    return note


def witnessed(kept: Collection[Kept], quorum: int, size: int) -> int | None:
    """Return the smallest size from ``size`` on whose checkpoint a quorum cosigned; None without any."""
    said: dict[int, set[str]] = {}
    for one in kept:
        if one.kind is AnchorKind.WITNESS and one.size >= size:
            said.setdefault(one.size, set()).add(one.by)
    return min((at for at, names in said.items() if len(names) >= quorum > 0), default=None)
