"""The recording: its own chain, what the opening's log says of it, and every byte of its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import reduce

from crypto.digest import sha256_hex
from crypto.signing import HallPublicKey
from crypto.tlog import Tree, cosignatures, open_checkpoint
from sessions import commands as c
from sessions import events as e
from sessions import recording as recordings
from sessions.errors import CommandRefused
from sessions.opening import Opening
from sessions.plan import StepKind
from sessions.recording import Part, Recording, gaps
from sessions.recording.bundle import EVENTS, FOLDER, caption_member, fragments_of, inside, member
from sessions.recording.log import CHECKPOINT, origin_of
from sessions.recording.mp4 import NotOurs, opened
from sessions.recording.state import PROGRAMME
from sessions.roles import CLOCK
from sessions.verify import events
from sessions.verify.replay import Replayed
from sessions.verify.report import Failed, Found, require
from sessions.verify.watched import policy_of
from sessions.wording.moments import spoken

Files = Mapping[str, bytes]


def members(o: Opening) -> set[str]:
    """Return the members that a recorded opening leaves whatever was recorded."""
    return {EVENTS} if o.plan.recording else set()


def may_have(files: Files, o: Opening) -> set[str]:
    """Return the members there that such an opening may leave besides."""
    if not o.plan.recording:
        return set()
    watched = {CHECKPOINT} if o.plan.watch is not None else set()
    return watched & files.keys() | {name for name in files if name.startswith(FOLDER)}


def chain(files: Files, replayed: Replayed, key: HallPublicKey) -> Found:
    """Check the events of the recording, and what the opening's log and the checkpoint say of them; return them."""
    o = replayed.opening
    if not o.plan.recording:
        return Found((), "announced without a recording")
    log: tuple[e.Recorded, ...] = ()
    if files[EVENTS]:
        log = events.read(events.cores(files[EVENTS], o.plan.session, e.Stream.RECORDING).value, {}, o.plan).records
    recording = _played(log, o)
    tree = Tree(bytes.fromhex(record.digest) for record in log)
    notes = [record for record in replayed.log.records if isinstance(record.event, e.RecordingNoted)]
    begins, _ = stretch(replayed)
    until_then = Recording()
    for note in notes:
        until_then = _noted(note, log, tree, until_then, begins)
    held = _signed(files, o, recording, tree, key)
    state = "" if recording.closed else "; not closed when this bundle was made"
    return Found(log, f"{len(log)} events, root {tree.root().hex()}, noted {len(notes)} times{held}{state}")


def media(files: Files, replayed: Replayed, log: Sequence[e.Recorded]) -> Found:
    """Check every file of programme and sources to the byte; name every time of which there is no picture."""
    o = replayed.opening
    if not o.plan.recording:
        return Found(True, "announced without a recording")
    recording = Recording()
    for record in log:
        recording = recordings.evolve(recording, record)
    parts = inside(recording)
    shown = any(part.track == PROGRAMME for part in parts)
    allowed = {member(part) for part in parts} | ({caption_member(one) for one in ("zh", "en")} if shown else set())
    strays = {name for name in files if name.startswith(FOLDER)} - allowed
    require(not strays, f"{', '.join(sorted(strays))} is of nothing that was recorded")
    for part in parts:
        _file(files, part, log)
    beside = [part for part in recording.parts if part.fragments and part not in parts]
    told = [f"{len(parts)} files, {sum(part.fragments for part in parts)} fragments"]
    told += [f"{len(beside)} files are beside this bundle, their digests in it"] if beside else []
    begin, end = stretch(replayed)
    told += [
        f"no picture from {spoken(gap.since).en} to {spoken(gap.until).en}" for gap in gaps(recording, begin, end)
    ]
    return Found(True, "; ".join(told))


