"""The recorder writes, the hall follows: facts, notes in the opening's log, the close after the end."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from crypto.tlog import Checkpoint, Tree, sign_checkpoint
from sessions import events as e
from sessions.commands import CloseRecording, Pause
from sessions.errors import CommandRefused, Unanswered
from sessions.outside.opening_log import sign_head
from sessions.ports import Signed
from sessions.recording.log import CHECKPOINT
from sessions.recording.tail import Tail
from sessions.roles import CLOCK
from sessions.zipped import unpack
from tests.support.ceremony import HOST, SECOND
from tests.support.film import kept
from tests.support.hallkey import hall_key
from tests.support.recorded import CHECKIN, a_recorded_bundle, a_recorded_room
from tests.support.shell import SESSION
from tests.support.witnesses import ORIGIN, a_witness


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sessions.recording.tail.LOOK", 0.01)
    monkeypatch.setattr("sessions.recording.tail.BATCH", 0.0)


async def test_what_was_filmed_becomes_fact_and_is_closed_after_the_end(tmp_path: Path) -> None:
    async with a_recorded_room(tmp_path) as room:
        await room.check_in_begins()
        room.films(CHECKIN)
        await room.until(len(kept()[1]))
        assert not (await room.recording()).closed
        await room.ends()
        assert await room.tail.finished(SESSION, 60)
        log = [record.event for record in await room.log()]
        assert isinstance(log[0], e.TrackBegan)
        assert log[0].utc == CHECKIN
        assert log[-1] == e.RecordingClosed(fragments=len(kept()[1]), whole=True)


async def test_the_opening_notes_a_root_of_the_recording(tmp_path: Path) -> None:
    async with a_recorded_room(tmp_path) as room:
        await room.check_in_begins()
        room.films(CHECKIN)
        while not (await room.hall.state()).recorded:  # noqa: ASYNC110 - the tail works in this very loop
            await asyncio.sleep(0.005)
        (note,) = [r.event for r in await room.hall.sessions.events(SESSION) if isinstance(r.event, e.RecordingNoted)]
        tree = Tree(bytes.fromhex(record.digest) for record in await room.log())
        assert note.root == tree.root(note.size).hex()


async def test_a_recorder_that_died_leaves_a_broken_part_and_the_next_goes_on(tmp_path: Path) -> None:
    async with a_recorded_room(tmp_path) as room:
        await room.check_in_begins()
        room.films(CHECKIN, count=3, closes=False)
        await room.until(3)
        room.films(CHECKIN + 9 * SECOND)
        await room.until(3 + len(kept()[1]))
        while not (await room.recording()).parts[0].broken:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)
        assert [part.broken for part in (await room.recording()).parts] == [True, False]


async def test_another_worker_goes_on_where_the_first_stood(tmp_path: Path) -> None:
    async with a_recorded_room(tmp_path) as room:
        await room.check_in_begins()
        room.films(CHECKIN, count=3, closes=False)
        await room.until(3)
        await room.tail.stop({SESSION})
        before = await room.log()
        other = Tail(
            room.hall.sessions, room.store, events=room.hall.stores.events, log=room.tail._log, clock=room.clock
        )
        await other.start()
        room.films(CHECKIN + 9 * SECOND)
        room.tail = other
        await room.until(3 + len(kept()[1]))
        await other.close()
        assert (await room.log())[: len(before)] == before


async def test_nothing_stops_it_before_the_end(tmp_path: Path) -> None:
    async with a_recorded_room(tmp_path) as room:
        await room.check_in_begins()
        await room.hall.host_takes_over_the_room()
        await room.hall.sessions.handle(SESSION, Pause(reason="x", incident=False), HOST)
        room.films(CHECKIN)
        await room.until(len(kept()[1]))  # a pause of the ceremony is recorded like the rest
        for who in (CLOCK, HOST):
            with pytest.raises(CommandRefused):
                await room.hall.sessions.handle(SESSION, CloseRecording(whole=True), who)


async def test_without_a_recorder_the_recording_is_empty_and_closed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions.recording.tail.UNBEGUN", 0.05)
    async with a_recorded_room(tmp_path) as room:
        await room.check_in_begins()
        await room.ends()
        assert await room.tail.finished(SESSION, 60)
        assert [record.event for record in await room.log()] == [e.RecordingClosed(fragments=0, whole=False)]


async def test_a_recorder_that_does_not_close_is_waited_for_and_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions.recording.tail.PATIENCE", 0.05)
    async with a_recorded_room(tmp_path) as room:
        await room.check_in_begins()
        room.films(CHECKIN, closes=False)
        await room.until(len(kept()[1]))
        await room.ends()
        assert await room.tail.finished(SESSION, 60)
        assert [type(record.event) for record in await room.log()][-2:] == [e.TrackBroken, e.RecordingClosed]


async def test_the_closed_recording_is_signed_and_witnessed(tmp_path: Path) -> None:
    witness = a_witness("w1.example", tmp_path)
    async with a_recorded_room(tmp_path, witness) as room:
        await room.check_in_begins()
        room.films(CHECKIN)
        await room.until(len(kept()[1]))
        await room.ends()
        files = unpack(await room.bundle())
        assert witness.name in files[CHECKPOINT].decode()
        assert any(origin.endswith("/recording") for origin in witness.notes)


async def test_a_store_that_fails_once_keeps_no_closed_recording_from_being_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions.recording.log.FIRST_REST", 0.01)
    witness = a_witness("w1.example", tmp_path)
    async with a_recorded_room(tmp_path, witness) as room:
        await room.check_in_begins()
        room.films(CHECKIN)
        await room.until(len(kept()[1]))
        sign, failures = sign_head, [Unanswered()]

        async def stumbling(*given: Any) -> Signed:
            if failures:
                raise failures.pop()
            return await sign(*given)

        monkeypatch.setattr("sessions.recording.log.sign_head", stumbling)
        await room.ends()
        assert await room.tail.finished(SESSION, 60)
        assert failures == []
        assert any(origin.endswith("/recording") for origin in witness.notes)


async def test_an_opening_without_a_recording_has_no_third_stream(tmp_path: Path) -> None:
    async with a_recorded_room(tmp_path, recording=None) as room:
        await room.check_in_begins()
        room.films(CHECKIN)
        await room.ends()
        files = unpack(await room.bundle())
        assert await room.log() == ()
        assert not [name for name in files if "record" in name and not name.startswith("record.")]


async def test_the_bundle_of_two_lives_has_both_files_and_captions(tmp_path: Path) -> None:
    files = unpack(await a_recorded_bundle(tmp_path))
    assert {name for name in files if name.startswith("recording/")} == {
        "recording/programme-1.mp4",
        "recording/programme-2.mp4",
        "recording/host-1.mp4",
        "recording/captions.zh.vtt",
        "recording/captions.en.vtt",
    }


async def test_a_witness_that_holds_another_recording_convicts_the_hall(tmp_path: Path) -> None:
    witness = a_witness("w1.example", tmp_path)
    origin = f"{ORIGIN}/recording"
    other = Tree([b"another history" * 2 + b"!!"])
    note = sign_checkpoint(Checkpoint(origin=origin, size=1, root=other.root()), hall_key(tmp_path))
    witness.notes[origin] = note
    async with a_recorded_room(tmp_path, witness) as room:
        await room.check_in_begins()
        room.films(CHECKIN)
        await room.until(len(kept()[1]))
        await room.ends()
        while not (found := await room.hall.stores.checkpoints.convictions()):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
        assert found == ((SESSION, "w1.example", note),)
        assert [split.size for split in await room.notary.since_the_end(SESSION)] == [1]
