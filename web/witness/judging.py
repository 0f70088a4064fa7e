"""What a witness says to a checkpoint, given the one it cosigned last. Pure: no clock, no file, no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from crypto.digest import sha256, verify_consistency
from crypto.errors import NoteRefused, ProofRefused
from crypto.tlog import (
    Checkpoint,
    VerifierKey,
    WitnessSecret,
    cosign,
    peek_checkpoint,
    read_note,
    read_request,
    with_signatures,
)
from crypto.tlog.checkpoints import verify_log
from crypto.tlog.notes import ED25519, Note

SIZE = "text/x.tlog.size"


class Fault(StrEnum):
    """Why two checkpoints under one log's signature do not go together."""

    TWO_ROOTS = "two_roots"  # one size, two roots: a split view, proven by the two notes alone
    NO_PROOF = "no_proof"  # the later one was not shown to continue the earlier one


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer to ``add-checkpoint``. ``state``: the note to keep first. ``fault``: to be kept with both notes."""

    status: int
    body: str = ""
    media_type: str = "text/plain; charset=utf-8"
    state: str | None = None
    fault: tuple[Fault, str] | None = None


def origin_of(request: str) -> str:
    """Return the log that a request is about. Raises NoteRefused."""
    return peek_checkpoint(read_request(request).checkpoint).origin


def judge(request: str, last: str | None, logs: Sequence[VerifierKey], witness: WitnessSecret, time: int) -> Verdict:
    """Return what to answer to ``request`` at ``time``; ``last`` is the note that was cosigned last of this log.

    ``logs`` are the halls' keys: the name of a key stands for itself and for every origin under it (``name/...``).
    The checks come in the order of the specification.
    """
    try:
        asked = read_request(request)
        note = read_note(asked.checkpoint)
        given = Checkpoint.parse(note.text)
    except NoteRefused as refused:
        return Verdict(status=400, body=f"{refused}\n")
    keys = _keys_of(given.origin, logs)
    if not keys:
        return Verdict(status=404, body="this log is not known here\n")
    key = next((one for one in keys if note.by(one)), keys[0])
    try:
        verify_log(note, key)
    except NoteRefused as refused:
        return Verdict(status=403, body=f"{refused}\n")
    if asked.old_size > given.size:
        return Verdict(status=400, body="the old size is above the checkpoint's\n")
    held = peek_checkpoint(last) if last is not None else None
    plain = str(Note(note.text, note.by(key)))  # what strangers signed below is not ours to hand on
    if held is not None and given.size == held.size and given.root != held.root:
        status = 422 if asked.old_size == held.size else 409
        body, media = _said(asked.old_size, held.size)
        return Verdict(status=status, body=body, media_type=media, fault=(Fault.TWO_ROOTS, plain))
    if asked.old_size != (held.size if held else 0):
        return Verdict(status=409, body=f"{held.size if held else 0}\n", media_type=SIZE)
    try:
        _continues(held, given, asked.proof)
    except ProofRefused as refused:
        fault = None if held is None else (Fault.NO_PROOF, plain)
        return Verdict(status=422, body=f"{refused}\n", fault=fault)
    line = cosign(plain, witness, time)
    return Verdict(status=200, body=line, state=with_signatures(plain, line))


def _keys_of(origin: str, logs: Sequence[VerifierKey]) -> list[VerifierKey]:
    """Return the keys of the log: after a rotation a hall has several by one name, and each opening keeps its own."""
    known = [log for log in logs if origin == log.name or origin.startswith(f"{log.name}/")]
    longest = max((len(log.name) for log in known), default=0)
    return [VerifierKey(origin, ED25519, log.raw) for log in known if len(log.name) == longest]


def _continues(held: Checkpoint | None, given: Checkpoint, proof: Sequence[bytes]) -> None:
    if given.size == 0 and given.root != sha256(b""):
        raise ProofRefused("wrong_proof", detail="the empty tree has another root")
    if held is None or held.size == 0:
        if proof:
            raise ProofRefused("wrong_proof", detail="nothing is to be proven from an empty tree")
        return
    verify_consistency(held.size, held.root, given.size, given.root, proof)


def _said(old_size: int, size: int) -> tuple[str, str]:
    """A client that asked from another size is told the right one, as the specification has it."""
    if old_size == size:
        return "another root of this size was cosigned here\n", "text/plain; charset=utf-8"
    return f"{size}\n", SIZE