def stretch(replayed: Replayed) -> tuple[datetime, datetime]:
    """From when to when the opening is to be recorded: check-in to the last event."""
    run = replayed.opening.run_of(StepKind.CHECKIN)
    first, last = replayed.log.records[0].at, replayed.log.records[-1].at
    return (run.entered_at if run is not None else first), last


def _played(log: Sequence[e.Recorded], o: Opening) -> Recording:
    recording = Recording()
    for record in log:
        try:
            made = recordings.decide(recording, _asked(record), CLOCK, record.at, of=o)
        except CommandRefused as refused:
            raise Failed(f"recording event {record.number}: {refused.code}") from refused
        fits = len(made) == 1 and made[0].event == record.event and record.actor.role is CLOCK.role
        require(fits, f"recording event {record.number} is not what the rules make of the recording")
        recording = recordings.evolve(recording, record)
    return recording


def _asked(record: e.Recorded) -> c.RecordingCommand:
    match record.event:
        case e.TrackBegan() as began:
            return c.BeginTrack(
                track=began.track,
                part=began.part,
                codec=began.codec,
                init_length=began.init_length,
                init_sha256=began.init_sha256,
                utc=began.utc,
            )
        case e.FragmentsKept(track=track, part=part, fragments=fragments):
            return c.KeepFragments(track=track, part=part, fragments=fragments)
        case e.TrackBroken(track=track, part=part):
            return c.BreakTrack(track=track, part=part)
        case e.RecordingClosed(whole=whole):
            return c.CloseRecording(whole=whole)
        case _:
            raise Failed(f"event {record.number} does not belong to a recording")


def _noted(note: e.Recorded, log: Sequence[e.Recorded], tree: Tree, before: Recording, begins: datetime) -> Recording:
    """Check one note; ``before`` is the recording at the note before. Return it at this one."""
    event = note.event
    if not isinstance(event, e.RecordingNoted):
        return before
    require(
        event.size <= len(log),
        f"event {note.number} notes {event.size} events of the recording, and {len(log)} are here",
    )
    require(tree.root(event.size).hex() == event.root, f"event {note.number} notes another recording")
    require(log[event.size - 1].at <= note.at, f"event {note.number} notes what came later")
    recording = reduce(recordings.evolve, log[before.length : event.size], before)
    if event.gaps is not None or event.until is not None:  # notes of an earlier version tell neither
        told = recordings.noted(recording, begins) == (event.until, event.gaps)
        require(told, f"event {note.number} tells other gaps than the recording has")
    return recording


def _signed(files: Files, o: Opening, recording: Recording, tree: Tree, key: HallPublicKey) -> str:
    watch = o.plan.watch
    if watch is None:
        return ""
    if not recording.closed:
        require(CHECKPOINT not in files, "the checkpoint is of a recording that was not closed")
        return ""
    require(CHECKPOINT in files, f"{CHECKPOINT} is missing")
    checkpoint = open_checkpoint(files[CHECKPOINT], key, origin_of(watch))
    same = (checkpoint.size, checkpoint.root) == (len(tree), tree.root())
    require(same, "the checkpoint is of another recording")
    return f", cosigned by {len(cosignatures(files[CHECKPOINT], policy_of(watch).witnesses))}"


def _file(files: Files, part: Part, log: Sequence[e.Recorded]) -> None:
    name = member(part)
    require(name in files, f"{name} is missing")
    film = files[name]  # perhaps where it lies in the bundle (sessions.zipped.Stored): only slices of it are read
    try:
        init, at = opened(film)
    except NotOurs as error:
        raise Failed(f"{name}: {error}") from error
    whole = len(init) == part.init_length and sha256_hex(init) == part.init_sha256
    require(whole, f"{name} begins with another head than was kept")
    for number, fragment in enumerate(fragments_of(log, part), start=1):
        piece = film[at : at + fragment.length]
        require(sha256_hex(piece) == fragment.sha256, f"{name}: fragment {number} is not the one that was kept")
        at += fragment.length
    require(at == len(film), f"{name} has bytes that were not kept")
