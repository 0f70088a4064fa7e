"""An opening that was recorded: a recorder at work beside a real hall, and the bundle that the two leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest

from hall.media.mp4.boxes import Fragment, Init
from hall.media.mp4.record import Recorder
from sessions.acts.notary import Notary, Outside
from sessions.archive.bundle import Archive
from sessions.commands import Abort, Approve
from sessions.events import Recorded, Stream
from sessions.keys.hallkey import HallKeys
from sessions.recording import Recording
from sessions.recording.log import RecordingLog
from sessions.recording.tail import Tail
from sessions.store.recordings import FolderRecordings
from tests.support.ceremony import HOST, MINUTE, SECOND, SUPERVISOR, T0, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.film import kept
from tests.support.finished import an_archive
from tests.support.shell import SESSION, Shell
from tests.support.witnesses import InHouse, a_watched_shell, a_witness, answered, watched

CHECKIN = T0 - 30 * MINUTE


@dataclass
class Room:
    """A hall, its clock, and a recorder that films into its folder."""

    hall: Shell
    clock: FakeClock
    tail: Tail
    notary: Notary
    archive: Archive
    store: FolderRecordings
    folder: Path

    def films(
        self,
        at: datetime,
        *,
        count: int | None = None,
        closes: bool = True,
        film: tuple[Init, list[Fragment]] | None = None,
        track: str = "programme",
    ) -> Recorder:
        """Record the kept film as the next part of a track, or as much of it, from ``at`` on."""
        init, fragments = film or kept()
        recorder = Recorder(self.folder, track, at)
        recorder.begin(init)
        for fragment in fragments[:count]:
            recorder.take(fragment)
        recorder.end()
        if not closes:  # as a dead one leaves it
            index = self.folder / f"{track}-{recorder.part}.jsonl"
            index.write_bytes(b"".join(index.read_bytes().splitlines(keepends=True)[:-1]))
        return recorder

    async def log(self) -> tuple[Recorded, ...]:
        return await self.hall.sessions.events(SESSION, Stream.RECORDING)

    async def recording(self) -> Recording:
        return await self.hall.sessions.recording(SESSION)

    async def until(self, fragments: int) -> None:
        """Wait until so many fragments are fact."""
        while (await self.recording()).fragments < fragments:
            self.tail.look(SESSION, await self.hall.state())
            await asyncio.sleep(0.005)

    async def noted(self, until: datetime) -> None:
        """Wait until the opening's log says that there is a picture up to then."""
        while (filmed := (await self.hall.state()).filmed) is None or filmed.until != until:
            self.tail.look(SESSION, await self.hall.state())
            await asyncio.sleep(0.005)

    async def check_in_begins(self) -> None:
        self.clock.set(CHECKIN)
        await self.hall.sessions.settle(SESSION)

    async def ends(self) -> None:
        """Two persons abort it: the shortest way to an end."""
        await self.hall.sessions.handle(SESSION, Abort(reason="演练结束"), HOST)
        await self.hall.sessions.handle(SESSION, Approve(proposal=1), SUPERVISOR)

    async def bundle(self) -> bytes:
        assert await self.tail.finished(SESSION, 60)
        await answered(self.notary)
        return await self.archive.bundle(SESSION)


@asynccontextmanager
async def a_recorded_room(
    folder: Path, *witnesses: InHouse, recording: bool | None = True, held: bool = True
) -> AsyncIterator[Room]:
    """A hall before check-in, whose opening was announced to be recorded, and ``held`` by a witness at least."""
    clock = FakeClock(T0 - 60 * MINUTE)
    witnesses = witnesses or ((a_witness("w1.example", folder),) if held else ())
    async with a_watched_shell(folder, *witnesses, clock=clock) as (hall, notary):
        store = FolderRecordings(folder / "media")
        keys = HallKeys.in_folder(folder)
        outside = Outside(witnesses={one.vkey: one for one in witnesses}, authorities={})
        log = RecordingLog(
            events=hall.stores.events, checkpoints=hall.stores.checkpoints, outside=outside, hall=keys, clock=clock
        )
        tail = Tail(hall.sessions, store, events=hall.stores.events, log=log, clock=clock)
        hall.sessions.on_commit(tail.look)
        plan = replace(a_plan(ceiling=None), recording=recording)
        await hall.sessions.create(watched(plan, *witnesses) if witnesses else plan)
        archive = an_archive(hall)
        archive._recordings = store
        try:
            yield Room(hall, clock, tail, notary, archive, store, folder / "media" / SESSION)
        finally:
            await tail.close()


async def a_recorded_bundle(folder: Path, *, held: bool = True) -> bytes:
    """Two parts with six seconds between them, the first broken off, and a host's camera, of an aborted opening."""
    film = kept()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sessions.recording.tail.NOTE", 0.0)
        return await _two_parts(folder, film, held=held)


async def _two_parts(folder: Path, film: tuple[Init, list[Fragment]], *, held: bool) -> bytes:
    async with a_recorded_room(folder, held=held) as room:
        await room.check_in_begins()
        room.films(CHECKIN, count=4, closes=False)
        await room.until(4)
        room.clock.advance(8 * SECOND)
        room.films(CHECKIN + 8 * SECOND)
        room.films(CHECKIN + 9 * SECOND, count=3, track="host")
        await room.until(4 + len(film[1]) + 3)
        await room.noted(CHECKIN + 12 * SECOND)
        room.clock.advance(2 * SECOND)
        await room.ends()
        return await room.bundle()
