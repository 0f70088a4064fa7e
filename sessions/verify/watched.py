"""The log of the opening, and who outside the hall holds it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256

from crypto.digest import sha256_hex
from crypto.errors import NoteRefused
from crypto.signing import HallPublicKey
from crypto.timestamps import DRIFT
from crypto.tlog import (
    Checkpoint,
    Policy,
    Tree,
    WitnessKey,
    cosignatures,
    open_checkpoint,
    peek_checkpoint,
    read_note,
    verify_cosignature,
)
from sessions.archive.watched import FINAL_CHECKPOINT, dispute_member
from sessions.events import Anchored, Recorded
from sessions.opening import Opening, Status
from sessions.opening.points import reached
from sessions.plan import AnchorKind, Watch, WitnessMode
from sessions.verify.replay import Replayed
from sessions.verify.report import Failed, Found, require

Files = Mapping[str, bytes]
Notes = Mapping[int, bytes]

_HEAD = re.compile(rb"[0-9a-f]{64}")
_POINT = re.compile(r"log/opening-([1-9][0-9]{0,6})\.checkpoint")


def checkpoints(files: Files, o: Opening) -> set[str]:
    """Return the members that a watched opening may leave: checkpoints at its end and at points, and disputes."""
    if o.plan.watch is None:
        return set()
    disputes = {dispute_member(number) for number in range(1, len(o.disputes) + 1)}
    return {name for name in files if name == FINAL_CHECKPOINT or _POINT.fullmatch(name)} | (disputes & files.keys())


def opening_log(files: Files, replayed: Replayed, key: HallPublicKey) -> Found:
    """Every checkpoint is signed by the hall, and its root is that of the events: nobody was shown others."""
    o = replayed.opening
    if o.plan.watch is None:
        return Found({}, "no log was announced")
    origin, session = o.plan.watch.origin, o.plan.session
    require(origin.endswith(f"/s/{session}"), "the log is named for another session")
    tree = Tree(bytes.fromhex(record.digest) for record in replayed.log.records)
    notes: dict[int, bytes] = {}
    for name in sorted(files):
        found = _POINT.fullmatch(name)
        if name == FINAL_CHECKPOINT or found:
            checkpoint = open_checkpoint(files[name], key, origin)
            size = int(found[1]) if found else len(tree)
            require(checkpoint.size == size, f"{name} has another size")
            require(_continues(tree, checkpoint), f"{name} is of other events than these")
            notes[size] = files[name]
    for dispute in o.disputes:
        raise Failed(f"the witness {dispute.by} holds another log under the hall's signature ({dispute.kind})")
    require(len(tree) in notes, f"{FINAL_CHECKPOINT} is missing")
    return Found(notes, f"{len(tree)} events, root {tree.root().hex()}, {len(notes)} checkpoints")


def witnesses(replayed: Replayed, notes: Notes) -> Found:
    """What the events say of witnesses is under the checkpoints, by the keys that were announced."""
    o = replayed.opening
    watch = o.plan.watch
    if watch is None or not watch.witnesses:
        return Found(True, "no witness was announced")
    policy = policy_of(watch)
    keys = {witness.name: witness for witness in policy.witnesses}
    for record in replayed.log.records:
        event = record.event
        if isinstance(event, Anchored) and event.kind is AnchorKind.WITNESS:
            require(event.size in notes, f"the checkpoint of event {record.number} is missing")
            _cosigned(event, record, notes[event.size], keys[event.by])
    said = {size: cosignatures(note, policy.witnesses) for size, note in notes.items()}
    for size, times in said.items():
        newest = replayed.log.records[size - 1].at
        early = [by for by, time in times.items() if datetime.fromtimestamp(time, UTC) < newest - DRIFT]
        require(not early, f"{', '.join(early)} cosigned {size} events before the last of them had happened")
    final = len(said[len(replayed.log.records)])
    rule = o.plan.pack.witness
    closed = rule is not None and rule.mode is WitnessMode.CLOSED and o.status is Status.ENDED
    require(not closed or final >= watch.quorum, f"{final} witnesses cosigned the end, {watch.quorum} must")
    held = [f"{p.name} {len(p.by(AnchorKind.WITNESS))}{'' if reached(o, p) else ' (too few)'}" for p in o.points]
    return Found(True, f"{', '.join([*held, f'end {final}'])} of {len(keys)}, quorum {watch.quorum}")


def held_outside(note: bytes, files: Files, replayed: Replayed, key: HallPublicKey) -> Found:
    """What somebody kept, against the logs of the bundle: the same, or the hall is convicted.

    A checkpoint of the opening's log, of that of receipts or of that of the recording; or the digest of an event, as
    the foot of a printed record gives it for the last.
    """
    o = replayed.opening
    if _HEAD.fullmatch(note.strip()):
        return _printed(note.strip().decode(), replayed)
    if o.plan.watch is None:
        raise Failed("this opening was announced without a log")
    try:
        origin = peek_checkpoint(note).origin
        kept = _log(origin.removeprefix(o.plan.watch.origin), files, replayed)
        checkpoint = open_checkpoint(note, key, origin if kept is not None else o.plan.watch.origin)
    except NoteRefused as refused:
        raise Failed(f"it proves nothing about this bundle: {refused.sentence}") from None
    tree, what = kept or (Tree(), "")
    length, said = len(tree), cosignatures(note, policy_of(o.plan.watch).witnesses)
    if checkpoint.size > length:
        raise Failed(
            f"SPLIT VIEW: the hall signed a log of {checkpoint.size} {what} and hands out one of {length}: "
            f"{what} were taken away"
        )
    if not _continues(tree, checkpoint):
        raise Failed(
            f"SPLIT VIEW: the hall signed two different logs of {checkpoint.size} {what}; this checkpoint and the "
            "bundle prove it together, keep both"
        )
    return Found(True, f"the first {checkpoint.size} of {length} {what}, cosigned by {len(said)} witnesses")


def _log(suffix: str, files: Files, replayed: Replayed) -> tuple[Tree, str] | None:
    """Return the log of the bundle whose name so continues that of the opening's, and what is in it."""
    match suffix:
        case "":
            return Tree(bytes.fromhex(record.digest) for record in replayed.log.records), "events"
        case "/intake":
            data = files.get("log/intake.entries", b"")
            return Tree(data[at : at + 32] for at in range(0, len(data), 32)), "receipts"
        case "/recording":
            lines = files.get("events/recording.jsonl", b"").splitlines()
            return Tree(sha256(line).digest() for line in lines), "events of the recording"
        case _:
            return None


def _printed(head: str, replayed: Replayed) -> Found:
    records = replayed.log.records
    places = [record.number for record in records if record.digest == head]
    if not places:
        raise Failed(
            f"SPLIT VIEW: no event of this bundle has the digest {head}: what it was printed on is of another log, "
            "keep both"
        )
    return Found(True, f"the head after event {places[0]} of {len(records)}")


def policy_of(watch: Watch) -> Policy:
    """Return the witnesses and the quorum that a plan announced."""
    return Policy(witnesses=tuple(map(WitnessKey.parse, watch.witnesses)), quorum=watch.quorum)


def _continues(tree: Tree, checkpoint: Checkpoint) -> bool:
    return checkpoint.size <= len(tree) and tree.root(checkpoint.size) == checkpoint.root


def _cosigned(event: Anchored, record: Recorded, note: bytes, witness: WitnessKey) -> None:
    number, time = record.number, verify_cosignature(note, witness)
    lines = read_note(note).by(witness.verifier)
    require(sha256_hex(str(lines[0]).encode()) == event.sha256, f"event {number} is of another cosignature")
    require(datetime.fromtimestamp(time, UTC) == event.said_at, f"event {number} gives another time")
    require(event.said_at <= record.at + DRIFT, f"event {number}: recorded before it was cosigned")
    require(open_root(note) == event.root, f"event {number} gives another root")


def open_root(note: bytes) -> str:
    """Return the root of a checkpoint that was verified before."""
    return Checkpoint.parse(read_note(note).text).root.hex()
